"""Both sides of the theorems on hybrid NORA, from a learner that is written down plainly."""

import math
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import diabolical_lock, random_episodes
from rltheory.measures import finite_horizon_regret
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.episodes import tan2025, tan2025_hybrid
from rltheory.theorems.episodes.tan2025 import arms
from rltheory.theorems.episodes.tan2025_hybrid import HybridLearning, coin, expert_visits
from rltheory.theory import Status, Theorem
from tests.restatements import plain_episodes
from tests.restatements.test_tan2025 import lambert, most_actions, psi, times

THEOREMS = {theorem.name: theorem for theorem in vars(tan2025_hybrid).values() if isinstance(theorem, Theorem)}
PROCESS = random_episodes(np.random.default_rng(0), 3, 2, 3)
LOCK = diabolical_lock(np.random.default_rng(1), 3, 2)
COVERED = [
    HybridLearning(PROCESS, 150, 0.7, 0.1, visits=np.random.default_rng(2).integers(1, 200, (3, PROCESS.choices))),
    HybridLearning(LOCK, 100, 5.0, visits=expert_visits(LOCK, 0.2, 10_000)),
    HybridLearning(arms(np.array([0.3, 0.9, 0.1])), 120, 0.2, 0.2, visits=np.array([[0, 50_000, 50_000]] * 2)),
    HybridLearning(coin(), 40, 1.0, visits=np.full((2, 3), 30)),
]
ALL = [*COVERED, HybridLearning(LOCK, 100, 1.0, visits=np.zeros((3, 6), int))]


def dense_laws(problem):
    return np.array([mdp.as_sparse().transition_matrix.toarray() for mdp in problem.stages])


def run(s, bonus):
    """Policies, visits and critics of a run on the stream that `test_both_sides` uses."""
    rng, critics = stream(0, "restatement"), []
    data = rng.multinomial(s.visits, dense_laws(s.problem))
    plain = plain_episodes.nora(s.problem, s.episodes, bonus, s.eta, s.delta, critics, data)
    return (*plain_episodes.play(s.problem, plain, s.episodes, rng), critics)


def changes(s, visits):
    """How often the critic had changed before each episode."""
    then, counted = visits[0], []
    for online in visits[:-1]:
        known = online + s.visits
        fresh = not counted or bool((known >= np.maximum(1, 2 * (then + s.visits))).any())
        then = online if fresh else then
        counted.append((counted[-1] if counted else -1) + fresh)
    return np.array(counted)


def most_changes(s, t):
    total = np.zeros(t.size)
    for known in s.visits:
        few = (known <= t[:, None]).sum(axis=1)
        total += [n * psi([x / n])[0] if n else 0 for x, n in zip(t, few, strict=True)]
    return total


def switches(s, trace):
    t = times(s, trace)
    return changes(s, run(s, 1.0)[1])[t.astype(int) - 1], most_changes(s, t)


def follows(s, t):
    horizon = s.problem.horizon
    later = horizon * lambert((most_actions(s) - 1) / math.e) / s.eta * (1 + np.log(t))
    return (most_changes(s, t) + 1) * (horizon * (horizon + 1) / 2 + later)


def logarithm(s):
    rows = s.problem.horizon * s.problem.choices
    return s.problem.states * math.log(2) + math.log(rows * s.episodes / s.delta)


def largest(s, stage, weights):
    """Largest mean over plans of weights (C,) of the choice at a stage, by backward induction."""
    mdp, laws = s.problem.stages[0], dense_laws(s.problem)
    v = np.array([part.max() for part in np.split(weights, mdp.first_choice[1:-1])])
    for h in reversed(range(stage)):
        v = np.array([part.max() for part in np.split(laws[h] @ v, mdp.first_choice[1:-1])])
    return s.problem.initial @ v


def optimum(s):
    """Optimal values, and occupancy of an optimal plan."""
    mdp, laws, made, v = s.problem.stages[0], dense_laws(s.problem), [], np.zeros(s.problem.states)
    for h in reversed(range(s.problem.horizon)):
        q = s.problem.stages[h].rewards + laws[h] @ v
        made.insert(0, plain_episodes.best_choices(mdp, q))
        v = q[made[0]]
    reached, d = s.problem.initial, np.zeros(s.visits.shape)
    for h, choices in enumerate(made):
        d[h, choices] = reached
        reached = d[h] @ laws[h]
    return s.problem.initial @ v, d


def stage_errors(s, stage, part, t, factor):
    """What the critic errs at a stage, with bonuses (factor 2) or without (1), for one part of its choices."""
    horizon, log, chance = s.problem.horizon, logarithm(s), math.sqrt(s.episodes * math.log(1 / s.delta) / 2)
    kappa = largest(s, stage, np.where(part, 1 / np.maximum(s.visits[stage], 1), 0))
    k = (~part).sum()
    total = factor * t * math.sqrt(log * kappa / 2) + (factor - 1) * k + 2 * factor * np.sqrt(log * k * t)
    return (horizon - 1 - stage) * (total + factor * chance * (k > 0))


def errors(s, t, factor):
    """Of the parts that hold first what is covered best, that with the smallest errors with bonuses at the end."""
    total = 0.0
    for stage, known in enumerate(s.visits):
        reach = np.array([largest(s, stage, row) for row in np.eye(s.problem.choices)])
        ratio = [0 if r == 0 else math.inf if n == 0 else r / n for r, n in zip(reach, known, strict=True)]
        order = sorted(range(len(ratio)), key=lambda c: ratio[c])
        finite = np.isfinite(ratio)
        parts = [np.isin(np.arange(len(order)), order[:held]) & finite for held in range(len(order) + 1)]
        best = min(parts, key=lambda part: stage_errors(s, stage, part, np.array([s.episodes]), 2)[0])
        total = total + stage_errors(s, stage, best, t, factor)
    return total


def lost(s, trace):
    mdp, (best, d), (_, visits, critics) = s.problem.stages[0], optimum(s), run(s, 0.0)
    value = [s.problem.initial @ f[0][plain_episodes.best_choices(mdp, f[0])] for f in critics]
    t = times(s, trace)
    left = best - np.array(value)[changes(s, visits)[t.astype(int) - 1]]
    return left, np.full(t.size, lost_optimism(s, d))


def lost_optimism(s, d):
    ratios = [
        sum(x / n for x, n in zip(*rows, strict=True) if x > 0) for rows in zip(d[:-1], s.visits[:-1], strict=True)
    ]
    return sum((s.problem.horizon - 1 - h) * math.sqrt(logarithm(s) * x / 2) for h, x in enumerate(ratios))


def regret(s, trace, bonus):
    return finite_horizon_regret(s.problem, run(s, bonus)[0])[times(s, trace).astype(int) - 1]


def regret_with_bonus(s, trace):
    t = times(s, trace)
    return regret(s, trace, 1.0), errors(s, t, 2) + follows(s, t)


def regret_without_bonus(s, trace):
    t = times(s, trace)
    return regret(s, trace, 0.0), t * lost_optimism(s, optimum(s)[1]) + errors(s, t, 1) + follows(s, t)


RESTATED = {
    "hybrid-nora/switches": (switches, ALL),
    "hybrid-nora/regret": (regret_with_bonus, ALL),
    "hybrid-nora/lost-optimism": (lost, COVERED),
    "hybrid-nora/regret-without-bonus": (regret_without_bonus, COVERED),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement"))
    for side, restated in zip((theorem.measured, theorem.bound), RESTATED[name][0](s, trace), strict=True):
        np.testing.assert_allclose(np.asarray(side(s, trace))[-len(restated) :], restated, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", THEOREMS)
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn = verify(theorem, settings=examples(theorem.strategy(), 10, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


@pytest.mark.parametrize("s", [COVERED[0], COVERED[2]], ids=str)
def test_no_other_part_is_better(s):
    """All subsets at each stage: those that take in first what is covered best have the best one among them here."""
    for stage in range(s.problem.horizon):
        subsets = [np.array(subset) for subset in product([False, True], repeat=s.problem.choices)]
        allowed = [part for part in subsets if s.visits[stage][part].all()]
        end = np.array([s.episodes])
        best = min(stage_errors(s, stage, part, end, 2)[0] for part in allowed)
        assert stage_errors(s, stage, s.part[stage], end, 2)[0] == pytest.approx(best, rel=1e-12)


def test_without_data_it_is_the_theorem_on_nora():
    s = replace(COVERED[2], visits=np.zeros((2, 3), int))
    assert not s.part.any()
    theorem = THEOREMS["hybrid-nora/regret"]
    trace = theorem.run(s, stream(0, "restatement"))
    np.testing.assert_allclose(theorem.bound(s, trace)[1:], tan2025.REGRET_OF_NORA.bound(s, trace)[1:], rtol=1e-12)


def test_many_data_leave_a_term_that_falls_with_the_root_of_their_number():
    few, many = (replace(COVERED[0], visits=np.full((3, PROCESS.choices), n)) for n in (10**6, 10**8))
    assert few.part[:-1].all()
    assert few.lost_optimism() == pytest.approx(10 * many.lost_optimism(), rel=1e-12)
    end = np.array([100])
    ratio = few.errors(few.part, end, bonus=True).sum() / many.errors(many.part, end, bonus=True).sum()
    assert ratio == pytest.approx(10, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(replace, COVERED[0], episodes=0), "episodes is 0; it must be >= 1"),
        (partial(replace, COVERED[0], delta=1.0), r"delta is 1.0; it must lie in \(0, 1\)"),
        (partial(replace, COVERED[0], visits=np.zeros((2, 6), int)), r"visits has shape \(2, 6\)"),
        (partial(replace, COVERED[3], visits=np.full((2, 3), -1)), r"visits\[0, 0\] is -1; it must be >= 0"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_setting():
    bare = replace(COVERED[2], visits=np.array([[50, 0, 50], [50, 50, 50]]))
    for name in ("hybrid-nora/lost-optimism", "hybrid-nora/regret-without-bonus"):
        assert "hold what an optimal policy does" in THEOREMS[name].failed_hypothesis(bare)
    assert THEOREMS["hybrid-nora/regret"].failed_hypothesis(bare) is None
    assert "delta" in THEOREMS["hybrid-nora/regret"].failed_hypothesis(replace(COVERED[0], delta=0.5))
