"""The backends for torch: networks run directly (`backend`) or through torch.compile (`compiled`).

The room knows diffusers' U-Net and attention layers, the cache of the prompt's keys and values, and cross-frame
attention. Schedules and OpenVINO are unknown here. Start reading at `backend`, then `unet` and `attention`.
"""
