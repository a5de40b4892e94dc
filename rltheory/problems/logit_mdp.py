r"""A Markov decision process whose actions are real numbers.

In state s the action :math:`a \in \mathbb R` leads to one of the choices of an ordinary process, by a logit model:

.. math:: w_c(a) = \frac{e^{\alpha_c a + \beta_c}}{\sum_{c'} e^{\alpha_{c'} a + \beta_{c'}}},

the sum being over the choices of the state. Laws and mean rewards are hence smooth functions of the action. A policy
enters only through the mean probabilities of the choices, so that everything about it is exact up to an integral.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Vector, float_array, frozen
from rltheory.problems.mdp import MDP

__all__ = ["LogitMDP"]


@dataclass(frozen=True, eq=False)
class LogitMDP:
    r"""A process with real actions, which make one of finitely many choices by a logit model.

    Parameters
    ----------
    mdp
        The process of the choices: S states, C choices.
    slopes : array_like, shape (C,)
        :math:`\alpha`, finite.
    offsets : array_like, shape (C,), optional
        :math:`\beta`, finite; zero by default.

    Raises
    ------
    ValueError
        If there is not one finite slope and offset for each choice. The message names the entry and the rule.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> heater = LogitMDP(TabularMDP([[[1.0], [1.0]]], [[0.0, 1.0]]), slopes=[0, 2])
    >>> heater.made([0, 0], [0.0, 1.0]).round(3)
    array([[0.5  , 0.5  ],
           [0.119, 0.881]])
    """

    mdp: MDP
    slopes: ArrayLike
    offsets: ArrayLike | None = None

    def __post_init__(self) -> None:
        offsets = np.zeros(self.mdp.choices) if self.offsets is None else self.offsets
        for name, values in (("slopes", self.slopes), ("offsets", offsets)):
            vector = float_array(values, name, ndim=1)
            if vector.size != self.mdp.choices:
                raise ValueError(f"{name} has {vector.size} entries for {self.mdp.choices} choices; give one for each")
            object.__setattr__(self, name, frozen(vector))

    def __str__(self) -> str:
        return f"{self.mdp}, real actions"

    @property
    def widest(self) -> float:
        """Largest difference of slopes within a state: how fast the probabilities change with the action."""
        slopes, starts = np.asarray(self.slopes), self.mdp.first_choice[:-1]
        return float((np.maximum.reduceat(slopes, starts) - np.minimum.reduceat(slopes, starts)).max())

    @cached_property
    def digest(self) -> str:
        """Digest of the numbers, by which a stored result can name its process."""
        content = self.mdp.digest.encode() + np.asarray(self.slopes).tobytes() + np.asarray(self.offsets).tobytes()
        return blake2b(content, digest_size=16).hexdigest()

    def made(self, states: ArrayLike, actions: ArrayLike) -> Array:
        """Probabilities of the choices, if these actions are taken in these states.

        Parameters
        ----------
        states : array_like of int, shape (n,)
            States.
        actions : array_like, shape (n,)
            Real actions.

        Returns
        -------
        array, shape (n, C)
            Rows sum to 1 and are zero outside their state.
        """
        taken: Vector = np.asarray(actions, dtype=np.float64)
        logits = np.asarray(self.slopes) * taken[:, None] + np.asarray(self.offsets)
        logits[self.mdp.state_of_choice != np.asarray(states)[:, None]] = -np.inf
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: Array = weights / weights.sum(axis=1, keepdims=True)
        return probabilities
