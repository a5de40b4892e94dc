"""Values, occupancies and steps of policies in plain NumPy, one state after the other."""

from itertools import pairwise

import numpy as np


def states(s):
    """Choices of each state."""
    return [slice(first, end) for first, end in pairwise(s.mdp.first_choice)]


def by_state(s, numbers, reduce=np.sum):
    """Sums, or something else, over the choices of each state, along the last axis."""
    return np.stack([reduce(numbers[..., state], axis=-1) for state in states(s)], axis=-1)


def spread(s, numbers):
    """For each choice the number of its state."""
    return numbers[..., s.mdp.state_of_choice]


def dense(s):
    """Transition laws with their zeros."""
    laws = s.mdp.transition_matrix
    return laws if isinstance(laws, np.ndarray) else laws.toarray()


def chain(s, policy):
    """Transition laws of the states under a policy."""
    return np.stack([policy[state] @ dense(s)[state] for state in states(s)])


def evaluate(s, log_policy, temperature=0.0):
    """Values of the states and of the choices, with the entropy rewarded."""
    policy = np.exp(log_policy)
    logs = np.where(policy > 0, log_policy, 0.0)
    earned = by_state(s, policy * (s.mdp.rewards - temperature * logs))
    values = np.linalg.solve(np.eye(s.mdp.states) - s.discount * chain(s, policy), earned)
    return values, s.mdp.rewards + s.discount * dense(s) @ values


def optimal(s):
    """Optimal policy by policy iteration from greedy rewards; its values and those of choices."""
    policy = np.zeros(s.mdp.choices)
    for state in states(s):
        policy[state.start + s.mdp.rewards[state].argmax()] = 1
    while True:
        with np.errstate(divide="ignore"):
            values, action_values = evaluate(s, np.log(policy))
        better = policy.copy()
        for state in states(s):
            here = action_values[state]
            if here.max() > here @ policy[state] + 1e-11 * max(1, np.abs(values).max()):
                better[state] = 0
                better[state.start + here.argmax()] = 1
        if (better == policy).all():
            return policy, values, action_values
        policy = better


def visits(s, policy, first=None):
    """Discounted probabilities of the states, from the uniform distribution by default."""
    first = np.full(s.mdp.states, 1 / s.mdp.states) if first is None else first
    return (1 - s.discount) * np.linalg.solve(np.eye(s.mdp.states) - s.discount * chain(s, policy).T, first)


def softmax(s, logits):
    """Log-probabilities with these logits."""
    return logits - spread(s, by_state(s, logits, np.logaddexp.reduce))


def project(s, point):
    """Nearest policy: in each state the largest entries stay, lowered alike."""
    policy = np.empty(point.size)
    for state in states(s):
        down = np.sort(point[state])[::-1]
        levels = (np.cumsum(down) - 1) / np.arange(1, down.size + 1)
        policy[state] = np.maximum(point[state] - levels[np.flatnonzero(down > levels)[-1]], 0)
    return policy


def start(s):
    """Log-probabilities of the first policy."""
    if s.start is None:
        return softmax(s, np.zeros(s.mdp.choices))
    return softmax(s, np.log(np.array(s.start)))


def divergence(s, log_p, log_q, euclidean=False):
    """Divergence in each state."""
    p, q = np.exp(log_p), np.exp(log_q)
    if euclidean:
        return 0.5 * by_state(s, (p - q) ** 2)
    with np.errstate(invalid="ignore"):
        return by_state(s, np.where(p > 0, p * (log_p - log_q), 0.0))
