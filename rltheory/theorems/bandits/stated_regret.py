"""Upper bounds on regret that theorems of the package state, to be drawn beside the curves of policies."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from rltheory.arrays import Array, Times
from rltheory.problems import Bandit
from rltheory.problems.bandit import Law
from rltheory.theorems.bandits import auer2002, garivier2011, lattimore2020, zimmert2021
from rltheory.theorems.bandits.stochastic_bandit import StochasticBandit
from rltheory.theory import Theorem
from rltheory.trace import Trace

__all__ = ["stated_regret"]

BY_POLICY: dict[str, Theorem[Any]] = {
    "UCB1": auer2002.REGRET_OF_UCB1,
    "KL-UCB(c=3)": garivier2011.REGRET_OF_KL_UCB,
    "asymptotic UCB": lattimore2020.ASYMPTOTIC,
    "Tsallis-INF": zimmert2021.STOCHASTIC,
}


def stated_regret(bandit: Bandit, policies: Iterable[str], times: Times) -> dict[str, Array]:
    r"""Bounds on the mean regret of those policies of which a theorem speaks, on a bandit where its hypotheses hold.

    These are UCB1, KL-UCB with c = 3 and Tsallis-INF on Bernoulli arms, and asymptotically optimal UCB on Gaussian arms
    of standard deviation 1 and on Bernoulli arms.

    Parameters
    ----------
    bandit
        The bandit.
    policies
        Names of policies, as :attr:`Policy.name` has them.
    times : array, shape (T,)
        Increasing numbers of rounds >= 0.

    Returns
    -------
    dict from str to array, shape (T,)
        A bound at each time, for each policy with one.

    Examples
    --------
    >>> bandit = Bandit.bernoulli([0.9, 0.5])
    >>> bounds = stated_regret(bandit, ["UCB1", "Thompson"], np.array([10, 1000]))
    >>> {name: bound.round(1).tolist() for name, bound in bounds.items()}
    {'UCB1': [47.8, 139.9]}
    """
    standard = bandit.law is Law.GAUSSIAN and bool((bandit.table[:, 1] == 1).all())
    if not (standard or bandit.law is Law.BERNOULLI):
        return {}
    means = tuple(bandit.means.tolist())
    setting = StochasticBandit(means=means, horizon=max(int(times[-1]), bandit.arms), law=bandit.law.name.lower())
    return {
        name: np.asarray(theorem.bound(setting, Trace(name, times, {}, "round")))
        for name, theorem in BY_POLICY.items()
        if name in set(policies) and theorem.failed_hypothesis(setting) is None
    }
