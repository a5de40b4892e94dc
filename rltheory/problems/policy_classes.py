r"""Classes of policies with parameters: softmax policies of a process, and Gaussian ones where actions are real.

In both, every state has parameters of its own, and the policy in it is an exponential family: the second derivatives of
its logarithm are the same for every action, namely minus the information of the state,

.. math:: -\nabla^2 \log \pi_\theta(a | s) = I_s(\theta) = \mathbb E_{a \sim \pi_\theta(\cdot | s)}
          \bigl[\nabla \log \pi_\theta(a | s)\, \nabla \log \pi_\theta(a | s)^\top\bigr].

A class describes the actions of a state by finitely many *atoms*: all of them where there are finitely many, nodes of a
quadrature rule where they are real.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, float_array, frozen, positive
from rltheory.jit import kernel
from rltheory.problems.logit_mdp import LogitMDP
from rltheory.problems.mdp import MDP, Indices

__all__ = ["Atoms", "ClassArrays", "GaussianPolicies", "PolicyClass", "SoftmaxPolicies", "softmax"]

TAIL = 10.0  # standard deviations beyond which a normal distribution has no weight that float64 would notice
DECAY = 50.0  # the error of the quadrature rule is a small multiple of exp(-50)
WIDEST_STRIP = 4.0  # beyond, the normal density grows faster than the error of the rule shrinks


class ClassArrays(NamedTuple):
    """What kernels receive of a class and its process. A deviation of 0 marks softmax policies."""

    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (C,)
    first_entry: Indices  # (C + 1,)
    successors: Indices  # (E,)
    probabilities: Vector  # (E,)
    initial: Vector  # (S,)
    slopes: Vector  # (C,)
    offsets: Vector  # (C,)
    deviation: float


class Atoms(NamedTuple):
    """Actions of all states; the weights of those of a state add up to 1."""

    states: Indices  # (N,)
    actions: Vector  # (N,)
    weights: Vector  # (N,)


@dataclass(frozen=True, eq=False)
class PolicyClass(ABC):
    """What the classes share: P parameters, each of one state."""

    @property
    @abstractmethod
    def mdp(self) -> MDP:
        """The process of the choices, S states and C choices."""

    @property
    @abstractmethod
    def state_of_parameter(self) -> Indices:
        """State to which each parameter belongs, shape (P,)."""

    @property
    @abstractmethod
    def arrays(self) -> ClassArrays:
        """What kernels receive."""

    @property
    @abstractmethod
    def error(self) -> float:
        """Bound on the error of any of the `probabilities`, in absolute terms."""

    @abstractmethod
    def atoms(self, parameters: Vector) -> Atoms:
        """Actions of all states with their probabilities, or with the weights of a quadrature rule."""

    @abstractmethod
    def made(self, states: ArrayLike, actions: ArrayLike) -> Array:
        """Probabilities of the choices if actions are taken in states, shape (N, C)."""

    @abstractmethod
    def scores(self, parameters: Vector, states: ArrayLike, actions: ArrayLike) -> Matrix:
        r"""Scores :math:`\nabla \log \pi_\theta(a | s)`, shape (N, P)."""

    @abstractmethod
    def information(self, parameters: Vector) -> Matrix:
        r"""The information :math:`I_s(\theta)` of all states, in one block matrix of shape (P, P)."""

    @abstractmethod
    def probabilities(self, parameters: Array) -> Array:
        """Probabilities of the choices, (..., P) to (..., C)."""

    @abstractmethod
    def derivatives(self, parameters: Array) -> Array:
        """Derivatives of `probabilities`, (..., P) to (..., C, P)."""

    @abstractmethod
    def natural(self, gains: Array, advantages: Array) -> Array:
        r"""Solution w of :math:`I_s w_s = g_s` in all states, of least norm, shape (..., P).

        Here g are the derivatives of the mean advantages of the states, shape (..., P), given the advantages of the
        choices, shape (..., C).
        """

    @property
    def parameters(self) -> int:
        """Number of parameters P."""
        return self.state_of_parameter.size

    def checked(self, parameters: ArrayLike, name: str) -> Vector:
        """Return `parameters` as a fresh vector of P finite numbers."""
        vector = float_array(parameters, name, ndim=1)
        if vector.size != self.parameters:
            raise ValueError(f"{name} has {vector.size} entries; the class has {self.parameters} parameters")
        return vector


@dataclass(frozen=True, eq=False)
class SoftmaxPolicies(PolicyClass):
    r"""Tabular softmax policies :math:`\pi_\theta(c) \propto e^{\theta(c)}`, with a parameter for each choice.

    Parameters
    ----------
    process
        The process.

    References
    ----------
    :cite:`agarwal2021`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> policies = SoftmaxPolicies(river_swim(2))
    >>> policies.probabilities(np.array([0.0, np.log(3), 0.0, 0.0])).round(3)
    array([0.25, 0.75, 0.5 , 0.5 ])
    """

    process: MDP

    @property
    def mdp(self) -> MDP:
        """The process."""
        return self.process

    @property
    def state_of_parameter(self) -> Indices:
        """State to which each parameter belongs, shape (C,)."""
        return self.process.state_of_choice

    @property
    def digest(self) -> str:
        """Digest of the process."""
        return self.process.digest

    def __str__(self) -> str:
        return f"{self.process}, softmax"

    @cached_property
    def arrays(self) -> ClassArrays:
        """What kernels receive."""
        return _arrays(self.process, np.zeros(self.process.choices), np.zeros(self.process.choices), 0.0)

    @property
    def error(self) -> float:
        """Rounding of exponentials and of their sum."""
        return UNIT_ROUNDOFF * (int(np.diff(self.process.first_choice).max()) + 8)

    def atoms(self, parameters: Vector) -> Atoms:
        """All choices."""
        return Atoms(
            self.process.state_of_choice, np.arange(self.process.choices, dtype=float), self.probabilities(parameters)
        )

    def made(self, states: ArrayLike, actions: ArrayLike) -> Array:
        """The action is the number of the choice."""
        return np.eye(self.process.choices)[np.asarray(actions, dtype=np.int64)]

    def scores(self, parameters: Vector, states: ArrayLike, actions: ArrayLike) -> Matrix:
        """Unit vector of the choice less the probabilities of its state."""
        here = self.process.state_of_choice == np.asarray(states)[:, None]
        scores: Matrix = self.made(states, actions) - here * self.probabilities(parameters)
        return scores

    def information(self, parameters: Vector) -> Matrix:
        """Covariances of the choices."""
        return self.derivatives(parameters)

    def probabilities(self, parameters: Array) -> Array:
        """Probabilities of the choices, (..., C) to (..., C)."""
        starts, owner = self.process.first_choice[:-1], self.process.state_of_choice
        weights = np.exp(parameters - np.maximum.reduceat(parameters, starts, axis=-1)[..., owner])
        policy: Array = weights / np.add.reduceat(weights, starts, axis=-1)[..., owner]
        return policy

    def derivatives(self, parameters: Array) -> Array:
        """Derivatives of `probabilities`, (..., C) to (..., C, C)."""
        policy, owner = self.probabilities(parameters), self.process.state_of_choice
        same = owner[:, None] == owner
        found: Array = policy[..., None] * (np.eye(owner.size) - same * policy[..., None, :])
        return found

    def natural(self, gains: Array, advantages: Array) -> Array:
        """Advantages, centred in each state."""
        sizes, owner = np.diff(self.process.first_choice), self.process.state_of_choice
        means = np.add.reduceat(advantages, self.process.first_choice[:-1], axis=-1) / sizes
        found: Array = advantages - means[..., owner]
        return found


@dataclass(frozen=True, eq=False)
class GaussianPolicies(PolicyClass):
    r"""Gaussian policies :math:`a \sim \mathcal N(\theta_s, \sigma^2)` of a process with real actions.

    Mean probabilities of choices are integrals over the action, taken by the trapezoidal rule. With step h, it
    integrates a function f that is analytic for :math:`|\mathrm{Im}\, z| < y` with an error of at most
    :math:`2 M / (e^{2 \pi y / h} - 1)`, where M bounds the integrals of :math:`|f|` over lines of the strip
    :cite:`trefethen2014`. Where :math:`\kappa \sigma y \le 2 \pi / 3`, for :math:`\kappa` the widest difference of
    slopes, the terms of the logit model have phases within :math:`\pi / 3` of their middle, so that their sum is at
    least half as large as without phases. Hence :math:`M \le 2 e^{y^2 / 2}` for a probability, :math:`(1 + y) / \sigma`
    times that for a derivative and :math:`(2 + 2 y + y^2) / \sigma^2` times that for a second one.

    Parameters
    ----------
    process
        The process with real actions, S states.
    deviation
        Standard deviation :math:`\sigma > 0` of the actions.

    Raises
    ------
    ValueError, TypeError
        If the deviation is not a number > 0.

    References
    ----------
    :cite:`fatkhullin2023`; the rule :cite:`trefethen2014`, theorem 5.1.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> heater = LogitMDP(TabularMDP([[[1.0], [1.0]]], [[0.0, 1.0]]), slopes=[0, 2])
    >>> policies = GaussianPolicies(heater, deviation=1.0)
    >>> policies.probabilities(np.array([0.0])), policies.error < 1e-13
    (array([0.5, 0.5]), True)
    """

    process: LogitMDP
    deviation: float

    def __post_init__(self) -> None:
        positive(self.deviation, "deviation")

    @property
    def mdp(self) -> MDP:
        """The process of the choices."""
        return self.process.mdp

    @cached_property
    def state_of_parameter(self) -> Indices:
        """State to which each parameter belongs, shape (S,)."""
        return np.arange(self.mdp.states)

    @cached_property
    def digest(self) -> str:
        """Digest of the process and the deviation."""
        return blake2b(f"{self.process.digest} {self.deviation!r}".encode(), digest_size=16).hexdigest()

    def __str__(self) -> str:
        return f"{self.process}, Gaussian, deviation {self.deviation:g}"

    @cached_property
    def arrays(self) -> ClassArrays:
        """What kernels receive."""
        return _arrays(
            self.mdp, np.asarray(self.process.slopes), np.asarray(self.process.offsets), float(self.deviation)
        )

    @property
    def strip(self) -> float:
        """Half-width y of the strip, in units of the deviation."""
        fastest = self.process.widest * self.deviation
        return min(2 * np.pi / 3 / fastest, WIDEST_STRIP) if fastest > 0 else WIDEST_STRIP

    @cached_property
    def nodes(self) -> Vector:
        """Nodes of the rule for the standard normal distribution."""
        step = 2 * np.pi * self.strip / DECAY
        half = int(np.ceil(TAIL / step))
        return step * np.arange(-half, half + 1, dtype=np.float64)

    @cached_property
    def weights(self) -> Vector:
        """Weights of the nodes."""
        step = self.nodes[1] - self.nodes[0]
        found: Vector = step * np.exp(-(self.nodes**2) / 2) / np.sqrt(2 * np.pi)
        return found

    @property
    def error(self) -> float:
        """Rule, tails and rounding together."""
        return self.derivative_error(0)

    def derivative_error(self, order: int) -> float:
        """Bound on the error of derivatives of the `probabilities`, of order 0, 1 or 2."""
        y = self.strip
        growth = (1.0, 1 + y, 2 + 2 * y + y**2)[order] / self.deviation**order
        rule = 4 * np.exp(y**2 / 2) * growth / np.expm1(DECAY)
        # What lies beyond 9.5 deviations, squares included, is less than 1e-17; sums of weights round like sums of 1.
        rounding = UNIT_ROUNDOFF * (self.nodes.size + 16) * 2
        return float(rule + (1e-17 + rounding) / self.deviation**order)

    def atoms(self, parameters: Vector) -> Atoms:
        """Nodes around each mean."""
        states = np.repeat(self.state_of_parameter, self.nodes.size)
        actions = parameters[:, None] + self.deviation * self.nodes
        return Atoms(states, actions.ravel(), np.tile(self.weights, self.mdp.states))

    def made(self, states: ArrayLike, actions: ArrayLike) -> Array:
        """Probabilities of the logit model."""
        return self.process.made(states, actions)

    def scores(self, parameters: Vector, states: ArrayLike, actions: ArrayLike) -> Matrix:
        """Distance of the action from the mean over the variance."""
        here = self.state_of_parameter == np.asarray(states)[:, None]
        scores: Matrix = here * (np.asarray(actions)[:, None] - parameters) / self.deviation**2
        return scores

    def information(self, parameters: Vector) -> Matrix:
        """One over the variance."""
        return np.eye(self.parameters) / self.deviation**2

    def probabilities(self, parameters: Array) -> Array:
        """Mean probabilities of the choices, (..., S) to (..., C)."""
        return self._integrals(parameters, self.weights)

    def derivatives(self, parameters: Array) -> Array:
        """Derivatives of `probabilities`, (..., S) to (..., C, S)."""
        found = self._integrals(parameters, self.weights * self.nodes / self.deviation)
        own: Array = found[..., None] * (self.mdp.state_of_choice[:, None] == self.state_of_parameter)
        return own

    def natural(self, gains: Array, advantages: Array) -> Array:
        """Derivatives times the variance."""
        found: Array = self.deviation**2 * gains
        return found

    def _integrals(self, parameters: Array, weights: Vector) -> Array:
        """Weighted sums of the probabilities of choices over the nodes around the means."""
        rows = np.ascontiguousarray(parameters, dtype=np.float64).reshape(-1, self.parameters)
        found = np.zeros((len(rows), self.mdp.choices))
        slopes, offsets = np.asarray(self.process.slopes), np.asarray(self.process.offsets)
        shifts = self.deviation * self.nodes
        _integrate(rows, self.mdp.first_choice, slopes, offsets, shifts, weights, np.empty(slopes.size), found)
        return found.reshape(*np.shape(parameters)[:-1], self.mdp.choices)


@kernel
def softmax(logits: Vector, begin: int, end: int) -> None:
    """Overwrite logits in [begin, end) by their softmax."""
    top = logits[begin]
    for k in range(begin + 1, end):
        top = max(top, logits[k])
    total = 0.0
    for k in range(begin, end):
        logits[k] = np.exp(logits[k] - top)
        total += logits[k]
    for k in range(begin, end):
        logits[k] /= total


@kernel
def _integrate(
    means: Matrix,
    first_choice: Indices,
    slopes: Vector,
    offsets: Vector,
    shifts: Vector,
    weights: Vector,
    terms: Vector,
    out: Matrix,
) -> None:
    """Add up the probabilities of choices at shifted means, with weights."""
    for row in range(means.shape[0]):
        for s in range(means.shape[1]):
            begin, end = first_choice[s], first_choice[s + 1]
            for k in range(shifts.size):
                action = means[row, s] + shifts[k]
                for c in range(begin, end):
                    terms[c] = slopes[c] * action + offsets[c]
                softmax(terms, begin, end)
                for c in range(begin, end):
                    out[row, c] += weights[k] * terms[c]


def _arrays(mdp: MDP, slopes: Vector, offsets: Vector, deviation: float) -> ClassArrays:
    from scipy.sparse import csr_array

    laws = csr_array(mdp.transition_matrix)
    # All arrays are read-only, so that kernels are compiled once for both classes.
    return ClassArrays(
        mdp.first_choice,
        mdp.rewards,
        _frozen_indices(laws.indptr),
        _frozen_indices(laws.indices),
        frozen(laws.data.astype(np.float64)),
        mdp.initial,
        frozen(slopes),
        frozen(offsets),
        deviation,
    )


def _frozen_indices(values: Indices) -> Indices:
    indices = values.astype(np.int64)
    indices.setflags(write=False)
    return indices
