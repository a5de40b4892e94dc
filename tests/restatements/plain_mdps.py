"""Small processes by plain means: loops over choices, dense systems, and the best of all policies."""

from itertools import product

import numpy as np

from tests.exact_mdps import state_choices

__all__ = [
    "average_optimum",
    "backup",
    "best_values",
    "choice_values",
    "drawn",
    "first_best",
    "laws",
    "occupancy",
    "values_of",
]


def laws(mdp):
    matrix = mdp.transition_matrix
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def choice_values(mdp, discount, v):
    return np.array([r + discount * sum(law * v) for r, law in zip(mdp.rewards, laws(mdp), strict=True)])


def backup(mdp, discount, v):
    worth = choice_values(mdp, discount, v)
    return np.array([max(worth[c] for c in choices) for choices in state_choices(mdp)])


def first_best(mdp, discount, v):
    worth = choice_values(mdp, discount, v)
    return [max(choices, key=lambda c: (worth[c], -c)) for choices in state_choices(mdp)]


def values_of(mdp, discount, policy):
    """Values of a policy: a choice for each state, or probabilities of all choices."""
    policy = np.eye(mdp.choices)[list(policy)].sum(axis=0) if len(policy) == mdp.states < mdp.choices else policy
    rows = [sum(policy[c] * laws(mdp)[c] for c in choices) for choices in state_choices(mdp)]
    rewards = [sum(policy[c] * mdp.rewards[c] for c in choices) for choices in state_choices(mdp)]
    return np.linalg.inv(np.eye(mdp.states) - discount * np.array(rows)) @ rewards


def best_values(mdp, discount):
    return np.max([values_of(mdp, discount, made) for made in product(*state_choices(mdp))], axis=0)


def occupancy(mdp, discount, policy):
    """Sum over time, until the rest is below 1e-14."""
    state, total, weight = mdp.initial, np.zeros(mdp.choices), 1 - discount
    while weight > 1e-14 * (1 - discount):
        made = np.concatenate([policy[list(choices)] * state[s] for s, choices in enumerate(state_choices(mdp))])
        total, state, weight = total + weight * made, made @ laws(mdp), discount * weight
    return total


def average_optimum(mdp):
    """Gain and bias of the best of all policies, with bias 0 in the first state."""
    found = []
    for made in product(*state_choices(mdp)):
        rows = np.eye(mdp.states) - laws(mdp)[list(made)]
        rows[:, 0] = 1  # the gain, in the place of the bias of the first state
        solved = np.linalg.solve(rows, mdp.rewards[list(made)])
        found.append((solved[0], np.append(0, solved[1:])))
    return max(found, key=lambda pair: pair[0])


def drawn(mdp, choice, rng):
    """Draw the next state, as the package does: one uniform number, and the first state whose sum exceeds it."""
    law = laws(mdp)[choice]
    support = np.flatnonzero(law)
    sums = np.cumsum(law[support])
    return int(support[np.flatnonzero(sums > rng.random() * sums[-1])[0]])
