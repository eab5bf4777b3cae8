"""The backend for CPUs: U-Net and autoencoder as OpenVINO graphs. No other room imports OpenVINO.

The room knows how a network is traced, rounded to int8, compiled, and kept on disk behind a key. Controls and
schedules are unknown here. Start reading at `backend`, then `unet`, `graph` and `runtime`.
"""
