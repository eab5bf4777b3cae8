"""From prompts to numbers: weight syntax, tokenizer, text encoders, and timed changes of the prompt.

The room knows words, tokens and embeddings. U-Net, latents and pixels are unknown here, and `cues` takes the time as
an argument. Start reading at `text_encoder`, then `prompt_weights` for the syntax.
"""
