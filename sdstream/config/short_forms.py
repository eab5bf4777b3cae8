"""Writes short forms of sections in full, so that `--set` and a saved file can change the parts by name."""

from typing import cast

from sdstream.config.schema import canvas_in_full
from sdstream.config.yaml_tree import Node, Plain
from sdstream.controls import SHORT_FORMS


def long_form(name: str, value: Plain) -> Plain:
    """Return a control in full: {"mode": "full"} for `guidance: full`. Any other value comes back unchanged."""
    return cast(Plain, SHORT_FORMS[name](value)) if name in SHORT_FORMS else value  # plain data stays plain


def lengthen(tree: Node) -> None:
    """Replace the short forms in a file's tree; each part has the position of the short form."""
    if canvas := tree.child("canvas"):
        _replace(canvas, cast(Plain, canvas_in_full(canvas.plain())))  # plain data stays plain
    controls = tree.child("controls")
    for name in SHORT_FORMS:
        if controls and (control := controls.child(name)):
            _replace(control, long_form(name, control.plain()))


def _replace(node: Node, full: Plain) -> None:
    if full != node.plain():
        node.value = Node.of(full, node.where).value
