"""A loaded model at work on a series of frames: takes frames and controls, and keeps the frames in flight."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls, Similarity
from sdstream.engine import DuePrompt, Restyled
from sdstream.engine.acceleration import open_networks
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.image_prompt.ip_adapters import IpAdapters
from sdstream.engine.adapters.lora import Loras
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.noise import NoiseCache
from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.denoising.stream_batch import Recipe, StreamBatch
from sdstream.engine.frames.latent_batch import LatentBatch
from sdstream.engine.frames.picture_batch import Finished, PictureBatch
from sdstream.engine.models import Model
from sdstream.engine.networks import CORES, Job
from sdstream.engine.recipes import Recipes
from sdstream.engine.similarity import SimilarityFilter
from sdstream.engine.size import Size, choose_size
from sdstream.errors import SdstreamError, Unavailable
from sdstream.frame import Frame, Pixels
from sdstream.log import get_logger
from sdstream.scaling import fit

log = get_logger()

MOST_LATER = 100
"""Prompts of cues looked at for a long prompt before the prompt is due; each look may take a millisecond."""

_NO_PIXELS = np.empty((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Luggage:
    """The data of a frame in the batch besides the latent."""

    label: Frame
    """The camera frame without pixels: the mailbox overwrites the pixels."""
    camera: Pixels
    """The camera picture at the engine's size; empty for a skipped frame."""
    controls: Controls
    due: DuePrompt


@dataclass
class _Run:
    """The state of a session since the first frame; a new run forgets everything."""

    recipes: Recipes
    filter: SimilarityFilter
    batch: PictureBatch[Luggage] | None = None
    controls: Controls | None = None
    refused: Controls | None = None
    recipe: Recipe[Condition] | None = None
    last: Pixels | None = None
    """The last rendered picture."""


class Session:
    """A model at work on a series of frames; not for several threads. All calls run in inference mode."""

    def __init__(
        self,
        model: Model,
        settings: DiffusionSettings,
        clock: Callable[[], float],
        canvas: Size = (1, 1),
        cache: Path | None = None,
    ) -> None:
        """`width: auto` and `height: auto` follow the aspect ratio of `canvas`; `clock` gives seconds.

        Compiled artefacts are kept below `cache`; None keeps nothing.
        """
        model = model.copy()  # LoRAs rewrite layers
        self._table, self._settings, self._clock = model.table, settings, clock
        self._trained_steps = model.trained_steps
        self.size = _engine_size(model, settings, canvas)
        """(width, height) of the model's pictures, in pixels."""
        self._shape = model.latent_shape(self.size)  # (c, h, w)
        self.noise = NoiseCache(self._shape, model.device)
        self.text = model.text
        self._loras = Loras({"unet": model.unet, **model.text.parts}, settings.loras)
        self._controlnets = ControlNets(settings.controlnets, model.unet)
        self._ip_adapters = _ip_adapters(settings, model, clock)
        additions = self._controlnets, self._loras, self._ip_adapters
        networks = open_networks(Job(model, settings, self.size, *additions, settings.threads or CORES, cache))
        self.unet, self.autoencoder, self.dtype = networks.unet, networks.autoencoder, networks.dtype
        self._preparation, self._batches = networks.preparation, networks.batches
        self.torch_threads = networks.torch_threads
        """Threads for torch while this session runs: see `torch.set_num_threads`."""
        self._run = self._new_run()

    def warm_up(self) -> None:
        """Restyle a grey picture and forget the result: a broken model fails here, before going on air."""
        width, height = self.size
        grey = Frame(np.full((height, width, 3), 128, np.uint8), 0, 0.0, 0.0)
        for _ in range(2):
            self.call(grey, Controls(similarity=Similarity(mode="off")))
        self.flush()
        self._run = self._new_run()

    def call(self, frame: Frame, controls: Controls) -> Restyled | None:
        """Take in a frame; see `DiffusionEngine.__call__`."""
        before = self._run.controls
        drained = self._adopt(controls)
        run = self._run
        assert run.batch is not None
        assert run.controls is not None
        # Scale the camera picture, and choose the recipe of this frame.
        camera = fit(frame.pixels, *self.size)
        recipe, due = run.recipes.at(now := self._clock(), run.controls)
        if recipe is not run.recipe:
            self._prepare(recipe.condition, run.controls)
        fresh = recipe is not run.recipe or run.controls is not before or self._settings.task == "txt2img"
        run.recipe = recipe
        label = replace(frame, pixels=_NO_PIXELS)
        # Skip a still frame, or push the frame into the batch; both return the frame due now.
        cuts = run.controls.cross_frame_attention  # which alone must not look across a cut
        if run.filter.skips(camera, run.controls.similarity, fresh=fresh, cuts=cuts):
            done = run.batch.skip(Luggage(label, _NO_PIXELS, run.controls, due))
        else:
            # The mailbox overwrites the frame's pixels. Regions and steadiness alone read the camera picture later.
            read = run.controls.region.mode != "everything" or run.controls.firmness > 0
            own = camera.copy() if camera is frame.pixels and read else camera if read else _NO_PIXELS
            hint = self._controlnets.hint(camera)  # [nets, 3, H, W]
            batched = None if hint is None else hint.unsqueeze(0)  # [1, nets, 3, H, W]
            luggage = Luggage(label, own, run.controls, due)
            recipe = run.recipes.with_images(recipe, self._ip_adapters.at(now, camera, recipe.condition.image_scales))
            done = run.batch.push(camera, recipe, luggage, hint=batched, cut=run.filter.cut)
        return drained if done is None else self._restyled(done) or drained

    def flush(self) -> list[Restyled]:
        """Finish the frames in flight, oldest first."""
        return [restyled for frame in self._drain() if (restyled := self._restyled(frame))]

    def reset(self) -> None:
        """Forget the frames in flight and the last picture; the next frame starts clean."""
        if self._run.batch:
            self._run.batch.reset()
        self._run.filter.reset()
        self._run.last = None

    def start_anew(self) -> None:
        """Forget everything but the model, without a call of the networks: after running out of memory."""
        self._run = self._new_run()

    @property
    def batch(self) -> PictureBatch[Luggage] | None:
        """The frames in flight; None before the first frame."""
        return self._run.batch

    def _drain(self) -> list[Finished[Luggage]]:
        """Finish the frames in flight without decoding, oldest first; skipped frames are left out."""
        done = self._run.batch.flush() if self._run.batch else []
        return [frame for frame in done if frame.picture is not None]

    def _new_run(self) -> _Run:
        self._ip_adapters.restart()
        recipes = Recipes(
            self._table,
            self.text,
            self.noise,
            controlnets=self._controlnets.names,
            loras=self._loras.names,
            ip_adapters=self._ip_adapters.names,
        )
        rng = random.Random(self._settings.random_seed)  # noqa: S311 - chance, not secrets
        return _Run(recipes, SimilarityFilter(rng))

    def _restyled(self, done: Finished[Luggage]) -> Restyled | None:
        """Return the finished frame; None for a skipped frame before the first picture."""
        luggage, run = done.luggage, self._run
        if done.picture is not None:
            run.last = done.picture()
        if run.last is None:
            return None
        preparing = "" if self._preparation is None else self._preparation.preparing
        restyled = Restyled.of(luggage.label, run.last, luggage.camera, luggage.controls, luggage.due, preparing)
        return restyled if done.picture is not None else restyled.again(run.last)

    def _adopt(self, controls: Controls) -> Restyled | None:
        """Take over new controls; return the last drained frame, or None without a drain."""
        run = self._run
        if controls in (run.controls, run.refused):
            return None
        try:
            self._check(controls)
        except SdstreamError as error:
            if run.controls is None:
                raise
            log.warning("controls refused, the old controls stay", reason=str(error))
            run.refused = controls
            return None
        drained = None
        if run.controls is None or len(controls.steps) != len(run.controls.steps):
            newest = self._drain()[-1:]  # one picture is shown, so one is decoded
            drained = self._restyled(newest[0]) if newest else None
            run.batch = self._new_batch(len(controls.steps))
        if run.controls is None or controls.steps != run.controls.steps:
            self._advise(controls.steps)
        if self._loras.encode_with(tuple(controls.loras.get(name, 0.0) for name in self._loras.names)):
            self.text.cache.clear()
        run.controls = controls
        if self._preparation is not None and any(map(self.text.is_long, islice(_later(controls), MOST_LATER))):
            rows, together = self._rows(controls)
            self._preparation.demand(rows, together=together, long=True, wait=run.last is None)
        return drained

    def _new_batch(self, stages: int) -> PictureBatch[Luggage]:
        if self._batches is not None:
            return self._batches(stages)
        noise, batching = self.noise.draw(0, 1), self._settings.batching
        latents: StreamBatch[Condition, Luggage] = StreamBatch(self.unet, noise, stages=stages, batching=batching)
        return LatentBatch(latents, self.autoencoder, from_camera=self._settings.task == "img2img")

    def _prepare(self, condition: Condition, controls: Controls) -> None:
        """Have the graphs for a recipe made: before the first picture now, later beside the running graphs."""
        if self._preparation is not None:
            rows, together = self._rows(controls)
            long = len(condition.positive.tokens) > self.text.stretch
            self._preparation.demand(rows, together=together, long=long, wait=self._run.last is None)

    def _rows(self, controls: Controls) -> tuple[int, bool]:
        """Return the rows of a full batch, and whether frames attend to each other."""
        guidance, stages = Recipes.guidance(controls), len(controls.steps)
        if not self._settings.batching:
            return 1 + guidance.needs_negative(0), False
        negatives = sum(guidance.needs_negative(stage) for stage in range(stages))
        return stages + negatives, controls.cross_frame_attention and stages > 1

    def _advise(self, steps: tuple[float, ...]) -> None:
        """Log the steps of a few-step model, when other steps are asked for."""
        trained = self._trained_steps
        if trained and not set(steps) <= set(trained):
            log.warning("the model is trained for other steps", steps=list(steps), trained=list(trained))

    def _check(self, controls: Controls) -> None:
        try:
            Schedule.of(self._table, controls.steps)
        except ValueError as error:
            raise Unavailable(f"controls.steps: {error}") from error
        for what, asked, known in (
            ("loras", controls.loras, self._loras.names),
            ("controlnets", controls.controlnets, self._controlnets.names),
            ("ip_adapters", controls.ip_adapters, self._ip_adapters.names),
        ):
            for name in asked:
                if name not in known:
                    listed = ", ".join(known) or "none"
                    raise Unavailable(f"controls.{what}: {name!r} is not adjustable; engine.{what} has: {listed}")


def _ip_adapters(settings: DiffusionSettings, model: Model, clock: Callable[[], float]) -> IpAdapters:
    """Load the IP-Adapters; raises Unavailable for an image encoder too slow for pictures on air."""
    adapters = IpAdapters(settings.ip_adapters, model.unet)
    if (seconds := adapters.time_encoders(clock)) >= settings.deadline:
        raise Unavailable(
            f"engine.ip_adapters: encoding a live picture takes {seconds:.1f} s on this machine, and engine.deadline "
            f"is {settings.deadline:g} s: set picture to a file, or choose an IP-Adapter with a smaller image encoder"
        )
    return adapters


def _later(controls: Controls) -> Iterator[str]:
    """Yield the prompts of the cues."""
    for cue in controls.cues:
        yield from [cue.prompt] if isinstance(cue.prompt, str) else [part.text for part in cue.prompt]


def _engine_size(model: Model, settings: DiffusionSettings, canvas: Size) -> Size:
    """Return the size of the model's pictures; raises Unavailable for a size that the autoencoder cannot have."""
    factor = Autoencoder(model.autoencoder).factor
    width, height = choose_size(settings.width, settings.height, canvas, model.side_multiple)
    if width % factor or height % factor:
        raise Unavailable(
            f"engine size {width}x{height}: expected multiples of {factor} for this model; change engine.width or "
            "engine.height"
        )
    if "auto" in (settings.width, settings.height):
        log.info("engine size chosen", size=f"{width}x{height}", canvas=f"{canvas[0]}x{canvas[1]}")
    return width, height
