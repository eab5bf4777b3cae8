"""The image-to-image stage: the diffusion engine after StreamDiffusion, and passthrough."""
