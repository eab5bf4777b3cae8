"""The backend with a frame as a single CUDA graph: encoder, U-Net and decoder over fixed buffers (docs/words.md).

A frame of separate launches costs a GPU more time between the launches than in the launches. Here the whole frame is a
function without arguments and results (`step`), recorded once by CUDA (`capture`) for each `shape`. Prompts, guidance,
seeds, steps and LoRA weights are numbers in `tables`, written row by row (`telling`). `batch` is what a session calls.
Without CUDA the same function is called directly. Frames of a kind without a shape run by the room `eager`.
"""
