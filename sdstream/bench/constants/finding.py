"""The result of measuring a constant again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ConstantFinding:
    """A constant of the product beside the measured quantities behind the constant."""

    constant: str
    """Module and name, such as `similarity.CUT`."""
    value: float
    """The constant's present value in the product."""
    measured: dict[str, float]
    """Name and unit of each quantity -> measured value."""
    law: str
    """The condition on the measured quantities."""
    holds: bool
    """Whether the condition is fulfilled."""
