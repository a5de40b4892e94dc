"""Both sides of the theorems on critics, actors and mixtures, from what is written down plainly."""

import math
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from rltheory import verify
from rltheory.algorithms import nora
from rltheory.algorithms.episodes.audited_nora import audited_nora
from rltheory.instances import diabolical_lock, garnet, river_swim
from rltheory.measures import finite_horizon_regret, finite_horizon_suboptimality
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.episodes import tan2025_critics
from rltheory.theorems.episodes.tan2025 import Learning, arms
from rltheory.theorems.episodes.tan2025_critics import STEEPNESS, Draws, Judgement
from rltheory.theory import Status, Theorem
from tests.restatements import plain_episodes

THEOREMS = {theorem.name: theorem for theorem in vars(tan2025_critics).values() if isinstance(theorem, Theorem)}
RNG = np.random.default_rng(0)
UNEVEN = FiniteHorizonMDP(
    [
        TabularMDP.from_rows([0, 2, 3, 6], RNG.dirichlet(np.ones(3), size=6), RNG.random(6), initial=[0.4, 0.6, 0])
        for _ in range(3)
    ]
)
JUDGEMENTS = [
    Judgement(UNEVEN, RNG.normal(size=(3, 6)), RNG.normal(size=(3, 6))),
    Judgement(FiniteHorizonMDP.stationary(garnet(RNG, 3, 2, 2), 3), RNG.random((3, 6)), RNG.random((3, 6))),
]
DRAWS = [Draws(np.array([0.2, 0.3, 0.5]), 200, 0.1), Draws(np.array([1.0]), 20)]
LEARNERS = [
    Learning(FiniteHorizonMDP.stationary(river_swim(3), 4), 150, 0.7, 0.1),
    Learning(diabolical_lock(np.random.default_rng(1), 3, 3), 100, 5.0, 0.05),
    Learning(UNEVEN, 120, 0.2, 0.2),
]


def paths(problem, policy):
    """All courses of an episode: their probability, states and choices."""
    first = problem.stages[0].first_choice
    courses = [(p, [s], []) for s, p in enumerate(problem.initial) if p > 0]
    for h, mdp in enumerate(problem.stages):
        courses = [
            (weight * policy[h, c] * laws(mdp)[c, after], [*states, after], [*choices, c])
            for weight, states, choices in courses
            for c in range(first[states[-1]], first[states[-1] + 1])
            for after in np.flatnonzero(laws(mdp)[c])
            if policy[h, c] > 0
        ]
    return courses


def mean(problem, policy, number):
    """Mean over all courses of the sum of numbers for each stage, state and choice."""
    return sum(w * sum(number(h, s[h], c) for h, c in enumerate(cs)) for w, s, cs in paths(problem, policy))


@cache
def laws(mdp):
    return mdp.as_sparse().transition_matrix.toarray()


def backup(problem, h, c, value):
    """The reward of a choice, and the mean over the next state of its value."""
    law = laws(problem.stages[h])[c]
    later = sum(p * value(h + 1, after) for after, p in enumerate(law)) if h + 1 < problem.horizon else 0.0
    return problem.stages[h].rewards[c] + later


def optimum(problem):
    first, q = problem.stages[0].first_choice, np.zeros((problem.horizon, problem.choices))
    for h in reversed(range(problem.horizon)):
        for c in range(problem.choices):
            q[h, c] = backup(problem, h, c, lambda later, state: q[later, first[state] : first[state + 1]].max())
    return plain_episodes.as_policy(
        problem, np.array([plain_episodes.best_choices(problem.stages[0], row) for row in q])
    )


def both_identities(s, policy, optimal):
    """For each of the two identities, both sides."""
    problem, f, first = s.problem, s.critic, s.problem.stages[0].first_choice

    def top(h, state):
        return f[h, first[state] : first[state + 1]].max()

    def own(h, state):
        return policy[h, first[state] : first[state + 1]] @ f[h, first[state] : first[state + 1]]

    def along(of):
        return mean(problem, of, lambda h, state, c: backup(problem, h, c, own) - f[h, c])

    value, best_value = (mean(problem, of, lambda h, _, c: problem.stages[h].rewards[c]) for of in (policy, optimal))
    errs = mean(problem, policy, lambda h, state, c: f[h, c] - backup(problem, h, c, top))
    misses = mean(problem, policy, lambda h, state, c: top(h, state) - f[h, c])
    ascends = mean(problem, optimal, lambda h, state, c: f[h, c] - own(h, state))
    start = sum(p * top(0, state) for state, p in enumerate(problem.initial))
    return (start - value, errs + misses), (best_value - value, ascends + along(optimal) - along(policy))


def judged(s):
    """Both sides of each identity, for each steepness."""
    mdp, optimal = s.problem.stages[0], optimum(s.problem)
    policies = [np.array([plain_episodes.softmax(mdp, x * row) for row in s.logits]) for x in STEEPNESS]
    return np.array([both_identities(s, policy, optimal) for policy in policies]).transpose(1, 2, 0)


def deviation(s, trace):
    drawn = stream(0, "restatement").choice(s.law.size, size=s.number, p=s.law)
    far = [sum(abs((drawn[:n] == i).mean() - p) for i, p in enumerate(s.law)) for n in trace.times]
    return np.array(far), np.sqrt(2 * math.log(2**s.law.size * s.number / s.delta) / trace.times)


def run(s):
    """Policies and visits of a run on the stream that `test_both_sides` uses, and the critics."""
    critics = []
    plain = plain_episodes.nora(s.problem, s.episodes, 1.0, s.eta, s.delta, critics)
    played, visits = plain_episodes.play(s.problem, plain, s.episodes, stream(0, "restatement"))
    then, since = visits[0], [0]
    for before in visits[:-1]:
        doubled = bool((before >= np.maximum(1, 2 * then)).any())
        since.append(since[-1] + doubled)
        then = before if doubled else then
    return played, visits, critics, np.array(since[1:])


def recorded(s, trace, per_episode):
    return np.cumsum(per_episode)[trace.times[trace.times >= 1] - 1]


def best(s, row):
    parts = np.split(row, s.problem.stages[0].first_choice[1:-1])
    return np.array([part.max() for part in parts])


def occupancy(s, policy):
    owner, state, found = s.problem.stages[0].state_of_choice, s.problem.initial, []
    for mdp, row in zip(s.problem.stages, policy, strict=True):
        found.append(state[owner] * row)
        state = found[-1] @ mdp.as_sparse().transition_matrix.toarray()
    return np.array(found)


def tracking_sum(s, trace):
    played, _, critics, which = run(s)
    owner, horizon = s.problem.stages[0].state_of_choice, s.problem.horizon
    gaps = [np.array([best(s, row)[owner] - row for row in f]) for f in critics]
    missed = [(occupancy(s, policy) * gaps[k]).sum() for policy, k in zip(played, which, strict=True)]
    t = trace.times[trace.times >= 1]
    actions = max(np.diff(s.problem.stages[0].first_choice))
    low, high = 0.0, float(actions)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.exp(middle) < (actions - 1) / math.e else (low, middle)
    bracket = horizon * (horizon + 1) / 2 + horizon * low / s.eta * (1 + np.log(t))
    return recorded(s, trace, missed), (which[t - 1] + 1) * bracket


def sandwich(s, trace):
    _, visits, critics, which = run(s)
    log = s.problem.states * math.log(2) + math.log(s.problem.choices * s.problem.horizon * s.episodes / s.delta)
    horizon, off = s.problem.horizon, []
    for number in range(which[-1] + 1):
        f, n = critics[number], visits[int((which >= number).argmax())]
        far = 0.0
        for h in range(horizon - 1):
            mdp = s.problem.stages[h]
            error = f[h] - mdp.rewards - mdp.as_sparse().transition_matrix @ best(s, f[h + 1])
            for c in range(s.problem.choices):
                b = (horizon - 1 - h) * (min(1, math.sqrt(log / (2 * n[h, c]))) if n[h, c] else 0.5)
                far = max(far, abs(error[c] - b) / b)
        off.append(far)
    t = trace.times[trace.times >= 1]
    return np.maximum.accumulate(off)[which[t - 1]], np.ones(t.size)


def mixture(s, trace):
    played, _, _, _ = run(s)
    t = trace.times[trace.times >= 1]
    totals = np.cumsum([occupancy(s, policy) for policy in played], axis=0)[t - 1]
    first, owner = s.problem.stages[0].first_choice[:-1], s.problem.stages[0].state_of_choice
    lost = []
    for total in totals:
        of_state = np.add.reduceat(total, first, axis=1)[:, owner]
        uniform = np.tile(1 / np.diff(s.problem.stages[0].first_choice)[owner], (s.problem.horizon, 1))
        policy = np.where(of_state > 0, total / np.where(of_state > 0, of_state, 1), uniform)
        lost.append(finite_horizon_suboptimality(s.problem, policy))
    return np.array(lost), finite_horizon_regret(s.problem, played)[t - 1] / t


RESTATED = {
    "nora/value-identity": (lambda s, trace: judged(s)[0], JUDGEMENTS),
    "douhua/value-identity": (lambda s, trace: judged(s)[1], JUDGEMENTS),
    "nora/deviation": (deviation, DRAWS),
    "nora/sandwich": (sandwich, LEARNERS),
    "nora/tracking-sum": (tracking_sum, LEARNERS),
    "nora/mixture": (mixture, LEARNERS),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement"))
    for side, restated in zip((theorem.measured, theorem.bound), RESTATED[name][0](s, trace), strict=True):
        # Sums of some hundred numbers up to 10, from policies whose logits differ by rounding.
        np.testing.assert_allclose(np.asarray(side(s, trace))[-len(restated) :], restated, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", THEOREMS)
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn = verify(theorem, settings=examples(theorem.strategy(), 10, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


def test_the_audited_run_is_that_of_nora():
    """Logits that are added up step by step differ by rounding; these draws do not see it."""
    for s in LEARNERS:
        options = {"episodes": s.episodes, "eta": s.eta, "delta": s.delta}
        trace, audited = (
            learner(s.problem, **options, rng=np.random.default_rng(3)) for learner in (nora, audited_nora)
        )
        np.testing.assert_array_equal(trace["switches"][1:], audited["switches"][1:])
        np.testing.assert_allclose(trace["regret"], audited["regret"], rtol=1e-10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Judgement, UNEVEN, np.zeros((3, 5)), np.zeros((3, 6))), r"critic has shape \(3, 5\); .* \(3, 6\)"),
        (partial(replace, JUDGEMENTS[0], logits=np.zeros((2, 6))), r"logits has shape \(2, 6\)"),
        (partial(replace, JUDGEMENTS[0], critic=np.full((3, 6), np.nan)), r"critic\[0, 0\] is nan"),
        (partial(Draws, [0.5, 0.4], 10), "law"),
        (partial(replace, DRAWS[0], number=0), "number is 0; it must be >= 1"),
        (partial(replace, DRAWS[0], delta=1.0), r"delta is 1.0; it must lie in \(0, 1\)"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_setting():
    paid = FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[1.5]]), 1)
    assert "lie in $[0, 1]$" in THEOREMS["nora/sandwich"].failed_hypothesis(Learning(paid, 10, 1.0))


def test_an_actor_without_resets_lags_behind_where_arms_are_alike():
    """The longer it runs, the more: with resets ten times the episodes cost a few more changes."""
    missed = {
        resets: [
            audited_nora(arms(np.zeros(3)), episodes=t, eta=100.0, rng=np.random.default_rng(0), resets=resets).last(
                "missed"
            )
            for t in (2000, 20_000)
        ]
        for resets in (True, False)
    }
    assert missed[True][1] < 2 * missed[True][0]
    assert missed[False][1] > 2 * missed[False][0] > 20 * missed[True][1]
