"""The role of each tensor of a LoRA file, and the model's part, from the tensor's name, in the namings of all trainers.

No tensor is opened here, so that `sdstream check` reads LoRA files without torch.
"""

import re

ROLES = {
    r"\.lora_(?:down|A(?:\.\w+)?)\.weight": "down",
    r"\.lora_(?:up|B(?:\.\w+)?)\.weight": "up",
    r"\.lora_B(?:\.\w+)?\.bias": "up bias",
    r"(?:_lora|\.lora|\.lora_linear_layer)?\.down\.weight": "down",
    r"(?:_lora|\.lora|\.lora_linear_layer)?\.up\.weight": "up",
    r"\.lora_mid\.weight": "middle",
    r"(?:_lora|\.lora|\.lora_linear_layer)?\.alpha": "alpha",
    r"\.dora_scale": "magnitude",
    r"\.lora_magnitude_vector(?:\.\w+)*": "magnitude of outputs",
    r"\.diff": "difference",
    r"\.diff_b": "bias difference",
    r"\.w_norm": "norm",
    r"\.b_norm": "norm bias",
    r"\.(hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2))(?:\.\w+)?": "",
    r"(?:\.modules_to_save(?:\.\w+)?)?\.weight": "whole",
    r"(?:\.modules_to_save(?:\.\w+)?)?\.bias": "whole bias",
}
"""End of a tensor's name, as an expression -> role of the tensor; the empty role is the text in the group."""

_ROLES = tuple((re.compile(rf"(.+?){end}"), role) for end, role in ROLES.items())

PREFIXES = {
    "lora_unet_": "unet",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te_": "text_encoder",
    "lycoris_": "unet",
    "model.diffusion_model.": "unet",
    "diffusion_model.": "unet",
    "unet.": "unet",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.clip_g.transformer.": "text_encoder_2",
    "clip_l.": "text_encoder",
    "clip_g.": "text_encoder_2",
}
"""Start of a layer's name -> the part of the model: kohya, LyCORIS, ComfyUI, diffusers, OneTrainer."""

PEFT = "base_model.model."
"""Start of the names in PEFT's own files."""


def role_of(key: str) -> tuple[str, str] | None:
    """Split the name of a tensor into the layer's name and the tensor's role; None for an unknown role."""
    for expression, role in _ROLES:
        if match := expression.fullmatch(key):
            return match[1], role or match[2]
    return None
