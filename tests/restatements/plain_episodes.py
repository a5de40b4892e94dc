"""Learners in episodes by plain means: dense counts, backward induction, one episode after the other.

A learner is a generator: it yields what it will do in the next episode, a plan of integers (H, S) or a policy of
probabilities (H, C), and is sent the states and choices of that episode.
"""

import math

import numpy as np

__all__ = ["Moves", "as_policy", "best_choices", "critic", "douhua", "drawn", "empirical", "nora", "play"]


def drawn(law, rng):
    """Draw an index, as the package does: one uniform number, and the first index whose sum exceeds it."""
    support = np.flatnonzero(law)
    sums = np.cumsum(law[support])
    return int(support[np.flatnonzero(sums > rng.random() * sums[-1])[0]])


def play(problem, learner, episodes, rng):
    """Run a restated learner; return its plans or policies, and the visits (H, C) after each episode."""
    mdp = problem.stages[0]
    laws = [np.asarray(stage.as_sparse().transition_matrix.toarray()) for stage in problem.stages]
    played, visits = [], [np.zeros((problem.horizon, problem.choices), int)]
    decided = next(learner)
    for _ in range(episodes):
        decided = decided.copy()
        states, choices = [drawn(problem.initial, rng)], []
        for stage in range(problem.horizon):
            here = states[-1]
            first, end = mdp.first_choice[here : here + 2]
            if decided.dtype == int:
                choices.append(int(decided[stage, here]))
            else:
                sums = np.cumsum(decided[stage, first:end])
                choices.append(int(first + min((sums <= rng.random()).sum(), end - first - 1)))
            states.append(drawn(laws[stage][choices[-1]], rng))
        played.append(decided)
        visits.append(visits[-1].copy())
        visits[-1][np.arange(problem.horizon), choices] += 1
        decided = learner.send((states, choices))
    return played, np.array(visits)


def as_policy(problem, decided):
    if decided.dtype != int:
        return decided
    policy = np.zeros((problem.horizon, problem.choices))
    np.put_along_axis(policy, decided, 1.0, axis=1)
    return policy


def best_choices(mdp, action_values):
    parts = np.split(action_values, mdp.first_choice[1:-1])
    return np.array([first + part.argmax() for first, part in zip(mdp.first_choice, parts, strict=False)])


def empirical(moves):
    """Laws of rows that were visited, zeros for the others, and the visits."""
    visits = moves.sum(axis=-1)
    return moves / np.maximum(visits, 1)[..., None], visits


class Moves:
    """Counts of what followed each choice at each stage, or at all stages together."""

    def __init__(self, problem, pooled):
        self.pooled = pooled
        self.counts = np.zeros((problem.horizon, problem.choices, problem.states))

    def add(self, episode):
        states, choices = episode
        self.counts[np.arange(len(choices)), choices, states[1:]] += 1

    def known(self):
        shared = np.broadcast_to(self.counts.sum(axis=0), self.counts.shape)
        return shared if self.pooled else self.counts


def bonuses_after_weissman(problem, visits, episodes, bonus, delta):
    horizon, states = problem.horizon, problem.states
    log = states * math.log(2) + math.log(problem.choices * horizon * episodes / delta)
    with np.errstate(divide="ignore"):
        width = np.minimum(1, np.sqrt(log / (2 * visits)))
    return bonus * (horizon - 1 - np.arange(horizon))[:, None] * width


def softmax(mdp, logits):
    parts = [np.exp(part - part.max()) for part in np.split(logits, mdp.first_choice[1:-1])]
    return np.concatenate([part / part.sum() for part in parts])


def critic(problem, moves, episodes, bonus, delta, policy=None):
    """Backward induction on empirical laws with bonuses; states are worth their best choice, or those of a policy."""
    first = problem.stages[0].first_choice[:-1]
    laws, visits = empirical(moves.known())
    extra, v = bonuses_after_weissman(problem, visits, episodes, bonus, delta), np.zeros(problem.states)
    f = np.empty((problem.horizon, problem.choices))
    for h in reversed(range(problem.horizon)):
        f[h] = np.minimum(problem.horizon - h, problem.stages[h].rewards + (laws[h] * v).sum(axis=1) + extra[h])
        v = np.maximum.reduceat(f[h], first) if policy is None else np.add.reduceat(policy[h] * f[h], first)
    return f


def nora(problem, episodes, bonus, eta, delta, critics, offline=0):
    """What was seen offline, counts (H, C, S), is seen already."""
    mdp, moves = problem.stages[0], Moves(problem, pooled=False)
    moves.counts += offline
    while True:
        critics.append(f := critic(problem, moves, episodes, bonus, delta))
        then, k = moves.counts.sum(axis=2), 0
        while (moves.counts.sum(axis=2) < np.maximum(1, 2 * then)).all():
            moves.add((yield np.array([softmax(mdp, eta * k * row) for row in f])))
            k += 1


def douhua(problem, episodes, bonus, eta, delta, critics):
    mdp, moves = problem.stages[0], Moves(problem, pooled=False)
    logits = np.zeros((problem.horizon, problem.choices))
    while True:
        policy = np.array([softmax(mdp, row) for row in logits])
        critics.append(f := critic(problem, moves, episodes, bonus, delta, policy))
        logits += eta * f
        moves.add((yield policy))
