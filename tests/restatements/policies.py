"""Policies of processes in plain probabilities: one state at a time, sums over time instead of linear systems."""

import numpy as np

from rltheory.simulation import stream


def rows(s, numbers):
    """The numbers of the choices of each state."""
    return np.split(np.asarray(numbers), s.mdp.first_choice[1:-1], axis=-1)


def laws(s):
    matrix = s.mdp.transition_matrix
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def first(s):
    if s.start is not None:
        return np.array(s.start)
    return np.concatenate([np.full(row.size, 1 / row.size) for row in rows(s, s.mdp.rewards)])


def chain(s, policy):
    return np.array(
        [p @ law for p, law in zip(rows(s, policy), np.split(laws(s), s.mdp.first_choice[1:-1]), strict=True)]
    )


def resolvent(s, policy):
    """I + gamma P + gamma^2 P^2 + ..., by doubling the number of terms."""
    power, total = s.discount * chain(s, policy), np.eye(s.mdp.states)
    for _ in range(14):
        total, power = total + power @ total, power @ power
    return total


def values(s, policy, temperature=0.0):
    """Values of the states and of the choices."""
    surprise = -np.log(np.maximum(policy, 1e-300))
    earned = [p @ r for p, r in zip(rows(s, policy), rows(s, s.mdp.rewards + temperature * surprise), strict=True)]
    found = resolvent(s, policy) @ earned
    return found, s.mdp.rewards + s.discount * laws(s) @ found


def occupancy(s, policy, weights=None):
    weights = np.full(s.mdp.states, 1 / s.mdp.states) if weights is None else weights
    return (1 - s.discount) * weights @ resolvent(s, policy)


def optimum(s):
    """Optimal values, by value iteration, and the greedy policy."""
    v = np.zeros(s.mdp.states)
    for _ in range(3000):
        q = s.mdp.rewards + s.discount * laws(s) @ v
        v = np.array([row.max() for row in rows(s, q)])
    policy = np.concatenate([np.arange(row.size) == row.argmax() for row in rows(s, q)]).astype(float)
    return v, policy


def each(s, function, *vectors):
    """A function of the choices of each state, for one iteration."""
    return np.array([function(*parts) for parts in zip(*(rows(s, vector) for vector in vectors), strict=True)])


def reweigh(s, policy, logits, keep=1.0):
    """Policy proportional to policy^keep e^logits."""
    weights = [p**keep * np.exp(x - x.max()) for p, x in zip(rows(s, policy), rows(s, logits), strict=True)]
    return np.concatenate([w / w.sum() for w in weights])


def nearest(point):
    """Projection on the simplex: the level above which there is mass 1, by bisection."""
    low, high = point.max() - 1, point.max()
    for _ in range(100):
        level = (low + high) / 2
        low, high = (level, high) if np.maximum(point - level, 0).sum() > 1 else (low, level)
    mass = np.maximum(point - high, 0)
    return mass / mass.sum()


def kl(p, q):
    some = p > 0
    return (p[some] * np.log(p[some] / q[some])).sum()


def half_square(p, q):
    return ((p - q) ** 2).sum() / 2


def assert_restated(theorem, s, restated, *, rtol, atol):
    """Run the theorem, and compare both sides with the restated ones."""
    trace = theorem.run(s, stream(0, "restatement"))
    for side, restated_side in zip((theorem.measured, theorem.bound), restated(s, trace.times), strict=True):
        np.testing.assert_allclose(
            side(s, trace)[theorem.since :], restated_side[theorem.since :], rtol=rtol, atol=atol
        )
