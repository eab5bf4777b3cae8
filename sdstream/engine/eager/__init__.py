"""The backends for torch: the networks as they are (`backend`), or through torch.compile (`compiled`).

The room knows diffusers' U-Net and attention layers, the cache of the prompt's keys and values, and cross-frame
attention. Schedules and the other backends are unknown here. Start reading at `backend`, then `unet` and `attention`.
"""
