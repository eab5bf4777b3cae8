"""`sdstream bench paper`: the tables of StreamDiffusion (arXiv 2312.12491, version 2), measured on this machine."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from sdstream.bench.engine.baseline import Baseline
from sdstream.bench.engine.counting_unet import CountingUNet
from sdstream.bench.engine.energy import Energy
from sdstream.bench.engine.random_models import full_autoencoder
from sdstream.bench.engine.workbench import GUIDED, STEP_LISTS, Bench, Player, Row, UncachedPlayer, controls
from sdstream.controls import Controls
from sdstream.engine.session import Session
from sdstream.frame import Frame, Pixels

STILL_ETA = 0.98
"""The paper's threshold of the similarity filter."""

RATE = 30.0
"""Frames a second of a clip while the GPU's energy is measured: an idle GPU uses energy too."""


def table_1(bench: Bench, steps: Sequence[int] = (1, 2, 4, 10)) -> list[Row]:
    """Compare Stream Batch with our sequential form and with diffusers' pipeline, fair and in the paper's form."""
    frames = bench.moving()
    fair_model, paper_model = bench.copy_model(), bench.copy_model()
    rows: list[Row] = []
    for n in steps:
        laps = bench.times(
            {
                "stream_batch": bench.player(frames, controls(n)),
                "sequential": bench.player(frames, controls(n), batching=False),
                "diffusers_fair": Baseline(fair_model, frames[0], STEP_LISTS[n], bench.threads, fair=True),
                "diffusers_paper": Baseline(paper_model, frames[0], STEP_LISTS[n], bench.threads, fair=False),
            }
        )
        row: Row = {"n": n}
        row.update({f"{name}_ms": 1e3 * laps.seconds(name) for name in laps.taken})
        row.update({f"vs_{name}": laps.ratio(name, "stream_batch") for name in list(laps.taken)[1:]})
        rows.append(row)
    return rows


def table_2(bench: Bench, steps: Sequence[int] = (1, 2, 3, 4, 5)) -> list[Row]:
    """Compare residual guidance with classifier-free guidance."""
    frames = bench.moving()
    rows: list[Row] = []
    for n in steps:
        laps = bench.times({mode: bench.player(frames, controls(n, mode)) for mode in GUIDED})
        row: Row = {"n": n}
        row.update({f"{mode}_ms": 1e3 * laps.seconds(mode) for mode in GUIDED})
        row["self/none"] = laps.ratio("self_negative", "none")
        row["full/self"] = laps.ratio("full", "self_negative")
        row["full/onetime"] = laps.ratio("full", "onetime_negative")
        rows.append(row)
    return rows


def ablation(bench: Bench, n: int = 4) -> list[Row]:
    """Remove each part in turn: the similarity filter on a still clip, all further parts on a moving clip.

    The similarity filter never skips a frame of the moving clip.
    """
    burst = controls(n).similarity.max_skips + 1  # at least a single rendered frame, even of a still clip
    still = bench.still(burst)
    live = controls(n, "self_negative", similarity={"mode": "stochastic", "threshold": STILL_ETA})
    laps = bench.times(
        {
            "whole": bench.player(still, live, burst=burst),
            "without similarity filter": bench.player(still, controls(n, "self_negative"), burst=burst),
        }
    )
    rows: list[Row] = [
        {"clip": "still", "engine": name, "ms": 1e3 * laps.seconds(name) / burst, "of_whole": laps.ratio(name, "whole")}
        for name in laps.taken
    ]
    laps = bench.times(_parts_off(bench, n))
    return rows + [
        {"clip": "moving", "engine": name, "ms": 1e3 * laps.seconds(name), "of_whole": laps.ratio(name, "whole")}
        for name in laps.taken
    ]


def _parts_off(bench: Bench, n: int) -> dict[str, Player]:
    frames = bench.moving()
    chosen, plain = controls(n, "self_negative"), controls(n, "full")
    heavy = replace(bench, model=replace(bench.model, autoencoder=full_autoencoder(bench.model)))
    accelerated = bench.settings.acceleration != "eager"
    eager = {"without acceleration": bench.player(frames, chosen, acceleration="eager")} if accelerated else {}
    return {
        "whole": bench.player(frames, chosen),
        "without Stream Batch": bench.player(frames, chosen, batching=False),
        "without residual guidance": bench.player(frames, plain),
        "without prompt cache": bench.player(frames, chosen, prompt_cache=False),
        "without pre-computation": UncachedPlayer(bench.session(), frames, chosen),
        "without tiny autoencoder": heavy.player(frames, chosen),
        **eager,
        "without all of these": UncachedPlayer(
            heavy.session(batching=False, prompt_cache=False, acceleration="eager"), frames, plain
        ),
    }


def similarity_filter(bench: Bench, frames: Sequence[Pixels], clip: str, n: int = 2) -> list[Row]:
    """Measure the similarity filter's savings on a clip: U-Net rows, and joules (GPU) or CPU seconds, a shown frame."""
    rows: list[Row] = []
    for mode in ("off", "threshold", "stochastic"):
        session = bench.session()
        session.unet = counting = CountingUNet(session.unet)
        chosen = controls(n, "self_negative", similarity={"mode": mode, "threshold": STILL_ETA})
        torch.set_num_threads(session.torch_threads)
        with torch.inference_mode():
            session.warm_up()
            counting.rows = 0
            with Energy(bench.model.device) as energy:
                _play(session, frames, chosen, RATE if energy.unit == "joules" else math.inf)
        used = None if energy.used is None else energy.used / len(frames)
        unet_rows = counting.rows / len(frames)
        row: Row = {"clip": clip, "filter": mode, "n": n, "unet_rows": unet_rows, energy.unit: used}
        rows.append(row)
        row["rows_saved"] = _times(rows[0]["unet_rows"], unet_rows)
        row["saved"] = _times(rows[0][energy.unit], used)
    return rows


def _play(session: Session, frames: Sequence[Pixels], chosen: Controls, rate: float) -> None:
    began = time.monotonic()
    for k, frame in enumerate(frames):
        time.sleep(max(0.0, began + k / rate - time.monotonic()))
        session.call(Frame(frame, k, began + k / rate, began + k / rate), chosen)


def _times(before: object, after: object) -> float | None:
    return before / after if isinstance(before, float) and isinstance(after, float) and after else None
