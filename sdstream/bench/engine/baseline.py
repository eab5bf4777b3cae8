"""diffusers' own image-to-image pipeline for comparison, in a fair form and in the paper's form."""

from typing import Any

import numpy as np
import torch

from sdstream.bench.engine.random_models import full_autoencoder
from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.models import Model
from sdstream.engine.weights.component import quiet
from sdstream.frame import Pixels

PROMPT = "thick oil painting"


class Baseline:
    """Restyles a picture in a single call, with all steps.

    The fair form has the tiny autoencoder, a prompt encoded beforehand, tensors as input and output, and all weights
    on the device. The paper's form, from the paper's benchmark branch, has the full autoencoder, encodes the prompt at
    every call, takes and returns PIL pictures, and on CUDA keeps the weights in host memory between calls
    (`enable_model_cpu_offload`).
    """

    def __init__(self, model: Model, pixels: Pixels, steps: tuple[int, ...], threads: int, *, fair: bool) -> None:
        from diffusers import LCMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline

        self._fair = fair
        self._threads = threads
        self._model = model
        self._pixels = pixels
        self._timesteps = [model.table.timestep(step) for step in steps]
        self._prompt = model.text.encode(PROMPT)
        parts: dict[str, Any] = {  # diffusers publishes no types
            "vae": model.autoencoder if fair else full_autoencoder(model),
            "unet": model.unet,
            "scheduler": LCMScheduler(prediction_type=model.table.prediction, steps_offset=1),
            "text_encoder": None,
            "tokenizer": None,
        }
        if model.unet.config.sample_size is None:  # the pipeline needs a default size
            model.unet.register_to_config(sample_size=64)
        with quiet():
            if model.wants_size:
                self._pipe = StableDiffusionXLImg2ImgPipeline(**parts, text_encoder_2=None, tokenizer_2=None)
            else:
                rest = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
                self._pipe = StableDiffusionImg2ImgPipeline(**parts, **rest)
        self._pipe.set_progress_bar_config(disable=True)
        if not fair and model.device.type == "cuda":
            self._pipe.enable_model_cpu_offload(model.device)

    def warm_up(self) -> None:
        """Make the first two calls, because the first calls allocate memory."""
        for _ in range(2):
            self()

    def prepare(self) -> None:
        """Set the number of torch's threads: a variant with OpenVINO leaves a single thread."""
        torch.set_num_threads(self._threads)

    @torch.inference_mode()
    def __call__(self) -> object:
        """Restyle the picture."""
        embedding = self._prompt if self._fair else self._encode()
        call: dict[str, Any] = {"prompt_embeds": embedding.tokens.unsqueeze(0)}  # the pipeline's keywords
        if embedding.pooled is not None:
            call["pooled_prompt_embeds"] = embedding.pooled.unsqueeze(0)
        return self._pipe(
            **call,
            image=self._picture(self._pixels),
            timesteps=self._timesteps,
            strength=1.0,
            guidance_scale=0.0,
            output_type="pt" if self._fair else "pil",
        ).images

    def _encode(self) -> Embedding:
        self._model.text.cache.clear()
        return self._model.text.encode(PROMPT)

    def _picture(self, pixels: Pixels) -> Any:
        if not self._fair:
            from PIL import Image

            return Image.fromarray(np.asarray(pixels))
        picture = torch.from_numpy(pixels).to(self._model.device)
        return picture.permute(2, 0, 1).unsqueeze(0).to(self._model.unet.dtype) / 255
