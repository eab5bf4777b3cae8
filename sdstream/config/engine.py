"""Settings of the diffusion engine: fixed for a run."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from sdstream.config.base import Settings
from sdstream.controls import Prediction

Side = Annotated[int, Field(ge=64, le=2048, multiple_of=8)]
"""Pixels; the autoencoder works in blocks of eight."""

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=1024, strip_whitespace=True)]
"""A folder in diffusers layout, or a hub id such as stabilityai/sd-turbo."""


Acceleration = Literal["eager", "compile", "openvino"]
"""Ways to run a model."""

NumberFormat = Literal["float32", "float16", "bfloat16", "int8"]
"""Number formats (dtypes) of a model."""


class LoraSettings(Settings):
    """A LoRA that controls can turn up and down."""

    path: ModelName
    """A `.safetensors` file, or a hub id."""
    fuse: bool = False
    """Melt it into the model at load, at weight 1 (for LCM-LoRA): faster, and no longer adjustable."""


class ControlNetSettings(Settings):
    """A ControlNet and the condition that it gets from the live frame."""

    model: ModelName
    """A folder in diffusers layout, a hub id, or a `.safetensors` file with the original code's names or diffusers'."""
    condition: Literal["canny", "tile", "depth"]
    """`canny` edges, `tile` (the picture itself) or `depth` (needs `depth_model`)."""
    depth_model: ModelName | None = None
    """A depth-estimation model in transformers layout, for `condition: depth`."""


class DiffusionSettings(Settings):
    """StreamDiffusion image-to-image (arXiv 2312.12491, version 2)."""

    kind: Literal["diffusion"] = "diffusion"
    """The diffusion engine."""
    model: ModelName = "mini"
    """The bundled `mini`, a folder in diffusers layout, a hub id, or a Stable Diffusion 1.x, 2.x or XL checkpoint in
    one `.safetensors` file."""
    configs: ModelName | None = None
    """For a model in one file: a folder in diffusers layout, or a hub id, with its configs and tokenizer. Without it,
    what lies beside the file is read; parts that neither has are the standard ones of the architecture."""
    prediction: Literal["auto", Prediction] = "auto"
    """What the model predicts; `auto` reads it from the model's own files."""
    task: Literal["img2img", "txt2img"] = "img2img"
    """Restyle the camera picture, or paint from the prompt alone."""
    width: Side | Literal["auto"] = "auto"
    """Width that the model works at, pixels; the picture is scaled to this width, and back to the canvas. `auto`
    follows the shape of the canvas, in multiples of what the model needs, near 512x512 pixels in all when the height
    is `auto` too (672x384 for 16:9 with `mini`); the log says which size was chosen."""
    height: Side | Literal["auto"] = "auto"
    """Height that the model works at, pixels, or `auto`."""
    acceleration: Literal["auto", Acceleration] = "auto"
    """`eager` runs the model as it is, `compile` through torch.compile (an experiment: minutes at start, and pauses on
    air that may count as a hang when a change needs other code), `openvino` on a processor several times faster (needs
    the extra of that name); `auto` is openvino where it can do all that is asked for, else eager (with ControlNets, and
    with LoRAs that are not fused), and says which."""
    threads: int | None = Field(None, ge=1, le=256)
    """Threads that the model may use on a processor; one for each core by default."""
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """`cuda`, `cuda:1`, `mps`, `cpu`, or the best there is."""
    dtype: Literal["auto", NumberFormat] = "auto"
    """Number format of the model; `auto` is float16 on a GPU and float32 on a CPU. OpenVINO's `auto` is bfloat16 where
    the processor has it, else int8 where the model says how (`mini` does) and no LoRA is loaded, else float32. So a
    ControlNet or a LoRA may change it, and with it the picture a little: the log says so. A format named here stays."""
    autoencoder: Literal["tiny", "full"] = "tiny"
    """The tiny autoencoder (fast), or the model's own full one (finer)."""
    tiny_autoencoder: ModelName | None = None
    """Where the tiny autoencoder comes from when the model brings a full one; TAESD by default."""
    batching: bool = True
    """Stream Batch: all denoising steps in one U-Net call. Off is the sequential form, for comparison."""
    prompt_cache: bool = True
    """Keep the prompt's cross-attention keys and values (paper appendix A.2); off is for comparison."""
    loras: dict[str, LoraSettings] = Field({}, max_length=16)
    """LoRAs by name; `controls.loras` gives them weights."""
    controlnets: dict[str, ControlNetSettings] = Field({}, max_length=8)
    """ControlNets by name; `controls.controlnets` gives them scales."""
    mask: Path | None = None
    """A picture whose white part is restyled, for `controls.region.mode: mask`."""
    segmentation_model: ModelName | None = None
    """A person segmentation model in transformers layout, for the regions `person` and `background`."""
    random_seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the dice that the similarity filter throws."""
    deadline: float = Field(10.0, gt=0, le=600)
    """Seconds that one frame may take before the engine counts as hung and is replaced."""


class PassthroughSettings(Settings):
    """Everything but the model: the camera goes through untouched."""

    kind: Literal["passthrough"]
    """No model."""


def _engine_kind(value: Any) -> str:  # a discriminator gets whatever the file holds
    kind = value.get("kind", "diffusion") if isinstance(value, dict) else getattr(value, "kind", "diffusion")
    return str(kind)


AnyEngine = Annotated[
    Annotated[DiffusionSettings, Tag("diffusion")] | Annotated[PassthroughSettings, Tag("passthrough")],
    Discriminator(_engine_kind),
]
