"""The product's measured constants, measured again: a file for each question, and the constant beside the answer."""
