"""Learners in episodes by plain means: dense counts, backward induction, one episode after the other.

A learner is a generator: it yields what it will do in the next episode, a plan of integers (H, S) or a policy of
probabilities (H, C), and is sent the states and choices of that episode.
"""

import math

import numpy as np

__all__ = [
    "LinearMoves",
    "Moves",
    "as_policy",
    "best_choices",
    "critic",
    "douhua",
    "drawn",
    "empirical",
    "linear_bonus",
    "linear_nora",
    "lsvi_ucb",
    "nora",
    "play",
    "soft_values",
    "ucbvi_ent",
]


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
        width = np.minimum(1, bonus * np.sqrt(log / (2 * visits))) if bonus else np.zeros_like(visits)
    return (horizon - 1 - np.arange(horizon))[:, None] * width


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


def linear_bonus(dimension, horizon, episodes, delta, ridge):
    """What the bonus of linear learners has to solve, by repetition."""
    spread, beta = horizon - 1, 1.0
    for _ in range(500):
        net = dimension * math.log(1 + 8 * spread * episodes / ridge**0.5)
        net += dimension * (dimension + 1) / 2 * math.log(1 + 32 * episodes * beta**2 / ridge)
        logs = dimension * math.log(1 + episodes / (dimension * ridge)) + 2 * (net + math.log(horizon / delta))
        beta = spread * (dimension * ridge) ** 0.5 + spread / 2 * logs**0.5 + 1
    return beta


class LinearMoves:
    """Gram matrices of the stages but the last, and all features with the states that came after them."""

    def __init__(self, linear, horizon, ridge):
        self.linear, self.horizon = linear, horizon
        self.phi = linear.features.reshape(-1, linear.dimension)
        self.grams = np.tile(ridge * np.eye(linear.dimension), (horizon - 1, 1, 1))
        self.seen = [[] for _ in range(horizon - 1)]

    def add(self, episode):
        states, choices = episode
        for h in range(self.horizon - 1):
            phi = self.phi[choices[h]]
            self.grams[h] += np.outer(phi, phi)
            self.seen[h].append((phi, states[h + 1]))

    def critic(self, beta):
        """Ridge regression on all episodes, with bonuses and cuts."""
        mdp = self.linear.tabular
        f = np.tile(mdp.rewards, (self.horizon, 1))
        for h in reversed(range(self.horizon - 1)):
            values = np.maximum.reduceat(f[h + 1], mdp.first_choice[:-1])
            targets = sum((phi * values[state] for phi, state in self.seen[h]), np.zeros(self.linear.dimension))
            ahead = self.phi @ np.linalg.solve(self.grams[h], targets)
            norms = np.sqrt((self.phi * np.linalg.solve(self.grams[h], self.phi.T).T).sum(axis=1))
            f[h] += np.clip(ahead + beta * norms, 0, self.horizon - 1 - h)
        return f

    def log_determinants(self):
        return np.linalg.slogdet(self.grams)[1]


def lsvi_ucb(linear, horizon, episodes, bonus, delta, ridge, rare, critics):
    moves, mdp = LinearMoves(linear, horizon, ridge), linear.tabular
    beta = bonus * linear_bonus(linear.dimension, horizon, episodes, delta, ridge)
    while True:
        critics.append(f := moves.critic(beta))
        then = moves.log_determinants()
        made = np.array([best_choices(mdp, row) for row in f])
        moves.add((yield made))
        while rare and (moves.log_determinants() - then < math.log(2) - 1e-9).all():
            moves.add((yield made))


def linear_nora(linear, horizon, episodes, bonus, eta, delta, ridge, critics):
    moves, mdp = LinearMoves(linear, horizon, ridge), linear.tabular
    beta = bonus * linear_bonus(linear.dimension, horizon, episodes, delta, ridge)
    while True:
        critics.append(f := moves.critic(beta))
        then, k = moves.log_determinants(), 0
        while k == 0 or (moves.log_determinants() - then < math.log(2) - 1e-9).all():
            moves.add((yield np.array([softmax(mdp, eta * k * row) for row in f])))
            k += 1


def soft_values(mdp, reference, q, temperature):
    """Log-sum-exp of the values of the choices of each state, and the policy."""
    weights = reference * np.exp((q - q.max()) / temperature)
    sums = np.add.reduceat(weights, mdp.first_choice[:-1])
    return q.max() + temperature * np.log(sums), weights / sums[mdp.state_of_choice]


def ucbvi_ent(problem, reference, temperature, episodes, rng, found, bonus, delta):
    """Plain UCBVI-Ent+, which leaves its policies and certificates in `found`."""
    horizon, states, mdp = problem.horizon, problem.states, problem.stages[0]
    moves, first = Moves(problem, pooled=False), mdp.first_choice[:-1]
    log = bonus**2 * (states * math.log(2) + math.log(problem.choices * horizon * episodes / delta))
    while True:
        laws, visits = empirical(moves.known())
        rate = np.where(visits > 0, log / (2 * np.maximum(visits, 1)), np.inf)
        upper = lower = lacking = np.zeros(states)
        policy, widest = np.empty((horizon, problem.choices)), np.empty((horizon, problem.choices))
        for h in reversed(range(horizon)):
            bonuses = (horizon - 1 - h) * np.minimum(1, np.sqrt(rate[h]))
            above = np.minimum(laws[h] @ upper + bonuses, horizon - 1 - h)
            below = np.maximum(laws[h] @ lower - bonuses, 0)
            upper, policy[h] = soft_values(mdp, reference[h], problem.stages[h].rewards + above, temperature)
            lower, _ = soft_values(mdp, reference[h], problem.stages[h].rewards + below, temperature)
            gap = np.maximum.reduceat(above - below, first)
            parts = zip(first, np.split(above - below, first[1:]), strict=True)
            best = [place + (part >= (1 - 1e-9) * part.max()).argmax() for place, part in parts]
            widest[h] = np.isin(np.arange(problem.choices), best)
            with np.errstate(invalid="ignore"):
                later = (1 + 1 / horizon) * (laws[h] @ lacking + max(lacking) * (horizon + 1) * rate[h])
            later = np.where(visits[h] > 0, np.minimum(later, max(lacking)), max(lacking))
            lacking = np.minimum(gap**2 / (8 * temperature), gap) + np.add.reduceat(policy[h] * later, first)
        found.append((problem.initial @ lacking, policy.copy()))
        stage = int(horizon * rng.random())
        policy[stage] = widest[stage]
        moves.add((yield policy))
