"""Breakpoints between two rewards against enumeration in fractions and dense grids; mixtures of rewards."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.instances import forgetful_mixture, fork, garnet, opposed_bandit, prompt_tree, river_swim
from rltheory.problems import RewardMixture, SparseMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import discounted_values, policy_iteration, weight_sweep
from tests.exact_mdps import exact, mdps, state_choices
from tests.test_occupancy import exact_solution


def exact_breakpoints(mdp, rewards, discount):
    """Kinks of the upper envelopes of all deterministic policies, one envelope for each state, in fractions."""
    rules = [np.isin(np.arange(mdp.choices), made).astype(float) for made in product(*state_choices(mdp))]
    lines = [[exact_solution(mdp.with_rewards(row), rule, discount)[0] for row in rewards] for rule in rules]
    found = set()
    for state in range(mdp.states):
        ends = {(first[state], second[state]) for first, second in lines}
        weight, (first, second) = Fraction(0), max(ends, key=lambda line: (line[0], line[1]))
        while True:
            slope = second - first
            crossings = [((first - a) / (b - a - slope), b - a, a, b) for a, b in ends if b - a > slope]
            if not crossings:
                break
            weight = min(crossings)[0]
            if weight >= 1:
                break
            _, _, first, second = max(crossing for crossing in crossings if crossing[0] == weight)
            found |= {weight} if weight > 0 else set()
    return sorted(found)


@given(data=st.data(), mdp=mdps(max_states=3, max_actions=2), discount=st.sampled_from([0.0, 0.5, 0.875]))
def test_breakpoints_are_those_of_all_policies(data, mdp, discount):
    integers = st.lists(st.integers(-2, 2), min_size=mdp.choices, max_size=mdp.choices)
    rewards = np.array([data.draw(integers), data.draw(integers)], dtype=float)
    sweep, truth = weight_sweep(mdp, rewards, discount), exact_breakpoints(mdp, rewards, discount)
    # Laws are rounded, so that what ties in whole numbers ties to some eps.
    distinct = [weight for k, weight in enumerate(truth) if k == 0 or weight - truth[k - 1] > 1e-9]
    inner = [float(weight) for weight in distinct if 1e-9 < weight < 1 - 1e-9]
    np.testing.assert_allclose([w for w in sweep.breakpoints if 1e-9 < w < 1 - 1e-9], inner, atol=1e-9)
    assert (sweep.errors < 1e-9).all()


@pytest.mark.parametrize("states", [4, 12, 40])
def test_no_switch_of_a_dense_grid_is_missed(states):
    rng = stream(0, "weight sweep", states)
    mdp = garnet(rng, states, 4, 3)
    rewards = rng.random((2, mdp.choices))
    sweep = weight_sweep(mdp, rewards, 0.9)
    weights = np.linspace(0, 1, 301)
    solved = [
        policy_iteration(mdp.with_rewards((1 - w) * rewards[0] + w * rewards[1]), 0.9, accuracy=1e-11) for w in weights
    ]
    np.testing.assert_allclose(sweep.values(weights), [solution.values for solution in solved], atol=1e-11)
    for w, after, one, other in zip(weights[:-1], weights[1:], solved[:-1], solved[1:], strict=True):
        switches = (one.policy != other.policy).any()
        assert switches == bool(((sweep.breakpoints > w) & (sweep.breakpoints < after)).any())
    assert (np.diff(sweep.breakpoints) > 0).all()
    assert sweep.breakpoints.size >= states / 2


def test_pieces_are_optimal_where_they_claim_to_be():
    rng = stream(0, "weight sweep", "pieces")
    mdp = garnet(rng, 10, 3, 2)
    rewards = rng.random((2, mdp.choices))
    sweep = weight_sweep(mdp, rewards, 0.95)
    ends = np.concatenate([[0.0], sweep.breakpoints, [1.0]])
    for k, made in enumerate(sweep.made):
        policy = np.isin(np.arange(mdp.choices), made).astype(float)
        for w in np.linspace(ends[k], ends[k + 1], 3):
            process = mdp.with_rewards((1 - w) * rewards[0] + w * rewards[1])
            own = discounted_values(process, policy, 0.95)
            np.testing.assert_allclose(own.values, sweep.intercepts[k] + w * sweep.slopes[k], atol=1e-11)
            assert (own.action_values <= own.values[mdp.state_of_choice] + 1e-11).all()


@pytest.mark.parametrize("form", [lambda mdp: mdp, SparseMDP.from_tabular])
def test_breakpoint_of_an_opposed_bandit(form):
    mixture = opposed_bandit(1.0, 2.0)
    sweep = weight_sweep(form(mixture.mdp), mixture.rewards, 0.0)
    assert sweep.breakpoints == pytest.approx([2 / 3])
    assert abs(sweep.breakpoints[0] - 2 / 3) <= sweep.errors[0] <= 1e-14
    np.testing.assert_array_equal(sweep.made, [[1], [0]])


def test_ties_at_the_start_are_broken_for_what_comes():
    """The first reward is indifferent, the second is not: there is no breakpoint, but the right policy at once."""
    sweep = weight_sweep(fork(), [[0, 0, 0, 0], [0, 0, 1, 2]], 0.5)
    assert sweep.breakpoints.size == 0
    np.testing.assert_array_equal(sweep.made, [[1, 2, 3]])
    np.testing.assert_allclose(sweep.values([0.5]), [[1, 1, 2]])


@pytest.mark.parametrize(
    ("rewards", "discount", "message"),
    [
        ([[0, 0, 0, 0]], 0.5, r"rewards has shape \(1, 4\); it must be \(2, 4\)"),
        ([[0, 0, 0], [0, 0, 0]], 0.5, r"rewards has shape \(2, 3\); it must be \(2, 4\)"),
        ([[0, 0, 0, 0], [0, 0, 0]], 0.5, "rewards must be a rectangular array"),
        ([[0, 0, 0, 0], [0, 0, 0, math.nan]], 0.5, r"rewards\[1, 3\] is nan"),
        ([[0, 0, 0, 0], [0, 0, 0, 0]], 1.0, "discount is 1; it must be < 1"),
    ],
)
def test_bad_sweeps(rewards, discount, message):
    with pytest.raises(ValueError, match=message):
        weight_sweep(fork(), rewards, discount)


def test_bad_weights_of_a_sweep():
    sweep = weight_sweep(fork(), np.zeros((2, 4)), 0.5)
    with pytest.raises(ValueError, match=r"weights lie in \[-1, 2\]; they must lie in \[0, 1\]"):
        sweep.values([-1, 2])


@given(data=st.data(), mdp=mdps(max_states=3, max_actions=2))
def test_posterior_is_bayes_rule(data, mdp):
    def law(size):
        weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), dtype=float)
        weights[0] += 1
        return weights / weights.sum()

    shares, prompts = law(2), np.array([law(mdp.states), law(mdp.states)[::-1]])
    rewards = np.arange(2.0 * mdp.choices).reshape(2, -1)
    mixture = RewardMixture(mdp, rewards, shares, prompts)
    for state in range(mdp.states):
        joint = [exact(shares)[k] * exact(prompts)[k, state] for k in range(2)]
        truth = [part / sum(joint) for part in joint] if sum(joint) else exact(shares)
        np.testing.assert_allclose(mixture.posterior[:, state], np.array(truth, dtype=float), rtol=1e-15)
    remembering = mixture.remembering
    asked = np.flatnonzero(mixture.first_law)
    assert remembering.states == asked.size * mdp.states
    assert remembering.initial.reshape(asked.size, -1)[:, asked].trace() == pytest.approx(1)
    for copy, prompt in enumerate(asked):
        own = slice(copy * mdp.choices, (copy + 1) * mdp.choices)
        expected = mixture.posterior[:, prompt] @ rewards
        np.testing.assert_allclose(remembering.rewards[own], expected, rtol=1e-15)
        block = remembering.transition_matrix[own].toarray().reshape(mdp.choices, asked.size, mdp.states)
        matrix = mdp.transition_matrix
        np.testing.assert_array_equal(block[:, copy], matrix if isinstance(matrix, np.ndarray) else matrix.toarray())
        assert block.sum() == pytest.approx(mdp.choices)


def test_optimum_of_what_remembers_is_the_best_of_all_policies():
    """Of all deterministic policies, one for each prompt, the best return of the mixture, class by class."""
    rng = stream(0, "weight sweep", "mixture")
    mdp = garnet(rng, 3, 2, 2)
    mixture = RewardMixture(mdp, rng.random((2, 6)), [0.3, 0.7], [[0.5, 0.5, 0], [0, 0.2, 0.8]])
    rules = [np.isin(np.arange(6), made).astype(float) for made in product(*state_choices(mdp))]
    values = [[discounted_values(mdp.with_rewards(r), rule, 0.8).values for r in mixture.rewards] for rule in rules]
    earned = np.einsum("k,ks,pks->ps", mixture.shares, mixture.prompts, np.array(values))
    remembering = mixture.remembering
    best = policy_iteration(remembering, 0.8, accuracy=1e-12).values @ remembering.initial
    assert best == pytest.approx(earned.max(axis=0).sum(), rel=1e-12)
    forgetful = earned.sum(axis=1).max()
    assert forgetful < best - 1e-3


def test_pool_of_prompts():
    mixture = prompt_tree(stream(0, "weight sweep", "tree"), [[3, 1, 0], [0, 1, 5]])
    np.testing.assert_allclose(mixture.shares, [0.4, 0.6])
    np.testing.assert_allclose(mixture.posterior[:, [0, 3, 6]], [[1, 0.5, 0], [0, 0.5, 1]])
    paid = mixture.rewards[0] > 0
    assert mixture.mdp.state_of_choice[paid].tolist() == [1, 1, 2, 2, 4, 4, 5, 5, 7, 7, 8, 8]
    assert forgetful_mixture().remembering.states == 8


BAD = {
    "rewards": ([[1.0, 2.0]], r"rewards has shape \(1, 2\); it must have a row for each class, one at least, and 4"),
    "shares": ([0.5, 0.6], "shares sums to 1.1; expected 1 within 1e-09"),
    "prompts": ([[1, 0], [0.5, 0.4]], "prompts sums to 0.9 in row 1; expected 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_mixtures(name):
    good = {"rewards": np.zeros((2, 4)), "shares": [0.5, 0.5], "prompts": [[1, 0], [0, 1]]}
    wrong, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        RewardMixture(river_swim(2), **{**good, name: wrong})


def test_bad_shares_counts_and_weights():
    mdp = river_swim(2)
    with pytest.raises(ValueError, match=r"shares has shape \(1,\); it must be \(2,\)"):
        RewardMixture(mdp, np.zeros((2, 4)), [1.0], [[1, 0], [0, 1]])
    with pytest.raises(ValueError, match=r"prompts\[0, 1\] is -1.0; it must be >= 0"):
        RewardMixture(mdp, np.zeros((2, 4)), [0.5, 0.5], [[2, -1], [0, 1]])
    with pytest.raises(ValueError, match="rewards must be a rectangular array"):
        RewardMixture(mdp, [[0, 0, 0, 0], [0, 0]], [0.5, 0.5], [[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="class 1 has no prompt; give it one at least"):
        RewardMixture.from_counts(mdp, np.zeros((2, 4)), [[1, 0], [0, 0]])
    with pytest.raises(ValueError, match=r"counts\[1, 0\] is -1.0; it must be >= 0"):
        RewardMixture.from_counts(mdp, np.zeros((2, 4)), [[1, 0], [-1, 2]])
    mixture = opposed_bandit(1.0, 1.0)
    for weights, message in (
        ([0.5, 0.6], "weights sums to 1.1 in row 0"),
        ([1.5, -0.5], r"weights\[0, 1\] is -0.5; it must be >= 0"),
        ([1.0], r"weights has shape \(1,\); it must be \(2,\) or \(2, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            mixture.effective_rewards(weights)
    with pytest.raises(ValueError, match=r"first is 0.0; it must be finite and > 0"):
        opposed_bandit(0, 1)


def test_tabular_form_is_kept_apart_from_names():
    """Names of remembered states tell the prompt."""
    mdp = TabularMDP([[[0, 1]], [[0, 1]]], [[0], [0]], state_names=("question", "end"))
    mixture = RewardMixture(mdp, [[1, 0]], [1.0], [[1, 0]])
    assert mixture.remembering.state_names == ("question: question", "question: end")
