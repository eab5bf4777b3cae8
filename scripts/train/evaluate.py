"""Measures a finished model folder with the engine's code, on held-out pictures."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.train.cache import Cache
from scripts.train.looks import FALLBACK, LOOKS, NAMES
from scripts.train.procedural import Picture
from scripts.train.teacher import Teacher
from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls, Guidance, Similarity, WeightedPrompt
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.frame import Frame
from sdstream.system.user_folders import cache_folder

ONE, TWO = (25,), (32, 45)
"""The `steps` of a single step, and of two steps."""

STRENGTHS = (48, 40, 32, 22, 10)
"""First steps, from weak to strong."""


class Painter:
    """An open engine of a fixed size; `paint` finishes a single picture."""

    def __init__(self, engine: DiffusionEngine) -> None:
        self._engine = engine

    def paint(self, picture: Picture, controls: Controls) -> Picture:
        """Run a picture through all steps."""
        self._engine.reset()
        result = self._engine(Frame(picture, 0, 0.0, 0.0), controls)
        done = self._engine.flush()
        output = done[-1] if done else result
        assert output is not None
        return output.pixels


@contextmanager
def painter(model: Path, side: int, **more: object) -> Iterator[Painter]:
    """Open the engine at side x side; `more` are further settings."""
    settings = {"model": str(model), "width": side, "height": side, "acceleration": "eager"} | more
    with DiffusionEngine(DiffusionSettings.model_validate(settings), cache=cache_folder()) as engine:
        yield Painter(engine)


def controls_for(prompt: str | tuple[WeightedPrompt, ...], steps: tuple[int, ...] = ONE, **more: object) -> Controls:
    """Return controls without guidance and without skips; `more` are further controls."""
    plain = {"prompt": prompt, "steps": steps, "guidance": Guidance(mode="none"), "similarity": Similarity(mode="off")}
    return Controls.model_validate(plain | more)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8] | NDArray[np.float32]) -> float:
    """Return the peak signal-to-noise ratio, dB."""
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def faithful(cache: Cache, model: Path, count: int, steps: tuple[int, ...]) -> dict[str, object]:
    """Return the PSNR to each look's target, and the share of outputs with the right target as the nearest target."""
    numbers = cache.ready(held_out=True)[:count]
    hits, ratios, camera = [], {name: [] for name in NAMES}, []
    grids: dict[str, list[float]] = {"model": [], "target": []}
    details: dict[str, list[float]] = {"model": [], "target": []}
    with painter(model, 256) as paints:
        for i in numbers:
            targets = cache.targets[i].astype(np.float32)
            for k, name in enumerate(NAMES, start=1):
                output = paints.paint(np.array(cache.targets[i, 0]), controls_for(name, steps))
                errors = np.square(targets - output.astype(np.float32)).mean(axis=(1, 2, 3))
                ratios[name].append(psnr(output, cache.targets[i, k]))
                camera.append(psnr(cache.targets[i, 0], cache.targets[i, k]))
                hits.append(int(errors.argmin()) == k)
                for who, picture in (("model", output), ("target", np.array(cache.targets[i, k]))):
                    grids[who].append(_grid(picture))
                    details[who].append(_detail(picture))
    by_look = {name: round(float(np.mean(values)), 2) for name, values in ratios.items()}
    return {
        "pictures": len(numbers), "steps": list(steps), "psnr_mean": round(float(np.mean(list(by_look.values()))), 2),
        "psnr_camera_itself": round(float(np.mean(camera)), 2), "psnr_by_look": by_look,
        "nearest_target_right": round(float(np.mean(hits)), 4),
        "grid": {who: round(float(np.mean(values)), 3) for who, values in grids.items()},
        "detail": {who: round(float(np.mean(values)), 2) for who, values in details.items()},
    }  # fmt: skip


def _grid(picture: Picture) -> float:
    """Return the ratio of steps between neighbouring pixels: borders of 8x8 blocks to elsewhere; 1 without a grid."""
    borders, elsewhere = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(picture.astype(np.float32), axis=axis)).mean(axis=(1 - axis, 2))  # (lines - 1,)
        at_border = np.arange(len(steps)) % 8 == 7
        borders.append(steps[at_border].mean())
        elsewhere.append(steps[~at_border].mean())
    return float(np.mean(borders) / max(1e-6, float(np.mean(elsewhere))))


def _detail(picture: Picture) -> float:
    """Return the strength of strokes: mean distance (0..255) of the luma and the luma blurred by 1 px."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 1.0)).mean())


def frames(clip: Path, count: int, side: int) -> list[Picture]:
    """Return evenly spaced frames of a clip: the middle square, side x side."""
    video = cv2.VideoCapture(str(clip))
    every = []
    while (read := video.read())[0] and len(every) < 400:
        every.append(read[1])
    chosen = [every[int((i + 0.5) * len(every) / count)] for i in range(count)]
    pictures = []
    for image in chosen:
        short = min(image.shape[:2])
        top, left = (image.shape[0] - short) // 2, (image.shape[1] - short) // 2
        square = cv2.resize(image[top : top + short, left : left + short], (side, side), interpolation=cv2.INTER_AREA)
        pictures.append(np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2RGB), np.uint8))
    return pictures


def ordered(model: Path, clips: list[Path], looks: tuple[str, ...]) -> dict[str, object]:
    """Return the mean distance to the camera picture (0..255) at five first steps, rising if in order."""
    table = {}
    with painter(model, 256) as paints:
        for clip in clips:
            pictures = frames(clip, 3, 256)
            table[clip.name] = [_mean_distance(paints, pictures, looks, steps=(step,)) for step in STRENGTHS]
    rising = [bool((np.diff(row) > 0).all()) for row in table.values()]
    return {"steps": list(STRENGTHS), "distance": table, "clips_in_order": f"{sum(rising)} of {len(rising)}"}


def _mean_distance(paints: Painter, pictures: list[Picture], looks: tuple[str, ...], **more: object) -> float:
    """Return the mean distance (0..255) of outputs and camera pictures."""
    outputs = ((p, paints.paint(p, controls_for(look, **more))) for p in pictures for look in looks)  # type: ignore[arg-type]
    return round(float(np.mean([_distance(p, output) for p, output in outputs])), 2)


def _distance(a: Picture, b: Picture) -> float:
    return float(np.abs(a.astype(np.float32) - b).mean())


def _slopes(picture: Picture) -> NDArray[np.float32]:
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    return np.asarray(np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)), np.float32)


def structure(cache: Cache, model: Path, count: int) -> dict[str, object]:
    """Return the correlation of edge strength (Sobel after a blur of 1 px) of camera and model, teacher or target."""
    teacher = Teacher()
    kept: dict[str, list[float]] = {"model, one step": [], "model, two steps": [], "teacher": [], "target": []}
    with painter(model, 256) as paints:
        for i in cache.ready(held_out=True)[:count]:
            picture = np.array(cache.targets[i, 0])
            camera = _slopes(picture).ravel()
            for k, look in enumerate(LOOKS, start=1):
                if isinstance(look.paint, int):
                    pictures = {
                        "model, one step": paints.paint(picture, controls_for(look.name)),
                        "model, two steps": paints.paint(picture, controls_for(look.name, TWO)),
                        "teacher": teacher.paint(picture, look.paint, detail=0),
                        "target": np.array(cache.targets[i, k]),
                    }
                    for who, output in pictures.items():
                        kept[who].append(float(np.corrcoef(camera, _slopes(output).ravel())[0, 1]))
    return {who: round(float(np.mean(values)), 3) for who, values in kept.items()}


def steady(cache: Cache, model: Path, looks: tuple[str, ...], count: int = 4) -> dict[str, object]:
    """Return the warp error of a known pan, RMS 0..255: 8 frames a picture, 3 px right and 2 px down a frame."""
    teacher = Teacher()
    errors: dict[str, list[float]] = {"model, one step": [], "model, two steps": [], "teacher": []}
    with painter(model, 192) as paints:
        for i in cache.ready(held_out=True)[:count]:
            whole = np.array(cache.targets[i, 0])
            views = [np.ascontiguousarray(whole[2 * n : 2 * n + 192, 3 * n : 3 * n + 192]) for n in range(8)]
            for name in looks:
                style = LOOKS[NAMES.index(name)].paint
                assert isinstance(style, int), f"{name} is not the teacher's"
                for who, steps in (("model, one step", ONE), ("model, two steps", TWO)):
                    errors[who].append(_warp([paints.paint(view, controls_for(name, steps)) for view in views]))
                errors["teacher"].append(_warp([teacher.paint(view, style, detail=0) for view in views]))
    means = {who: float(np.mean(values)) for who, values in errors.items()}
    return {
        "looks": list(looks),
        "rms": {who: round(mean, 2) for who, mean in means.items()},
        "of_teacher": {who: round(mean / means["teacher"], 3) for who, mean in means.items() if who != "teacher"},
    }


def _warp(outputs: list[Picture]) -> float:
    edge = 16  # frames differ at the rims, because each frame lacks context there
    pairs = pairwise(outputs)
    differences = [
        (a[2 + edge : -edge, 3 + edge : -edge].astype(np.float32) - b[edge : -2 - edge, edge : -3 - edge])
        for a, b in pairs
    ]
    return float(np.sqrt(np.mean(np.square(np.stack(differences)))))


def rounded(cache: Cache, model: Path, count: int) -> dict[str, object]:
    """Return the PSNR in dB between OpenVINO's int8 and float32 outputs: the mean, and the lowest with the look."""
    backend = {"acceleration": "openvino", "device": "cpu"}
    results: dict[str, object] = {}
    with painter(model, 256, **backend, dtype="float32") as exact, painter(model, 256, **backend, dtype="int8") as fast:
        for steps in (ONE, TWO):
            ratios = {}
            for i in cache.ready(held_out=True)[:count]:
                picture = np.array(cache.targets[i, 0])
                for name in NAMES:
                    show = controls_for(name, steps)
                    ratios[name, i] = psnr(exact.paint(picture, show), fast.paint(picture, show))
            lowest = min(ratios, key=lambda key: ratios[key])
            results[str(list(steps))] = {
                "mean": round(float(np.mean(list(ratios.values()))), 1),
                "lowest": round(ratios[lowest], 1), "of": lowest[0],
            }  # fmt: skip
    return results


def words(cache: Cache, model: Path) -> dict[str, object]:
    """Return the share of a look's further names with the right look as nearest target, and the effect of nonsense."""
    i = cache.ready(held_out=True)[0]
    picture, targets = np.array(cache.targets[i, 0]), cache.targets[i].astype(np.float32)
    wrong = []
    phrases = [(k, phrase) for k, look in enumerate(LOOKS, start=1) for phrase in look.words]
    with painter(model, 256) as paints:
        for k, phrase in phrases:
            output = paints.paint(picture, controls_for(f"a portrait of my friend, {phrase}")).astype(np.float32)
            if (found := int(np.square(targets - output).mean(axis=(1, 2, 3)).argmin())) != k:
                wrong.append(f"{phrase}: {'camera' if found == 0 else NAMES[found - 1]} for {NAMES[k - 1]}")
        soft = targets[NAMES.index(FALLBACK) + 1]
        nonsense = {
            phrase: round(psnr(paints.paint(picture, controls_for(phrase)), soft), 1)
            for phrase in ("xyzzy plugh", "quarterly tax report", "banana submarine orchestra", "日本の風景")
        }
    return {
        "phrases": len(phrases),
        "right": round(1 - len(wrong) / len(phrases), 4),
        "wrong": wrong,
        "nonsense_psnr_to_fallback": nonsense,
    }


def controls_work(cache: Cache, model: Path, looks: tuple[str, ...]) -> dict[str, object]:
    """Return the effects of guidance, negative prompts, blends, word weights and seeds, as mean distances 0..255."""
    i = cache.ready(held_out=True)[0]
    picture = np.array(cache.targets[i, 0])
    results: dict[str, object] = {}
    with painter(model, 256) as paints:
        for mode in ("none", "self_negative", "onetime_negative", "full"):
            guidance = Guidance(mode=mode, scale=1.6, delta=1.0)
            results[f"from camera, {mode} 1.6"] = _mean_distance(paints, [picture], looks, steps=TWO, guidance=guidance)
        first, second = looks[:2]
        ends = [paints.paint(picture, controls_for(name)) for name in (first, second)]
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            mixed = (WeightedPrompt(text=first, weight=1 - share), WeightedPrompt(text=second, weight=share))
            output = paints.paint(picture, controls_for(mixed))
            results[f"blend {first} > {second} {share}"] = [round(_distance(end, output), 2) for end in ends]
        for weight in (0.0, 0.5, 1.0, 1.3):
            output = paints.paint(picture, controls_for(f"({first}:{weight})"))
            results[f"({first}:{weight}) from camera"] = round(_distance(picture, output), 2)
        avoided = controls_for(first, TWO, guidance=Guidance(mode="full", scale=1.6), negative_prompt=second)
        results[f"{first}, negative {second}: from {second}"] = round(
            _distance(ends[1], paints.paint(picture, avoided)), 2
        )
        unprompted = paints.paint(picture, controls_for("", TWO))
        results["no prompt, from camera"] = round(_distance(picture, unprompted), 2)
        other = paints.paint(picture, controls_for(first, seed=99))
        results["seed 2 and seed 99 apart"] = round(_distance(ends[0], other), 2)
    return results


def evaluate(cache: Cache, model: Path, clips: list[Path], report: Path, count: int) -> None:
    """Measure everything, and write the results as JSON to `report`."""
    chosen = ("starry", "engraving", "oil", "ukiyo-e", "cartoon")
    results = {
        "one_step": faithful(cache, model, count, ONE),
        "two_steps": faithful(cache, model, count, TWO),
        "strength": ordered(model, clips, chosen[:3]),
        "structure": structure(cache, model, count),
        "steady": steady(cache, model, ("starry", "engraving", "old master", "red woodcut")),
        "int8": rounded(cache, model, count),
        "words": words(cache, model),
        "controls": controls_work(cache, model, chosen),
    }
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print(report)
