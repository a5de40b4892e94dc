"""Both sides of the lemmas behind LOOP, by loops; plans by linear programs, sums over functions by enumeration."""

import math
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.optimize import linprog

from rltheory import verify
from rltheory.instances import hidden_action, random_ergodic_mdp, river_swim
from rltheory.simulation import stream
from rltheory.theorems.average_reward import he2024average_lemmas
from rltheory.theorems.average_reward.he2024average import Setting
from rltheory.theorems.average_reward.he2024average_lemmas import ErrorSequence, Planning, Vectors
from rltheory.theory import Theorem
from tests.draws import drawn
from tests.exact_mdps import state_choices
from tests.restatements.plain_mdps import average_optimum

ABSOLUTE = 1e-9
ERGODIC = random_ergodic_mdp(stream(0, "restatement"), 3, 2)
SETTINGS = {
    Planning: [Planning(river_swim(3), 1.5), Planning(ERGODIC, 0.2), Planning(hidden_action(2, advantage=0.3), 1.0)],
    Setting: [Setting(river_swim(3), 2.2, 200), Setting(ERGODIC, 1.0, 50, delta=0.1)],
    ErrorSequence: [
        ErrorSequence(3, 50, 2.0, 0.7),
        ErrorSequence(4, 3),
        ErrorSequence(2, 80, 1.0, 1.0, elsewhere=0.4, shuffled=True),
    ],
    Vectors: [Vectors(2, 30, 0.5, 2.0), Vectors(3, 40, 4.0, 0.5, correlated=True)],
}
THEOREMS = {theorem.name: theorem for theorem in vars(he2024average_lemmas).values() if isinstance(theorem, Theorem)}


def best_gain(mdp, rewards, laws, span):
    """Largest J with V + J <= r + p V for some policy and some V in [0, H]^S."""
    gains = []
    for made in map(list, product(*state_choices(mdp))):
        rows = np.hstack([np.eye(mdp.states) - laws[made], np.ones((mdp.states, 1))])
        bounds = [(0, span)] * mdp.states + [(None, None)]
        gains.append(-linprog(-np.eye(mdp.states + 1)[-1], rows, rewards[made], bounds=bounds).fun)
    return max(gains)


def data(s, rng):
    """Laws and visits, drawn as the package draws them."""
    visits, laws = rng.geometric(0.05, s.mdp.choices) - 1, []
    for n, law in zip(visits, np.asarray(s.mdp.transition_matrix), strict=True):
        seen = rng.multinomial(n, law / law.sum())
        laws.append(seen / n if n else np.full(s.mdp.states, 1 / s.mdp.states))
    return np.array(laws), visits


def optimistic_gain(s, laws, visits, scale=1.0):
    bonus = np.array([scale * s.span / math.sqrt(n) if n else s.span + 1 for n in visits])
    return best_gain(s.mdp, s.mdp.rewards + bonus, laws, s.span), bonus


def planner(s, trace, rng):
    for gains in trace["gains"]:
        exact, _ = optimistic_gain(s, *data(s, rng))
        # HiGHS is good to 1e-7; bisection proves its bounds.
        assert gains[0] == pytest.approx(exact, abs=1e-7)
        assert gains[1] - 1e-7 <= exact <= gains[2] + 1e-7
        assert gains[2] - gains[1] <= 1e-4
    iterated, low, high = trace["gains"].T
    return abs(iterated - (low + high) / 2), 1e-9 + (high - low) / 2


def bonus(s, trace, rng):
    laws, visits = data(s, rng)
    found = [optimistic_gain(s, laws, visits, scale) for scale in 0.1 * np.arange(1, 13)]
    rise = np.array([(later[1] - earlier[1]).max() for earlier, later in pairwise(found)])
    gains = np.array([gain for gain, _ in found])
    return abs(np.diff(gains) - rise / 2), rise / 2


def box(s, trace, rng):
    _, bias = average_optimum(s.mdp)
    farthest = np.zeros(s.horizon)
    for law in np.asarray(s.mdp.transition_matrix):
        seen = bias[rng.choice(s.mdp.states, size=s.horizon, p=law / law.sum())]
        for n in range(1, s.horizon + 1):
            farthest[n - 1 :] = np.maximum(farthest[n - 1 :], math.sqrt(n) * (law @ bias - seen[:n].mean()))
    radius = s.span * math.sqrt(math.log(s.mdp.choices * s.horizon / s.delta) / 2)
    return farthest[trace.times - 1], np.full(trace.times.size, radius)


def joint(s, trace, rng):
    """The walk is made again step by step; the largest sum is that of a vertex."""
    c, states, times = s.mdp.choices, s.mdp.states, trace.times.tolist()
    functions = np.array(list(product([0, s.span], repeat=states)))
    rows = joint_walk(s, rng, times)
    farthest, record = 0.0, []
    for time in times:
        total = np.zeros(len(functions))
        for choice, law in enumerate(np.asarray(s.mdp.transition_matrix)):
            ends = [row[2] for row in rows[:time] if row[1] == choice]
            if ends:
                mean = np.bincount(ends, minlength=states) / len(ends)
                total += len(ends) * ((mean - law) @ functions.T) ** 2
        farthest = max(farthest, total.max())
        record.append(math.sqrt(farthest))
    square = c / 2 * math.log(1 + s.horizon / c) + (states - 1) * math.log(2) + math.log(1 / s.delta)
    return np.array(record), np.full(len(times), s.span * math.sqrt(square))


def joint_walk(s, rng, times):
    """Steps of random policies, each of which ends at a recorded time at the latest."""
    state, rows = int(rng.choice(s.mdp.states, p=s.mdp.initial)), []
    visits = np.zeros(s.mdp.choices, int)
    for time in times:
        while len(rows) < time:
            policy = rng.integers(s.mdp.first_choice[:-1], s.mdp.first_choice[1:])
            before = visits.copy()
            while len(rows) < time and visits[policy[state]] - before[policy[state]] < max(before[policy[state]], 1):
                following = drawn(s.mdp, policy[state], rng)
                visits[policy[state]] += 1
                rows.append((state, policy[state], following))
                state = following
    return rows


def errors(s, rng):
    """Sums of |E|, of E^2 and of W, and the largest W, after each function."""
    made = rng.integers(s.choices, size=s.horizon) if s.shuffled else [t % s.choices for t in range(s.horizon)]
    functions = s.elsewhere * rng.uniform(-1, 1, (s.horizon, s.choices))
    sums, rows, history = np.zeros(3), [], []
    largest = 0.0
    for choice, function in zip(made, functions, strict=True):
        n = history.count(choice)
        function[choice] = s.largest / max(n, 1) ** s.decay
        past = sum(function[other] ** 2 for other in history)
        largest = max(largest, past)
        sums = sums + np.array([function[choice], function[choice] ** 2, past])
        rows.append([*sums, largest])
        history.append(choice)
    return np.array(rows)


def coefficient(s, t):
    return np.array([s.choices * (1 + math.log(max(time / s.choices, 1))) for time in t])


def dominance(s, trace, rng):
    own, _, past, _ = errors(s, rng)[trace.times - 1].T
    return own, s.choices * s.largest + np.sqrt(coefficient(s, trace.times) * past)


def transferability(s, trace, rng):
    _, squares, _, largest = errors(s, rng)[trace.times - 1].T
    return squares, s.choices * s.largest**2 + coefficient(s, trace.times) * largest


def potential(s, trace, rng):
    rows = [s.length * np.eye(s.dimension)[t % s.dimension] for t in range(s.horizon)]
    if s.correlated:
        rows = rng.standard_normal((s.horizon, s.dimension)) * [0.3**axis for axis in range(s.dimension)]
        rows = [s.length * row / math.sqrt((row**2).sum()) for row in rows]
    matrix, sums = s.regularisation * np.eye(s.dimension), [0.0]
    for row in rows:
        sums.append(sums[-1] + min(1, row @ np.linalg.inv(matrix) @ row))
        matrix = matrix + np.outer(row, row)
    ratio = trace.times * s.length**2 / (s.dimension * s.regularisation)
    return np.array(sums)[trace.times], 2 * s.dimension * np.log(1 + ratio)


RESTATED = {
    "average-reward/planner": planner,
    "average-reward/bonus": bonus,
    "average-reward/box-confidence": box,
    "average-reward/joint-confidence": joint,
    "eluder/dominance": dominance,
    "eluder/transferability": transferability,
    "eluder/elliptical-potential": potential,
}
# Gains of linear programs are good to 1e-7.
ABSOLUTES = {"average-reward/bonus": 1e-6}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name):
    theorem = THEOREMS[name]
    for place, s in enumerate(SETTINGS[theorem.setting_type]):
        assert theorem.failed_hypothesis(s) is None
        trace = theorem.run(s, np.random.default_rng(place))
        measured, bound = RESTATED[name](s, trace, np.random.default_rng(place))
        atol = ABSOLUTES.get(name, ABSOLUTE)
        np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-9, atol=atol)
        np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9, atol=ABSOLUTE)


def last_ratio(name, s):
    theorem = THEOREMS[name]
    trace = theorem.run(s, np.random.default_rng(0))
    return float(theorem.measured(s, trace)[-1] / theorem.bound(s, trace)[-1])


def test_constants_of_recurrence_are_almost_reached():
    """At the last function, not on the first visits, where both bounds are equalities."""
    assert last_ratio("eluder/transferability", ErrorSequence(12, 100_000)) == pytest.approx(0.96, abs=0.005)
    assert 0.82 < last_ratio("eluder/dominance", ErrorSequence(4, 40)) < 0.9
    assert last_ratio("eluder/dominance", ErrorSequence(3, 30_000, decay=1.0)) > 0.97


def test_joint_confidence_is_finer_than_a_cover():
    """The radius of the paper's kind, from a cover by points at distance H / (2 sqrt T), is used to a tenth."""
    verdicts = verify(THEOREMS["average-reward/joint-confidence"])
    for s, verdict in zip(SETTINGS[Setting], verdicts, strict=False):
        assert verdict.tightness > 0.25
        c, points = s.mdp.choices, math.ceil(math.sqrt(s.horizon)) ** s.mdp.states
        cover = s.span * (math.sqrt(c / 2 * math.log1p(s.horizon / c) + math.log(points / s.delta)) + 1)
        assert he2024average_lemmas.joint_radius(s) < 0.8 * cover


def test_the_ellipsoid_promises_less_than_the_box():
    """J of residuals e with sum n e^2 <= beta is below J of |e| <= sqrt(beta / n), for random ones."""
    rng, s = stream(0, "ellipsoid"), Planning(ERGODIC, 0.5)
    laws, visits = data(s, rng)
    visits = np.maximum(visits, 1)
    box_gain = best_gain(s.mdp, s.mdp.rewards + s.span / np.sqrt(visits), laws, s.span)
    for _ in range(20):
        direction = rng.standard_normal(s.mdp.choices)
        inside = s.span * direction / np.linalg.norm(direction) / np.sqrt(visits)
        assert best_gain(s.mdp, s.mdp.rewards + inside, laws, s.span) <= box_gain + 1e-7


@pytest.mark.parametrize(
    ("value", "change", "message"),
    [
        (SETTINGS[Planning][0], {"span": -1.0}, "span is -1.0"),
        (ErrorSequence(2, 5), {"choices": 0}, "choices is 0"),
        (ErrorSequence(2, 5), {"horizon": 0}, "horizon is 0"),
        (ErrorSequence(2, 5), {"largest": 0.0}, "largest is 0.0"),
        (ErrorSequence(2, 5), {"decay": -0.1}, "decay is -0.1"),
        (ErrorSequence(2, 5), {"elsewhere": 1.5}, "elsewhere is 1.5; it must be at most largest, 1.0"),
        (Vectors(2, 5), {"dimension": 0}, "dimension is 0"),
        (Vectors(2, 5), {"horizon": 0}, "horizon is 0"),
        (Vectors(2, 5), {"regularisation": 0.0}, "regularisation is 0.0"),
        (Vectors(2, 5), {"length": -1.0}, "length is -1.0"),
    ],
)
def test_bad_settings(value, change, message):
    with pytest.raises(ValueError, match=message):
        replace(value, **change)
