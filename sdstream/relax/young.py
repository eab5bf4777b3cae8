"""Young's theory of SOR for consistently ordered matrices: the best omega and the cost of any omega, unlearned."""

import math


def optimal_omega(jacobi_radius: float) -> float:
    """Return w* = 1 + (b / (1 + sqrt(1 - b^2)))^2 for b = rho(I - D^-1 A) in [0, 1) (section 2.2)."""
    if not 0.0 <= jacobi_radius < 1.0:
        raise ValueError(f"a Jacobi spectral radius lies in [0, 1), got {jacobi_radius}")
    return 1.0 + (jacobi_radius / (1.0 + math.sqrt(1.0 - jacobi_radius**2))) ** 2


def sor_radius(omega: float, jacobi_radius: float) -> float:
    """Return rho(C_w), the asymptotic contraction of an SOR iteration (section 2.2, before Lemma 2.1)."""
    if omega >= optimal_omega(jacobi_radius):
        return omega - 1.0
    half = omega * jacobi_radius
    return (0.5 * (half + math.sqrt(half * half - 4.0 * (omega - 1.0)))) ** 2


def surrogate_cost(omega: float, jacobi_radius: float, *, tau: float, eps: float) -> float:
    """Return U(w) = 1 + log(1/eps) / -log(rho + tau (1 - rho)), the bound of Lemma 2.1 on the iterations."""
    rho = sor_radius(omega, jacobi_radius)
    return 1.0 + math.log(1.0 / eps) / -math.log(rho + tau * (1.0 - rho))
