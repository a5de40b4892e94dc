"""Learners in episodes: plain ones on the same draws, exact regret, optimism, known sizes of regret, bad input."""

import math
from itertools import pairwise

import numpy as np
import pytest

from rltheory.algorithms import (
    douhua,
    episodic_q_learning,
    episodic_ucrl2,
    nora,
    psrl,
    ucbvi_bernstein,
    ucbvi_hoeffding,
)
from rltheory.instances import diabolical_lock, garnet, river_swim
from rltheory.measures import action_gaps, finite_horizon_regret, finite_horizon_suboptimality
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simulation import Workers, replicates
from rltheory.solvers import backward_induction, finite_horizon_occupancy, finite_horizon_values
from tests.restatements import plain_episodes
from tests.restatements.plain_episodes import Moves, as_policy, best_choices, empirical, play

DELTA = 0.1


def uneven(seed):
    """Three states with 2, 1 and 3 actions, of which two are starts; laws without zeros, but for one."""
    rng = np.random.default_rng(seed)
    laws = rng.dirichlet(np.ones(3), size=(3, 3))
    laws[0, 0] = [0.5, 0.0, 0.5]
    allowed = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=bool)
    return TabularMDP(laws, rng.random((3, 3)), allowed=allowed, initial=[0.3, 0, 0.7])


PROBLEMS = {
    "stages differ": FiniteHorizonMDP([uneven(seed) for seed in range(3)]),
    "stages alike": FiniteHorizonMDP.stationary(garnet(np.random.default_rng(0), 4, 3, 2), 4),
}


def restated_ucbvi(problem, episodes, bonus, bernstein):
    horizon, states, choices = problem.horizon, problem.states, problem.choices
    moves, arrivals = Moves(problem, pooled=problem.stride == 0), np.zeros((horizon + 1, states))
    log = math.log(5 * choices * horizon * episodes / DELTA)
    q = np.full((horizon, choices), float(horizon))
    while True:
        v, made = np.zeros(states), np.empty((horizon, states), int)
        laws, visits = empirical(moves.known())
        for h in reversed(range(horizon)):
            n, seen = np.maximum(visits[h], 1), np.maximum(arrivals[h + 1], 1)
            if bernstein:
                mean = (laws[h] * v).sum(axis=1)
                variance = (laws[h] * (v - mean[:, None]) ** 2).sum(axis=1)
                unsure = np.minimum(100**2 * horizon**3 * states * choices * log**2 / seen, horizon**2)
                width = np.sqrt(8 * log * variance / n) + 14 * horizon * log / (3 * n)
                width += np.sqrt(8 * (laws[h] * unsure).sum(axis=1) / n)
            else:
                width = 7 * horizon * log / np.sqrt(n)
            target = problem.stages[h].rewards + (laws[h] * v).sum(axis=1) + bonus * width
            target[visits[h] == 0] = np.inf
            q[h] = np.minimum(q[h], target)
            best = q[h][best_choices(problem.stages[0], q[h])][problem.stages[0].state_of_choice]
            made[h] = best_choices(problem.stages[0], np.where(q[h] == best, target, -np.inf))
            v = q[h][made[h]]
        episode = yield made
        moves.add(episode)
        arrivals[np.arange(horizon + 1), episode[0]] += 1


def restated_psrl(problem, rng):
    mdp, moves = problem.stages[0], Moves(problem, pooled=problem.stride == 0)
    while True:
        gammas = rng.standard_gamma(1.0 + (moves.known()[:1] if moves.pooled else moves.known()))
        laws = np.broadcast_to(gammas / gammas.sum(axis=-1, keepdims=True), moves.counts.shape)
        v, made = np.zeros(problem.states), np.empty((problem.horizon, problem.states), int)
        for h in reversed(range(problem.horizon)):
            q = problem.stages[h].rewards + laws[h] @ v
            made[h] = best_choices(mdp, q)
            v = q[made[h]]
        moves.add((yield made))


def restated_ucrl2(problem, episodes, bonus):
    mdp, moves = problem.stages[0], Moves(problem, pooled=problem.stride == 0)
    log = problem.states * math.log(2) + math.log(problem.choices * problem.horizon * episodes / DELTA)
    while True:
        laws, then = empirical(moves.known())
        v, made = np.zeros(problem.states), np.empty((problem.horizon, problem.states), int)
        for h in reversed(range(problem.horizon)):
            q = np.array(
                [
                    problem.stages[h].rewards[c]
                    + (largest_mean_in_ball(v, laws[h, c], bonus * math.sqrt(2 * log / n)) if n else max(v))
                    for c, n in enumerate(then[h])
                ]
            )
            made[h] = best_choices(mdp, q)
            v = q[made[h]]
        while (empirical(moves.known())[1] < np.maximum(1, 2 * then)).all():
            moves.add((yield made))


def largest_mean_in_ball(v, law, radius):
    """Half the radius, as far as there is room, goes to the best state and is taken from the worst ones."""
    top = v.argmax()
    share = min(radius / 2, 1 - law[top])
    kept, left = law.copy(), share
    for state in sorted(set(range(v.size)) - {top}, key=lambda state: v[state]):
        taken = min(kept[state], left)
        kept[state], left = kept[state] - taken, left - taken
    kept[top] += share
    return kept @ v


def restated_q_learning(problem, episodes, bonus):
    mdp, horizon = problem.stages[0], problem.horizon
    log = math.log(problem.choices * horizon * episodes / DELTA)
    q = np.full((horizon, problem.choices), float(horizon))
    visits = np.zeros(q.shape)
    while True:
        states, choices = yield np.array([best_choices(mdp, row) for row in q])
        for h, choice in enumerate(choices):
            visits[h, choice] += 1
            t = visits[h, choice]
            after = min(horizon, q[h + 1][best_choices(mdp, q[h + 1])[states[h + 1]]]) if h + 1 < horizon else 0.0
            target = problem.stages[h].rewards[choice] + after + bonus * math.sqrt(horizon**3 * log / t)
            alpha = (horizon + 1) / (horizon + t)
            q[h, choice] = (1 - alpha) * q[h, choice] + alpha * target


LEARNERS = {
    "UCBVI, Hoeffding, bonus x 0.01": (
        lambda p, **run: ucbvi_hoeffding(p, bonus=0.01, delta=DELTA, **run),
        lambda p, episodes, rng: restated_ucbvi(p, episodes, 0.01, bernstein=False),
    ),
    "UCBVI, Bernstein, bonus x 0.03": (
        lambda p, **run: ucbvi_bernstein(p, bonus=0.03, delta=DELTA, **run),
        lambda p, episodes, rng: restated_ucbvi(p, episodes, 0.03, bernstein=True),
    ),
    "NORA": (
        lambda p, **run: nora(p, eta=0.3, delta=DELTA, **run),
        lambda p, episodes, rng: plain_episodes.nora(p, episodes, 1.0, 0.3, DELTA, []),
    ),
    "DOUHUA, bonus x 0.5": (
        lambda p, **run: douhua(p, eta=0.1, bonus=0.5, delta=DELTA, **run),
        lambda p, episodes, rng: plain_episodes.douhua(p, episodes, 0.5, 0.1, DELTA, []),
    ),
    "PSRL": (psrl, lambda p, episodes, rng: restated_psrl(p, rng)),
    "UCRL2 in episodes, bonus x 0.3": (
        lambda p, **run: episodic_ucrl2(p, bonus=0.3, delta=DELTA, **run),
        lambda p, episodes, rng: restated_ucrl2(p, episodes, 0.3),
    ),
    "Q-learning with bonuses, bonus x 0.1": (
        lambda p, **run: episodic_q_learning(p, bonus=0.1, delta=DELTA, **run),
        lambda p, episodes, rng: restated_q_learning(p, episodes, 0.1),
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_is_the_plain_one_and_its_regret_exact(name, problem):
    run, restated = LEARNERS[name]
    episodes = 800
    trace = run(problem, episodes=episodes, rng=np.random.default_rng(7))
    assert trace.algorithm == name
    assert trace.clock == "episode"
    rng = np.random.default_rng(7)
    played, visits = play(problem, restated(problem, episodes, rng), episodes, rng)
    np.testing.assert_array_equal(trace["visits"], visits.sum(axis=1)[trace.times])
    regret = np.append(0, finite_horizon_regret(problem, [as_policy(problem, decided) for decided in played]))
    # Sums of 800 numbers below 4, from policies whose logits differ by some 1e-13 after so many steps.
    np.testing.assert_allclose(trace["regret"], regret[trace.times], rtol=0, atol=1e-9)
    np.testing.assert_allclose(trace["suboptimality"][1:], np.diff(regret)[trace.times[1:] - 1], rtol=0, atol=1e-10)
    if played[0].dtype == int:
        fresh = [False] + [(a != b).any() for a, b in pairwise(played)]
        np.testing.assert_array_equal(trace["switches"][1:], np.cumsum(fresh)[trace.times[1:] - 1])


@pytest.mark.parametrize("name", LEARNERS)
def test_runs_repeat_bit_by_bit_and_learn(name):
    problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    first, again = (LEARNERS[name][0](problem, episodes=30_000, rng=np.random.default_rng(3)) for _ in range(2))
    for value in first.values:
        np.testing.assert_array_equal(first[value], again[value])
    at_first, late = first["regret"][first.times <= 100][-1] / 100, np.diff(first["regret"][[-10, -1]])
    assert late / np.diff(first.times[[-10, -1]]) < at_first / 3
    assert (first["visits"].sum(axis=1) == 6 * first.times).all()


def test_replicates_do_not_depend_on_the_number_of_workers():
    lock = diabolical_lock(np.random.default_rng(0), 3, 2)
    runs = {name: lambda rng, run=run: run(lock, episodes=300, rng=rng) for name, (run, _) in LEARNERS.items()}
    with Workers(1) as one, Workers(2) as two:
        alone, together = (replicates(runs, 3, workers=workers) for workers in (one, two))
    assert alone.identical(together)
    assert (np.ptp(alone["visits"].values[:, :, -1], axis=1) > 0).any(axis=1).all()  # runs do differ


@pytest.mark.parametrize("eta", [0.1, 100.0])
def test_nora_is_optimistic_and_switches_rarely(eta):
    for seed in range(5):
        problem = diabolical_lock(np.random.default_rng(seed), 4, 2)
        episodes = 3000
        trace = nora(problem, episodes=episodes, eta=eta, rng=np.random.default_rng(seed))
        best = backward_induction(problem).values[0] @ problem.initial
        assert (trace["value"] >= best).all()
        assert trace.last("switches") <= 3 * 2 * 4 * (1 + math.log2(episodes))


def test_learners_with_sets_and_bonuses_of_the_theory_are_optimistic():
    problem = PROBLEMS["stages differ"]
    best = backward_induction(problem).values[0] @ problem.initial
    for seed in range(5):
        trace = douhua(problem, episodes=2000, eta=0.05, rng=np.random.default_rng(seed))
        assert (trace["value"] >= best - trace["suboptimality"]).all()
        for learner in (ucbvi_hoeffding, ucbvi_bernstein, episodic_ucrl2):
            assert (learner(problem, episodes=2000, rng=np.random.default_rng(seed))["value"] >= best).all()


def test_bonus_after_bernstein_once_arrivals_count():
    """After some million visits the correction for arrivals is less than its largest value, H^2."""
    horizon, episodes, delta = 2, 75 * 10**5, 0.99
    only = FiniteHorizonMDP([TabularMDP([[[1.0]]], [[0.0]]) for _ in range(horizon)])
    trace = ucbvi_bernstein(only, episodes=episodes, delta=delta, rng=np.random.default_rng(0))
    log, n = math.log(5 * horizon * episodes / delta), episodes - 1
    correction = 100**2 * horizon**3 * log**2 / n
    assert correction < 0.9 * horizon**2
    bonus = 14 * horizon * log / (3 * n) + math.sqrt(8 / n * correction)
    assert trace.last("value") == pytest.approx(horizon * bonus, rel=1e-9)


def test_what_the_critic_promises_too_much_is_what_it_errs_and_what_the_actor_misses():
    r"""For any f with f_{H+1} = 0 and any policy,

    max f_1 - V^pi_1 = sum_h E_pi[f_h - T_h f] + sum_h E_pi[max f_h - <pi_h, f_h>].
    """
    problem, episodes, critics = PROBLEMS["stages differ"], 400, []
    mdp, rng = problem.stages[0], np.random.default_rng(2)
    played, _ = play(problem, plain_episodes.nora(problem, episodes, 1.0, 0.03, DELTA, critics), episodes, rng)
    trace = nora(problem, episodes=episodes, eta=0.03, delta=DELTA, rng=np.random.default_rng(2))
    f, policy = critics[trace.last("switches")], played[-1]
    occupancy = finite_horizon_occupancy(problem, policy).occupancy
    best_next = np.vstack([np.maximum.reduceat(f, mdp.first_choice[:-1], axis=1)[1:], np.zeros((1, problem.states))])
    backups = [stage.rewards + stage.transition_matrix @ v for stage, v in zip(problem.stages, best_next, strict=True)]
    errs, misses = (occupancy * (f - backups)).sum(), (occupancy * action_gaps(mdp, f)).sum()
    best = backward_induction(problem).values[0] @ problem.initial
    # Sums of some twenty numbers below 3.
    assert trace.last("value") - (best - trace.last("suboptimality")) == pytest.approx(errs + misses, abs=1e-12)
    assert min(errs, misses) > 0.01


def test_the_value_of_douhua_is_that_of_its_policy_in_its_model():
    """V^pi as the learner sees it, and V* - V^pi as a sum of what the actor misses and what the critic errs."""
    problem, episodes, critics = PROBLEMS["stages differ"], 300, []
    mdp, rng = problem.stages[0], np.random.default_rng(4)
    played, _ = play(problem, plain_episodes.douhua(problem, episodes, 0.5, 0.1, DELTA, critics), episodes, rng)
    trace = douhua(problem, episodes=episodes, eta=0.1, bonus=0.5, delta=DELTA, rng=np.random.default_rng(4))
    f, policy, optimal = critics[episodes - 1], played[-1], backward_induction(problem).policy
    v = np.add.reduceat(policy * f, mdp.first_choice[:-1], axis=1)
    assert trace.last("value") == pytest.approx(v[0] @ problem.initial, abs=1e-12)
    ahead = np.vstack([v[1:], np.zeros((1, problem.states))])
    errors = f - [stage.rewards + stage.transition_matrix @ w for stage, w in zip(problem.stages, ahead, strict=True)]
    best, own = (finite_horizon_occupancy(problem, p).occupancy for p in (optimal, policy))
    of_state = np.add.reduceat(best, mdp.first_choice[:-1], axis=1)[:, mdp.state_of_choice]
    misses = (of_state * (optimal - policy) * f).sum()
    assert trace.last("suboptimality") == pytest.approx(
        misses - (best * errors).sum() + (own * errors).sum(), abs=1e-11
    )


@pytest.mark.parametrize(
    ("eta", "known"),
    [
        (1e3, 490),
        (1.0, 475),
        (0.1, 962),
        (math.sqrt(792 * math.log(3) / (25 * 1e5)), 3021),
        (math.sqrt(math.log(3) / 25e5), 42_173),
    ],
)
def test_regret_of_nora_on_a_lock_is_of_the_known_size(eta, known):
    """One run of other code each; here runs differ by 5 % of their mean, and codes of locks by as much."""
    found = [
        nora(
            diabolical_lock(np.random.default_rng(seed), 5, 3),
            episodes=10**5,
            eta=eta,
            bonus=0.3,
            rng=np.random.default_rng(seed),
        ).last("regret")
        for seed in range(4)
    ]
    assert np.mean(found) == pytest.approx(known, rel=0.1)


def test_regret_of_douhua_on_a_lock_is_of_the_known_size():
    """As long as what was never tried keeps its full bonus, long steps do no harm to a critic that moves slowly."""
    found = [
        douhua(
            diabolical_lock(np.random.default_rng(seed), 5, 3),
            episodes=10**5,
            eta=1.0,
            bonus=0.3,
            rng=np.random.default_rng(seed),
        ).last("regret")
        for seed in range(4)
    ]
    assert np.mean(found) == pytest.approx(368, rel=0.1)


def test_without_bonus_a_greedy_learner_takes_what_it_finds_first():
    lock = diabolical_lock(np.random.default_rng(0), 5, 3)
    runs = {
        bonus: nora(lock, episodes=20_000, eta=1e3, bonus=bonus, rng=np.random.default_rng(1)) for bonus in (0.0, 0.3)
    }
    assert runs[0.0].algorithm == "NORA, bonus x 0"
    assert runs[0.0].last("regret") == pytest.approx(0.95 * 20_000, rel=0.02)  # 0.05 is for giving up at once
    assert runs[0.3].last("regret") < 1000


def test_regret_of_douhua_with_the_step_of_its_guarantee():
    horizon, episodes = 5, 10**5
    eta = math.sqrt(8 * horizon * math.log(3) / (episodes * 55))
    lock = diabolical_lock(np.random.default_rng(0), horizon, 3)
    regret = douhua(lock, episodes=episodes, eta=eta, rng=np.random.default_rng(0)).last("regret")
    log = 3 * math.log(2) + math.log(45 * episodes / 0.05)
    bound = math.sqrt(horizon**4 * episodes * math.log(3) / 2) + horizon**2 * 9
    bound += horizon**2 * (math.sqrt(2 * log * 9 * episodes) + math.sqrt(episodes * math.log(20) / 2))
    assert regret / bound == pytest.approx(0.024, abs=0.003)  # the ratio that other code found


def test_psrl_loses_little_on_average_over_its_prior():
    """Rewards known, laws drawn from the prior: much less than uniform play, which never learns."""
    lost, uniform = 0.0, 0.0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        mdp = TabularMDP(rng.dirichlet(np.ones(4), size=(4, 3)), rng.random((4, 3)))
        problem = FiniteHorizonMDP.stationary(mdp, 5)
        lost += psrl(problem, episodes=500, rng=rng).last("regret")
        uniform += 500 * finite_horizon_suboptimality(problem, np.full((5, 12), 1 / 3))
    assert lost < uniform / 10


def test_one_stage_and_one_choice():
    only = FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[0.5]]), 1)
    for run, _ in LEARNERS.values():
        trace = run(only, episodes=3, rng=np.random.default_rng(0))
        assert trace.last("regret") == 0
        assert trace.last("visits") == [3]
    values = finite_horizon_values(only, [1.0]).values
    assert nora(only, episodes=3, rng=np.random.default_rng(0)).last("value") == values[0, 0]


RUNS = {
    "UCBVI": ucbvi_hoeffding,
    "UCBVI, Bernstein": ucbvi_bernstein,
    "NORA": nora,
    "DOUHUA": lambda problem, **options: douhua(problem, **{"eta": 1.0, **options}),
    "Q-learning": episodic_q_learning,
    "UCRL2": episodic_ucrl2,
    "PSRL": psrl,
}


@pytest.mark.parametrize(
    ("learners", "change", "message"),
    [
        (RUNS, {"episodes": 0}, "episodes is 0; it must be >= 1"),
        (RUNS, {"episodes": 2.0}, "episodes is 2.0; it must be an integer"),
        ([name for name in RUNS if name != "PSRL"], {"delta": 0.0}, "delta is 0.0; it must be finite and > 0"),
        ([name for name in RUNS if name != "PSRL"], {"delta": 1.0}, r"delta is 1.0; it must lie in \(0, 1\)"),
        (["NORA", "DOUHUA"], {"eta": 0.0}, "eta is 0.0; it must be finite and > 0"),
        (["NORA", "DOUHUA"], {"bonus": -1.0}, "bonus is -1.0; it must be finite and >= 0"),
        (
            ["UCBVI", "UCBVI, Bernstein", "UCRL2", "Q-learning"],
            {"bonus": 0.0},
            "bonus is 0.0; it must be finite and > 0",
        ),
        (["PSRL"], {"prior": 0.0}, "prior is 0.0; it must be finite and > 0"),
    ],
)
def test_bad_numbers(learners, change, message):
    options = {"episodes": 10, "rng": np.random.default_rng(0), **change}
    for name in learners:
        with pytest.raises((ValueError, TypeError), match=message):
            RUNS[name](PROBLEMS["stages alike"], **options)


@pytest.mark.parametrize("name", RUNS)
def test_rewards_outside_the_unit_interval(name):
    stages = [TabularMDP([[[1.0], [1.0]]], [[0.0, reward]]) for reward in (1.0, 1.5)]
    with pytest.raises(ValueError, match=r"reward of choice 1 at stage 1 is 1.5; .* rewards in \[0, 1\]"):
        RUNS[name](FiniteHorizonMDP(stages), episodes=10, rng=np.random.default_rng(0))


def test_a_prior_without_weight():
    problem = FiniteHorizonMDP.stationary(TabularMDP(np.full((2, 2, 2), 0.5), np.zeros((2, 2))), 2)
    with pytest.raises(ArithmeticError, match="prior is 1e-06, too small for 2 states"):
        psrl(problem, episodes=10, prior=1e-6, rng=np.random.default_rng(0))


@pytest.mark.parametrize(("horizon", "actions", "name"), [(0, 2, "horizon"), (2, 0, "actions")])
def test_bad_locks(horizon, actions, name):
    with pytest.raises(ValueError, match=f"{name} is 0; it must be >= 1"):
        diabolical_lock(np.random.default_rng(0), horizon, actions)


def test_a_lock_pays_for_the_right_actions_only():
    lock = diabolical_lock(np.random.default_rng(5), 4, 3)
    found = backward_induction(lock)
    np.testing.assert_array_equal(found.values, [[1, 1, 0]] * 4 + [[0, 0, 0]])
    uniform = finite_horizon_values(lock, np.full(9, 1 / 3)).values[0] @ lock.initial
    survived = (1 / 3) ** np.arange(5)
    assert uniform == pytest.approx(survived[4] + 0.05 * 2 / 3 * survived[:4].sum())
