"""The fast path on torch trains as stock Keras does, and leaves the same files."""

import weakref

import keras
import numpy as np
import pytest

from kerastrash.backends import training_model
from kerastrash.data import Dataset
from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.models.builder import in_policy
from kerastrash.training.fit import backbone_rates, compile_by_recipe, set_trainable
from kerastrash.training.losses import recipe_loss
from kerastrash.training.recipe import Recipe

if keras.backend.backend() != "torch":
    pytest.skip("the fast path is torch's", allow_module_level=True)

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kerastrash.backends import is_out_of_memory, release
from kerastrash.backends.torch import update
from kerastrash.backends.torch.training import Trainer, largest_map

ROWS = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),
    InvertedResidual(3, 1, 16),
    InvertedResidual(5, 3, 24, squeeze_excite=True, stride=2),
    InvertedResidual(3, 2, 24, hard_swish=True),
    Conv(32),
    Pool(),
)
STEPS = 50
RECIPES = (
    Recipe(),
    Recipe(weight_decay=1e-2),
    Recipe(loss="logit_adjusted"),
    Recipe(loss="class_balanced", label_smoothing=0.01),
    Recipe(loss="focal", gamma=1.5),
    Recipe(momentum_low=0.0),
)


def make(policy: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(3)
    return in_policy(build_model(ROWS, 16, classes=3), policy)


def losses(model: keras.Model, dataset: Dataset, recipe: Recipe, rates: dict | None = None) -> np.ndarray:
    """The loss of each of the steps."""
    compile_by_recipe(model, dataset, recipe, STEPS, rates)
    rng, values = np.random.default_rng(1), []
    for _ in range(STEPS):
        rows = rng.choice(36, 12, replace=False)
        images, labels = dataset.images[rows], dataset.labels[rows]
        model.reset_metrics()
        model.train_step((torch.from_numpy(images), torch.from_numpy(labels)))
        values.append(float(model.get_metrics_result()["loss"]))
    return np.array(values)


@pytest.mark.parametrize("recipe", [*RECIPES, Recipe(freeze=1, backbone_rate=0.1, weight_decay=1e-2)])
def test_losses_weights_and_state_are_those_of_stock_keras(recipe, coloured_squares):
    stock, other = make(), make()
    for model in (stock, other):
        set_trainable(model, recipe)
    rates, fast = backbone_rates(stock, recipe), training_model(other)
    expected, found = (losses(model, coloured_squares, recipe, rates) for model in (stock, fast))
    assert expected[-1] < (0.5 if recipe.freeze else 0.1) * expected[0]  # it learns: there is something to differ in
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)
    for mine, theirs in zip(fast.variables, stock.variables, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-2, atol=2e-4, err_msg=theirs.path)
    assert int(fast.optimizer.iterations) == int(stock.optimizer.iterations) == STEPS


class HostConstants(TorchDispatchMode):
    """Counts the tensors that are made from numbers of the host."""

    count = 0

    def __torch_dispatch__(self, function, kinds, arguments=(), keywords=None):
        self.count += function in (torch.ops.aten.lift_fresh.default, torch.ops.aten._local_scalar_dense.default)
        return function(*arguments, **keywords or {})


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_loss_takes_nothing_from_the_host(recipe):
    loss = recipe_loss(recipe, np.array([0, 0, 1, 2]), 3)
    labels, logits = torch.tensor([0.0, 2.0]), torch.randn(2, 3, requires_grad=True)
    with HostConstants() as made_in_call:
        loss.call(labels, logits).mean().backward()
    assert made_in_call.count == 0
    with HostConstants() as made_by_keras:
        loss(labels, logits)
    assert made_by_keras.count > 0  # which is why the trainer reduces it


def test_an_evaluation_is_that_of_stock_keras(coloured_squares):
    stock, fast = make(), training_model(make())
    images, labels = coloured_squares.images, coloured_squares.labels
    for model in (stock, fast):
        compile_by_recipe(model, coloured_squares, Recipe(), STEPS)
    expected, found = (m.evaluate(images, labels, batch_size=25, verbose=0, return_dict=True) for m in (stock, fast))
    assert found == pytest.approx(expected, rel=1e-5)


def test_soft_labels_train_as_in_stock_keras(coloured_squares):
    found = []
    for model in (make(), training_model(make())):
        compile_by_recipe(model, coloured_squares, Recipe(mixup=0.2), STEPS)
        soft = np.eye(3, dtype="float32")[coloured_squares.labels] * 0.8 + 0.2 / 3
        model.train_step((torch.from_numpy(coloured_squares.images), torch.from_numpy(soft)))
        found.append(float(model.get_metrics_result()["loss"]))
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_a_state_saved_by_one_path_is_continued_by_the_other(coloured_squares, tmp_path):
    recipe = Recipe()
    fast, stock = training_model(make()), make()
    losses(fast, coloured_squares, recipe)
    fast.save_weights(tmp_path / "state.weights.h5")
    compile_by_recipe(stock, coloured_squares, recipe, STEPS)
    stock.optimizer.build(stock.trainable_variables)
    stock.load_weights(tmp_path / "state.weights.h5")
    for mine, theirs in zip(fast.optimizer.variables, stock.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs), err_msg=theirs.path)
    images = coloured_squares.images[:8]
    np.testing.assert_allclose(stock.predict(images, verbose=0), fast.predict(images, verbose=0), atol=1e-6)


@pytest.mark.parametrize(("policy", "scaled"), [("mixed_float16", True), ("mixed_bfloat16", False)])
def test_sixteen_bits_learn_with_weights_of_32_and_a_loss_scale_where_numbers_would_underflow(
    coloured_squares, policy, scaled
):
    model = training_model(make(policy))
    found = losses(model, coloured_squares, Recipe())
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == scaled
    assert np.isfinite(found).all() and found[-1] < 0.2 * found[0]
    assert all(np.isfinite(np.asarray(variable)).all() for variable in model.variables)
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


def test_an_overflow_changes_no_weight_halves_the_scale_and_counts_as_a_batch(coloured_squares):
    model = training_model(make("mixed_float16"))
    compile_by_recipe(model, coloured_squares, Recipe(), STEPS)
    images, labels = (torch.from_numpy(array) for array in (coloured_squares.images, coloured_squares.labels))
    model.train_step((images, labels))
    weights = [np.array(variable) for variable in model.trainable_variables]
    model.optimizer.dynamic_scale.assign(2.0**60)
    model.train_step((images, labels))
    for before, variable in zip(weights, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, np.asarray(variable), err_msg=variable.path)
    assert float(model.optimizer.dynamic_scale) == 2.0**59
    assert int(model.optimizer.iterations) == 2


def in_sixteen_bits(dataset: Dataset) -> tuple[keras.Model, tuple[torch.Tensor, torch.Tensor]]:
    """A model that has made a step, and its batch."""
    model = training_model(make("mixed_float16"))
    compile_by_recipe(model, dataset, Recipe(), STEPS)
    batch = torch.from_numpy(dataset.images), torch.from_numpy(dataset.labels)
    model.train_step(batch)
    return model, batch


def test_an_overflow_of_the_forward_pass_moves_no_statistic_and_no_weight(coloured_squares):
    model, (images, labels) = in_sixteen_bits(coloured_squares)
    before = [np.array(variable) for variable in model.variables]
    model.train_step((images.float() * 1e6, labels))  # infinite in 16 bits from the first convolution on
    for kept, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(kept, np.asarray(variable), err_msg=variable.path)
    assert float(model.optimizer.dynamic_scale) == 2.0**14
    model.train_step((images, labels))
    moved = [
        not np.array_equal(kept, np.asarray(variable)) for kept, variable in zip(before, model.variables, strict=True)
    ]
    assert all(moved) and all(np.isfinite(np.asarray(variable)).all() for variable in model.variables)


def test_the_loss_of_an_epoch_is_that_of_the_steps_without_overflow(coloured_squares):
    model, (images, labels) = in_sixteen_bits(coloured_squares)
    expected = model.get_metrics_result()["loss"]
    model.reset_metrics()
    model.train_step((images.float() * 1e6, labels))
    assert np.isnan(model.get_metrics_result()["loss"])  # not one good step
    model.reset_metrics()
    for factor in (1e6, 1, 1e6):
        model.train_step((images.float() * factor, labels))
    found = model.get_metrics_result()["loss"]
    assert np.isfinite(found) and found < expected


@pytest.mark.parametrize("policy", ("float32", "mixed_float16"))
def test_rate_and_momentum_read_on_the_device_train_as_numbers_do(coloured_squares, policy, monkeypatch):
    expected = losses(training_model(make(policy)), coloured_squares, Recipe())
    monkeypatch.setattr(update, "CHUNK", 8)  # so that the schedule is sent several times
    model = training_model(make(policy))
    compile_by_recipe(model, coloured_squares, Recipe(), STEPS)
    made = Trainer(model, 12)
    made.update.table = torch.zeros(8, 2)  # as on a device
    monkeypatch.setattr("kerastrash.backends.torch.training.Trainer", lambda *given: made)
    monkeypatch.setattr(model, "compile", lambda *given, **options: None)
    np.testing.assert_allclose(losses(model, coloured_squares, Recipe()), expected, rtol=1e-3, atol=2e-5)


def test_what_training_took_is_given_back_and_the_model_can_train_again(coloured_squares):
    model, batch = in_sixteen_bits(coloured_squares)
    trainer = weakref.ref(model._trainer)
    release(model)
    assert trainer() is None
    model.train_step(batch)
    assert int(model.optimizer.iterations) == 2


@pytest.mark.parametrize(
    "words",
    (
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling",
        "CUDA error: out of",
    ),
)
def test_memory_that_a_library_lacks_is_recognised(words):
    assert is_out_of_memory(RuntimeError(words)) and not is_out_of_memory(RuntimeError("CUDA error: misaligned"))


def test_a_saved_half_precision_model_scales_its_loss_again_when_opened(coloured_squares, tmp_path):
    make("mixed_float16").save(tmp_path / "half.keras")
    assert keras.config.dtype_policy().name == "float32"  # of which Keras would conclude that nothing is scaled
    model = training_model(keras.saving.load_model(tmp_path / "half.keras", compile=False))
    compile_by_recipe(model, coloured_squares, Recipe(), STEPS)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


def test_another_optimizer_or_reduction_than_the_contract_names_is_refused(coloured_squares):
    batch = torch.from_numpy(coloured_squares.images[:4]), torch.from_numpy(coloured_squares.labels[:4])
    loss = recipe_loss(Recipe(), coloured_squares.labels, 3)
    model = training_model(make())
    model.compile(optimizer="adam", loss=loss)
    with pytest.raises(TypeError, match="Adam is no MomentumSGD: compile the model with a OneCycleSGD"):
        model.train_step(batch)
    compile_by_recipe(model, coloured_squares, Recipe(), STEPS)
    model.loss.reduction = None
    with pytest.raises(TypeError, match="no Keras Loss reduced to a mean or a sum"):
        model.train_step(batch)


def test_the_largest_map_is_that_of_the_widest_row():
    model = make()  # 16 px: 8 x 8 x 16 after the stem, and 8 x 8 x 48 where the third row expands
    assert largest_map(model) == 4 * 8 * 8 * 48


def test_a_frozen_norm_keeps_its_statistics(coloured_squares):
    model = make()
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    norm.trainable = False
    norm.moving_mean.assign(np.full(norm.moving_mean.shape, 0.5))
    before = [np.array(variable) for variable in norm.variables]
    losses(training_model(model), coloured_squares, Recipe())
    for kept, variable in zip(before, norm.variables, strict=True):
        np.testing.assert_array_equal(kept, np.asarray(variable), err_msg=variable.path)


def test_a_net_without_norms_and_biases_trains(coloured_squares):
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    model = training_model(keras.Model(inputs, keras.layers.Dense(3, use_bias=False)(x)))
    found = losses(model, coloured_squares, Recipe())
    assert found[-1] < found[0]
