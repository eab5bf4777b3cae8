"""`sdstream bench picture`: flicker, likeness to the style and cost of each method of steadying, on a clip."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sdstream.cli.options import Json
from sdstream.cli.output import say_json, styled
from sdstream.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from sdstream.bench.flicker.flicker import PictureBench, Score

SYNTHETIC = "synthetic"

_Shot = TypeVar("_Shot")


def register(app: typer.Typer) -> None:
    """Add the verb to the `bench` verbs."""
    app.command("picture")(picture)


def picture(
    clip: Annotated[str, typer.Argument(help="A video file, or `synthetic`: a scene with exactly known motion.")],
    frames: Annotated[int, typer.Option(min=3, help="Most pictures to run.")] = 240,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the square cut from the middle.")] = 256,
    sweeps: Annotated[int, typer.Option(min=5, max=256, help="Solver sweeps a frame, at 256 pixels.")] = 16,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet here (png): a row a method.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Also time the solve on the GPU, 512x512, 24 sweeps.")] = False,
    as_json: Json = False,
) -> None:
    """Compare raw restyled pictures, running means and our fusion, under a flickering stand-in style."""
    import cv2

    from sdstream.bench.flicker.flicker import clip_shots, compare, contact_sheet, scene_shots
    from sdstream.bench.flicker.gpu import gpu_seconds
    from sdstream.bench.flicker.stand_in import StandInStyle
    from sdstream.bench.flicker.synthetic import Scene

    on_gpu = gpu_seconds(512, 24) if gpu else None
    cv2.setNumThreads(1)  # as in the engine's process; times are of a single core
    shots = scene_shots(Scene(size), frames) if clip == SYNTHETIC else clip_shots(Path(clip), size, frames)
    with progress_bar("measuring", _count(clip, frames)) as done:
        bench = compare(_counted(shots, done), StandInStyle(), sweeps, size)
    if sheet is not None:
        contact_sheet(bench, sheet)
    promises = _promises(bench, size, sweeps)
    if on_gpu is not None:
        promises.append(("solve on the GPU, 512x512, 24 sweeps, ms by events", 1e3 * on_gpu, 0.5))
    if as_json:
        scores = [_as_dict(score) for score in bench.scores]
        bars = [{"what": what, "value": value, "limit": limit} for what, value, limit in promises]
        say_json({"clip": clip, "frames": bench.frames, "size": size, "scores": scores, "bars": bars})
        return
    print(f"{clip}: {bench.frames} frames of {size}x{size}, {sweeps} sweeps (at 256), stand-in style, one core")
    print(_lines(bench, promises))


def _count(clip: str, frames: int) -> int:
    """Return how many of `frames` pictures `clip` has, as far as the file tells; not every file tells."""
    import cv2

    told = 0 if clip == SYNTHETIC else int(cv2.VideoCapture(clip).get(cv2.CAP_PROP_FRAME_COUNT))
    return min(frames, told) if told > 0 else frames


def _counted(shots: Iterator[_Shot], done: Callable[[float], None]) -> Iterator[_Shot]:
    for number, shot in enumerate(shots):
        done(number)
        yield shot


def _lines(bench: "PictureBench", promises: list[tuple[str, float, float]]) -> str:
    lines = [f"{'':20}{'E_warp':>9}{'PSNR dB':>9}{'solve err':>11}{'CPU ms':>9}"]
    for score in bench.scores:
        error = "" if math.isnan(score.error) else f"{score.error:.3f}"
        lines.append(f"{score.name:20}{score.e_warp:9.2f}{score.psnr:9.2f}{error:>11}{1e3 * score.cost:9.2f}")
    for name, value, limit in promises:
        verdict = styled("met", "green") if value <= limit else styled("NOT MET", "red")
        lines.append(f"  {name}: {value:.3f} <= {limit:g}: {verdict}")
    return "\n".join(lines)


def _promises(bench: "PictureBench", size: int, sweeps: int) -> list[tuple[str, float, float]]:
    score = {score.name: score for score in bench.scores}
    fused = score["fusion, w learned"]
    promises = [
        ("E_warp, fused / raw", fused.e_warp / score["raw"].e_warp, 0.25),
        ("E_warp, fused / flow mean", fused.e_warp / score["flow mean"].e_warp, 0.8),
        ("solve error, learned / w = 1.5", fused.error / score["fusion, w = 1.5"].error, 0.5),
    ]
    if (size, sweeps) == (256, 16):
        promises.append(("whole stabiliser, CPU ms a frame", 1e3 * fused.cost, 15.0))
    return promises


def _as_dict(score: "Score") -> dict[str, object]:
    """Return the score for JSON. JSON has no NaN, so a value that a method lacks is null."""
    values = {"e_warp": score.e_warp, "psnr": score.psnr, "error": score.error, "seconds": score.cost}
    return {"name": score.name} | {key: None if math.isnan(value) else value for key, value in values.items()}
