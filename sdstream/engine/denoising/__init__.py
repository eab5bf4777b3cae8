"""TODO sdstream/engine/denoising."""
