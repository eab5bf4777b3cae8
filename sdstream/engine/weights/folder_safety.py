"""Refuses what makes the libraries open anything but safetensors, run code, or take time and memory without bound.

diffusers and transformers follow a folder's own files: an index names other files, a config names adapters, code of the
author's, kernels and quantisers. Each is refused by name, before a library opens the folder.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdstream.errors import Forbidden, Unavailable

if TYPE_CHECKING:
    from sdstream.engine.weights.files import Header

CODE = ("auto_map", "custom_pipelines", "trust_remote_code", "quantization_config", "compression_config")
"""Keys of a config with names of code, or of a quantiser with files and code of its own."""
ATTENTION = (None, "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")
"""Ways to compute attention in the libraries themselves; any further name is fetched from the hub, as code."""
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
"""Files of an adapter; transformers loads the adapter, and the base model that it names, in the model's place."""
LEAST = 4096
"""A number of a config that is harmless, whatever the weights; larger numbers must fit the weights' sizes."""
MOST_NUMBERS = 10_000
"""Numbers in a config; the largest published configs have a thousand, names of labels apart."""
_COUNTS = re.compile(r"layers|num_\w*blocks|depths")
_NORMALIZERS = {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Replace", "Strip", "StripAccents"}
_NORMALIZERS |= {"BertNormalizer", "ByteLevel", "Nmt"}
_LONGEST_PATTERN = 512


def refuse_links(file: Path, what: str) -> None:
    """Raise Unavailable for anything but a regular file, and for a link that leads out of the model's folder; raise
    Forbidden for a file that this user may not read.

    The folder that the user names may be a link, and so may a single file. The hub's cache is a folder of links to
    its own `blobs`.
    """
    try:
        kind = os.stat(file).st_mode
        target = file.resolve(strict=True)
    except PermissionError as error:
        raise Forbidden(f"{what}: {file} may not be read by this user; see: ls -ld {file}") from error
    except (OSError, RuntimeError) as error:
        raise Unavailable(f"{what}: {file} leads nowhere; pull or copy the model again") from error
    if not stat.S_ISREG(kind):
        raise Unavailable(f"{what}: {file} is a pipe, a device or a folder: expected a file; copy the model again")
    if file.is_symlink() and not any(target.is_relative_to(root) for root in _roots(file)):
        raise Unavailable(
            f"{what}: {file} is a link out of the model's folder; copy the file, or name the folder that has the file"
        )


def _roots(file: Path) -> Iterator[Path]:
    yield file.parent.resolve()
    if (file.parents[1] / "model_index.json").is_file():
        yield file.parents[1].resolve()
    for folder in file.absolute().parents:
        if folder.name == "snapshots":
            yield (folder.parent / "blobs").resolve()


def refuse_unsafe(folder: Path, config: Mapping[str, Any], headers: Mapping[Path, "Header"], what: str) -> None:
    """Raise Unavailable for a component's folder that a library would read beyond `headers`' files."""
    where = f"{what}: {folder}"
    for name in ADAPTERS:
        if os.path.lexists(folder / name):
            raise Unavailable(f"{where}/{name}: an adapter is not loaded with a model; name a LoRA in engine.loras")
    refuse_code(config, f"{where}/config.json")
    sizes = [size for header in headers.values() for shape in header.shapes.values() for size in shape]
    tensors = sum(len(header.shapes) for header in headers.values())
    _refuse_numbers(config, max(LEAST, 2 * max(sizes, default=0)), max(8, tensors), f"{where}/config.json")


def refuse_index(index: Path, config: Mapping[str, Any], what: str) -> None:
    """Raise Unavailable for an index that names anything but safetensors files of its own folder."""
    names = config.get("weight_map")
    for name in sorted({str(name) for name in names.values()}) if isinstance(names, dict) else ["no weight_map"]:
        if not re.fullmatch(r"[\w][\w.-]*\.safetensors", name) or not (index.parent / name).is_file():
            raise Unavailable(
                f"{what}: {index} names {name!r}: expected .safetensors files in the same folder; pull or copy the "
                "model again"
            )


def refuse_code(config: Mapping[str, Any], where: str) -> None:
    """Raise Unavailable for a config that names code, a quantiser, or kernels from the hub."""
    for path, key, value in _items(config, ""):
        if key in CODE and value not in (None, False, {}, []):
            raise Unavailable(f"{where}: {path} names code or a quantiser, and neither is loaded; choose another model")
        kernels = key.endswith("attn_implementation") and value not in ATTENTION
        if kernels and not (isinstance(value, dict) and all(inner in ATTENTION for inner in value.values())):
            raise Unavailable(f"{where}: {path} {value!r} would be fetched as code; remove {path}")
        if key == "_class_name" and not str(value).isidentifier():
            raise Unavailable(f"{where}: {path} {value!r} is no class of the libraries; choose another model")


def _refuse_numbers(config: Mapping[str, Any], largest: int, tensors: int, where: str) -> None:
    """Refuse numbers that fit no weight: a network of a million layers would be built before the weights are read."""
    count = 0
    for path, key, value in _items(config, ""):
        for number in value if isinstance(value, list) else [value]:
            count += 1
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            limit = tensors if _COUNTS.search(key) else largest
            if isinstance(number, int) and abs(number) > limit:
                raise Unavailable(f"{where}: {path} {_short(number)} fits no weight: expected at most {limit}")
        if isinstance(value, list) and len(value) > max(64, tensors):
            raise Unavailable(f"{where}: {path} has {len(value)} parts: expected at most {max(64, tensors)}")
        if count > MOST_NUMBERS:
            raise Unavailable(f"{where}: more than {MOST_NUMBERS} values; pull or copy the model again")


def refuse_odd_tokenizer(config: Mapping[str, Any], where: str) -> None:
    """Raise Unavailable for a tokenizer whose rules may take a prompt time or memory without bound."""
    rules = {name: config.get(name) for name in ("normalizer", "pre_tokenizer")}
    for path, key, value in _items(rules, ""):
        normalizer = key == "type" and path.startswith("normalizer")
        if normalizer and value not in _NORMALIZERS:
            raise Unavailable(f"{where}: {path} {value!r} is no rule of CLIP's tokenizer; choose another model")
        if key == "content" and len(str(value)) > 1:
            raise Unavailable(f"{where}: {path} makes a text longer at each use; choose another model")
        # Without groups, no repetition stands inside another, and a match takes a time in proportion to the text.
        odd = key == "Regex" and (len(str(value)) > _LONGEST_PATTERN or re.search(r"(?<!\\)\(|\\\d", str(value)))
        if odd:
            raise Unavailable(f"{where}: {path} is a pattern with groups, unlike CLIP's; choose another model")


def _items(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:  # JSON
    """Yield dotted path, key and value of everything inside a JSON object; the depth is bounded by JSON's reader."""
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        below = f"{path}.{key}" if path else str(key)
        yield below, str(key), inner
        yield from _items(inner, below)


def _short(number: float) -> str:
    return f"{float(number):.3g}" if abs(number) < 1e300 else "beyond all bounds"
