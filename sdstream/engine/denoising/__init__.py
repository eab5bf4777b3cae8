"""The core of the StreamDiffusion paper (arXiv 2312.12491): Stream Batch, guidance, schedule and noise.

The room knows tensors and numbers only; the U-Net is a function to call. Files, clocks, prompts and pixels are unknown
here. Start reading at `stream_batch`; `guidance` derives the three weights of residual guidance.
"""
