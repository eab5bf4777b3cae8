"""Settings of each kind of engine."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag

from sdstream.config.base import Settings
from sdstream.controls import Prediction, SamplerName

LONGEST_SIDE = 2048
"""Pixels."""

Side = Annotated[int, Field(ge=64, le=LONGEST_SIDE, multiple_of=8)]
"""Pixels; the autoencoder works in blocks of eight."""

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=1024, strip_whitespace=True)]
"""A folder in diffusers layout, or a hub id such as stabilityai/sd-turbo."""


Acceleration = Literal["eager", "graph", "openvino"]
"""Backends: the ways to run a model."""

NumberFormat = Literal["float32", "float16", "bfloat16", "int8"]
"""Number formats (dtypes) of a model."""


Spacing = Literal["trailing", "leading", "linspace"]
"""Choices of timesteps for a number of steps (arXiv 2305.08891, table 2)."""


class LoraSettings(Settings):
    """A LoRA; `controls.loras` sets the weight. Prompts may use the new words inside the file (`bundle_emb`)."""

    path: ModelName
    """A `.safetensors` file, a folder or a hub id. A file of a folder or of a repository on the hub is named by `file`
    or behind two colons: `ByteDance/Hyper-SD::Hyper-SD15-1step-lora.safetensors`. No further file is fetched."""
    file: ModelName | None = None
    """Name of a file in the folder or the repository `path`."""
    fuse: bool = False
    """Fuse the LoRA into the model at load (for LCM-LoRA and further few-step LoRAs): faster, and no longer
    adjustable."""
    weight: float = Field(1.0, ge=-10, le=10)
    """Weight of a fused LoRA; `controls.loras` sets the weight of an adjustable LoRA."""


class EmbeddingSettings(Settings):
    """A textual inversion: a new word for prompts."""

    path: ModelName
    """A `.safetensors` file, a folder or a hub id, as for a LoRA."""
    file: ModelName | None = None
    """Name of a file in the folder or the repository `path`."""


def _by_path(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


Embedding = Annotated[
    EmbeddingSettings, BeforeValidator(_by_path, json_schema_input_type=EmbeddingSettings | ModelName)
]
"""A textual inversion; a text is the path."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\s():]+$")]
"""A word of a prompt."""

Lora = Annotated[LoraSettings, BeforeValidator(_by_path, json_schema_input_type=LoraSettings | ModelName)]
"""A LoRA; a text is the path."""


class ControlNetSettings(Settings):
    """A ControlNet, and the condition made from each camera picture."""

    model: ModelName
    """A folder in diffusers layout, a hub id, or a `.safetensors` file with the names of diffusers or of the original
    code."""
    condition: Literal["canny", "tile", "depth", "hed", "lineart", "scribble", "normal", "openpose"]
    """`canny` edges, `tile` (the picture itself), `depth` (needs `depth_model`); or with `condition_model`: `hed` (soft
    edges), `lineart`, `scribble`, `normal` (directions of surfaces) or `openpose` (one person)."""
    depth_model: ModelName | None = None
    """A depth-estimation model in transformers layout, for `condition: depth`."""
    condition_model: ModelName | None = None
    """A model from pictures to the condition: an `.onnx` file with a `preprocessor_config.json` beside the file; for
    `openpose` also a pose model in transformers layout (ViTPose)."""


class IpAdapterSettings(Settings):
    """An IP-Adapter: a picture as a prompt; `controls.ip_adapters` sets the weight."""

    path: ModelName
    """A `.safetensors` file, a folder or a hub id, as for a LoRA: `h94/IP-Adapter::models/ip-adapter_sd15.safetensors`.
    """
    file: ModelName | None = None
    """Name of a file in the folder or the repository `path`."""
    picture: Literal["live"] | Path
    """A picture file, or `live`: the camera picture itself."""
    image_encoder: ModelName | None = None
    """The CLIP image encoder: a folder in transformers layout, a hub id, or a folder of a repository, as in
    `h94/IP-Adapter::models/image_encoder`. By default the folder `image_encoder` beside the file."""
    rate: float = Field(2.0, gt=0, le=60)
    """For `picture: live`: the most times a second that the camera picture is encoded. The frame that is encoded comes
    later by the time of the image encoder; all further frames use the last encoded picture."""


class DiffusionSettings(Settings):
    """StreamDiffusion image-to-image (arXiv 2312.12491, version 2)."""

    kind: Literal["diffusion"] = "diffusion"
    """The diffusion engine."""
    model: ModelName = "mini"
    """The bundled `mini`, a folder in diffusers layout, a hub id, or a Stable Diffusion 1.x, 2.x or XL checkpoint in
    a single `.safetensors` file."""
    configs: ModelName | None = None
    """For a model in a single file: a folder in diffusers layout, or a hub id, with the configs and the tokenizer.
    Without `configs`, files beside the model are read. Missing parts are the standard parts of the architecture."""
    prediction: Literal["auto", Prediction] = "auto"
    """Prediction of the model; `auto` reads the model's own files."""
    unet: ModelName | None = None
    """A U-Net in place of the model's own, such as a distilled U-Net: a `.safetensors` file for a U-Net of the same
    shape, or a folder or hub id in diffusers layout."""
    sampler: Literal["auto", SamplerName] = "auto"
    """The way from a denoising step to the next. `lcm` adds fresh noise (the paper); `euler` and `ddim` add none;
    `euler_ancestral` adds some; `tcd` adds as much as `eta` says. `auto` follows the name of a published few-step file
    under `unet`, `loras` or `model` (SDXL-Lightning, Hyper-SD, DMD2, TCD, PCM, LCM-LoRA), else the model's scheduler if
    made for few steps (TCD, or `timestep_spacing: trailing`), else `lcm`; the log names the choice and the steps."""
    eta: float | None = Field(None, ge=0, le=1)
    """Randomness of `tcd` (the paper's gamma; 0.3 by default) and of `ddim` (0 by default)."""
    timestep_spacing: Literal["auto", Spacing] = "auto"
    """The timesteps that `controls.steps` counts, for `euler`, `euler_ancestral` and `ddim`: `trailing` is 999, 979, …
    19, right for few-step models; `leading` and `linspace` are further rules of diffusers. `auto` is trailing for a
    published few-step file, else the rule of the model's scheduler."""
    task: Literal["img2img", "txt2img"] = "img2img"
    """Restyle the camera picture, or paint from the prompt alone."""
    width: Side | Literal["auto"] = "auto"
    """Width of the model's picture, in pixels; the camera picture is scaled to this width, and the result back to the
    canvas. `auto` follows the shape of the canvas, in the multiples that the model needs, with about 512x512 pixels in
    all when the height is `auto` too (672x384 for 16:9 with `mini`); the log names the chosen size."""
    height: Side | Literal["auto"] = "auto"
    """Height of the model's picture, in pixels, or `auto`."""
    acceleration: Literal["auto", Acceleration] = "auto"
    """`eager` runs the model in plain torch. `graph` gives an NVIDIA GPU the whole frame at once, as a CUDA graph, and
    runs no ControlNets and no IP-Adapters. `openvino` is several times faster on a CPU, and needs the extra `openvino`.
    `auto` is openvino on a CPU where OpenVINO supports all settings, graph on an NVIDIA GPU where a graph supports all
    settings, else eager (as with ControlNets, IP-Adapters, and on a CPU with LoRAs that are not fused); the log names
    the choice."""
    threads: int | None = Field(None, ge=1, le=256)
    """CPU threads for the model; a thread for each core by default."""
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:[0-9]{1,3})?)$")] = "auto"
    """`cuda`, `cuda:1`, `mps`, `cpu`, or `auto` for the best device of the machine."""
    dtype: Literal["auto", NumberFormat] = "auto"
    """Number format (dtype) of the model; `auto` is float16 on a GPU and float32 on a CPU. In OpenVINO, `auto` is
    bfloat16 on a CPU with bfloat16, else int8 for a model with activation ranges (such as `mini`) and without a LoRA,
    else float32. So a ControlNet or a LoRA may change the dtype, and the picture a little; the log says so. A dtype
    given here never changes."""
    autoencoder: Literal["tiny", "full"] = "tiny"
    """`tiny` is fast; `full`, the model's own autoencoder, is finer."""
    vae: ModelName | None = None
    """A full autoencoder in place of the model's own, for `autoencoder: full`: a `.safetensors` file with the names of
    the original code or of diffusers, a folder in diffusers layout, or a hub id."""
    tiny_autoencoder: ModelName | None = None
    """Tiny autoencoder for a model with a full autoencoder: a folder, a .safetensors file or a hub id; TAESD by
    default."""
    batching: bool = True
    """Stream Batch: all denoising steps in a single U-Net call. `false` is the sequential form, for comparison."""
    prompt_cache: bool = True
    """Keep the prompt's cross-attention keys and values (paper appendix A.2); `false` is for comparison."""
    clip_skip: int = Field(0, ge=0, le=31)
    """Layers to leave out at the end of each text encoder, as diffusers counts: 1 here is "Clip skip 2" elsewhere."""
    long_prompts: Literal["stretches", "cut"] = "stretches"
    """`stretches` reads a prompt of more than 75 tokens (about 55 words) in stretches of 75, up to 600 tokens, and
    `BREAK` in capitals starts a new stretch; each stretch costs a little time. `cut` reads the first 75 tokens."""
    embeddings: dict[Word, Embedding] = Field({}, max_length=64)
    """Textual inversions by word: a prompt with the word uses the vectors of the file. A text alone is the `path`."""
    loras: dict[str, Lora] = Field({}, max_length=16)
    """LoRAs by name; `controls.loras` gives them weights. A text alone is the `path`."""
    controlnets: dict[str, ControlNetSettings] = Field({}, max_length=8)
    """ControlNets by name; `controls.controlnets` gives them scales."""
    ip_adapters: dict[str, IpAdapterSettings] = Field({}, max_length=8)
    """IP-Adapters by name: pictures as prompts; `controls.ip_adapters` gives them weights."""
    mask: Path | None = None
    """A picture with the restyled part in white, for `controls.region.mode: mask`."""
    segmentation_model: ModelName | None = None
    """A person segmentation model in transformers layout, for the regions `person` and `background`."""
    random_seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the random numbers of the similarity filter."""
    deadline: float = Field(10.0, gt=0, le=600)
    """Seconds for a frame; an engine that takes longer counts as hung and is replaced."""


class PassthroughSettings(Settings):
    """Everything but the model: the camera goes through untouched."""

    kind: Literal["passthrough"]
    """No model."""


def _engine_kind(value: Any) -> str:  # the file may hold a value of any type
    kind = value.get("kind", "diffusion") if isinstance(value, dict) else getattr(value, "kind", "diffusion")
    return str(kind)


AnyEngine = Annotated[
    Annotated[DiffusionSettings, Tag("diffusion")] | Annotated[PassthroughSettings, Tag("passthrough")],
    Discriminator(_engine_kind),
]
