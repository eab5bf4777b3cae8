"""Prompts to numbers: weight syntax, tokenizer, text encoders, and timed changes of the prompt."""
