"""How fast the device trains and infers: the measurements of `scripts/benchmarks`, at a GPU's sizes."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from feeding import FeedingBenchmark, augmentation_rates
from gpu.plan import Found, GpuCheck
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from training import TrainingBenchmark, batch, end_to_end, full_recipe, images_a_second, made, peer
from turns import in_turns, rates_table

from kerastrash.backends import device_description, is_out_of_memory, set_tf32, synchronise
from kerastrash.errors import ConfigError, KerastrashError
from kerastrash.export.formats import FORMATS
from kerastrash.export.writing import write_model
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.models.saved import save_model
from kerastrash.reports.tables import PlainTable
from kerastrash.scoring.clocks import inference_times
from kerastrash.scoring.opening import keras_accelerator, open_timed
from kerastrash.settings import to_dict
from kerastrash.training.recipe import DtypePolicy, Recipe

NET = "mobilenetv3_79"
SENT = (
    "Images lie in host memory and are sent in every step: ours uint8, the peer's float32. In 16 bits the peer runs "
    "with --amp; in float32 ours may use TF32 throughout, PyTorch by itself in convolutions."
)
Rate = Callable[[], float]
"""Measures images a second."""


def benchmark(config: GpuCheck, policy: DtypePolicy = "mixed_float16", batch_size: int = 64) -> TrainingBenchmark:
    """The contest's submitted net at its size; at a small one where it is to be quick."""
    size, steps, batch_size = (32, 4, 8) if config.quick else (156, 40, batch_size)
    policy = policy if config.on_gpu else "float32"  # a processor takes many times as long in 16 bits
    return TrainingBenchmark(
        net=NET,
        input_size=size,
        steps=steps,
        peer=config.peer,
        peer_python=config.peer_python,
        data=config.data,
        recipe=Recipe(batch_size=batch_size, dtype_policy=policy),
    )


def speed(config: GpuCheck) -> Found:
    """A training step beside the peer's, images in host memory."""
    policies, batch_sizes = ("mixed_float16", "float32"), (64, 256)
    cases = [(policy, batch_size) for policy in policies for batch_size in batch_sizes]
    found = Found(notes=(SENT,))
    for one in [benchmark(config, *case) for case in (cases[:1] if config.quick else cases)]:
        ours, theirs = partial(images_a_second, to_dict(one), "fast"), partial(peer, one, "--compute-only")
        found += beside(config, f"training step: {one.conditions}", ours, theirs, turns=1 if config.quick else 2)
    return found


def end_to_end_speed(config: GpuCheck) -> Found:
    """The second epoch of two from the photographs on, beside the peer's."""
    one = benchmark(config)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        title = f"end to end, {config.data.data}, second epoch: {one.conditions}"
        return beside(config, title, partial(end_to_end, one, folder), partial(peer, one, "--epochs=2"), turns=1)


def beside(config: GpuCheck, title: str, ours: Rate, theirs: Rate, turns: int) -> Found:
    """Images a second of ours and of the peer's, in turns; ours alone where there is no peer, or it fails."""
    failures = ()
    try:
        try:
            rates = in_turns({"kerastrash": ours} | ({"peer": theirs} if config.peer else {}), turns)
        except ConfigError as error:
            rates, failures = in_turns({"kerastrash": ours}, turns), (f"peer: {error}",)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return Found(notes=(f"{title}: the device has not enough memory",))
    return Found((rates_table(title, rates, list(rates)[-1]),), failures=failures)


def augmentation(config: GpuCheck) -> Found:
    """RandAugment with two operations on the device and by Pillow."""
    size, batch_size, batches, turns = (32, 4, 2, 1) if config.quick else (156, 64, 40, 3)
    settings = FeedingBenchmark(
        what="augmentation", input_size=size, batch_size=batch_size, batches=batches, turns=turns, data=config.data
    )
    return Found((rates_table(*augmentation_rates(settings)),))


def recipe(config: GpuCheck) -> Found:
    """The contest's whole recipe, projected from two epochs."""
    sizes = {"training_crops": 16, "validation_crops": 4} if config.quick else {}
    return Found(notes=(full_recipe(TrainingBenchmark(**vars(benchmark(config)) | sizes | {"until": 2})),))


def kernels(config: GpuCheck) -> Found:
    """What the device does in a training step: the ten kernels that take the longest."""
    one = benchmark(config)
    set_tf32(True)
    model, dataset = made(one, "fast")
    batches, steps = [batch(one, dataset, number) for number in range(8)], 2 if config.quick else 20
    for each in batches[:6]:
        model.train_step(each)
    synchronise()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if config.on_gpu else [])]
    with profile(activities=activities) as profiler:
        for number in range(steps):
            model.train_step(batches[number % 8])
        synchronise()
    return Found((_longest(profiler, steps, f"longest kernels of a training step: {one.conditions}", config.on_gpu),))


def _longest(profiler: profile, steps: int, title: str, on_gpu: bool) -> PlainTable:
    taken = {
        event.key: (event.self_device_time_total if on_gpu else event.self_cpu_time_total, event.count)
        for event in profiler.key_averages()
        if (event.device_type != DeviceType.CPU) == on_gpu
    }
    if not taken:
        raise ConfigError("the profiler saw no kernel: CUPTI cannot be used here; allow it, or leave out this part")
    whole = sum(time for time, _ in taken.values())
    longest = sorted(taken.items(), key=lambda item: -item[1][0])[:10]
    rows = [
        (name[:90], f"{count / steps:.1f}", f"{time / steps:.0f}", f"{time / whole:.1%}")
        for name, (time, count) in longest
    ]
    caption = f"{device_description()}, {len(taken)} kinds of kernels, {whole / steps / 1000:.2f} ms a step in all"
    return PlainTable(("kernel", "calls a step", "µs a step", "share"), rows, title=title, caption=caption)


def latency(config: GpuCheck) -> Found:
    """A call with one image, by every runtime that is installed, in turns."""
    size, count = (32, 4) if config.quick else (156, 200)
    net = build_model(NET, size)
    nets, lacking, device = {}, [], keras_accelerator()
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        for label, path in _files(net, Path(folder), config, lacking):
            try:
                nets[label] = open_timed(path, 1, device)
            except KerastrashError as error:
                lacking.append(f"{label}: {error}")
        images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype("uint8")
        times = inference_times(nets, dict.fromkeys(nets, images))
    rows = [
        (label, net.name, net.device, *(f"{ms:.3f}" for ms in (timing.median_ms, timing.p90_ms, timing.p99_ms)))
        for (label, net), timing in zip(nets.items(), times.values(), strict=True)
    ]
    columns = ("file", "runtime", "device", "median ms", "p90", "p99")
    title = f"latency: {NET}, {size} px, batch 1, one thread, {count} images"
    return Found((PlainTable(columns, rows, text=columns[:3], title=title),), tuple(lacking))


def _files(net, folder: Path, config: GpuCheck, lacking: list[str]) -> Iterator[tuple[str, Path]]:
    """The net in every format that can be written here, and in Keras's 16-bit policies on a GPU."""
    for policy in ("float32", "mixed_float16") if config.on_gpu else ("float32",):
        path = folder / f"{policy}.keras"
        save_model(in_policy(net, policy), path)
        yield f"keras, {policy}", path
    for name, form in FORMATS.items():
        if name == "keras" or (config.quick and name != "onnx"):
            continue
        if line := form.missing():
            lacking.append(f"{name} is not timed: {line} brings it")
            continue
        try:
            yield name, write_model(net, name, folder / f"net{form.suffix or f'_{name}'}")
        except KerastrashError as error:
            lacking.append(f"{name} cannot be written: {error}")
