"""Learning with demonstrations: penalised values against enumeration, cloning, learners on the same draws, bad input."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.instances import diabolical_lock, river_swim
from rltheory.measures import kl_regularized_suboptimality, kl_regularized_value, trajectory_kl
from rltheory.problems import FiniteHorizonMDP, TabularMDP, uniform_policy
from rltheory.solvers import backward_induction, finite_horizon_values, soft_backward_induction
from tests.exact_mdps import policies_of
from tests.test_finite_horizon import problems


def draw_policy(data, problem):
    return np.array([data.draw(policies_of(problem.stages[0])) for _ in problem.stages])


def log(policy):
    with np.errstate(divide="ignore"):
        return np.log(policy)


def trajectories(problem, policy):
    """All trajectories with their probabilities and rewards: initial states, choices and successors one by one."""
    mdp = problem.stages[0]
    for start in range(problem.states):
        walks = [(problem.initial[start], 0.0, start, ())]
        for stage, here in enumerate(problem.stages):
            laws = np.asarray(here.as_sparse().transition_matrix.toarray())
            walks = [
                (p * policy[stage, c] * laws[c, after], earned + here.rewards[c], after, (*made, c))
                for p, earned, state, made in walks
                for c in range(*mdp.first_choice[state : state + 2])
                for after in np.flatnonzero(laws[c])
                if p * policy[stage, c] > 0
            ]
        yield from ((p, earned, made) for p, earned, _, made in walks if p > 0)


@given(data=st.data(), problem=problems(max_horizon=3, max_states=3))
def test_penalised_values_are_those_of_all_trajectories(data, problem):
    """The divergence from its definition, as a sum over trajectories."""
    policy, reference = draw_policy(data, problem), draw_policy(data, problem)
    stages = np.arange(problem.horizon)
    value = divergence = 0.0
    for p, earned, made in trajectories(problem, policy):
        value += p * earned
        divergence += p * (log(policy[stages, made]).sum() - log(reference[stages, made]).sum())
    found = trajectory_kl(problem, log(policy), log(reference))
    if divergence == np.inf:
        assert found == np.inf
    else:
        assert found == pytest.approx(divergence, abs=1e-12)
    penalised = kl_regularized_value(problem, policy, reference, 0.7)
    assert penalised == value - 0.7 * divergence or penalised == pytest.approx(value - 0.7 * divergence, abs=1e-12)


@given(data=st.data(), problem=problems(), temperature=st.sampled_from([0.05, 1.0, 30.0]))
def test_what_a_policy_lacks_is_its_divergence_from_the_optimal_one(data, problem, temperature):
    policy, reference = draw_policy(data, problem), draw_policy(data, problem)
    best = soft_backward_induction(problem, temperature, reference=reference)
    top = problem.initial @ best.values[0]
    earned = kl_regularized_value(problem, policy, reference, temperature)
    lacks = kl_regularized_suboptimality(problem, log(policy), reference, temperature)
    assert lacks >= 0
    # Divergences up to 100 times the temperature are subtracted.
    assert top - earned == lacks or top - earned == pytest.approx(lacks, abs=1e-12 * (1 + temperature))
    of_best = kl_regularized_value(problem, np.exp(best.log_policy), reference, temperature)
    assert of_best == pytest.approx(top, abs=1e-11 * (1 + temperature))


@given(data=st.data(), problem=problems(max_horizon=3))
def test_a_cold_penalty_is_none_and_a_hot_one_leaves_the_reference(data, problem):
    """The best value lies above that of the reference, and within the penalty of the best plan below the optimum."""
    reference = 0.5 * draw_policy(data, problem) + 0.5 * uniform_policy(problem.stages[0])
    optimum = backward_induction(problem)
    penalty = trajectory_kl(problem, log(optimum.policy), log(reference))
    top, of_reference = (
        problem.initial @ values[0] for values in (optimum.values, finite_horizon_values(problem, reference).values)
    )
    for temperature in (1e-3, 1.0, 1e5):
        best = problem.initial @ soft_backward_induction(problem, temperature, reference=reference).values[0]
        assert max(top - temperature * penalty, of_reference) - 1e-9 <= best <= top + 1e-9
    # Hoeffding's lemma: a log-moment exceeds the mean by the square of the range over eight temperatures at most.
    assert best <= of_reference + problem.horizon * (2 * problem.horizon) ** 2 / (8 * 1e5)


def test_uniform_reference_is_entropy():
    problem = FiniteHorizonMDP.stationary(river_swim(3), 4)
    plain, uniform = soft_backward_induction(problem, 0.2), uniform_policy(problem.stages[0])
    found = soft_backward_induction(problem, 0.2, reference=uniform)
    paid = 0.2 * math.log(2) * np.arange(4, -1, -1.0)
    np.testing.assert_allclose(found.values + paid[:, None], plain.values, atol=1e-14)
    np.testing.assert_allclose(found.log_policy, plain.log_policy, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: soft_backward_induction(p, 1.0, reference=[1, 1, 0, 1]),
            "reference sums to 2 in state 0; expected 1",
        ),
        (lambda p: soft_backward_induction(p, 1.0, reference=[1, 0]), r"reference has shape \(2,\)"),
        (lambda p: trajectory_kl(p, np.zeros((2, 4)), np.zeros((2, 4))), r"log_policy has shape \(2, 4\); it must be"),
        (
            lambda p: trajectory_kl(p, np.full((3, 4), -math.log(2)), np.zeros((3, 4))),
            r"exp\(log_reference\) sums to 2 in state 0 at stage 0",
        ),
        (lambda p: kl_regularized_value(p, [1, 0, 1, 0], [1, 0, 1, 0], 0.0), "temperature is 0.0"),
    ],
)
def test_what_is_no_penalty_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(FiniteHorizonMDP.stationary(river_swim(2), 3))
