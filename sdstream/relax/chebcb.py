"""ChebCB (Algorithm 3): a contextual bandit; each arm's cost is a Chebyshev polynomial of the context.

One Gram matrix and one moment vector for each arm are enough for the regressions; the history is not kept.
"""

import math
from dataclasses import dataclass

import numpy as np

from sdstream.errors import ConfigError
from sdstream.relax import state as states
from sdstream.relax.box_least_squares import box_least_squares
from sdstream.relax.learner import Choice, State, checked, draw


@dataclass(frozen=True)
class ChebChoice(Choice):
    """A choice, with the regression's inputs and prediction at the time of the choice."""

    features: np.ndarray
    """Chebyshev polynomials of the context, (m,)."""
    prediction: float
    """The regression's normalised cost of the chosen arm."""


class ChebCB:
    """Algorithm 3 with the practical schedules of appendix G.

    `terms` is m, the number of polynomials P_0..P_{m-1}; contexts are clipped to [low, high]. With L C / K taken as 1,
    N = 2 + 4 (1 + ln m), and the box is |theta_0| <= 1/N, |theta_j| <= 2/(N j). K is the largest cost so far.
    """

    def __init__(self, grid: np.ndarray, terms: int, low: float, high: float, rng: np.random.Generator) -> None:
        if terms < 2 or not low < high:
            raise ValueError(f"expected at least 2 terms and low < high, got {terms} and [{low}, {high}]")
        self.grid = np.asarray(grid, dtype=np.float64)
        self._rng = rng
        self._low, self._high = low, high
        self._order = np.arange(terms)
        self._n = 2.0 + 4.0 * (1.0 + math.log(terms))
        self._limit = np.concatenate(([1.0], 2.0 / np.arange(1, terms))) / self._n
        arms = len(self.grid)
        self._gram = np.zeros((arms, terms, terms))
        self._moment = np.zeros((arms, terms))  # sums of features * (cost - 1), in iterations
        self.theta = np.zeros((arms, terms))
        self._largest = 0.0
        self._rounds = 0
        self._eta = 0.0
        # Sums of prediction^2, prediction * cost, cost^2 give the residuals for any later K.
        self._errors = np.zeros(3)

    def features(self, context: float) -> np.ndarray:
        """Return P_j(x) = cos(j arccos x) for the context mapped to x in [-1, 1]; (m,)."""
        x = min(max(2.0 * (context - self._low) / (self._high - self._low) - 1.0, -1.0), 1.0)
        return np.asarray(np.cos(self._order * math.acos(x)))

    def choose(self, context: float, *, explore: bool = True) -> ChebChoice:
        """Draw an arm by inverse-gap weighting, p_i = 1 / (d + eta (s_i - s_min)).

        Without `explore` the best arm is chosen, for a late frame.
        """
        features = self.features(context)
        scores = self.theta @ features
        best = int(np.argmin(scores))
        if explore:
            p = 1.0 / (len(self.grid) + self._eta * (scores - scores[best]))
            p[best] = 0.0
            p[best] = 1.0 - p.sum()
        else:
            p = np.zeros(len(self.grid))
            p[best] = 1.0
        arm = draw(p, self._rng) if explore else best
        return ChebChoice(arm, float(self.grid[arm]), p, features=features, prediction=float(scores[arm]))

    def learn(self, choice: ChebChoice, cost: float) -> None:
        """Learn the cost of an earlier choice: refit the arm, set the exploration. Raises RefusedCost."""
        self._observe(choice.arm, choice.features, checked(cost))
        self._rounds += 1
        self._errors += (choice.prediction**2, choice.prediction * cost, cost**2)
        self._set_exploration()

    def _set_exploration(self) -> None:
        scale = self._largest * self._n
        residual = self._errors[0] - 2.0 * self._errors[1] / scale + self._errors[2] / scale**2
        m = len(self._order)
        alpha = (math.pi + 2.0 / math.pi * math.log(2 * m + 1)) / (2.0 * self._n * (m + 1))
        slack = max(residual + 2.0 * alpha**2 * self._rounds, 1e-12)
        self._eta = 2.0 * self._rounds * math.sqrt(len(self.grid) * self._rounds / slack)

    def prime(self, context: float, costs: np.ndarray) -> None:
        """Give each arm the theory's cost in this context, (d,); a cost counts as an observed round."""
        features = self.features(context)
        for arm, cost in enumerate(costs):
            self._observe(arm, features, checked(float(cost)))
        self._rounds += len(costs)
        self._set_exploration()

    def _observe(self, arm: int, features: np.ndarray, cost: float) -> None:
        self._gram[arm] += np.outer(features, features)
        self._moment[arm] += features * (cost - 1.0)
        if cost > self._largest:
            self._largest = cost
            for each in range(len(self.grid)):
                self._refit(each)
        else:
            self._refit(arm)

    def _refit(self, arm: int) -> None:
        if self._gram[arm, 0, 0] > 0.0:  # P_0 = 1: the entry is the number of the arm's observations
            moment = self._moment[arm] / (self._largest * self._n)
            self.theta[arm] = box_least_squares(self._gram[arm], moment, self._limit, start=self.theta[arm])

    def state(self) -> State:
        """Return the learner's state as JSON values."""
        return {
            "grid": self.grid.tolist(),
            "interval": [self._low, self._high],
            "gram": self._gram.tolist(),
            "moment": self._moment.tolist(),
            "theta": self.theta.tolist(),
            "largest": self._largest,
            "rounds": self._rounds,
            "eta": self._eta,
            "errors": self._errors.tolist(),
            "rng": states.generator_state(self._rng),
        }

    def restore(self, state: State) -> None:
        """Replace the learner's state by `state`. Raises ConfigError without any change of the learner."""
        interval = np.array([self._low, self._high])
        same_grid = np.array_equal(states.array(state, "grid", self.grid), self.grid)
        if not (same_grid and np.array_equal(states.array(state, "interval", interval), interval)):
            raise ConfigError(
                "learner state: expected the same grid of omegas and the same interval of contexts as the learner's"
            )
        gram = states.array(state, "gram", self._gram)
        moment = states.array(state, "moment", self._moment)
        theta = states.array(state, "theta", self.theta)
        errors = states.array(state, "errors", self._errors)
        largest, eta = states.number(state, "largest"), states.number(state, "eta")
        rounds = int(states.number(state, "rounds"))
        states.restore_generator(self._rng, state)
        self._gram, self._moment, self.theta, self._errors = gram, moment, theta, errors
        self._largest, self._rounds, self._eta = largest, rounds, eta
