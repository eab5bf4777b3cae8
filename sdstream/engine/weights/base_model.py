"""What additions need to know of a base model: the widths of prompts and of text encoders. Numbers only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdstream.errors import Unavailable

BASES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""Base models by the width of the prompt's tokens."""


@dataclass(frozen=True)
class BaseModel:
    """A base model, by the config of the U-Net."""

    width: int
    """Numbers of a prompt's token."""
    xl: bool
    """Whether the U-Net takes the picture's size and a pooled prompt too."""

    @classmethod
    def of(cls, unet: Mapping[str, Any]) -> "BaseModel":  # JSON
        """Return the base model with the U-Net config `unet`; a config may leave out diffusers' defaults.

        Raises Unavailable for a U-Net with several widths.
        """
        width = unet.get("cross_attention_dim", 1280)
        if not isinstance(width, int):
            raise Unavailable(
                f"U-Net: cross_attention_dim {width!r:.80}: expected a single number; choose another model"
            )
        return cls(width, unet.get("addition_embed_type") == "text_time")

    def refuse_other_widths(self, shapes: Mapping[str, tuple[int, ...]], where: str, kind: str) -> None:
        """Raise Unavailable for a network of `kind` (U-Net, ControlNet) that reads prompts of a different width."""
        widths = {shape[-1] for key, shape in shapes.items() if key.endswith(".attn2.to_k.weight") and shape}
        if foreign := widths - {self.width}:
            raise Unavailable(
                f"{where} was made for a different base model: the {kind} reads prompts of {min(foreign)} numbers a "
                f"token ({base_name(min(foreign))}), and this model has {self.width} ({base_name(self.width)}); choose "
                f"a {kind} for this model"
            )


def base_name(width: int) -> str:
    """Return the name of the base model with prompts of `width` numbers a token."""
    return BASES.get(width, f"a model with prompts of {width} numbers a token")
