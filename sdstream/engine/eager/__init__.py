"""The backend for plain torch: networks run directly, one after the other.

The room knows diffusers' U-Net and attention layers, the cache of the prompt's keys and values, and cross-frame
attention. Schedules and OpenVINO are unknown here. Start reading at `backend`, then `unet` and `attention`.
"""
