"""Temporal steadiness of restyled pictures, and seamless regions: screened Poisson systems solved by `relax`."""
