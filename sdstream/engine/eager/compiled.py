"""torch.compile as a backend: the networks of `backend`, compiled. The first calls take a minute."""

from sdstream.engine.eager.backend import (
    make_autoencoder,
    make_unet,
    number_format,
    obstacle,
    to_networks,
    weights_dtype,
)
from sdstream.engine.networks import Job, Networks

__all__ = ["make", "number_format", "obstacle", "weights_dtype"]


def make(job: Job) -> Networks:
    """Make the networks. Raises Unavailable for a U-Net with attention unlike Stable Diffusion's."""
    unet, autoencoder = make_unet(job), make_autoencoder(job)
    for module in (unet.module, autoencoder.module.encoder, autoencoder.module.decoder):
        module.compile()
    return to_networks(job, unet, autoencoder)
