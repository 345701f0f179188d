# Every target sets up what it needs in .venv and runs. ARGS go to the script: make tune ARGS="--data DIR".
PYTHON ?= python3
BIN := .venv/bin
TORCH := $(shell grep '^torch==' constraints.txt)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INSTALL_DEVICE := .venv-device/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
BACKENDS := jax tensorflow
# Most of the time of these tests goes into compiling nets that run once.
QUICK_XLA := --xla_backend_optimization_level=0
# All that predict.py and kerastrash.Classifier need to run an exported file.
DEVICE := numpy pillow rich cyclopts pyyaml onnxruntime openvino ai-edge-litert
# What most mistakes trip over, at a fraction of the time of all tests.
QUICK := tests/test_*.py tests/models/test_presets.py tests/models/test_rows.py tests/models/test_rows_file.py \
	tests/data/test_coco.py tests/data/test_split.py tests/scoring/test_formula.py \
	tests/tuners/test_space.py tests/reports
EXPORTED := $(CURDIR)/.venv-device/exported

.PHONY: help tune train score data check check-data test test-device test-wheel test-slow gpu gpu-rehearsal lint format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@echo "installing kerastrash into .venv (torch first, by its exact version)"
	$(INSTALL) $(TORCH)
	$(INSTALL) --editable ".[onnx]"
	@touch $@

.venv/.test: .venv/.base
	@echo "installing what the tests need: jax, tensorflow, the device formats, pytest, ruff"
	$(INSTALL) --editable ".[jax,tensorflow,onnx,openvino,litert,safetensors,pretrained,test]"
	@touch $@

# An F1 of 0.5 is what a short search can expect of the sample, whose classes have 70 photographs each to train on.
tune: ARGS ?= --baseline-f1 0.5 --retrain-epochs 20
tune: .venv/.base ## search, train and score a classifier (on the sample, or ARGS="--data ...")
	$(BIN)/python scripts/tune.py $(ARGS)

train: .venv/.base ## train one net: ARGS="--net mobilenetv3_79 --data ..."
	$(BIN)/python scripts/train.py $(ARGS)

score: .venv/.base ## score a .keras file: ARGS="MODEL.keras --data ..."
	$(BIN)/python scripts/score.py $(ARGS)

data: .venv/.base ## cut, check and summarise the crops of a data set: ARGS="--data ..."
	$(BIN)/python scripts/prepare.py $(ARGS)

check-data: .venv/.base ## look for leaks, conflicts and faults in a data set: ARGS="SOURCE"
	$(BIN)/python scripts/check.py $(ARGS)

lint: .venv/.test ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.test ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint ## lint and the quick tests, under two minutes
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" $(QUICK)

test: lint ## what CI runs: everything on torch, what every backend must do on jax and tensorflow
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"
	for backend in $(BACKENDS); do \
		KERAS_BACKEND=$$backend OMP_NUM_THREADS=1 XLA_FLAGS=$(QUICK_XLA) $(BIN)/python -m pytest -n 2 --dist loadfile -m "backends and not slow" || exit 1; \
	done
	$(MAKE) gpu-rehearsal
	$(MAKE) test-device

gpu: .venv/.test ## check and time a GPU, with a report: ARGS="--peer FOLDER"
	$(BIN)/python scripts/gpu_check.py $(ARGS)

gpu-rehearsal: .venv/.test ## the same on a processor, small: whether all of it runs
	$(BIN)/python scripts/gpu_check.py --device cpu --quick $(ARGS)

# What a robot has: runtimes alone, neither Keras nor a backend.
.venv-device/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-device
	@echo "installing the device runtimes, without keras, torch and tensorflow, into .venv-device"
	$(INSTALL_DEVICE) $(DEVICE) pytest
	$(INSTALL_DEVICE) --no-deps --editable .
	@touch $@

test-device: .venv/.test .venv-device/.done ## exported files where neither keras nor torch is installed
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 $(BIN)/python tests/device/make_exported.py $(EXPORTED)
	KERASTRASH_EXPORTED=$(EXPORTED) .venv-device/bin/python -m pytest --confcutdir=tests/device tests/device

test-wheel: ## the wheel in an empty environment, away from the checkout
	PYTHON=$(PYTHON) .ci/wheel

test-slow: .venv/.test ## the tests that take minutes
	KERAS_BACKEND=torch $(BIN)/python -m pytest -m slow

clean: ## remove the environment and the caches; runs/ and generated data stay
	rm -rf .venv .venv-device .pytest_cache .ruff_cache *.egg-info
