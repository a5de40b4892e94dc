"""Both sides of the theorems on demonstrations, from counts, policies and learners that are written down plainly."""

import math
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import diabolical_lock, river_swim
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.episodes import tiapkin2024
from rltheory.theorems.episodes.tiapkin2024 import Cloning, Imitation, Learning, Penalised, Sampling, arms
from rltheory.theory import Scope, Status, Theorem
from tests.restatements import plain_episodes
from tests.restatements.plain_episodes import soft_values

THEOREMS = {theorem.name: theorem for theorem in vars(tiapkin2024).values() if isinstance(theorem, Theorem)}
RNG = np.random.default_rng(0)
RIVER = FiniteHorizonMDP.stationary(river_swim(3), 3)
LOCK = diabolical_lock(np.random.default_rng(1), 2, 3)
UNEVEN = np.concatenate([RNG.dirichlet(np.ones(3)) for _ in range(3)])
PLAN = np.array([0, 0, 1.0, 1, 0, 0, 0, 1, 0])
EXPERTS = [Cloning(LOCK, UNEVEN, 25), Cloning(RIVER, np.array([0.0, 1.0] * 3), 20)]
PLANS = [Cloning(LOCK, PLAN, 25), EXPERTS[1]]
PENALTIES = [Penalised(LOCK, UNEVEN, PLAN, 0.3), Penalised(RIVER, [0.2, 0.8] * 3, [0.5, 0.5] * 3, 2.0)]
SAMPLES = [Sampling(RIVER, [0.2, 0.8] * 3, 0.5, 40), Sampling(LOCK, UNEVEN, 0.3, 8, 0.2)]
LEARNERS = [Learning(RIVER, [0.2, 0.8] * 3, 0.5, 150, 0.1), Learning(LOCK, UNEVEN, 0.2, 100, bonus=1.5)]
IMITATIONS = [Imitation(RIVER, [0, 1.0] * 3, 200, 2.0, 200), Imitation(arms(0.9, 0.1), [1.0, 0.0], 3, 0.3, 20)]


def laws(problem):
    return np.array([mdp.as_sparse().transition_matrix.toarray() for mdp in problem.stages])


def rewards(problem):
    return np.array([mdp.rewards for mdp in problem.stages])


def tiled(problem, policy):
    return np.broadcast_to(policy, (problem.horizon, problem.choices))


def owner(problem):
    sizes = np.diff(problem.stages[0].first_choice)
    return np.repeat(np.arange(sizes.size), sizes)


def reached(problem, policy):
    """Probabilities of the states of the choices, (H, C)."""
    state, found = problem.initial, []
    for h, law in enumerate(laws(problem)):
        found.append(state[owner(problem)])
        state = (found[-1] * policy[h]) @ law
    return np.array(found)


def earned(problem, policy):
    return (reached(problem, policy) * policy * rewards(problem)).sum()


def divergence(problem, policy, other):
    seen = policy > 0
    terms = np.zeros(policy.shape)
    terms[seen] = (policy * np.log(np.where(seen, policy, 1) / other))[seen]
    return (reached(problem, policy) * terms).sum()


def optimum(problem, reference, temperature, believed=None):
    """Action values and policy with the penalty."""
    believed, v = laws(problem) if believed is None else believed, np.zeros(problem.states)
    q, policy = np.empty((problem.horizon, problem.choices)), np.empty((problem.horizon, problem.choices))
    for h in reversed(range(problem.horizon)):
        q[h] = rewards(problem)[h] + believed[h] @ v
        v, policy[h] = soft_values(problem.stages[0], reference[h], q[h], temperature)
    return q, policy


def lacking(problem, policy, reference, temperature):
    """By subtraction of penalised values."""
    _, best = optimum(problem, reference, temperature)
    top, own = (earned(problem, made) - temperature * divergence(problem, made, reference) for made in (best, policy))
    return top - own


# Cloning.


def mean_over(number, chance, f):
    return sum(math.comb(number, k) * chance**k * (1 - chance) ** (number - k) * f(k) for k in range(number + 1))


def expected(s, trace):
    """Divergence and variation: first over the visits of a state, then over those of a choice among them."""
    weights, sizes = reached(s.problem, s.expert), np.bincount(owner(s.problem))[owner(s.problem)]
    found = []
    for number in trace.times:
        total = np.zeros(2)
        for (h, c), p in np.ndenumerate(s.expert):
            q, size = min(weights[h, c], 1.0), sizes[c]
            if q * p > 0:
                log = mean_over(
                    number,
                    q,
                    lambda n, p=p, size=size: mean_over(n, p, lambda k, n=n: math.log(p * (n + size) / (k + 1))),
                )
                missed = mean_over(number, q, lambda n, size=size: (size - 1) / (n + size))
                total += q * p * np.array([log, missed])
        found.append(total)
    return np.array(found).T


def bound_of_cloning(s, trace):
    return s.problem.horizon * (s.problem.choices - s.problem.states) / (trace.times + 1)


def demonstrated(problem, expert, number, rng):
    """Counts of an expert that plays by the plain simulator."""

    def unmoved():
        while True:
            yield expert

    if number == 0:
        return np.zeros((problem.horizon, problem.choices))
    _, visits = plain_episodes.play(problem, unmoved(), number, rng)
    return visits[-1]


def clone_of(problem, counts):
    weights = counts + 1
    first = problem.stages[0].first_choice[:-1]
    return weights / np.add.reduceat(weights, first, axis=1)[:, owner(problem)]


def value_of_clone(s, trace):
    rng, sides = stream(0, "restatement"), []
    for number in trace.times:
        clone = clone_of(s.problem, demonstrated(s.problem, s.expert, int(number), rng))
        apart = abs(earned(s.problem, s.expert) - earned(s.problem, clone))
        sides.append((apart, s.problem.horizon * math.sqrt(divergence(s.problem, s.expert, clone) / 2)))
    return np.array(sides).T


# Penalties.


@cache
def perturbed(s):
    """Policies with errors, and the errors, on the stream that `test_both_sides` uses."""
    rng, found = stream(0, "restatement"), []
    q, best = optimum(s.problem, s.reference, s.temperature)
    for k in range(12):
        above, below = s.problem.horizon * 2.0**-k * rng.integers(0, 2, (2, *q.shape))
        rows = zip(s.reference, q + above, strict=True)
        policy = np.array([soft_values(s.problem.stages[0], mu, row, s.temperature)[1] for mu, row in rows])
        found.append((policy, above, below))
    return best, found


def mean_square(s, policy, of_choices, least):
    first = s.problem.stages[0].first_choice[:-1]
    top = np.maximum.reduceat(of_choices, first, axis=1)
    width = top - np.minimum.reduceat(of_choices, first, axis=1) if least else top
    seen = np.add.reduceat(reached(s.problem, policy) * policy, first, axis=1)
    return (seen * width**2).sum() / (8 * s.temperature)


def reduction(s, trace):
    left, right = [], []
    for policy, _, _ in perturbed(s)[1]:
        behind = earned(s.problem, s.expert) - earned(s.problem, policy)
        left.append(behind + s.temperature * divergence(s.problem, policy, s.reference))
        penalty = s.temperature * divergence(s.problem, s.expert, s.reference)
        right.append(penalty + lacking(s.problem, policy, s.reference, s.temperature))
    return np.array(left), np.array(right)


def from_best(s):
    best, rows = perturbed(s)
    return np.array([s.temperature * divergence(s.problem, policy, best) for policy, _, _ in rows])


def optimality(s, trace):
    rows = perturbed(s)[1]
    left = [lacking(s.problem, policy, s.reference, s.temperature) for policy, _, _ in rows]
    return np.array(left), from_best(s)


def fast_rate(s, trace):
    right = [mean_square(s, policy, above, least=True) for policy, above, _ in perturbed(s)[1]]
    return from_best(s), np.array(right)


def envelopes(s, trace):
    right = [mean_square(s, policy, above + below, least=False) for policy, above, below in perturbed(s)[1]]
    return from_best(s), np.array(right)


# Learners.


def plug_in(s, trace):
    rng = stream(0, "restatement")
    n = np.array([2**k for k in range(20) if 2**k <= s.samples])
    believed = np.empty((n.size, *laws(s.problem).shape))
    for h in reversed(range(s.problem.horizon)):
        believed[:, h] = rng.multinomial(n[:, None], laws(s.problem)[h]) / n[:, None, None]
    plans = [optimum(s.problem, s.reference, s.temperature, own)[1] for own in believed]
    left = [lacking(s.problem, plan, s.reference, s.temperature) for plan in plans]
    rows = s.problem.horizon * s.problem.choices * n.size
    log = s.problem.states * math.log(2) + math.log(rows / s.delta)
    squares = sum((s.problem.horizon - h) ** 2 * (s.problem.horizon - h - 1) ** 2 for h in range(s.problem.horizon))
    return np.array(left), log * squares / (16 * s.temperature * n)


def run(problem, reference, temperature, episodes, rng, bonus, delta):
    """Certificates and policies before each episode, and after the last."""
    found = []
    reference = tiled(problem, reference)
    plain = plain_episodes.ucbvi_ent(problem, reference, temperature, episodes, rng, found, bonus, delta)
    plain_episodes.play(problem, plain, episodes, rng)
    certificates, policies = zip(*found, strict=True)
    return np.array(certificates), policies


def learned(s):
    return run(s.problem, s.reference, s.temperature, s.episodes, stream(0, "restatement"), s.bonus, s.delta)


def certificate(s, trace):
    certificates, policies = learned(s)
    lacks = [lacking(s.problem, policies[time], s.reference, s.temperature) for time in trace.times]
    return np.array(lacks) / np.maximum(certificates[trace.times], 1e-6), np.ones(trace.times.size)


def episodes(s, trace):
    later = trace.times[1:]
    numbers = s.problem.horizon**5 * s.problem.states * s.problem.choices
    return learned(s)[0][later], numbers / (s.temperature * later)


def guarantee(s, trace):
    rng, horizon = stream(0, "restatement"), s.problem.horizon
    clone = clone_of(s.problem, demonstrated(s.problem, s.expert, s.trajectories, rng))
    temperature = s.tolerance * (s.trajectories + 1) / (2 * horizon * (s.problem.choices - s.problem.states))
    certificates, policies = run(s.problem, clone, temperature, s.episodes, rng, 1.0, s.delta)
    end = int(np.argmax(certificates <= s.tolerance / 2)) if certificates.min() <= s.tolerance / 2 else -1
    behind = earned(s.problem, s.expert) - earned(s.problem, policies[end])
    left = behind - max(certificates[end] - s.tolerance / 2, 0)
    return np.array([left]), np.array([s.tolerance + 2 * s.delta * horizon * (horizon - 1)])


RESTATED = {
    "cloning/divergence": (lambda s, trace: (expected(s, trace)[0], bound_of_cloning(s, trace)), EXPERTS),
    "cloning/variation": (lambda s, trace: (expected(s, trace)[1], bound_of_cloning(s, trace)), PLANS),
    "cloning/value": (value_of_clone, EXPERTS),
    "demonstrations/reduction": (reduction, PENALTIES),
    "demonstrations/optimality": (optimality, PENALTIES),
    "demonstrations/fast-rate": (fast_rate, PENALTIES),
    "demonstrations/envelopes": (envelopes, PENALTIES),
    "demonstrations/plug-in": (plug_in, SAMPLES),
    "demonstrations/certificate": (certificate, LEARNERS),
    "demonstrations/episodes": (episodes, LEARNERS),
    "demonstrations/guarantee": (guarantee, IMITATIONS),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement"))
    for side, restated in zip((theorem.measured, theorem.bound), RESTATED[name][0](s, trace), strict=True):
        # Values are subtracted here, and certificates are as small as 1e-3.
        np.testing.assert_allclose(np.asarray(side(s, trace))[-len(restated) :], restated, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", [name for name, theorem in THEOREMS.items() if theorem.strategy])
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn = verify(theorem, settings=examples(theorem.strategy(), 10, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


@pytest.mark.parametrize("name", ["demonstrations/episodes", "demonstrations/guarantee"])
def test_what_has_no_strategy_is_long_to_run(name):
    assert THEOREMS[name].strategy is None
    assert THEOREMS[name].scope is (Scope.RATE if name.endswith("episodes") else Scope.BOUND)


@pytest.mark.parametrize(
    ("name", "s", "least"),
    [
        ("cloning/divergence", Cloning(arms(*np.linspace(0, 1, 10)), np.eye(1, 10)[0], 1000), 0.99),
        ("cloning/variation", Cloning(arms(*np.linspace(0, 1, 10)), np.eye(1, 10)[0], 1000), 0.99),
        ("cloning/value", Cloning(arms(1.0, 0.0), [0.5, 0.5], 1000), 0.99),
        ("demonstrations/fast-rate", Penalised(arms(1.0, 1.0), [0.5, 0.5], [1.0, 0.0], 1.0), 0.9999),
        ("demonstrations/envelopes", Penalised(arms(1.0, 1.0), [0.5, 0.5], [1.0, 0.0], 1.0), 0.9999),
    ],
)
def test_constants_are_the_best(name, s, least):
    (verdict,) = verify(THEOREMS[name], settings=[s])
    assert least < verdict.tightness <= 1 + 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(replace, EXPERTS[0], expert=[1.0, 1.0]), r"expert has shape \(2,\)"),
        (partial(replace, EXPERTS[0], trajectories=0), "trajectories is 0"),
        (partial(replace, PENALTIES[0], temperature=0.0), "temperature is 0.0"),
        (partial(replace, PENALTIES[0], reference=np.ones(9)), "reference sums to 3 in state 0"),
        (partial(replace, SAMPLES[0], samples=0), "samples is 0"),
        (partial(replace, SAMPLES[0], delta=1.0), "delta is 1.0"),
        (partial(replace, LEARNERS[0], episodes=0), "episodes is 0"),
        (partial(replace, IMITATIONS[0], tolerance=-1.0), "tolerance is -1.0"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_setting():
    assert "in between" in THEOREMS["cloning/variation"].failed_hypothesis(EXPERTS[0])
    never = replace(PENALTIES[1], reference=[0.0, 1.0] * 3)
    assert "every choice" in THEOREMS["demonstrations/optimality"].failed_hypothesis(never)
    paid = FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[1.5]]), 1)
    assert "lie in $[0, 1]$" in THEOREMS["demonstrations/certificate"].failed_hypothesis(Learning(paid, [1.0], 1.0, 9))
    shrunk = replace(LEARNERS[0], bonus=0.5)
    assert "not shrunk" in THEOREMS["demonstrations/certificate"].failed_hypothesis(shrunk)
