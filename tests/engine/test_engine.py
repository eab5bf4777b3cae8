"""The diffusion engine from pictures to pictures, on a tiny random model loaded from disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from structlog.testing import capture_logs

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine import Outcome
from sdstream.engine.autoencoder import Autoencoder, to_pixels
from sdstream.errors import Bug, Unavailable
from sdstream.frame import Pixels
from sdstream.scaling import fit
from tests.engine.pixel_engine import (
    ALWAYS,
    Clock,
    PixelEngine,
    alone,
    assert_alike,
    assert_each_alike,
    feed,
    picture,
    settings,
)


def shown_at(engine: PixelEngine, clock: Clock, now: float, controls: Controls) -> Pixels | None:
    """Give the engine a picture at the time `now`."""
    clock.now = now
    return engine(picture(0), controls)


@pytest.mark.parametrize("steps", [(30,), (32, 45), (5, 20, 30, 40)])
def test_a_picture_comes_out_n_minus_one_calls_later(engine, tiny_model, steps):
    controls = Controls(steps=steps, **ALWAYS)
    late = len(steps) - 1
    given = [picture(k) for k in range(late + 3)]
    pictures, outcomes = zip(*((engine(pixels, controls), engine.outcome) for pixels in given), strict=True)
    assert outcomes == (Outcome.FILLING,) * late + (Outcome.RENDERED,) * 3
    assert pictures[:late] == (None,) * late
    assert engine.age == late
    assert_each_alike([*pictures[late:], *engine.flush()], [alone(tiny_model, pixels, controls) for pixels in given])


@pytest.mark.parametrize("size", [(64, 64), (720, 1280), (33, 17), (1, 1)])
def test_a_picture_of_any_size_is_taken_and_the_engines_size_comes_out(engine, size):
    result = engine(picture(0, size), Controls(steps=(30,), **ALWAYS))
    assert result.shape == (64, 64, 3)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous


@pytest.mark.parametrize("model", ["tiny_model", "tiny_xl_model"])
def test_width_and_height_are_not_swapped(request, model):
    wide = settings(request.getfixturevalue(model)).model_copy(update={"width": 96})
    with PixelEngine(wide) as engine:
        assert engine(picture(0, (720, 1280)), Controls(steps=(30,))).shape == (64, 96, 3)


def test_pictures_handed_out_never_change(engine):
    controls = Controls(steps=(30,), **ALWAYS)
    first = engine(picture(0), controls)
    before = first.copy()
    engine(picture(1), controls)
    assert np.array_equal(first, before)


def test_the_last_change_before_a_still_picture_is_shown_and_then_the_engine_rests(engine, tiny_model):
    controls = Controls(steps=(10, 20, 30, 40))
    feed(engine, map(picture, range(6)), controls)
    pictures, outcomes = zip(*((engine(picture(5), controls), engine.outcome) for _ in range(8)), strict=True)
    assert outcomes == (Outcome.RENDERED,) * 3 + (Outcome.SKIPPED,) * 5
    assert_alike([pixels for pixels in pictures if pixels is not None][-1], alone(tiny_model, picture(5), controls))
    rows = engine.rows
    engine(picture(5), controls)
    assert engine.rows == rows


@pytest.mark.parametrize(
    "more", [{}, {"seed": ({"seed": 1}, {"seed": 2})}, {"prompt": ({"text": "oil"}, {"text": "ink"}), "blend": "slerp"}]
)
def test_a_still_clip_costs_less_than_half_the_unet_rows(engine, more):
    feed(engine, [picture(1)] * 44, Controls(steps=(32, 45), **more))
    assert engine.rows * 2.39 <= 44 * 2


def test_a_new_prompt_is_rendered_though_the_picture_is_still(engine, tiny_model):
    old, new = Controls(steps=(32, 45), prompt="oil"), Controls(steps=(32, 45), prompt="ink")
    feed(engine, [picture(1)] * 5, old)
    results = feed(engine, [picture(1)] * 2, new)
    assert_alike(results[-1], alone(tiny_model, picture(1), new))


def test_an_auto_side_follows_the_shape_of_the_canvas_and_the_log_says_so(tiny_model):
    chosen = settings(tiny_model, height="auto")
    with capture_logs() as logs, PixelEngine(chosen, canvas=(1280, 640)) as engine:
        assert engine(picture(0, (640, 1280)), Controls(steps=(30,))).shape == (32, 64, 3)
    assert [line["size"] for line in logs if line["event"] == "engine size chosen"] == ["64x32"]


@pytest.mark.parametrize("reader", [{"steadiness": "light"}, {"region": {"mode": "mask"}}])
def test_a_frame_carries_its_own_times_and_its_own_camera_picture(engine, reader):
    controls = Controls(steps=(10, 25, 40), **ALWAYS, **reader)
    feed(engine, map(picture, range(4)), controls)
    restyled = engine.last
    assert (restyled.seq, restyled.pts) == (2, 2 / 30)
    assert np.array_equal(restyled.camera, picture(1))
    assert restyled.controls == controls


def test_a_frame_tells_the_prompt_that_was_due_when_it_entered(engine, clock):
    controls = Controls(prompt="oil", cues=({"at": 1, "prompt": "ink", "transition": 2},), steps=(30,), **ALWAYS)

    def due_at(now: float) -> tuple[object, float | None]:
        shown_at(engine, clock, now, controls)
        return engine.last.due.prompt, engine.last.due.fade

    told = [due_at(now) for now in (0.0, 1.0, 2.0, 4.0)]
    assert told == [("oil", None), ("ink", 0.0), ("ink", 0.5), ("ink", None)]


def test_a_frame_keeps_the_controls_of_its_entry(engine, tiny_model):
    shows = [Controls(prompt=f"look {k}", seed=k, steps=(10, 25, 40), **ALWAYS) for k in range(5)]
    pictures = [engine(picture(k), controls) for k, controls in enumerate(shows)] + engine.flush()
    assert_each_alike(pictures[2:], [alone(tiny_model, picture(k), controls) for k, controls in enumerate(shows)])


def test_frames_in_flight_are_drained_when_the_number_of_steps_changes(engine, tiny_model):
    few, many = Controls(steps=(32, 45), **ALWAYS), Controls(steps=(10, 20, 30), **ALWAYS)
    engine(picture(0), few)
    engine(picture(1), few)
    drained = engine(picture(2), many)
    assert_alike(drained, alone(tiny_model, picture(1), few))
    assert (engine.outcome, engine.age) == (Outcome.RENDERED, 1)
    assert engine(picture(3), many) is None
    assert_alike(engine(picture(4), many), alone(tiny_model, picture(2), many))


def test_a_prompt_fades_in_over_its_transition(engine, clock):
    oil, ink = (
        Controls(prompt="oil", steps=(30,), **ALWAYS),
        Controls(prompt="ink", steps=(30,), transition=2, **ALWAYS),
    )
    start = engine(picture(0), oil).astype(int)
    shown = [shown_at(engine, clock, now, ink) for now in (0.0, 0.5, 1.0, 1.5, 2.0, 9.0)]
    distances = [int(np.abs(pixels.astype(int) - start).sum()) for pixels in shown]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[-2] == distances[-1] > 0


def test_cues_change_the_prompt_by_themselves_and_start_again(engine, clock, tiny_model):
    controls = Controls(prompt="oil", steps=(30,), cues=({"at": 2, "prompt": "ink"},), cues_loop=4, **ALWAYS)
    oil, ink = (alone(tiny_model, picture(0), Controls(prompt=text, steps=(30,))) for text in ("oil", "ink"))
    assert not np.array_equal(oil, ink)
    shown = [shown_at(engine, clock, now, controls) for now in (0.0, 1.9, 2.0, 3.9, 4.1, 6.0)]
    assert_each_alike(shown, [oil, oil, ink, ink, oil, ink])


def test_other_controls_may_change_without_starting_the_cues_anew(engine, clock, tiny_model):
    cues = {"prompt": "oil", "steps": (30,), "cues": ({"at": 2, "prompt": "ink"},), **ALWAYS}
    engine(picture(0), Controls(**cues))
    clock.now = 3.0
    engine(picture(0), Controls(**cues, seed=5))
    assert engine.last.due.cues_since == 0.0
    ink = alone(tiny_model, picture(0), Controls(prompt="ink", steps=(30,), seed=5))
    assert_alike(engine(picture(0), Controls(**cues, seed=5)), ink)


def test_the_users_seed_is_the_seed(tiny_model):
    pictures = [alone(tiny_model, picture(0), Controls(seed=seed)) for seed in (1, 1, 2)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_the_camera_matters_less_for_a_lower_first_step(tiny_model):
    def spread(first: int) -> int:
        a, b = (alone(tiny_model, picture(k), Controls(steps=(first,), guidance={"mode": "none"})) for k in (1, 2))
        return int(np.abs(a.astype(int) - b.astype(int)).sum())

    assert spread(2) < spread(20) < spread(48)


def test_text_to_image_does_not_look_at_the_camera(tiny_model):
    with PixelEngine(settings(tiny_model, task="txt2img")) as engine:
        pictures = [engine(picture(k), Controls(steps=(0, 25), seed=3)) for k in range(4)]
    assert pictures[0] is None
    assert_alike(pictures[1], pictures[2])  # the first began alone: a CPU may round one row otherwise than two
    assert np.array_equal(pictures[2], pictures[3])


def test_controls_that_cannot_be_had_end_the_start_but_not_the_show(engine):
    wrong, right = Controls(loras={"nobody": 1.0}), Controls(steps=(30,), **ALWAYS)
    with pytest.raises(Unavailable, match="nobody"):
        engine(picture(0), wrong)
    first = engine(picture(0), right)
    assert np.array_equal(engine(picture(0), wrong), first)
    assert np.array_equal(engine(picture(0), right), first)


def test_a_reset_starts_clean(engine):
    controls = Controls(steps=(32, 45))
    feed(engine, map(picture, range(4)), controls)
    engine.reset()
    assert engine(picture(3), controls) is None
    assert engine.outcome is Outcome.FILLING


def test_a_closed_engine_says_so_and_closing_twice_is_harmless(tiny_model):
    engine = PixelEngine(settings(tiny_model))
    with pytest.raises(Bug, match="with DiffusionEngine"):
        engine(picture(0), Controls())
    with engine:
        pass
    engine.__exit__(None, None, None)


def test_a_size_that_the_model_cannot_do_is_refused(tmp_path):
    from tests.engine.tiny_model import make_tiny_model

    model = make_tiny_model(tmp_path)
    with (
        pytest.raises(Unavailable, match="multiples of 8"),
        PixelEngine(DiffusionSettings.model_construct(**{**settings(model).model_dump(), "width": 60})),
    ):
        pass


@pytest.mark.parametrize(("low", "high"), [(0, 110), (128, 129), (140, 250), (0, 255)])
def test_pixels_are_normalised_once_however_bright(tiny_model, low, high):
    from sdstream.engine.acceleration import open_model

    autoencoder = Autoencoder(open_model(settings(tiny_model)).autoencoder)
    frame = np.random.default_rng(0).integers(low, high + 1, (64, 64, 3), dtype=np.uint8)
    tensor = autoencoder.to_tensor(frame)
    expected = torch.from_numpy(frame).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(tensor, expected, atol=1e-6, rtol=1e-6)
    assert np.array_equal(to_pixels(tensor), frame)


def test_scaling_keeps_a_flat_colour():
    frame = np.full((70, 130, 3), (10, 120, 240), np.uint8)
    assert np.array_equal(fit(frame, 64, 64), np.full((64, 64, 3), (10, 120, 240), np.uint8))


def test_an_autoencoder_of_another_model_is_refused_before_going_on_air(tiny_model, tmp_path):
    import shutil

    from diffusers import AutoencoderTiny

    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    shutil.rmtree(folder / "vae")
    sizes = {f"{way}_block_out_channels": (8, 8, 8, 8) for way in ("encoder", "decoder")}
    AutoencoderTiny(**sizes, latent_channels=16).save_pretrained(folder / "vae")
    with pytest.raises(Unavailable, match="16 latent channels"), PixelEngine(settings(folder)):
        pass


def test_warming_up_leaves_no_trace(engine, clock, tiny_model):
    controls = Controls(prompt="ink", transition=5, steps=(32, 45), **ALWAYS)
    assert engine.rows == 0
    assert engine(picture(0), controls) is None
    assert_alike(engine(picture(1), controls), alone(tiny_model, picture(0), controls))
    assert engine.age == 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["tiny_model", "tiny_v_model", "tiny_xl_model"])
def test_every_kind_of_model_runs_in_half_precision_too(request, name, dtype):
    folder = request.getfixturevalue(name)
    half, full = PixelEngine(settings(folder, dtype=dtype)), PixelEngine(settings(folder))
    controls = Controls(steps=(10, 30), guidance={"mode": "onetime_negative"}, cross_frame_attention=True, **ALWAYS)
    with half, full:
        rounded, exact = (feed(engine, map(picture, range(2)), controls)[1].astype(int) for engine in (half, full))
    assert np.abs(rounded - exact).mean() < 6  # of 255; the tiny model magnifies what it rounds


@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (201, 333), (1000, 64)])
def test_every_pixel_of_a_large_picture_counts_when_it_is_scaled_down(size):
    rows, columns = np.indices(size)
    fine = np.repeat((((rows // 2 + columns // 2) % 2) * 255)[..., None], 3, axis=2).astype(np.uint8)
    dots = np.zeros((*size, 3), np.uint8)
    dots[::7, ::5] = 255
    assert fit(dots, 64, 64).mean() == pytest.approx(dots.mean(), rel=0.1)
    assert abs(fit(fine, 64, 64).mean() - fine.mean()) < 3
