"""Learners that never restart: a plain restatement of the run, the accounts, the planners, bad input."""

import numpy as np
import pytest

from rltheory.algorithms import Walk, kl_ucrl, loop, scal, ucrl2, ucrl2b
from rltheory.instances import hidden_action, random_weakly_communicating_mdp, river_swim
from rltheory.measures import pseudo_regret
from rltheory.problems import TabularMDP
from rltheory.solvers import average_policy_iteration, extended_value_iteration, relative_value_iteration
from tests.draws import drawn

LEARNERS = {
    "UCRL2": ucrl2,
    "UCRL2B": ucrl2b,
    "KL-UCRL": kl_ucrl,
    "SCAL": lambda mdp, **options: scal(mdp, span=4.0, **options),
    "LOOP": lambda mdp, **options: loop(mdp, span=4.0, **options),
}


def ucrl2_restated(mdp, horizon, rng, delta):
    """The loop of the paper, one step after the other; only the planner is the package's."""
    from rltheory.solvers import Plausible

    state = int(rng.choice(mdp.states, p=mdp.initial))
    visits, seen = np.zeros(mdp.choices, int), np.zeros((mdp.choices, mdp.states))
    history, starts, values = [], [], None
    while len(history) < horizon:
        t = max(len(history), 1)
        starts.append(len(history))
        laws = np.array([row / row.sum() if row.any() else np.full(mdp.states, 1 / mdp.states) for row in seen])
        floor = np.maximum(visits, 1)
        radii = np.sqrt(14 * mdp.states * np.log(2 * 2 * t / delta) / floor)
        rewards = np.where(visits > 0, mdp.rewards, 0) + np.sqrt(7 * np.log(2 * mdp.choices * t / delta) / (2 * floor))
        sets = Plausible(mdp.first_choice, np.minimum(rewards, 1), laws, radii, "l1")
        plan = extended_value_iteration(sets, precision=1 / np.sqrt(t), start=values)
        values, new = plan.values, np.zeros(mdp.choices, int)
        while len(history) < horizon and new[plan.policy[state]] < floor[plan.policy[state]]:
            choice = plan.policy[state]
            following = drawn(mdp, choice, rng)
            history.append((state, choice, following))
            new[choice] += 1
            seen[choice, following] += 1
            state = following
        visits += new
    return history, starts


def test_ucrl2_is_the_loop_of_the_paper():
    mdp, horizon = river_swim(4), 3000
    history, starts = ucrl2_restated(mdp, horizon, np.random.default_rng(5), 0.1)
    trace = ucrl2(mdp, horizon=horizon, delta=0.1, rng=np.random.default_rng(5))
    for place, time in enumerate(trace.times):
        made = np.bincount([choice for _, choice, _ in history[:time]], minlength=mdp.choices)
        np.testing.assert_array_equal(trace["visits"][place], made)
        assert trace["epochs"][place] == sum(start < time for start in starts)
    assert trace.last("state") == history[-1][2]


@pytest.mark.parametrize("name", LEARNERS)
def test_accounts_of_a_run(name):
    mdp = random_weakly_communicating_mdp(np.random.default_rng(3), 5, 3, transient=1)
    trace = LEARNERS[name](mdp, horizon=20_000, rng=np.random.default_rng(0))
    assert trace.algorithm == name
    np.testing.assert_array_equal(trace["visits"].sum(axis=1), trace.times)
    promised, earned = trace["promised"], trace["visits"] @ mdp.rewards
    parts = trace["errors"] + trace["noise"] + trace["drift"]
    # Sums of up to 20 000 numbers below 10, in pieces of exact counts.
    np.testing.assert_allclose(promised - earned, parts, rtol=0, atol=1e-9)
    assert (np.diff(trace["epochs"]) >= 0).all()
    bound = mdp.choices * np.log2(8 * trace.times[-1] / mdp.choices)
    assert trace.last("epochs") <= bound
    again = LEARNERS[name](mdp, horizon=20_000, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(trace["visits"], again["visits"])


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_are_optimistic_and_learn(name):
    mdp = river_swim(4)
    best = average_policy_iteration(mdp)
    trace = LEARNERS[name](mdp, horizon=300_000, rng=np.random.default_rng(1), known_rewards=True)
    # Each plan is optimal to 1 / sqrt(t), or 1e-6.
    assert (trace["gain"] + 1 / np.sqrt(np.maximum(trace.times, 1)) >= best.gain[0]).all()
    late = np.diff(pseudo_regret(mdp, trace["visits"][[-20, -1]])) / np.diff(trace.times[[-20, -1]])
    uniform = pseudo_regret(mdp, np.ones(mdp.choices)) / mdp.choices
    assert late < uniform / 10


def test_pseudo_regret_differs_from_regret_by_noise_only():
    mdp = hidden_action(3, advantage=0.1)
    best = average_policy_iteration(mdp)
    trace = ucrl2(mdp, horizon=50_000, rng=np.random.default_rng(0))
    regret = trace.times * best.gain[0] - trace["visits"] @ mdp.rewards
    span = np.ptp(best.bias)
    # Azuma's inequality, at level 1e-6.
    allowed = span * (1 + np.sqrt(trace.times * np.log(2e6) / 2))
    assert (np.abs(regret - pseudo_regret(mdp, trace["visits"])) <= allowed).all()


@pytest.mark.parametrize(
    ("run", "known"),
    [
        (lambda mdp, rng: loop(mdp, horizon=10**6, span=6.3103243082, rng=rng), 6.5e3),
        (lambda mdp, rng: loop(mdp, horizon=10**6, span=6.3103243082, bonus=0.2, rng=rng), 3.1e2),
        (lambda mdp, rng: ucrl2(mdp, horizon=10**6, known_rewards=True, rng=rng), 5.1e4),
    ],
)
def test_regret_on_river_swim_is_of_the_known_size(run, known):
    """Means of as many independent runs of other code as here, of which two digits are known."""
    mdp, runs = river_swim(6), 8
    found = [pseudo_regret(mdp, run(mdp, np.random.default_rng(seed)).last("visits")) for seed in range(runs)]
    error = np.std(found, ddof=1) * np.sqrt(2 / runs)
    assert abs(np.mean(found) - known) <= 3 * error + 0.01 * known


def test_a_walk_follows_plans_of_any_kind():
    mdp = river_swim(3)
    walk = Walk(mdp, 500, np.random.default_rng(0))
    plan = relative_value_iteration(mdp)
    walk.follow(plan, longest=7)
    assert (walk.time, walk.epochs) == (1, 1)  # a choice never made is made once
    for _ in range(200):
        if walk.time == walk.horizon:
            break
        before = walk.time
        walk.follow(plan, longest=7)
        assert 1 <= walk.time - before <= 7
    assert walk.time == 500
    assert walk.transitions.sum() == 500
    np.testing.assert_allclose(walk.empirical_laws().sum(axis=1), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delta": 0.0}, "delta is 0.0; it must be finite and > 0"),
        ({"delta": 1.0}, r"delta is 1.0; it must lie in \(0, 1\)"),
        ({"horizon": 0}, "horizon is 0; it must be >= 1"),
        ({"bonus": -1.0}, "bonus is -1.0; it must be finite and > 0"),
        ({"mdp": TabularMDP([[[1]]], [[1.5]])}, r"choice 0, in state 0, is 1.5; .* rewards in \[0, 1\]"),
    ],
)
@pytest.mark.parametrize("name", LEARNERS)
def test_bad_input(name, change, message):
    arguments = {"mdp": river_swim(3), "horizon": 10, "rng": np.random.default_rng(0)} | change
    with pytest.raises(ValueError, match=message):
        LEARNERS[name](arguments.pop("mdp"), **arguments)


def test_span_must_be_positive():
    for learner in (scal, loop):
        with pytest.raises(ValueError, match=r"span is 0.0; it must be finite and > 0"):
            learner(river_swim(3), horizon=10, span=0, rng=np.random.default_rng(0))


def test_pseudo_regret_needs_one_gain():
    islands = TabularMDP(np.eye(2)[:, None], [[0], [1]])
    with pytest.raises(ValueError, match=r"0 from state 0 and 1 from state 1; regret .* one optimal gain"):
        pseudo_regret(islands, [1, 1])
    with pytest.raises(ValueError, match=r"visits has shape \(3,\); its last dimension must have 2 entries"):
        pseudo_regret(islands, [1, 1, 1])
