"""Dueling bandits: plain restatements on the same draws, exact regrets, known orders, and bad input."""

import math
from itertools import combinations

import numpy as np
import pytest

from rltheory.algorithms.bandits import exp3, own_policy, thompson_gaussian, ucb1
from rltheory.algorithms.bandits.play import LANES
from rltheory.algorithms.dueling import ccb, double_thompson, play_duels, rmed, rucb, sparring
from rltheory.algorithms.dueling.play import WORK_ROWS, Duels, duel_costs
from rltheory.algorithms.dueling.policies import _hypotheses
from rltheory.instances import bradley_terry, cycle, random_game, recorded_game
from rltheory.problems import PreferenceGame
from rltheory.simulation import Workers, stream
from rltheory.variates import beta_variates, generators, uniform

GAME = bradley_terry([1.5, 0.0, 2.5, 1.0])
CYCLE = PreferenceGame([[0.5, 0.9, 0.4, 0.8], [0.1, 0.5, 0.7, 0.9], [0.6, 0.3, 0.5, 0.6], [0.2, 0.1, 0.4, 0.5]])
# The first three beat all others, and each other in a cycle.
THREE_WINNERS = PreferenceGame(
    0.5
    + 0.15
    * np.array(
        [
            [0, 1, -1, 1, 1, 1],
            [-1, 0, 1, 1, 1, 1],
            [1, -1, 0, 1, 1, 1],
            [-1, -1, -1, 0, 1, 1],
            [-1, -1, -1, -1, 0, 1],
            [-1, -1, -1, -1, -1, 0],
        ]
    )
)
N = 400
ALPHA = 0.51
BOLD = 0.07  # so small that hypotheses are soon believed, and soon disproven


class Plain:
    """Wins of one replicate, and its draws."""

    alpha = ALPHA

    def __init__(self, n, states):
        self.wins, self.states = np.zeros((n, n)), states
        self.start(n)

    def start(self, n):
        pass

    def observe(self, t, a, b, won):
        pass

    def uniform(self):
        return uniform(self.states, 0)

    def beta(self, a, b):
        out = np.empty(1)
        beta_variates(self.states, np.array([a]), np.array([b]), np.empty((4, 1)), out)
        return out[0]

    def bounds(self, t):
        """Upper and lower ones."""
        met = self.wins + self.wins.T
        with np.errstate(divide="ignore", invalid="ignore"):
            share, width = self.wins / met, np.sqrt(self.alpha * math.log(t) / met)
        upper, lower = np.where(met > 0, share + width, np.inf), np.where(met > 0, share - width, -np.inf)
        np.fill_diagonal(upper, 0.5)
        np.fill_diagonal(lower, 0.5)
        return upper, lower


class PlainRUCB(Plain):
    def start(self, n):
        self.held = set()

    def choose(self, t):
        upper, _ = self.bounds(t)
        n, u = len(upper), self.uniform()
        candidates = [a for a in range(n) if (upper[a] >= 0.5).all()]
        self.held &= set(candidates)
        if len(candidates) == 1:
            self.held = set(candidates)
        rest = [a for a in candidates if a not in self.held]
        if not candidates:
            c = int(n * u)
        elif self.held and (u < 0.5 or not rest):
            (c,) = self.held
        elif self.held:
            c = rest[int((2 * u - 1) * len(rest))]
        else:
            c = rest[int(u * len(rest))]
        others = [a for a in range(n) if a != c]
        d = max(others, key=lambda a: (upper[a, c], -a))
        return c, d if upper[d, c] >= 0.5 else c


class PlainCCB(Plain):
    def start(self, n):
        self.n, self.losses = n, n
        self.hopeful, self.superiors = set(range(n)), [set() for _ in range(n)]

    def draw(self, items):
        for seen, item in enumerate(items, 1):
            if self.uniform() * seen < 1:
                drawn = item
        return drawn

    def subset(self, items, size):
        """As many of them, or none if there are fewer."""
        if len(items) <= size:
            return items if len(items) == size else set()
        kept = set()
        for passed, item in enumerate(sorted(items)):
            if len(kept) < size and self.uniform() * (len(items) - passed) < size - len(kept):
                kept.add(item)
        return kept

    def revise(self, upper, lower):
        everyone = range(self.n)
        most = [sum(upper[a, b] >= 0.5 for b in everyone if b != a) for a in everyone]
        least = [sum(lower[a, b] > 0.5 for b in everyone if b != a) for a in everyone]
        if any(lower[a, b] > 0.5 for a in everyone for b in self.superiors[a]):
            self.start(self.n)
        for a in sorted(self.hopeful):
            if most[a] < max(least):
                self.hopeful.remove(a)
                if len(self.superiors[a]) != self.losses + 1:
                    self.superiors[a] = {b for b in everyone if upper[a, b] < 0.5}
        if not self.hopeful:
            self.start(self.n)
        for a in everyone:
            if most[a] == max(most) == least[a]:
                self.hopeful.add(a)
                self.losses = self.n - 1 - most[a]
                self.superiors = [
                    self.subset(s, 0 if b == a else self.losses + 1) for b, s in enumerate(self.superiors)
                ]
        return {a for a in everyone if most[a] == max(most)}

    def choose(self, t):
        upper, lower = self.bounds(t)
        if t == 1:
            upper[:] = lower[:] = 0.5  # no width at all
        best = self.revise(upper, lower)
        pairs = [(a, b) for a in range(self.n) for b in sorted(self.superiors[a]) if lower[a, b] <= 0.5 <= upper[a, b]]
        if self.uniform() < 0.25 and pairs:
            return self.draw(pairs)
        if self.uniform() < 2 / 3:
            best = best & self.hopeful or best
        c = self.draw(sorted(best))
        rivals = {b for b in range(self.n) if lower[b, c] <= 0.5}
        if self.uniform() < 0.5:
            rivals = rivals & self.superiors[c] or rivals
        return c, max(rivals, key=lambda b: (upper[b, c], b != c, -b))


class PlainBoldCCB(PlainCCB):
    alpha = BOLD


class PlainDoubleThompson(Plain):
    def choose(self, t):
        upper, lower = self.bounds(t)
        if t == 1:
            upper[:] = 0.5  # no width at all
        n = len(upper)
        beaten = (upper > 0.5).sum(1)
        scores = np.array([self.uniform() for _ in range(n)])
        for a, b in combinations(range(n), 2):
            winner = a if self.beta(self.wins[a, b] + 1, self.wins[b, a] + 1) > 0.5 else b
            scores[winner] += 1
        scores[beaten < beaten.max()] = -1
        c = int(scores.argmax())
        sample = [self.beta(self.wins[a, c] + 1, self.wins[c, a] + 1) for a in range(n)]
        sample[c] = 0.5
        return c, max((a for a in range(n) if lower[a, c] <= 0.5), key=lambda a: sample[a])


class PlainRMED(Plain):
    def start(self, n):
        self.first_pairs = list(combinations(range(n), 2))
        self.current, self.following = list(range(n)), set()

    def evidence(self):
        totals = np.zeros(len(self.wins))
        for a, b in np.argwhere(~np.eye(len(self.wins), dtype=bool)):
            won, lost = self.wins[a, b], self.wins[b, a]
            share = won / (won + lost)
            if share <= 0.5:
                logs = [p * math.log(2 * p) if p > 0 else 0 for p in (share, 1 - share)]
                totals[a] += (won + lost) * sum(logs)
        return totals

    def choose(self, t):
        if t <= len(self.first_pairs):
            return self.first_pairs[t - 1]
        a, best = self.current[0], int(self.evidence().argmin())
        share = {b: self.wins[a, b] / (self.wins[a, b] + self.wins[b, a]) for b in range(len(self.wins)) if b != a}
        lost_to = [b for b in share if share[b] <= 0.5]
        return a, best if best in lost_to or not lost_to else min(share, key=share.get)

    def observe(self, t, a, b, won):
        if t <= len(self.first_pairs):
            return
        self.current.pop(0)
        evidence, n = self.evidence(), len(self.wins)
        for j in range(n):
            if j not in self.current and evidence[j] - evidence.min() <= math.log(t) + 0.3 * n**1.01:
                self.following.add(j)
        if not self.current:
            self.current, self.following = sorted(self.following), set()


class PlainSparring(Plain):
    """Exp3 of rate 0.2 on the left, UCB1 on the right."""

    def start(self, n):
        self.estimates, self.counts, self.sums = np.zeros(n), np.zeros(n), np.zeros(n)

    def choose(self, t):
        self.p = np.exp(-0.2 * (self.estimates - self.estimates.min()))
        self.p /= self.p.sum()
        a = int(np.searchsorted(self.p.cumsum(), self.uniform(), side="right"))
        with np.errstate(divide="ignore", invalid="ignore"):
            index = (
                np.where(self.counts > 0, self.sums / self.counts + np.sqrt(2 * math.log(t - 1) / self.counts), np.inf)
                if t > 1
                else self.counts
            )
        return a, int(index.argmax())

    def observe(self, t, a, b, won):
        self.estimates[a] += (1 - won) / self.p[a]
        self.counts[b] += 1
        self.sums[b] += 1 - won


CASES = {
    "rucb": (rucb(ALPHA), PlainRUCB),
    "double thompson": (double_thompson(ALPHA), PlainDoubleThompson),
    "rmed": (rmed(), PlainRMED),
    "ccb": (ccb(ALPHA), PlainCCB),
    "ccb, bold": (ccb(BOLD), PlainBoldCCB),
    "sparring": (sparring(exp3(0.2), ucb1()), PlainSparring),
}
POLICIES = [policy for policy, _ in CASES.values()]


@pytest.mark.parametrize("game", [GAME, CYCLE, THREE_WINNERS], ids=["Condorcet winner", "cycle", "three winners"])
@pytest.mark.parametrize("name", CASES)
def test_policies_against_plain_restatements(name, game):
    policy, plain = CASES[name]
    key = stream(0, "duels").integers(2**64, size=4, dtype=np.uint64)
    trace = play_duels(game, policy, horizon=N, rng=stream(0, "duels"), replicates=3)
    for replicate in range(3):
        one, sums = plain(game.n, generators(key, replicate, replicate + 1)), {name: [0.0] for name in trace.values}
        for t in range(1, N + 1):
            a, b = one.choose(t)
            won = float(one.uniform() < game.prefer[a, b])
            one.wins[a, b] += won
            one.wins[b, a] += 1 - won
            one.observe(t, a, b, won)
            for label, costs in regrets_by_definition(game).items():
                sums[label].append(sums[label][-1] + costs(a, b))
        for label in trace.values:
            # Other pairs would differ by more than the hundredth that separates preferences here.
            np.testing.assert_allclose(trace[label][:, replicate], np.array(sums[label])[trace.times], atol=1e-10)


def regrets_by_definition(game):
    p, n = game.prefer, game.n
    shares = [sum(p[a, b] > 0.5 for b in range(n)) / (n - 1) for a in range(n)]
    found = {"copeland_regret": lambda a, b: max(shares) - (shares[a] + shares[b]) / 2}
    winners = [a for a in range(n) if shares[a] == 1]
    if winners:
        w = winners[0]
        found["regret"] = lambda a, b: (p[w, a] + p[w, b] - 1) / 2
        found["weak_regret"] = lambda a, b: min(p[w, a], p[w, b]) - 0.5
        found["strong_regret"] = lambda a, b: max(p[w, a], p[w, b]) - 0.5
    return found


def test_costs_by_hand():
    game = PreferenceGame([[0.5, 0.7, 0.9], [0.3, 0.5, 0.5], [0.1, 0.5, 0.5]])
    costs = duel_costs(game)
    np.testing.assert_allclose(costs["regret"], [[0, 0.1, 0.2], [0.1, 0.2, 0.3], [0.2, 0.3, 0.4]], atol=1e-15)
    np.testing.assert_allclose(costs["weak_regret"][1:, 1:], [[0.2, 0.2], [0.2, 0.4]], atol=1e-15)
    np.testing.assert_allclose(costs["strong_regret"], np.array([[0, 2, 4], [2, 2, 4], [4, 4, 4]]) / 10, atol=1e-15)
    # A tie counts half: the second and the third beat a quarter of the others.
    np.testing.assert_allclose(costs["copeland_regret"][0], [0, 0.375, 0.375])
    assert list(duel_costs(cycle(5))) == ["copeland_regret"]
    assert (duel_costs(cycle(5))["copeland_regret"] == 0).all()


@pytest.mark.parametrize("policy", [rucb(), rmed(), double_thompson(), ccb()], ids=lambda policy: policy.name)
@pytest.mark.parametrize("name", ["dueling_six_rankers_arxiv", "dueling_arithmetic", "dueling_cyclic"])
def test_recorded_games_are_learnt(name, policy):
    """Most regret is paid in the first half of the rounds, and all of it is far below that of random duels."""
    game, horizon = recorded_game(name), 40_000
    trace = play_duels(game, policy, horizon=horizon, rng=stream(0, name), replicates=16, points=200)
    half = np.searchsorted(trace.times, horizon // 2)
    for notion, costs in duel_costs(game).items():
        regret = trace[notion].mean(axis=1)
        assert regret[-1] - regret[half] < 0.4 * regret[-1]
        assert regret[-1] < 0.5 * horizon * costs.mean()


def test_one_round_of_ccb_from_arbitrary_hypotheses():
    """Games that are played hardly ever lead to some of them, such as that nobody is hopeful."""
    n, lanes, policy = 5, 500, ccb()
    rng, key = stream(0, "hypotheses"), np.arange(4, dtype=np.uint64)
    duels = Duels(
        wins=np.zeros((n, n, lanes)),
        memory=np.zeros(policy.memory(n, lanes)),
        generators=generators(key, 0, lanes),
        first=np.zeros(lanes, np.int64),
        second=np.zeros(lanes, np.int64),
        outcomes=np.empty(lanes),
        work=np.empty((WORK_ROWS, lanes)),
    )
    _, superiors, _, _, hopeful, losses = _hypotheses.py_func(duels)
    # With widths of 0 the shares are the upper bounds.
    upper = duels.memory[:n]
    plains = []
    for lane in range(lanes):
        order = np.triu(rng.choice([-1, 0, 1], p=[0.3, 0.1, 0.6], size=(n, n)), 1)
        upper[:, :, lane] = 0.6 + 0.2 * (order - order.T) + 0.1 * rng.random((n, n))
        upper[range(n), range(n), lane] = 0.5
        may_win, may_lose = upper[:, :, lane] >= 0.5, upper[:, :, lane].T >= 0.5
        chances = np.where(may_win, np.where(may_lose, 0.6, 0.02), 0.8) * (1 - np.eye(n))
        superiors[:, :, lane] = rng.random((n, n)) < chances
        hopeful[:, lane] = rng.random(n) < 0.5
        losses[lane] = rng.integers(n + 1)
        plain = PlainCCB(n, generators(key, lane, lane + 1))
        plain.losses, plain.hopeful = int(losses[lane]), set(np.flatnonzero(hopeful[:, lane]))
        plain.superiors = [set(np.flatnonzero(row)) for row in superiors[:, :, lane]]
        plain.bounds = lambda t, upper=upper[:, :, lane]: (upper, 1 - upper.T)
        plains.append(plain)
    policy.choose(5, np.array([ALPHA]), duels)
    for lane, plain in enumerate(plains):
        assert plain.choose(6) == (duels.first[lane], duels.second[lane])
        assert plain.losses == losses[lane]
        assert plain.hopeful == set(np.flatnonzero(hopeful[:, lane]))
        assert plain.superiors == [set(np.flatnonzero(row)) for row in superiors[:, :, lane]]


def test_without_a_condorcet_winner_ccb_learns_and_rucb_does_not():
    """Nobody remains a candidate for RUCB, which then draws from all; CCB pays but a logarithm."""
    horizon = 40_000
    first, second = {}, {}
    for policy in (ccb(), rucb()):
        trace = play_duels(THREE_WINNERS, policy, horizon=horizon, rng=stream(0, "winners"), replicates=16, points=400)
        half = np.searchsorted(trace.times, horizon // 2)
        regret = trace["copeland_regret"].mean(axis=1)
        first[policy.name], second[policy.name] = regret[half], regret[-1] - regret[half]
    assert second["RUCB"] > 0.9 * first["RUCB"]
    assert second["CCB"] < 0.2 * first["CCB"]
    assert second["CCB"] < 0.05 * second["RUCB"]


def test_double_thompson_finds_winners_of_copelands_rule():
    """Without a Condorcet winner; two actions share the largest score."""
    costs = duel_costs(CYCLE)
    assert list(costs) == ["copeland_regret"]
    trace = play_duels(CYCLE, double_thompson(), horizon=20_000, rng=stream(0, "Copeland"), replicates=16)
    assert trace["copeland_regret"][-1].mean() < 0.05 * 20_000 * costs["copeland_regret"].mean()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_replicate_does_not_depend_on_those_beside_it(policy):
    def run(replicates, workers=None):
        return play_duels(GAME, policy, horizon=N, rng=stream(0), replicates=replicates, workers=workers)

    many, few = run(LANES + 7), run(LANES + 1)
    with Workers(2) as pool:
        shared = run(LANES + 7, pool)
    for label in many.values:
        assert many[label][:, : LANES + 1].tobytes() == few[label].tobytes()
        assert many[label].tobytes() == shared[label].tobytes()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_beginnings_do_not_depend_on_the_horizon(policy):
    short, long = (play_duels(GAME, policy, horizon=n, rng=stream(0), points=10**5) for n in (200, N))
    common = np.intersect1d(short.times, long.times)
    assert common.size > 100
    rows = [trace["regret"][np.isin(trace.times, common)] for trace in (short, long)]
    np.testing.assert_array_equal(*rows)


def test_sparring_of_one_policy_treats_both_alike():
    game = random_game(stream(0, "sparring"), 5)
    twins, pair = (
        play_duels(game, policy, horizon=500, rng=stream(0, "twins"), replicates=4)
        for policy in (sparring(exp3(0.1)), sparring(exp3(0.1), exp3(0.1)))
    )
    assert twins["copeland_regret"].tobytes() == pair["copeland_regret"].tobytes()
    # Two memories of different sizes, one with normal numbers.
    mixed = play_duels(GAME, sparring(thompson_gaussian(), exp3()), horizon=3000, rng=stream(0), replicates=32)
    assert 0 < mixed["regret"][-1].mean() < 0.5 * 3000 * duel_costs(GAME)["regret"].mean()


def test_two_actions_are_enough():
    game = PreferenceGame([[0.5, 0.2], [0.8, 0.5]])
    for policy in POLICIES:
        trace = play_duels(game, policy, horizon=2000, rng=stream(0, policy.name), replicates=8)
        assert trace["regret"][-1].mean() < 0.5 * 2000 * 0.15


OWN = own_policy(
    "own",
    start=lambda memory, arms: None,
    choose=lambda t, memory, uniforms: 0,
    observe=lambda t, memory, arm, reward: None,
    memory=lambda arms: 1,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rucb(0.0), "alpha is 0.0; it must be finite and > 0"),
        (lambda: ccb(math.nan), "alpha is nan; it must be finite and > 0"),
        (lambda: double_thompson(-1.0), "alpha is -1.0; it must be finite and > 0"),
        (lambda: rmed(-0.1), "c is -0.1; it must be finite and >= 0"),
        (
            lambda: play_duels(PreferenceGame([[0.5]]), rucb(), horizon=5, rng=stream(0)),
            "the game has 1 action; a duel",
        ),
        (lambda: play_duels(GAME, rucb(), horizon=0, rng=stream(0)), "horizon is 0; it must be >= 1"),
        (lambda: play_duels(GAME, rucb(), horizon=5, replicates=0, rng=stream(0)), "replicates is 0"),
        (lambda: sparring(OWN), "own keeps its memory by replicates; only policies that keep it by arms can spar"),
        (lambda: sparring(exp3(), OWN), "own keeps its memory by replicates"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
