"""Optimistic planning against linear programs, high precision, published answers, and a second planner."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from rltheory.instances import random_ergodic_mdp, river_swim
from rltheory.solvers import (
    Plausible,
    average_policy_iteration,
    extended_value_iteration,
    largest_mean,
    optimistic_gain_by_bisection,
)

# Two deterministic states: the first may go on for nothing or stay for 1/2, the second back or stay for 1.
TWO_STATES = [0, 2, 4], [0, 0.5, 0, 1], [[0, 1], [1, 0], [1, 0], [0, 1]]


def random_case(seed, radius_of_each=False):
    """Estimate with zeros, values with ties, and radii of all sizes."""
    rng = np.random.default_rng(seed)
    states = int(rng.integers(1, 7))
    law = rng.dirichlet(np.full(states, rng.choice([0.3, 1.0, 3.0]))) * (rng.random(states) < 0.8)
    law = law / law.sum() if law.sum() > 0 else np.full(states, 1 / states)
    values = rng.choice([1e-2, 1.0, 1e2]) * rng.integers(0, 8, states) / 7
    radius = 10.0 ** rng.uniform(-4, 0.5, states if radius_of_each else None)
    return law, radius, values


def by_linear_program(law, radius, values, form):
    """Largest mean over laws q, in the variables q and, for the first form, the sizes of q - law."""
    n = law.size
    if form == "box":
        bounds = list(zip(np.maximum(law - radius, 0), np.minimum(law + radius, 1), strict=True))
        found = linprog(-values, A_eq=np.ones((1, n)), b_eq=[1], bounds=bounds)
    else:
        eye, none = np.eye(n), np.zeros((n, n))
        rows = np.vstack([np.hstack([eye, -eye]), np.hstack([-eye, -eye]), np.append(np.zeros(n), np.ones(n))])
        found = linprog(
            np.append(-values, np.zeros(n)),
            A_ub=rows,
            b_ub=np.concatenate([law, -law, [radius]]),
            A_eq=np.hstack([np.ones((1, n)), none[:1]]),
            b_eq=[1],
        )
    assert found.success, found.message
    return -found.fun


def in_high_precision(law, radius, values):
    """Solve the dual of the ball of the divergence by bisection, with hundreds of digits."""
    with mpmath.workdps(400):
        weights = [(mpmath.mpf(p), mpmath.mpf(u)) for p, u in zip(law, values, strict=True) if p > 0]
        total = sum(p for p, _ in weights)
        weights = [(p / total, u) for p, u in weights]
        best, top = max(u for _, u in weights), mpmath.mpf(max(values))

        def inverses(distance):
            return sum(p / (distance + best - u) for p, u in weights)

        def divergence(distance):
            return sum(p * mpmath.log(distance + best - u) for p, u in weights) + mpmath.log(inverses(distance))

        if top > best and divergence(top - best) < radius:
            return float(top - mpmath.exp(divergence(top - best) - radius) / inverses(top - best))
        if all(u == best for _, u in weights):
            return float(best)
        low, high = mpmath.mpf(-800), mpmath.mpf(30)
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if divergence(mpmath.exp(middle)) > radius else (low, middle)
        distance = mpmath.exp(low)
        return float(best + distance - 1 / inverses(distance))


@given(seed=st.integers(0, 2**32 - 1), form=st.sampled_from(["l1", "box"]))
def test_distances_and_boxes_match_a_linear_program(seed, form):
    law, radius, values = random_case(seed, radius_of_each=form == "box")
    scale = max(np.ptp(values), 1e-2)
    assert abs(largest_mean(law, radius, values, form) - by_linear_program(law, radius, values, form)) <= 1e-7 * scale


@pytest.mark.parametrize("seed", range(40))
def test_divergences_match_bisection_in_high_precision(seed):
    law, radius, values = random_case(seed)
    expected = in_high_precision(law, radius, values)
    # Newton's method stops at a relative change of 1e-10 of the distance to the pole, which moves the mean by less.
    assert abs(largest_mean(law, radius, values, "kl") - expected) <= 1e-9 * max(np.ptp(values), 1e-2)


def test_divergences_with_tiny_probabilities():
    """The best value has probability 4e-12 or 1e-15, so that the pole is very near, or not reached."""
    cases = [
        ([0.9990991, 7.97e-4, 4.36633066e-12, 1.0389999563366934e-4], 0.0403707, [0.47, 0.51, 0.88, 0.03]),
        ([1.64e-15, 1.0], 9.91e-05, [7.9e-4, 3.8e-4]),
        ([0.3, 0.7, 1e-300], 5.0, [0.0, 1.0, 2.0]),
    ]
    for law, radius, values in cases:
        expected = in_high_precision(law, radius, values)
        assert abs(largest_mean(law, radius, values, "kl") - expected) <= 1e-9 * np.ptp(values)


def test_infinite_and_empty_balls():
    law, values = [0.2, 0.8, 0.0], [1.0, 2.0, 5.0]
    assert largest_mean(law, np.inf, values, "kl") == 5
    assert largest_mean(law, 0.0, values, "kl") == pytest.approx(1.8, abs=1e-15)
    assert largest_mean(law, 2.0, values, "l1") == 5
    assert largest_mean(law, 0.5, values, "bonus") == pytest.approx(2.3, abs=1e-15)


@pytest.mark.parametrize(
    ("law", "radius", "values", "expected"),
    [
        ([0.2, 0.7, 0.1], 0.1, [10, 4, 32], 9.4),
        ([0.2, 0.7, 0.1, 0], 0.5, [10, 4, 32, 122], 37.5),
        ([0.2, 0.7, 0.1], 0.1, [-10, -4, -32], -6.6),
        ([0.2, 0.7, 0.1, 0], 0.5, [-10, -4, -32, -122], -4.3),
        ([0.2, 0.7, 0.1], [0.1, 0.1, 0.1], [10, 4, 32], 10.8),
        ([0.2, 0.7, 0.1], [0.1, 0.2, 0.1], [-10, -4, -32], -4.6),
        ([0.2, 0.7, 0.1, 0], [0.1, 0.1, 0.5, 0.5], [-10, -4, -32, -122], -5.2),
    ],
)
def test_published_answers(law, radius, values, expected):
    """Expectations of the tests of UCRL (R. Fruit), maxima as they are and minima with their signs changed."""
    form = "l1" if np.ndim(radius) == 0 else "box"
    assert largest_mean(law, radius, values, form) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("span", "gain"), [(1e-4, 0.5), (0.5, 0.5), (0.75, 0.75), (1.0, 1.0), (1.2, 1.0)])
def test_published_gains_under_a_bound_on_the_span(span, gain):
    """Expectations of the same tests for spans 0 (here a tiny one), 1/2, 1 and 1.2, and one between by hand."""
    sets = Plausible(*TWO_STATES, np.zeros(4), "bonus")
    plan = extended_value_iteration(sets, span=span, precision=1e-10)
    assert plan.gain == pytest.approx(gain, abs=1e-8)
    assert np.ptp(plan.values) <= span * (1 + 1e-12)
    lower, upper = optimistic_gain_by_bisection(sets, span)
    assert lower - 1e-10 <= plan.upper
    assert plan.gain <= upper + 1e-10


def sets_of(seed, form):
    """Sets round the laws of a random ergodic process."""
    rng = np.random.default_rng(seed)
    mdp = random_ergodic_mdp(rng, int(rng.integers(2, 5)), int(rng.integers(1, 4)))
    shape = (mdp.choices, mdp.states) if form == "box" else mdp.choices
    radii = rng.uniform(0, 0.3, shape)
    return Plausible(mdp.first_choice, mdp.rewards, mdp.transition_matrix, radii, form), mdp


def best_gain_by_linear_program(sets, form):
    """Largest gain over stationary laws of steps: masses of (choice, next state), with their distances if needed."""
    choices, states = sets.laws.shape
    owner = np.repeat(np.arange(states), np.diff(sets.first_choice))
    size = choices * states
    mass = np.kron(np.eye(choices), np.ones((1, states)))  # of each choice
    inflow = np.tile(np.eye(states), choices)
    outflow = np.kron((owner == np.arange(states)[:, None]).astype(float), np.ones((1, states)))
    equal, of_equal = np.vstack([inflow - outflow, np.ones((1, size))]), np.append(np.zeros(states), 1)
    centred = np.eye(size) - np.repeat(mass, states, axis=0) * sets.laws.reshape(-1, 1)
    if form == "box":
        allowed = np.repeat(mass, states, axis=0) * sets.radii.reshape(-1, 1)
        rows, extra = np.vstack([centred - allowed, -centred - allowed]), 0
    else:
        eye, extra = np.eye(size), size
        rows = np.vstack(
            [np.hstack([centred, -eye]), np.hstack([-centred, -eye]), np.hstack([-sets.radii * mass, mass])]
        )
    costs = -np.append(np.repeat(sets.rewards, states), np.zeros(extra))
    equal = np.hstack([equal, np.zeros((states + 1, extra))])
    found = linprog(costs, A_ub=rows, b_ub=np.zeros(len(rows)), A_eq=equal, b_eq=of_equal)
    assert found.success, found.message
    return -found.fun


@pytest.mark.parametrize("form", ["l1", "box"])
@pytest.mark.parametrize("seed", range(8))
def test_planner_matches_a_linear_program_over_stationary_steps(seed, form):
    sets, _ = sets_of(seed, form)
    plan = extended_value_iteration(sets, precision=1e-9)
    expected = best_gain_by_linear_program(sets, form)
    assert plan.gain - 1e-7 <= expected <= plan.upper + 1e-7


@pytest.mark.parametrize("seed", range(8))
def test_planner_over_divergences_attains_the_gain_of_the_laws_that_it_chose(seed):
    """No closed form: its value function must satisfy the optimality equation, with means by the other solver."""
    sets, _ = sets_of(seed, "kl")
    plan = extended_value_iteration(sets, precision=1e-10)
    backed_up = [
        max(
            sets.rewards[c] + in_high_precision(sets.laws[c], sets.radii[c, 0], plan.values)
            for c in range(sets.first_choice[s], sets.first_choice[s + 1])
        )
        for s in range(plan.values.size)
    ]
    growth = np.array(backed_up) - plan.values
    assert plan.gain - 1e-8 <= growth.min()
    assert growth.max() <= plan.upper + 1e-8


@pytest.mark.parametrize("form", ["l1", "box", "kl", "bonus"])
def test_without_doubt_the_plan_is_optimal(form):
    mdp = river_swim(5)
    radii = np.zeros((mdp.choices, mdp.states) if form == "box" else mdp.choices)
    sets = Plausible(mdp.first_choice, mdp.rewards, mdp.transition_matrix, radii, form)
    best = average_policy_iteration(mdp)
    plan = extended_value_iteration(sets, precision=1e-10)
    assert plan.gain == pytest.approx(best.gain[0], abs=1e-9)
    np.testing.assert_array_equal(plan.policy, best.policy)
    np.testing.assert_allclose(plan.values, best.bias - best.bias.min(), atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), form=st.sampled_from(["bonus", "l1", "box"]), span=st.floats(0.05, 5))
def test_two_planners_agree_on_bounded_spans(seed, form, span):
    sets, _ = sets_of(seed, form)
    plan = extended_value_iteration(sets, span=span, precision=1e-8)
    lower, upper = optimistic_gain_by_bisection(sets, span)
    assert lower <= plan.upper + 1e-8
    assert plan.gain <= upper + 1e-8


@given(seed=st.integers(0, 2**32 - 1), form=st.sampled_from(["bonus", "l1", "box", "kl"]))
def test_a_policy_of_the_plan_attains_its_promise(seed, form):
    sets, _ = sets_of(seed, form)
    plan = extended_value_iteration(sets, span=1.0, precision=1e-6)
    for state, choice in enumerate(plan.policy):
        mean = largest_mean(sets.laws[choice], sets.radii[choice], plan.values, form)
        assert plan.values[state] + plan.gain <= sets.rewards[choice] + mean + 1e-9


def test_periodic_processes_do_not_oscillate():
    sets = Plausible([0, 1, 2], [0, 1], [[0, 1], [1, 0]], [0, 0], "bonus")
    assert extended_value_iteration(sets).gain == pytest.approx(0.5, abs=1e-6)


def test_several_gains_are_reported():
    sets = Plausible([0, 1, 2], [0, 1], np.eye(2), [0, 0], "bonus")
    with pytest.raises(ArithmeticError, match=r"bounds 0 and 1 on the optimistic gain"):
        extended_value_iteration(sets)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"form": "l2"}, "form is 'l2'; it must be one of 'bonus', 'l1', 'box', 'kl'"),
        ({"rewards": [0, 1]}, r"rewards \(2,\).*must be \(4,\)"),
        ({"radii": [0, 0]}, r"radii has shape \(2,\); give one for each of 4 choices"),
        ({"radii": [0, -1, 0, 0]}, r"radii\[1\] is -1.0; it must be >= 0"),
        ({"radii": [0, 0, np.inf, 0], "form": "bonus"}, r"radii\[2\] is inf; .* finite if it is a bonus"),
        ({"laws": [[0, 1], [1, 0], [0.5, 0.6], [0, 1]]}, r"laws\[2\] is \[0.5 0.6\]; it must be a distribution"),
        ({"first_choice": [0, 0, 4]}, r"first_choice is \[0 0 4\]; it must rise from 0 to 4, by 1 at least"),
    ],
)
def test_bad_sets(change, message):
    first_choice, rewards, laws = TWO_STATES
    arguments = {"first_choice": first_choice, "rewards": rewards, "laws": laws, "radii": np.zeros(4), "form": "l1"}
    with pytest.raises(ValueError, match=message):
        Plausible(**(arguments | change))
