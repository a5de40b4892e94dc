"""Both sides of the theorems on GORP and exploration, by lists of outcomes and plain loops."""

import itertools
import math
from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import alternating_depths, lucky_arms, river_swim
from rltheory.instances.effective_horizon import from_table
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.effective_horizon import laidlaw2023, laidlaw2023_exploration
from rltheory.theorems.effective_horizon.laidlaw2023 import Doors, Planning, disguise
from rltheory.theorems.effective_horizon.laidlaw2023_exploration import Exploration
from rltheory.theory import Status, Theorem

LUCKY = "gorp/published-formula"  # runs of some tenths of a second
ABSOLUTE = 1e-7  # scales are some hundred; probabilities that tell them are good to nine digits

SMALL = from_table([[1, 2], [0, 2], [2, 0]], [[0, 1], [2, 0], [0, 2]], 3, "small")
COSTS = from_table([[1, 2], [0, 2], [2, 1]], [[-1, 0], [2, -1], [0, 1]], 3, "costs")
LOTTERY = from_table([[2, 1], [2, 2], [2, 2]], [[3, 0], [0, 2], [0, 0]], 2, "lottery against a sure gain")
UNSOLVED = Planning.of(alternating_depths(), 2)
UNEVEN = FiniteHorizonMDP.stationary(
    TabularMDP.from_rows([0, 3, 5, 6], np.eye(3)[[1, 2, 0, 0, 2, 1]], [1, 0, 0, 0, 3, 1], initial=[1, 0, 0]), 3
)
THEOREMS = {
    theorem.name: theorem
    for module in (laidlaw2023, laidlaw2023_exploration)
    for theorem in vars(module).values()
    if isinstance(theorem, Theorem)
}


class Plain:
    """A stationary deterministic process, as lists."""

    def __init__(self, problem):
        mdp = problem.stages[0]
        matrix = mdp.transition_matrix
        self.leads = np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray()).argmax(axis=1)
        self.pays, self.horizon = mdp.rewards, problem.horizon
        self.choices = [list(range(a, b)) for a, b in zip(mdp.first_choice, mdp.first_choice[1:], strict=False)]
        self.start = int(problem.initial.argmax())
        self.actions = max(map(len, self.choices))

    def episodes(self, state, length):
        """All sequences of choices with their probability under random play."""
        if length == 0:
            return [((), 1.0)]
        here = self.choices[state]
        return [((c, *rest), p / len(here)) for c in here for rest, p in self.episodes(self.leads[c], length - 1)]

    def earned(self, episode):
        return sum(self.pays[c] for c in episode)

    def arms(self, state, left, depth):
        """First sequences of choices, and the possible returns with their probabilities."""
        found = {}
        for episode, p in self.episodes(state, left):
            found.setdefault(episode[:depth], []).append((self.earned(episode), p))
        scaled = {}
        for first, outcomes in found.items():
            total = sum(p for _, p in outcomes)
            scaled[first] = [(x, p / total) for x, p in outcomes]
        return scaled

    def optimum(self, state, left):
        return max(self.earned(episode) for episode, _ in self.episodes(state, left))

    def right(self, state, left):
        best = self.optimum(state, left)
        return {c for c in self.choices[state] if self.pays[c] + self.optimum(self.leads[c], left - 1) == best}


def mean(outcomes):
    return sum(x * p for x, p in outcomes)


def crossroads(s):
    """Stages left, state, arms, first choices that look better than all wrong ones, gap."""
    plain, here = Plain(s.problem), None
    here = {plain.start}
    for left in range(plain.horizon, 0, -1):
        after = set()
        for state in here:
            arms, right = plain.arms(state, left, s.depth), plain.right(state, left)
            limit = max((mean(law) for first, law in arms.items() if first[0] not in right), default=-math.inf)
            good = {first[0] for first, law in arms.items() if mean(law) > limit}
            after |= {plain.leads[c] for c in good}
            if limit > -math.inf:
                yield left, state, arms, good, max(map(mean, arms.values())) - limit
        here = after


def values_scale(s):
    plain = Plain(s.problem)
    return max(
        8 * max(map(mean, arms.values())) * plain.optimum(state, left) / gap**2
        for left, state, arms, _, gap in crossroads(s)
    )


def ranges_scale(s):
    scales = []
    for _, _, arms, good, gap in crossroads(s):
        top = max(map(mean, arms.values()))
        spreads, bad = [], []
        for first, law in arms.items():
            q, w, o = mean(law), min(x for x, _ in law), max(x for x, _ in law)
            if abs(q - top) < 1e-9:
                spreads.append((q - w) * (o - w))
            if first[0] not in good:
                bad.append((q - w) * (o - q) + (o - q) * gap / 6)
        scales.append(8 * max(min(spreads), *bad) / gap**2)
    return max(scales)


def failure(s, m):
    """Laws of sums by going through all draws, and of their first maximum by going through all sums."""
    plain = Plain(s.problem)

    def fails(state, left):
        if left == 0:
            return 0.0
        arms, right = plain.arms(state, left, s.depth), plain.right(state, left)
        sums = []
        for law in arms.values():
            found = Counter({0.0: 1.0})
            for _ in range(m):
                longer = Counter()
                for (total, p), (x, share) in product(found.items(), law):
                    longer[total + x] += p * share
                found = longer
            sums.append(found)
        lost = 0.0
        for i, first in enumerate(arms):
            chance = sum(
                p
                * math.prod(sum(r for y, r in sums[j].items() if y < x) for j in range(i))
                * math.prod(sum(r for y, r in sums[j].items() if y <= x) for j in range(i + 1, len(sums)))
                for x, p in sums[i].items()
            )
            lost += chance * (fails(plain.leads[first[0]], left - 1) if first[0] in right else 1.0)
        return lost

    return fails(plain.start, plain.horizon)


def scales(s, times):
    plain, found = Plain(s.problem), []
    for m in times:
        p = failure(s, int(m)) - 1e-9
        found.append(m / math.log(plain.horizon * plain.actions**s.depth / p) if p > 0 else 0.0)
    return found


def values(s, times):
    return scales(s, times), np.full(times.size, values_scale(s))


def ranges(s, times):
    return scales(s, times), np.full(times.size, ranges_scale(s))


def least_episodes(s, most):
    """Least number of episodes below `most` with success half of the time, if there is one."""
    return next((m for m in range(1, most) if failure(s, m) <= 1 / 2), None)


def steps(s, times):
    return played(s, times, least_episodes(s, 1000), laidlaw2023.plan)


def effective_horizon(s, times):
    """Of all depths, the one at which sequences and episodes are fewest."""
    plain, found = Plain(s.problem), []
    for depth in (*range(1, s.depth + 1), s.horizon):
        deep = replace(s, depth=depth)
        m = least_episodes(deep, plain.actions**s.horizon // plain.actions**depth + 1)
        if m is not None:
            found.append((plain.actions**depth * m, depth, m))
    _, depth, m = min(found)
    return played(replace(s, depth=depth), times, m, laidlaw2023.plan_at_least_cost, of=s)


def played(s, times, m, run, of=None):
    """Steps of GORP with m episodes for each sequence, and their bound."""
    plain = Plain(s.problem)
    # GORP's own path decides how many sequences there are where states differ in their numbers of choices.
    here, episodes, found = plain.start, 0, []
    made = run(of or s, stream(0, "restatement"))["made"][:, 0]
    for stage in times:
        episodes += m * len(plain.arms(here, plain.horizon - stage, s.depth))
        found.append(plain.horizon * episodes)
        here = plain.leads[made[stage]]
    return found, [(stage + 1) * plain.horizon * plain.actions**s.depth * m for stage in times]


def brute_force(s, times):
    plain = Plain(s.problem)
    returns = [plain.earned(episode) for episode, _ in plain.episodes(plain.start, plain.horizon)]
    bad = sum(r < max(returns) for r in returns)
    return [math.comb(bad, n) / math.comb(len(returns), n) for n in times], 1 - times / len(returns)


def window(s):
    """Least number of steps of which the rewards tell what to do, and what a run of such plans earns and plays."""
    plain = Plain(s.problem)

    def sequences(state, left, steps):
        return [episode for episode, _ in plain.episodes(state, min(steps, left))]

    def greedy(state, left, steps):
        tried = sequences(state, left, steps)
        best = max(map(plain.earned, tried))
        return {c for c, *rest in tried if plain.earned([c, *rest]) == best}

    def misled(state, left, steps):
        if left == 0:
            return False
        here = greedy(state, left, steps)
        return not here <= plain.right(state, left) or any(misled(plain.leads[c], left - 1, steps) for c in here)

    return next(steps for steps in itertools.count(1) if not misled(plain.start, plain.horizon, steps)), sequences


def planning_window(s, times):
    plain = Plain(s.problem)
    best = plain.optimum(plain.start, plain.horizon)
    return np.full(times.size, best), np.full(times.size, best)


def window_steps(s, times):
    plain, (width, sequences) = Plain(s.problem), window(s)
    state, rng, total, found = plain.start, stream(0, "restatement"), 0, []
    for stage in times:
        tried = sequences(state, plain.horizon - stage, width)
        total += sum(stage + len(sequence) for sequence in tried)
        found.append(total)
        earned = np.array([plain.earned(sequence) for sequence in tried])
        state = plain.leads[tried[rng.choice(np.flatnonzero(earned == earned.max()))][0]]
    return found, [(stage + 1) * plain.horizon * plain.actions**width for stage in times]


def coverage(s, times):
    plain = Plain(s.problem)
    chances = Counter()
    for episode, p in plain.episodes(plain.start, plain.horizon):
        for c in set(episode):
            chances[c] += p
    bound = math.ceil(math.log(2 * len(chances)) / min(chances.values()))
    rng, unseen, episodes = stream(0, "restatement"), set(chances), 0
    while unseen:
        state, episodes = plain.start, episodes + 1
        for _ in range(plain.horizon):
            c = plain.choices[state][int(rng.random() * len(plain.choices[state]))]
            unseen.discard(c)
            state = plain.leads[c]
    return [episodes], [bound]


def optimism(s, times):
    plain, rng = Plain(s.problem), stream(0, "restatement")
    known, wrong, rows = set(), 0, []
    for _ in times:

        def promised(state, left, known=known):
            return max((worth(c, state, left) for c in plain.choices[state]), default=0.0) if left else 0.0

        def worth(c, state, left, known=known):
            if c in known:
                return plain.pays[c] + promised(plain.leads[c], left - 1)
            return max(plain.pays) + promised(state, left - 1)

        state, chosen = plain.start, []
        for left in range(plain.horizon, 0, -1):
            of = [worth(c, state, left) for c in plain.choices[state]]
            chosen.append(plain.choices[state][rng.choice([i for i, x in enumerate(of) if x >= max(of) - 1e-9])])
            state = plain.leads[chosen[-1]]
            # The model of an episode is that at its beginning.
        known = known | set(chosen)
        wrong += plain.earned(chosen) < plain.optimum(plain.start, plain.horizon)
        rows.append((wrong, len(known)))
    return np.array(rows).T


RESTATED = {
    "gorp/values": (values, [Planning.of(SMALL, 1)]),
    "gorp/ranges": (ranges, [Planning.of(SMALL, 1), Planning.of(COSTS, 1), Planning.of(LOTTERY, 1), disguise()]),
    "gorp/steps": (steps, [Planning.of(SMALL, 1), Planning.of(SMALL, 2)]),
    "gorp/effective-horizon": (effective_horizon, [Planning.of(SMALL, 2), Planning.of(COSTS, 1), UNSOLVED]),
    "exploration/brute-force": (brute_force, [Exploration(SMALL.stages[0], 3), Exploration(UNEVEN.stages[0], 3)]),
    "exploration/window": (planning_window, [Exploration(SMALL.stages[0], 3), Exploration(UNEVEN.stages[0], 3)]),
    "exploration/window-steps": (window_steps, [Exploration(SMALL.stages[0], 3), Exploration(UNEVEN.stages[0], 3)]),
    "exploration/coverage": (coverage, [Exploration(SMALL.stages[0], 3), Exploration(UNEVEN.stages[0], 3)]),
    "exploration/optimism": (optimism, [Exploration(SMALL.stages[0], 3), Exploration(UNEVEN.stages[0], 3)]),
}
APART = {"gorp/depths", "gorp/published-formula", "gorp/gap-rate"}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() | APART


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s, monkeypatch):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    # All draws are gone through: few episodes only.
    monkeypatch.setattr(Planning, "sweep", property(lambda s: np.array([1, 2, 4])))
    trace = theorem.run(s, stream(0, "restatement"))
    measured, bound = RESTATED[name][0](s, trace.times)
    for side, restated in ((theorem.measured, measured), (theorem.bound, bound)):
        np.testing.assert_allclose(side(s, trace), restated, rtol=1e-7, atol=ABSOLUTE)


def test_sweeps_go_from_one_episode_beyond_the_certified_ones():
    for s in laidlaw2023.grid_with_costs():
        assert s.sweep[0] == 1
        assert s.sweep[-1] >= 1.4 * s.certified(max(s.scale_by_ranges, s.scale_by_values)) or s.sweep.size == 1
        assert s.certified(s.scale_by_ranges) == max(1, math.ceil(s.scale_by_ranges * math.log(2 * s.events)))


def test_witness_of_depths():
    """Worst of the greedy plans, by going through all of them."""
    plain = Plain(alternating_depths())

    def worst(state, left, depth):
        if left == 0:
            return 0.0
        arms = plain.arms(state, left, depth)
        top = max(map(mean, arms.values()))
        return min(
            plain.pays[f[0]] + worst(plain.leads[f[0]], left - 1, depth)
            for f, law in arms.items()
            if mean(law) > top - 1e-9
        )

    best = plain.optimum(0, 5)
    assert [worst(0, 5, depth) == best for depth in range(1, 6)] == [True, False, True, False, True]


def test_witness_against_the_published_formula():
    """The chance of success from the two kinds of arms, in closed form but for the laws of their sums."""
    s = Planning.of(lucky_arms(36, 240), 1)
    trace = laidlaw2023.LUCKY.run(s, stream(0, "restatement"))
    assert s.published < s.certified(s.scale_by_ranges)
    for place, m in enumerate((s.published, s.certified(s.scale_by_ranges))):
        assert trace["failure"][place] == pytest.approx(failure_of_lucky_arms(36, 240, m), abs=1e-7)
    np.testing.assert_array_equal(trace["failure"] > 1 / 2, [True, False])


def failure_of_lucky_arms(horizon, actions, m):
    from scipy.signal import fftconvolve

    success, law = 1.0, np.zeros(2 * horizon + 1)
    law[0] = 1.0  # of the return of random play from the next state of the chain
    for t in range(horizon - 1, -1, -1):
        prize = 2 * (horizon - t) - 1 if t <= horizon - 3 else 0
        good = np.concatenate([[0, 0], law[:-2]])
        bad = np.zeros(2 * horizon + 1)
        bad[prize] += 1 / actions**2
        bad[0] += 1 - 1 / actions**2
        sums = []
        for arm in (good, bad):
            total, power, left = np.ones(1), arm, m
            while left:
                total = fftconvolve(total, power) if left % 2 else total
                power, left = fftconvolve(power, power), left // 2
            sums.append(np.maximum(total, 0))
        success *= sums[0] @ np.cumsum(sums[1]).clip(0, 1) ** (actions - 1)
        law = (good + (actions - 1) * bad) / actions
    return 1 - success


def test_gaps_that_episodes_resolve():
    """The sums of the eighth door and of the seven before, as convolutions; GORP takes the first of equal ones."""
    s = Doors(12)
    trace = laidlaw2023.GAP_RATE.run(s, stream(0, "restatement"))
    needed = []
    for lots in (8, 10, 12):
        last, other = np.array([lots / 2, lots / 2 - 1, 1]) / lots, np.array([0.5, 0.5])
        sums, success, m = [np.ones(1), np.ones(1)], 0.0, 0
        while success < 1 / 2:
            m += 1
            sums = [np.convolve(total, law) for total, law in zip(sums, (last, other), strict=True)]
            below = np.concatenate([[0], np.cumsum(sums[1]), np.ones(m - 1)])
            success = sums[0] @ below**7
        needed.append(m)
    np.testing.assert_array_equal(trace.times, needed)
    np.testing.assert_allclose(laidlaw2023.GAP_RATE.measured(s, trace), 1 / np.array([8, 10, 12]))
    scales = [2 * (1 / 2 + 1 / lots) * math.log(4 * lots) for lots in (8, 10, 12)]
    np.testing.assert_allclose(laidlaw2023.GAP_RATE.bound(s, trace), np.sqrt(np.array(scales) / needed))


def test_windows_of_rewards():
    for s in (Exploration(SMALL.stages[0], 3), Exploration(UNEVEN.stages[0], 3), *laidlaw2023_exploration.processes()):
        assert s.window == window(s)[0]


def test_an_optimal_choice_that_looks_poor_can_be_tried():
    """GORP takes the disguised way with probability 1/9 at first, and goes wrong there with probability 2/3."""
    s = disguise()
    assert s.failure(1) == pytest.approx(2 / 27, abs=1e-9)
    assert s.scale_by_ranges == pytest.approx(8 * ((5 / 9) * (13 / 9) + (13 / 9) / 6))


@pytest.mark.parametrize("name", sorted({name for name, theorem in THEOREMS.items() if theorem.strategy}))
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn = verify(theorem, settings=examples(theorem.strategy(), 3 if name == LUCKY else 30, seed=1))
    assert {verdict.status for verdict in drawn} <= {Status.HOLDS, Status.NOT_APPLICABLE}
    assert sum(verdict.status is Status.HOLDS for verdict in drawn) > len(drawn) / 3


def test_every_theorem_with_known_constants_can_be_searched():
    assert {name for name, theorem in THEOREMS.items() if not theorem.strategy} == {"gorp/gap-rate"}


def test_what_is_no_setting():
    assert THEOREMS["gorp/values"].failed_hypothesis(Planning.of(COSTS, 1)) == "$r \\ge 0$"
    assert "looks better" in THEOREMS["gorp/values"].failed_hypothesis(Planning.of(alternating_depths(), 2))
    one = Planning(np.array([[0]]), np.array([[1]]), 2, 1)
    assert "two actions" in THEOREMS["gorp/values"].failed_hypothesis(one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Planning.of(SMALL, 0), "depth is 0; it must be >= 1"),
        (lambda: Planning(np.array([[0, 1]]), np.array([[0, 0]]), 2, 1), r"successors\[0, 1\] is 1"),
        (lambda: Planning(np.array([[0]]), np.array([[0.5]]), 2, 1), "rewards has type float64; it must hold integers"),
        (lambda: Planning(np.array([[0]]), np.array([[0]]), 0, 1), "horizon is 0; it must be >= 1"),
        (lambda: Planning.of(UNEVEN, 1), "A actions in each state"),
        (lambda: Doors(7), "most is 7; it must be >= 8"),
        (lambda: Exploration(TabularMDP(np.eye(2)[:, None], [[0], [0]]), 2), "it must start in one"),
        (lambda: Exploration(river_swim(3), 2), "choice 1 of .* may lead to 2 states"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
