"""Both sides of the theorems on SQIRL, with laws and values by plain loops over choices."""

import numpy as np
import pytest

from rltheory import verify
from rltheory.algorithms import sqirl
from rltheory.instances import random_episodes
from rltheory.problems import FiniteHorizonMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.effective_horizon import laidlaw2024
from rltheory.theorems.effective_horizon.laidlaw2024 import LOSS_RATE, ShallowIteration, detour, two_arms
from rltheory.theory import Status, Theorem
from tests.restatements.plain_mdps import laws

ABSOLUTE = 1e-12

RANDOM = random_episodes(stream(0, "restatement of SQIRL"), 4, 2, 4)
STAGED = FiniteHorizonMDP([mdp.with_rewards(mdp.rewards * (h + 1) / 4) for h, mdp in enumerate(RANDOM.stages)])
SETTINGS = [
    ShallowIteration(RANDOM, 1, episodes=5),
    ShallowIteration(RANDOM, 3, episodes=20),
    ShallowIteration(STAGED, 2, episodes=5),
    ShallowIteration(detour(), 2, episodes=30),
]
CONSTANT = ShallowIteration(detour(), 2, episodes=30, constant=True)
THEOREMS = {theorem.name: theorem for theorem in vars(laidlaw2024).values() if isinstance(theorem, Theorem)}


class Plain:
    """A process as lists, with random and optimal values, and a run."""

    def __init__(self, s):
        self.s, self.H = s, s.problem.horizon
        mdp = s.problem.stages[0]
        self.choices = [list(range(a, b)) for a, b in zip(mdp.first_choice, mdp.first_choice[1:], strict=False)]
        self.states = range(len(self.choices))
        self.P = [laws(mdp) for mdp in s.problem.stages]
        self.r = [mdp.rewards for mdp in s.problem.stages]
        self.A = max(map(len, self.choices))
        self.run = sqirl(
            s.problem,
            depth=s.depth,
            episodes=s.episodes,
            rng=stream(0, "restatement"),
            regression=(lambda made, targets: np.full(mdp.choices, targets.mean())) if s.constant else None,
            highest_return=1.0,
            fresh=True,
        )

    def values(self, k):
        """Values after k - 1 steps of value iteration from random play; of optimal play if there are many."""
        q = {}
        for h in range(self.H):
            ahead = self.random(h + 1) if k == 1 else self.state_values(k - 1, h + 1)
            q[h] = self.r[h] + self.P[h] @ ahead
        return q

    def random(self, h):
        if h == self.H:
            return np.zeros(len(self.choices))
        q = self.r[h] + self.P[h] @ self.random(h + 1)
        return np.array([np.mean(q[c]) for c in self.choices])

    def state_values(self, k, h):
        if h == self.H:
            return np.zeros(len(self.choices))
        q = self.r[h] + self.P[h] @ (self.random(h + 1) if k == 1 else self.state_values(k - 1, h + 1))
        return np.array([max(q[c]) for c in self.choices])

    def law(self, h, t):
        """Of choices at t, uniform from h on."""
        state = self.s.problem.initial
        for stage in range(t + 1):
            chosen = np.zeros(len(self.r[0]))
            for at in self.states:
                if stage < h:
                    chosen[self.run["made"][stage, at]] += state[at]
                else:
                    chosen[self.choices[at]] += state[at] / len(self.choices[at])
            state = chosen @ self.P[stage]
        return chosen

    def root(self, h, t, errors):
        return np.sqrt(self.law(h, t) @ errors**2)

    def error(self, h):
        return self.root(h, h, self.run["estimates"][h, 0] - self.values(self.s.depth)[h])

    def gap(self):
        best, gap = self.values(self.H), np.inf
        q, here = self.values(self.s.depth), {at for at in self.states if self.s.problem.initial[at] > 0}
        for h in range(self.H):
            after = set()
            for at in here:
                right = [c for c in self.choices[at] if best[h][c] >= max(best[h][self.choices[at]]) - 1e-9]
                limit = max((q[h][c] for c in self.choices[at] if c not in right), default=-np.inf)
                gap = min(gap, max(q[h][self.choices[at]]) - limit)
                for c in right:
                    if q[h][c] > limit:
                        after |= set(np.flatnonzero(self.P[h][c]).tolist())
            here = after
        return gap

    def loss(self):
        """Of the policy up to each stage, by running it."""
        best = [self.state_values(self.H, h) for h in range(self.H + 1)]
        state, earned, lost = self.s.problem.initial, 0.0, []
        for h in range(self.H):
            made = self.run["made"][h]
            earned += state @ self.r[h][made]
            state = state @ self.P[h][made]
            lost.append(self.s.problem.initial @ best[0] - earned - state @ best[h + 1])
        return np.array(lost)

    def cells(self):
        return max(int((self.law(0, h) > 0).sum()) for h in range(self.H))


def errors(plain):
    s, left, right = plain.s, [], []
    for h in range(plain.H):
        top = min(h + s.depth, plain.H) - 1
        fitted = plain.run["estimates"][h]
        first = plain.root(h, top, fitted[top - h] - plain.values(1)[top])
        steps = [0.0]
        for t in range(h, top):
            ahead = np.array([max(fitted[t - h + 1][c]) for c in plain.choices])
            steps.append(plain.root(h, t, fitted[t - h] - plain.r[t] - plain.P[t] @ ahead))
        left.append(plain.error(h))
        root = np.sqrt(plain.A)
        grown = (root ** (s.depth - 1) - 1) / (root - 1)
        right.append(root ** (s.depth - 1) * first + grown * max(steps))
    return left, right


def loss(plain):
    squares = [plain.error(h) ** 2 for h in range(plain.H)]
    return plain.loss(), [2 * plain.A / plain.gap() ** 2 * sum(squares[: h + 1]) for h in range(plain.H)]


def table_errors(plain):
    g = (plain.A ** (plain.s.depth / 2) - 1) / (plain.A**0.5 - 1)
    bound = g**2 * plain.cells() / (plain.s.episodes + 1)
    return [plain.error(h) ** 2 for h in range(plain.H)], np.full(plain.H, bound)


def table_loss(plain):
    _, squares = table_errors(plain)
    return plain.loss(), 2 * plain.A * np.cumsum(squares) / plain.gap() ** 2


RESTATED = {
    "sqirl/errors": (errors, [*SETTINGS, CONSTANT]),
    "sqirl/loss": (loss, [*SETTINGS, CONSTANT]),
    "sqirl/table-errors": (table_errors, SETTINGS),
    "sqirl/table-loss": (table_loss, SETTINGS),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() | {"sqirl/rate"}


def test_mean_losses_of_rare_states():
    """A state is lost where the second choice has not been made: in closed form, against the mean of 60 runs."""
    (s,) = LOSS_RATE.settings()
    trace = LOSS_RATE.run(s, stream(0, "restatement"))
    chances = np.append(0.5 ** np.arange(1, 14), 0.5**13)
    missed = (1 - chances / 2) ** trace.times[:, None]
    mean = missed @ chances
    np.testing.assert_array_less(mean * trace.times, 3)
    # Losses of different states are negatively correlated: the variance of the sum is at most the sum of the variances.
    deviation = np.sqrt((missed * (1 - missed)) @ chances**2 / 60)
    assert (np.abs(LOSS_RATE.measured(s, trace) - mean) < 4.5 * deviation).all()
    assert deviation[-1] < 0.2 * mean[-1]
    np.testing.assert_allclose(LOSS_RATE.bound(s, trace), 2 * 2 * 28 / trace.times)


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement"))
    measured, bound = RESTATED[name][0](Plain(s))
    for side, restated in ((theorem.measured, measured), (theorem.bound, bound)):
        np.testing.assert_allclose(side(s, trace), restated, rtol=1e-9, atol=ABSOLUTE)


def test_the_settings_have_errors_and_losses():
    plain = [Plain(s) for s in SETTINGS]
    assert max(p.loss().max() for p in plain) > 1e-3
    assert max(p.error(0) for p in plain) > 0.01


@pytest.mark.parametrize("name", RESTATED)
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn = verify(theorem, settings=examples(theorem.strategy(), 15, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


def test_loss_is_sharp():
    """Two arms whose estimates are equal."""
    s = ShallowIteration(two_arms(), 1, episodes=1000, constant=True)
    (verdict,) = verify(THEOREMS["sqirl/loss"], settings=[s])
    assert 0.99 < verdict.tightness <= 1


def test_expected_loss_is_far_below_the_bound():
    """In random processes it uses a thousandth, at most."""
    rng = stream(0, "looseness of SQIRL")
    shares = []
    while len(shares) < 20:
        states, actions, horizon, depth = (int(rng.integers(*ends)) for ends in ((2, 5), (2, 4), (2, 6), (1, 3)))
        s = ShallowIteration(random_episodes(rng, states, actions, horizon), depth, episodes=int(rng.integers(1, 100)))
        if s.has_gap and s.safe.smallest < np.inf:
            losses = [laidlaw2024.play(s, rng)["loss"][-1] for _ in range(30)]
            trace = laidlaw2024.play(s, rng)
            shares.append(np.mean(losses) / THEOREMS["sqirl/table-loss"].bound(s, trace)[-1])
    assert 0 < max(shares) < 1e-3


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"problem": FiniteHorizonMDP.stationary(RANDOM.stages[0], 40)}, "no episode returns more than 1"),
        (
            {"problem": FiniteHorizonMDP.stationary(detour().stages[0].with_rewards(-detour().stages[0].rewards), 2)},
            "r \\ge 0",
        ),
        ({"constant": True}, "regressions are means"),
    ],
)
def test_what_is_no_setting(change, failed):
    s = ShallowIteration(**({"problem": detour(), "depth": 2, "episodes": 3} | change))
    assert failed in THEOREMS["sqirl/table-loss"].failed_hypothesis(s)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="episodes is 0; it must be >= 1"):
        ShallowIteration(detour(), 1, episodes=0)
