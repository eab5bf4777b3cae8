"""What one measurement says about one constant."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A constant of the product beside the quantities that it rests on."""

    constant: str
    """Module and name, such as `similarity.CUT`."""
    value: float
    """The constant as the product has it."""
    measured: dict[str, float]
    """Name and unit of each quantity -> what was measured."""
    law: str
    """What must be true of the quantities for the constant to hold."""
    holds: bool
