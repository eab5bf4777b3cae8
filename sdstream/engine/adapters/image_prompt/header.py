"""Tells what an IP-Adapter's file holds, and for which base model, from names and shapes: torch is not needed.

The layout is the authors' (h94/IP-Adapter): `image_proj.*` is the network from an encoded picture to tokens, and
`ip_adapter.N.to_k_ip.weight` with `to_v_ip` are matrices for each cross-attention layer. N counts all attention layers
of the U-Net, so N is odd.
"""

import re
from dataclasses import dataclass
from typing import Literal

from sdstream.engine.adapters.image_prompt.encoder_folder import EncoderFolder
from sdstream.engine.weights.base_model import base_name
from sdstream.engine.weights.files import Header
from sdstream.errors import Unavailable

PROJECTION, LAYERS = "image_proj.", "ip_adapter."
"""Prefixes of the two parts of a file."""

_MATRIX = re.compile(r"(\d{1,4})\.(to_[kv]_ip)\.weight")


@dataclass(frozen=True)
class Layout:
    """What an IP-Adapter reads and changes."""

    kind: Literal["base", "plus", "full"]
    """`base` reads the embedding of a picture; `plus` (a resampler) and `full` (full face) read the embeddings of all
    patches."""
    reads: int
    """Numbers in an embedding."""
    width: int
    """Numbers in a token for the U-Net."""
    layers: tuple[int, ...]
    """Width of each cross-attention layer, in order."""

    @property
    def base(self) -> str:
        """The base model."""
        return base_name(self.width)


def read_layout(header: Header, where: str) -> Layout:
    """Return the layout of a file; raises Unavailable for any further kind of file. `where` begins the message."""
    projection = {key.removeprefix(PROJECTION): shape for key, shape in header.shapes.items() if _in(key, PROJECTION)}
    matrices = {key.removeprefix(LAYERS): shape for key, shape in header.shapes.items() if _in(key, LAYERS)}
    if _is_face_id(projection, matrices):
        raise Unavailable(
            f"{where} is an IP-Adapter FaceID, and FaceID reads faces by a network that sdstream does not have: choose "
            "an IP-Adapter without FaceID, such as h94/IP-Adapter::models/ip-adapter-plus-face_sd15.safetensors"
        )
    if not projection or not matrices:
        found = min(header.shapes, default="no tensor")
        raise Unavailable(
            f"{where} is no IP-Adapter: expected the tensors image_proj.* and ip_adapter.*, found {found}"
        )
    if left := [key for key in header.shapes if not _in(key, PROJECTION) and not _in(key, LAYERS)]:
        raise Unavailable(f"{where} has the tensor {min(left)}, unknown in an IP-Adapter; choose a different file")
    if odd := [key for key, dtype in header.dtypes.items() if "F" not in dtype]:
        dtype = header.dtypes[min(odd)]
        raise Unavailable(f"{where}: {min(odd)} has dtype {dtype}: expected floating-point numbers")
    width, layers = _layers(matrices, where)
    kind, reads = _projection(projection, where)
    return Layout(kind, reads, width, layers)


def refuse_other_base(layout: Layout, width: int, where: str) -> None:
    """Raise Unavailable unless the tokens have `width` numbers, as the prompts of the base model."""
    if layout.width != width:
        raise Unavailable(
            f"{where} was made for a different base model: the IP-Adapter is for {layout.base}, and this model is "
            f"{base_name(width)}; choose an IP-Adapter for this model"
        )


def refuse_other_encoder(layout: Layout, encoder: EncoderFolder, where: str, setting: str) -> None:
    """Raise Unavailable unless the image encoder gives embeddings of the right size.

    `setting` is the name of the IP-Adapter's settings.
    """
    gives = encoder.pooled if layout.kind == "base" else encoder.patch
    if gives != layout.reads:
        raise Unavailable(
            f"{where} reads embeddings of {layout.reads} numbers, and the image encoder {encoder.folder} gives {gives}"
            f": set {setting}.image_encoder to the image encoder that the IP-Adapter was made with, such as "
            "h94/IP-Adapter::models/image_encoder (1024, or 1280 for plus) or "
            "h94/IP-Adapter::sdxl_models/image_encoder (1280, or 1664 for plus)"
        )


def _in(key: str, prefix: str) -> bool:
    return key.startswith(prefix)


def _is_face_id(projection: dict[str, tuple[int, ...]], matrices: dict[str, tuple[int, ...]]) -> bool:
    resampler = any(key.startswith("perceiver_resampler.") for key in projection)
    faces = {"proj.0.weight", "proj.2.weight", "norm.weight"} <= projection.keys() and "proj.3.weight" not in projection
    return resampler or faces or any("_lora." in key for key in matrices)


def _layers(matrices: dict[str, tuple[int, ...]], where: str) -> tuple[int, tuple[int, ...]]:
    """Return the width of a token, and the width of each layer in order."""
    places: dict[int, dict[str, tuple[int, ...]]] = {}
    for key, shape in matrices.items():
        match = _MATRIX.fullmatch(key)
        if match is None or len(shape) != 2:
            raise Unavailable(
                f"{where}: {LAYERS}{key} {list(shape)} is no matrix of an IP-Adapter; choose another file"
            )
        places.setdefault(int(match[1]), {})[match[2]] = shape
    for place, expected in zip(sorted(places), range(1, 2 * len(places), 2), strict=True):
        both = places[place]
        if place != expected or len(both) != 2 or both["to_k_ip"] != both["to_v_ip"]:
            raise Unavailable(
                f"{where}: expected {LAYERS}{expected}.to_k_ip.weight and to_v_ip.weight of one shape; pull or copy "
                "the file again"
            )
    shapes = [places[place]["to_k_ip"] for place in sorted(places)]
    if len({width for _, width in shapes}) != 1:
        raise Unavailable(f"{where}: the matrices read tokens of different sizes; pull or copy the file again")
    return shapes[0][1], tuple(hidden for hidden, _ in shapes)


def _projection(projection: dict[str, tuple[int, ...]], where: str) -> tuple[Literal["base", "plus", "full"], int]:
    """Return the kind, and the size of the embedding."""
    marks: tuple[tuple[str, Literal["base", "plus", "full"], str], ...] = (
        ("proj.weight", "base", "proj.weight"),
        ("proj.3.weight", "full", "proj.0.weight"),
        ("latents", "plus", "proj_in.weight"),
    )
    for mark, kind, reader in marks:
        if mark in projection and len(projection.get(reader, ())) == 2:
            return kind, projection[reader][1]
    raise Unavailable(
        f"{where}: the network {PROJECTION}* is no kind that sdstream knows (base, plus, full face); choose a "
        "different IP-Adapter"
    )
