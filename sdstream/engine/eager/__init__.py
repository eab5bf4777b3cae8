"""The backend for torch: the networks as they are, or compiled by torch.

The room knows diffusers' U-Net and attention layers, the cache of the prompt's keys and values, and cross-frame
attention. Schedules and other backends are unknown here. Start reading at `unet`, then `attention`.
"""
