"""`sdstream bench engine`: the engine's speed in each mode, the time of each part, and several frames a call."""

import itertools
from collections.abc import Sequence

import torch

from sdstream.bench.engine.stopwatch import Stopwatch
from sdstream.bench.engine.workbench import GUIDED, STEP_LISTS, Bench, Row, controls, unet_rows
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.guidance import RowGuidance
from sdstream.engine.denoising.noise import NoiseCache
from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.denoising.stream_batch import Recipe, StreamBatch
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.errors import Unavailable


def modes(bench: Bench, steps: Sequence[int]) -> list[Row]:
    """Measure every guidance mode, and cross-frame attention, at each number of steps."""
    frames = bench.moving()
    rows: list[Row] = []
    for n in steps:
        kinds = {mode: controls(n, mode) for mode in GUIDED}
        kinds["cross_frame_attention"] = controls(n, cross_frame_attention=True)
        players = {kind: bench.player(frames, chosen) for kind, chosen in kinds.items()}
        laps = bench.times(players)
        for kind, chosen in kinds.items():
            seconds = laps.seconds(kind)
            row: Row = {"n": n, "mode": kind, "rows": unet_rows(bench, chosen)}
            row["dtype"] = players[kind].session.dtype
            row["ms"] = 1e3 * seconds
            row["fps"] = 1 / seconds
            row["of_none"] = laps.ratio(kind, "none")
            rows.append(row)
    return rows


def profile(bench: Bench, n: int, mode: str = "self_negative") -> list[Row]:
    """Measure the parts of a call; `glue` is the rest. Raises Unavailable unless the backend is eager."""
    if bench.settings.acceleration != "eager":
        raise Unavailable(
            f"--profile measures torch's modules, and engine.acceleration is {bench.settings.acceleration}; "
            "use --set engine.acceleration=eager"
        )
    watch = Stopwatch(bench.model.device)
    player = bench.player(bench.moving(), controls(n, mode))
    player.prepare()
    player.warm_up()
    unet, autoencoder = player.session.unet, player.session.autoencoder
    assert isinstance(unet, ConditionedUNet)
    assert isinstance(autoencoder, Autoencoder)
    modules = {"encoder": autoencoder.module.encoder, "unet": unet.module, "decoder": autoencoder.module.decoder}
    for name, module in modules.items():
        watch.wrap(module, "forward", name)
    began = watch.now()
    for _ in range(bench.laps):
        player()
    total = watch.now() - began
    parts = watch.seconds | {"glue": total - sum(watch.seconds.values())}
    return [{"n": n, "part": name, "ms": 1e3 * t / bench.laps, "share": t / total} for name, t in parts.items()]


class FramesPerCall:
    """Encoder, Stream Batch and decoder with F frames a call; the pictures stay on the device.

    The daemon's engine takes a single frame a call: see `StreamBatch`.
    """

    def __init__(self, bench: Bench, n: int, frames: int) -> None:
        session = bench.session()
        model = bench.model
        self._n = n
        self._threads = session.torch_threads
        self._autoencoder = Autoencoder(model.autoencoder)
        shape = model.latent_shape(bench.size)
        noise = NoiseCache(shape, model.device).draw(0, n)
        self._batch: StreamBatch[Condition, None] = StreamBatch(session.unet, noise, stages=n, frames=frames)
        prompt = model.text.encode("thick oil painting")
        sampling = Sampling(Schedule.of(model.table, STEP_LISTS[n]), RowGuidance(), noise)
        self._recipe = Recipe(sampling, Condition(prompt, prompt))
        tensors = [self._autoencoder.to_tensor(pixels) for pixels in bench.moving(2 * frames)]
        self._pictures = itertools.cycle([torch.stack(tensors[:frames]), torch.stack(tensors[frames:])])

    def warm_up(self) -> None:
        """Fill the batch, and make two further calls."""
        for _ in range(self._n + 1):
            self()

    def prepare(self) -> None:
        """Set the number of torch's threads to the best number for this variant."""
        torch.set_num_threads(self._threads)

    @torch.inference_mode()
    def __call__(self) -> object:
        """Restyle the next F frames."""
        done = self._batch.push(self._autoencoder.encode(next(self._pictures)), self._recipe, None)
        return None if done is None or done.latent is None else self._autoencoder.decode(done.latent)


def per_call(bench: Bench, n: int, frames: int) -> list[Row]:
    """Measure a single frame a call against `frames` a call: the time of a picture, and the delay in frames."""
    counts = sorted({1, frames})
    laps = bench.times({str(count): FramesPerCall(bench, n, count) for count in counts})
    rows: list[Row] = []
    for count in counts:
        seconds = laps.seconds(str(count))
        row: Row = {"n": n, "frames": count, "rows": n * count, "call_ms": 1e3 * seconds}
        row["picture_ms"] = 1e3 * seconds / count
        row["fps"] = count / seconds
        row["frames_late"] = n * count - 1
        row["of_one"] = laps.ratio(str(count), "1") / count
        rows.append(row)
    return rows
