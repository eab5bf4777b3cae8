"""The batches of a session, one for each number of denoising stages: recorded frames stay for the next change back."""

from typing import Any

from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import StreamBatch
from sdstream.engine.eager import backend as eager
from sdstream.engine.graph.batch import GraphBatch, Recorded
from sdstream.engine.graph.capture import Recorder
from sdstream.engine.graph.layout import channels_last
from sdstream.engine.graph.shape import Shape
from sdstream.engine.graph.step import FrameFunction
from sdstream.engine.graph.steps import Function, Steps
from sdstream.engine.graph.streams import conveyor
from sdstream.engine.graph.tables import Columns, Tables
from sdstream.engine.graph.telling import Teller
from sdstream.engine.graph.unet import Projections, TableUNet
from sdstream.engine.networks import Job
from sdstream.engine.shared_module import copy_structure

AnyBatch = GraphBatch[Any]  # a session knows the luggage


class GraphBatches:
    """Returns the batch for a number of stages. Memory on the device stays in use until the end of the session."""

    def __init__(self, job: Job, record: Recorder) -> None:
        """Lay out the weights of the job's model anew, with the same numbers; `record` makes a step ready.

        Raises Unavailable for a U-Net unlike Stable Diffusion's.
        """
        model = job.model
        channels_last(model.unet)
        channels_last(model.autoencoder)
        self._job, self._record = job, record
        self._unet = TableUNet(model.unet)
        self._coder = Autoencoder(copy_structure(model.autoencoder))
        self._projections = Projections(model.unet, model.time_ids(job.size))
        self._from_camera = job.settings.task == "img2img"
        self.apart = eager.make(job)
        """The networks for frames without a shape."""
        self.steps: dict[int, Steps] = {}
        """The recorded steps by number of stages."""
        self._batches: dict[int, AnyBatch] = {}

    def __call__(self, stages: int) -> AnyBatch:
        """Return the empty batch for `stages` denoising stages."""
        if stages not in self._batches:
            self._batches[stages] = self._make(stages)
        self._batches[stages].reset()
        return self._batches[stages]

    def try_recording(self) -> None:
        """Record a frame of a single stage; raises RuntimeError where CUDA cannot."""
        self(1)
        self.steps[1](Shape(1, negatives=0, together=False, stretches=1, size=self._job.size))

    def _make(self, stages: int) -> AnyBatch:
        job, model = self._job, self._job.model
        like = self._projections.like.new_empty(model.latent_shape(job.size))  # [c, h, w]
        latents: StreamBatch[Condition, Any] = StreamBatch(self.apart.unet, like, stages=stages)
        columns = Columns(self._unet.time_columns, self._unet.prompt_columns, like.dtype)
        tables = Tables(latents.x, latents.ref, job.size, columns, model.text.stretch)
        self.steps[stages] = Steps(tables, self._function, self._record)
        recorded = Recorded(
            steps=self.steps[stages],
            teller=Teller(tables, self._projections, job.loras),
            conveyor=conveyor(tables.pixels, tables.picture),
            size=job.size,
            stretch=model.text.stretch,
        )
        return GraphBatch(stages, latents, self.apart.autoencoder, recorded, from_camera=self._from_camera)

    def _function(self, shape: Shape) -> Function:
        return FrameFunction(self._unet, self._coder, shape, from_camera=self._from_camera)
