"""Finds the files of a tiny autoencoder without a config, and tells by the tensors' names whether the files are one."""

from collections.abc import Sequence
from pathlib import Path

from sdstream.engine.weights.file_kind import kind_of, place_of
from sdstream.engine.weights.files import check_safetensors, refuse_pickle
from sdstream.errors import Unavailable

HALVES = ("encoder", "decoder")


def is_tiny_file(path: Path) -> bool:
    """Return whether `path` is a file, or a folder with pairs of files instead of a config."""
    return path.is_file() or (not (path / "config.json").is_file() and any(path.glob("*_decoder.safetensors")))


def tiny_files(path: Path) -> Sequence[Path]:
    """Return the file with both halves, or the files of encoder and decoder, in this order; raises Unavailable."""
    where = f"tiny autoencoder: {path}"
    refuse_pickle(path, where)
    files = _files(path, where)
    for file in files:
        names = check_safetensors(file).shapes
        if kind_of(names) not in ("a tiny autoencoder", ""):
            raise Unavailable(f"tiny autoencoder: {file} {place_of(names)}")
    return files


def _files(path: Path, where: str) -> list[Path]:
    """Return the file with both halves, or the files of encoder and decoder, in this order."""
    decoders = sorted(path.glob("*_decoder.safetensors")) if path.is_dir() else [path]
    if len(decoders) != 1:
        raise Unavailable(f"{where} has several tiny autoencoders: set engine.tiny_autoencoder to a file of the folder")
    stem, _, half = decoders[0].stem.rpartition("_")
    if half not in HALVES:
        return decoders
    pair = [decoders[0].with_name(f"{stem}_{half}.safetensors") for half in HALVES]
    if missing := [file for file in pair if not file.is_file()]:
        raise Unavailable(f"{where}: {missing[0]} is missing: the encoder and the decoder belong in the same folder")
    return pair
