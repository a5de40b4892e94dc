"""Contextual bandits in plain NumPy, on the draws of the compiled simulator."""

import math

import numpy as np

from rltheory.variates import generators, uniform


def replay(bandit, policy, rng, horizon, *, replicate=0, delay=0, batch=1):
    """Play one replicate; return contexts, arms and rewards of all rounds, drawn as by a run with the same `rng`."""
    states = generators(rng.integers(2**64, size=4, dtype=np.uint64), replicate, replicate + 1)
    rounds, learnt, edges = [], 0, bandit.frequencies.cumsum()

    def draw():
        return uniform(states, 0)

    for t in range(horizon):
        x = min(int(np.searchsorted(edges, draw(), side="right")), bandit.contexts - 1)
        arm = policy.choose(t, x, draw)
        if bandit.deviation is None:
            reward = float(draw() < bandit.means[x, arm])
        else:
            reward = bandit.means[x, arm] + bandit.deviation * normal(draw)
        rounds.append((x, arm, reward))
        if (t + 1) % batch == 0:
            while learnt < t + 1 - delay:
                policy.observe(*rounds[learnt])
                learnt += 1
    contexts, arms, rewards = zip(*rounds, strict=True)
    return np.array(contexts), np.array(arms), np.array(rewards)


def counts(bandit, contexts, arms, times):
    """Pulls of each pair of context and arm at the times."""
    pairs = np.zeros((len(arms) + 1, *bandit.means.shape))
    pairs[np.arange(1, len(arms) + 1), contexts, arms] = 1
    return pairs.cumsum(axis=0)[times]


def normal(draw):
    radius = math.sqrt(-2 * math.log(1 - draw()))
    return radius * math.cos(2 * math.pi * draw())


class Linear:
    """Sums of outer products, solved anew in each round."""

    def __init__(self, features, ridge):
        self.phi, d = features, features.shape[2]
        self.v, self.targets, self.ridge = ridge * np.eye(d), np.zeros(d), ridge

    def observe(self, x, arm, reward):
        phi = self.phi[x, arm]
        self.v = self.v + np.outer(phi, phi)
        self.targets = self.targets + reward * phi

    def estimate(self):
        return np.linalg.solve(self.v, self.targets)

    def widths(self, x):
        return np.sqrt(np.einsum("ai,ai->a", self.phi[x], np.linalg.solve(self.v, self.phi[x].T).T))

    def log_ratio(self):
        return np.linalg.slogdet(self.v / self.ridge)[1]

    def predict(self, x):
        return self.phi[x] @ self.estimate()


class Vovk(Linear):
    def predict(self, x):
        d = self.phi.shape[2]
        solutions = [np.linalg.solve(self.v + np.outer(phi, phi), self.targets) for phi in self.phi[x]]
        return np.einsum("ai,ai->a", self.phi[x], np.array(solutions).reshape(-1, d))


class Optimistic(Linear):
    """OFUL and LinUCB, for a radius that may depend on the determinant."""

    def __init__(self, features, ridge, radius):
        super().__init__(features, ridge)
        self.radius = radius

    def choose(self, t, x, draw):
        return int((self.predict(x) + self.radius(self.log_ratio()) * self.widths(x)).argmax())


class Thompson(Linear):
    def __init__(self, features, ridge, deviation):
        super().__init__(features, ridge)
        self.deviation = deviation

    def choose(self, t, x, draw):
        factor = np.linalg.cholesky(np.linalg.inv(self.v))
        numbers = self.deviation * np.array([normal(draw) for _ in range(len(self.v))])
        return int((self.phi[x] @ (self.estimate() + factor @ numbers)).argmax())


class Logistic(Linear):
    """The likelihood of all rounds, maximised anew in each by Newton's method from 0."""

    def __init__(self, features, ridge, width):
        super().__init__(features, ridge)
        self.width, self.rounds = width, []

    def observe(self, x, arm, reward):
        super().observe(x, arm, reward)
        self.rounds.append((*self.phi[x, arm], reward))

    def choose(self, t, x, draw):
        theta = np.zeros(len(self.v))
        if self.rounds:
            rows = np.array(self.rounds)
            phi, rewards = rows[:, :-1], rows[:, -1]
            for _ in range(12):
                means = 1 / (1 + np.exp(-phi @ theta))
                gradient = phi.T @ (rewards - means) - self.ridge * theta
                curvature = (phi.T * (means * (1 - means))) @ phi + self.ridge * np.eye(len(theta))
                theta = theta + np.linalg.solve(curvature, gradient)
            assert np.abs(gradient).max() < 1e-9
        means = 1 / (1 + np.exp(-self.phi[x] @ theta))
        return int((means + self.width * math.sqrt(math.log(t + 1)) * self.widths(x)).argmax())


class Weights:
    """Exponential weights over tables."""

    def __init__(self, tables, rate=0.5):
        self.tables, self.rate, self.losses = tables, rate, np.zeros(len(tables))

    def observe(self, x, arm, reward):
        self.losses = self.losses + (self.tables[:, x, arm] - reward) ** 2

    def predict(self, x):
        w = np.exp(-self.rate * (self.losses - self.losses.min()))
        return w @ self.tables[:, x] / w.sum()


def inverse_gaps(predictions, gamma, place):
    """Arms but the best in their order, and the best last."""
    best = int(predictions.argmax())
    others = np.delete(np.arange(predictions.size), best)
    edges = np.cumsum(1 / (predictions.size + gamma * (predictions[best] - predictions[others])))
    below = int(np.searchsorted(edges, place, side="right"))
    return int(others[below]) if below < others.size else best


class ByInverseGaps:
    def __init__(self, oracle, gamma):
        self.oracle, self.gamma, self.observe = oracle, gamma, oracle.observe

    def choose(self, t, x, draw):
        return inverse_gaps(self.oracle.predict(x), self.gamma(t + 1), draw())


class Greedy:
    def __init__(self, oracle, epsilon):
        self.oracle, self.epsilon, self.observe = oracle, epsilon, oracle.observe

    def choose(self, t, x, draw):
        explored, place = draw() < self.epsilon(t + 1), draw()
        predictions = self.oracle.predict(x)
        return int(place * predictions.size) if explored else int(predictions.argmax())


class Falcon:
    """Least squares at powers of two on all rewards so far."""

    def __init__(self, tables, delta, scale):
        self.tables, self.delta, self.scale, self.seen = tables, delta, scale, []
        self.fit, self.gamma = np.zeros(tables.shape[1:]), 1.0

    def observe(self, x, arm, reward):
        self.seen.append((x, arm, reward))
        n = len(self.seen)
        if n in 2 ** np.arange(1, 30):
            losses = [sum((table[x, a] - r) ** 2 for x, a, r in self.seen) for table in self.tables]
            self.fit = self.tables[int(np.argmin(losses))]
            size, k = len(self.tables), self.tables.shape[2]
            self.gamma = self.scale * math.sqrt(k * n / math.log(size * n / self.delta))

    def choose(self, t, x, draw):
        return inverse_gaps(self.fit[x], self.gamma, draw())
