r"""All optimal policies between two rewards, :math:`r_w = (1 - w) r_0 + w r_1` for :math:`0 \le w \le 1`.

Optimal values are convex and piecewise linear in the weight. From the policy that is optimal just above some weight,
values and gaps are linear until the first gap turns negative: there is the next breakpoint. Of the choices that tie at
a breakpoint, those are optimal above it that earn most in :math:`r_1 - r_0`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import UNIT_ROUNDOFF, Matrix, Vector, float_array, frozen
from rltheory.problems.mdp import MDP, Indices
from rltheory.problems.policies import deterministic_policy
from rltheory.solvers.discounted import policy_iteration
from rltheory.solvers.occupancy import checked_discount, discounted_values

__all__ = ["WeightSweep", "weight_sweep"]


@dataclass(frozen=True)
class WeightSweep:
    r"""Optimal policies of all weights between two rewards, with B breakpoints.

    Parameters
    ----------
    breakpoints : array, shape (B,)
        Weights in (0, 1), increasing, at which another policy becomes optimal.
    errors : array, shape (B,)
        Proved bounds on the errors of the breakpoints, given that ties were told apart rightly.
    made : array of int, shape (B + 1, S)
        The choices that are optimal from one breakpoint to the next.
    intercepts, slopes : array, shape (B + 1, S)
        Values of these policies: intercept + weight times slope.
    error : float
        Proved bound on the error of any intercept or slope.
    """

    breakpoints: Vector
    errors: Vector
    made: Indices
    intercepts: Matrix
    slopes: Matrix
    error: float

    def values(self, weights: ArrayLike) -> Matrix:
        """Optimal values at some weights in [0, 1], shape (number of weights, S).

        They are the largest of all pieces, as optimal values are convex in the weight.
        """
        asked = float_array(weights, "weights", ndim=1)
        if ((asked < 0) | (asked > 1)).any():
            raise ValueError(f"weights lie in [{asked.min():g}, {asked.max():g}]; they must lie in [0, 1]")
        values: Matrix = (self.intercepts + asked[:, None, None] * self.slopes).max(axis=1)
        return values


def weight_sweep(mdp: MDP, rewards: ArrayLike, discount: float) -> WeightSweep:
    r"""Find all breakpoints of the optimal policy between two rewards.

    Parameters
    ----------
    mdp
        The process, S states, C choices; its own rewards are not used.
    rewards : array_like, shape (2, C)
        :math:`r_0` and :math:`r_1`.
    discount
        Discount factor in [0, 1).

    Returns
    -------
    WeightSweep
        Each breakpoint takes two evaluations, and policy iteration among the choices that tie. There may be very many.

    Raises
    ------
    ValueError, TypeError
        If a shape or number is out of range.
    ArithmeticError
        If the discount is so close to 1 that float64 can certify nothing.

    References
    ----------
    Parametric programming :cite:`gass1955`.

    Examples
    --------
    A bandit whose arms differ by 1 in the first reward and by 3, the other way, in the second.

    >>> from rltheory.problems import TabularMDP
    >>> sweep = weight_sweep(TabularMDP([[[1], [1]]], [[0, 0]]), [[1, 0], [0, 3]], 0.0)
    >>> sweep.breakpoints, sweep.made.ravel(), sweep.values([0, 0.5, 1]).ravel()
    (array([0.25]), array([0, 1]), array([1. , 1.5, 3. ]))
    """
    discount = checked_discount(discount)
    table = float_array(rewards, "rewards", ndim=2)
    if table.shape != (2, mdp.choices):
        raise ValueError(f"rewards has shape {table.shape}; it must be {(2, mdp.choices)}")
    first, change = table[0], table[1] - table[0]
    everything = np.ones(mdp.choices, dtype=bool)
    tied = _ties(_Piece(mdp, discount, first, change, _best_of(mdp, discount, first, everything)), 0.0)
    pieces: list[_Piece] = []
    breakpoints: list[float] = []
    errors: list[float] = []
    while True:
        piece = _Piece(mdp, discount, first, change, _best_of(mdp, discount, change, tied))
        pieces.append(piece)
        weight, error = piece.next_weight(tied)
        if weight >= 1:
            break
        breakpoints.append(weight)
        errors.append(error)
        tied = _ties(piece, weight)
    return WeightSweep(
        breakpoints=frozen(np.array(breakpoints)),
        errors=frozen(np.array(errors)),
        made=np.array([piece.made for piece in pieces]),
        intercepts=frozen(np.array([piece.values[0] for piece in pieces])),
        slopes=frozen(np.array([piece.values[1] for piece in pieces])),
        error=max(piece.error for piece in pieces),
    )


class _Piece:
    """A policy with its values and gaps, as functions of the weight: the first row is constant, the second linear."""

    def __init__(self, mdp: MDP, discount: float, first: Vector, change: Vector, made: Indices) -> None:
        policy = deterministic_policy(mdp, made)
        found = [discounted_values(mdp.with_rewards(part), policy, discount) for part in (first, change)]
        self.made = made
        self.values = np.array([part.values for part in found])
        action_values = np.array([part.action_values for part in found])
        self.gaps = action_values[:, made][:, mdp.state_of_choice] - action_values
        self.error = max(part.error for part in found)

    def next_weight(self, tied: NDArray[np.bool_]) -> tuple[float, float]:
        """First weight at which a gap turns negative, inf if none does, and its error.

        Choices that tie are none better from here on, up to rounding; to leave them out makes weights increase.
        """
        constant, linear = self.gaps
        falling = np.flatnonzero((linear < -4 * self.error) & ~tied)
        if not falling.size:
            return np.inf, 0.0
        weights = constant[falling] / -linear[falling]
        first = int(np.argmin(weights))
        weight = float(weights[first])
        return weight, 2 * self.error * (1 + weight) / (-float(linear[falling[first]]) - 2 * self.error)


def _ties(piece: _Piece, weight: float) -> NDArray[np.bool_]:
    """Choices that are as good as those of the policy at a weight, up to the errors of both parts of the gap."""
    constant, linear = piece.gaps
    mask: NDArray[np.bool_] = constant + weight * linear <= 4 * (1 + weight) * piece.error
    return mask


def _best_of(mdp: MDP, discount: float, rewards: Vector, kept: NDArray[np.bool_]) -> Indices:
    """Optimal policy for some rewards among some of the choices, as accurately as float64 allows."""
    among = mdp.with_rewards(rewards).with_choices(kept)
    # A backup rounds by some units of a value for each successor, and an evaluation adds up its horizon.
    largest = max(float(np.abs(rewards).max()), float(np.finfo(np.float64).tiny) * 1e20)
    accuracy = 8 * (mdp.most_successors + 8) * UNIT_ROUNDOFF * largest / (1 - discount) ** 2
    made: Indices = np.flatnonzero(kept)[policy_iteration(among, discount, accuracy=accuracy).policy]
    return made
