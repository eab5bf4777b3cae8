"""Steadiness of restyled pictures, and seamless regions: screened Poisson systems solved by `relax`.

The room knows the camera's motion, the trust in motion, and the firmness of a picture. Models, prompts and mailboxes
are unknown here. Start reading at `stabiliser`, then `fusion` for the equation.
"""
