"""The secrets in a file's tree, for the logs to hide."""

import re

from sdstream.config.schema_paths import SchemaPaths
from sdstream.config.yaml_tree import Node
from sdstream.redact import hide, hide_url

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""`${NAME}`, the value of the environment variable NAME."""

PUBLIC_OPTIONS = (
    "analyzeduration", "channel", "channels", "fflags", "framerate", "input_format", "pixel_format", "probesize",
    "rtsp_transport", "sample_rate", "standard", "thread_queue_size", "timeout", "video_size",
)  # fmt: skip
"""Options of FFmpeg without secrets; every other option of a source may hold a password, and is hidden."""

Path = tuple[str | int, ...]


def secrets(tree: Node, schema: SchemaPaths) -> list[tuple[Path, Node]]:
    """Return the texts at the places of secrets, with their paths; `data` of a broken file too."""
    data = tree.plain()
    return [(path, node) for path, node in tree.leaves() if node.value is not None and schema.is_secret(path, data)]


def hide_secrets(found: list[tuple[Path, Node]]) -> None:
    """Make the logs of this process hide secrets, and of a URL the parts that may be secret."""
    for path, node in found:
        if path[-1] == "url":
            hide_url(str(node.value))
        elif path[-2:-1] != ("options",) or path[-1] not in PUBLIC_OPTIONS:
            hide(str(node.value))


def exposed(found: list[tuple[Path, Node]]) -> tuple[str, ...]:
    """Return the dotted names of secrets in plain text on the command line; call before the environment is read."""
    return tuple(
        ".".join(map(str, path))
        for path, node in found
        if node.where.name.startswith("--set ") and not node.where.line and not VARIABLE.search(str(node.value))
        if path[-1] != "url" or "://" in str(node.value)
    )
