"""The core of the StreamDiffusion paper: tensors and numbers only; no files, clocks or pixels."""
