"""The backend for CPUs: U-Net and autoencoder as OpenVINO graphs. OpenVINO is imported in this room only.

The room knows how a network is traced, rounded to int8, compiled, and cached on disk. Controls and
schedules are unknown here. Start reading at `backend`, then `unet`, `graph` and `runtime`.
"""
