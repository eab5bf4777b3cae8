"""The product's measured constants, measured again: a file for each constant or group of constants."""
