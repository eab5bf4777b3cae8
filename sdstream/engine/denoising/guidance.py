"""Residual classifier-free guidance as three numbers a row (paper section 3.3, equations 5 to 7).

With the noise e = delta e_virt + gamma (e_c - delta e_virt) and the reference ref = (x - b e_virt) / a, the clean
picture x̂0 = (x - b e) / a is

    x̂0 = gamma x̂0_c + (1-gamma) delta ref + (1-gamma)(1-delta)/a x

so a row needs no noise estimate beside the prompt's. The guidance mode chooses `ref`: the camera's latent
(self-negative), stage 0's negative estimate (onetime-negative), or each stage's negative estimate (full; delta = 1).
"""

from dataclasses import dataclass

from sdstream.controls import GuidanceMode


@dataclass(frozen=True)
class RowGuidance:
    """Guidance of a frame. `scale` is the paper's gamma, `delta` the paper's delta."""

    mode: GuidanceMode = "none"
    scale: float = 1.0
    delta: float = 1.0

    @property
    def active(self) -> bool:
        """Whether the frame's rows differ from plain denoising: gamma <= 1 never guides."""
        return self.mode != "none" and self.scale > 1.0

    def needs_negative(self, stage: int) -> bool:
        """Return whether the U-Net also runs the negative prompt for a frame at `stage`."""
        return self.active and (self.mode == "full" or (self.mode == "onetime_negative" and stage == 0))

    def weights(self, a: float) -> tuple[float, float, float]:
        """Return the weights of x̂0_c, ref and x for a row with signal share `a` = sqrt(ᾱ).

        With a = 0 (zero terminal SNR) x is pure noise without information about the picture: the weight of x is 0.
        """
        if not self.active:
            return 1.0, 0.0, 0.0
        delta = 1.0 if self.mode == "full" else self.delta
        rest = 1.0 - self.scale
        return self.scale, rest * delta, rest * (1.0 - delta) / a if a > 0 else 0.0
