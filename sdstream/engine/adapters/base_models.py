"""The base models that additions are made for, by the width of the prompt's tokens."""

BASES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""Width -> base model."""


def base_name(width: int) -> str:
    """Return the base model with prompts of `width` numbers a token."""
    return BASES.get(width, f"a model with prompts of {width} numbers a token")
