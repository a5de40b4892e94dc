"""Radii of stability against fractions, unrolled horizons, and perturbed processes that are solved anew."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltheory.instances import (
    bandit,
    chain,
    combination_lock,
    garnet,
    grid_world,
    inventory,
    length_chain,
    machine_replacement,
    outcome_tree,
    reward_of_action_values,
    river_swim,
    tied_mdp,
    two_branches,
)
from rltheory.problems import FiniteHorizonMDP, SparseMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import (
    backward_induction,
    finite_horizon_stability_radius,
    gap_gradients,
    hemicontinuity_radius,
    optimality_margins,
    policy_iteration,
    stability,
    stability_radius,
)
from tests.exact_mdps import exact, exact_laws, mdps
from tests.test_occupancy import solve

UNIQUE = {
    "RiverSwim": (river_swim(), 0.95),
    "chain": (chain(), 0.9),
    "machine": (machine_replacement(), 0.99),
    "inventory": (inventory(), 0.9),
    "lock": (combination_lock([0, 1, 1]), 0.8),
    "Garnet": (garnet(stream(0, "stability"), 20, 3, 3), 0.9),
    "branches": (two_branches(), 0.9),
    "bandit": (bandit([1.0, 0.5, 0.2]), 0.0),
}
EACH = pytest.mark.parametrize("place", UNIQUE)


def exact_gradients(mdp, made, gamma):
    """Rows V^pi(s) - Q^pi(c) as functions of the reward, in fractions."""
    laws = exact_laws(mdp)
    system = (exact(np.eye(mdp.states)) - gamma * laws[made]).T
    rows = []
    for choice, state in enumerate(mdp.state_of_choice):
        start = exact(np.eye(mdp.states)[state]) - gamma * laws[choice]
        row = exact(np.zeros(mdp.choices))
        row[made] = solve(system, start)
        row[choice] -= 1
        rows.append(row)
    return np.array(rows)


@settings(max_examples=50)
@given(mdp=mdps(), discount=st.sampled_from([0.0, 0.5, 0.9, 0.99]), data=st.data())
def test_radius_in_fractions(mdp, discount, data):
    drawn = st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=mdp.choices, max_size=mdp.choices)
    weights = np.array(data.draw(drawn))
    (gamma,) = exact([discount])
    made = policy_iteration(mdp, discount, accuracy=1e-10).policy
    gradients = exact_gradients(mdp, made, gamma)
    others = np.setdiff1d(np.arange(mdp.choices), made)
    gaps = gradients[others].dot(exact(mdp.rewards))
    norms = abs(gradients[others]).dot(exact(weights))
    if min(abs(gaps), default=1) <= 1e-9:
        with pytest.raises(ValueError, match="tied choices"):
            stability_radius(mdp, discount, weights=weights)
        return
    if not norms.any():
        with pytest.raises(ValueError, match="no perturbation within the weights"):
            stability_radius(mdp, discount, weights=weights)
        return
    found = stability_radius(mdp, discount, weights=weights)
    assert found.policy.tolist() == made.tolist()
    radius = min(gap / norm for gap, norm in zip(gaps, norms, strict=True) if norm)
    assert Fraction(found.lower) <= radius <= Fraction(found.upper)
    assert found.upper - found.lower <= 1e-12 / (1 - discount) ** 3 * (1 + found.upper)
    row = gradients[found.choice]
    assert abs(row.dot(exact(mdp.rewards + found.perturbation))) <= 1e-9
    assert (np.abs(found.perturbation) <= found.radius * weights).all()


@given(mdp=mdps(), discount=st.sampled_from([0.0, 0.5, 0.99]))
def test_gradients_in_fractions(mdp, discount):
    made = mdp.first_choice[:-1]
    found = gap_gradients(mdp, made, discount, np.arange(mdp.choices))
    errors = abs(exact(found.gradients) - exact_gradients(mdp, made, exact([discount])[0])).sum(axis=1)
    assert max(errors) <= Fraction(found.error)
    assert found.error <= 1e-13 / (1 - discount) ** 2


@EACH
def test_ten_thousand_perturbations_within_change_nothing(place):
    mdp, discount = UNIQUE[place]
    found = stability_radius(mdp, discount)
    signs = stream(0, "signs", place).choice([-1.0, 1.0], (10_000, mdp.choices))
    margins = optimality_margins(mdp, found.policy, discount, mdp.rewards + 0.999 * found.radius * signs)
    assert margins.margins.min() > margins.error
    # A few of them are solved anew, where nothing is known of the policy.
    for sign in signs[:40]:
        perturbed = mdp.with_rewards(mdp.rewards + 0.999 * found.radius * sign)
        assert policy_iteration(perturbed, discount, accuracy=1e-9).policy.tolist() == found.policy.tolist()


@EACH
@pytest.mark.parametrize("times", [1.001, 1.1, 3.0])
def test_the_smallest_perturbation_changes_the_policy(place, times):
    mdp, discount = UNIQUE[place]
    found = stability_radius(mdp, discount)
    assert np.abs(found.perturbation).max() == pytest.approx(found.radius)
    perturbed = mdp.with_rewards(mdp.rewards + times * found.perturbation)
    assert policy_iteration(perturbed, discount, accuracy=1e-10).policy[found.state] != found.policy[found.state]
    inside = mdp.with_rewards(mdp.rewards + found.perturbation / times)
    assert policy_iteration(inside, discount, accuracy=1e-10).policy.tolist() == found.policy.tolist()


@EACH
def test_margins_are_those_of_processes_solved_anew(place):
    mdp, discount = UNIQUE[place]
    made = stability_radius(mdp, discount).policy
    rewards = mdp.rewards + stream(0, "margins", place).normal(size=(30, mdp.choices)) * np.abs(mdp.rewards).max()
    found = optimality_margins(mdp, made, discount, rewards)
    optima = [policy_iteration(mdp.with_rewards(row), discount, accuracy=1e-9).policy for row in rewards]
    assert [(policy == made).all() for policy in optima] == (found.margins > 0).tolist()


@EACH
def test_dense_and_sparse_small_and_large_blocks_agree(place, monkeypatch):
    mdp, discount = UNIQUE[place]
    found = stability_radius(mdp, discount)
    if isinstance(mdp, TabularMDP):
        sparse = stability_radius(SparseMDP.from_tabular(mdp), discount)
        np.testing.assert_allclose(sparse.norms, found.norms, rtol=1e-12)
    for share in (0.0, 1.0):
        monkeypatch.setattr(stability, "SPARSE_FILL", share)
        monkeypatch.setattr(stability, "BLOCK", 2 * mdp.choices)
        again = stability_radius(mdp, discount)
        np.testing.assert_allclose(again.norms, found.norms, rtol=1e-12)
        np.testing.assert_allclose(again.perturbation, found.perturbation, rtol=1e-12)
        rewards = mdp.rewards + np.linspace(0, 1, 7)[:, None] * found.perturbation
        margins = optimality_margins(mdp, found.policy, discount, rewards).margins
        np.testing.assert_allclose(margins, np.linspace(1, 0, 7) * margins[0], rtol=1e-9, atol=1e-11)


def test_many_states():
    """Both kinds of factors: those of a grid stay sparse, those of random laws do not."""
    rows = ["." * 19 + "G", *("." * 20 for _ in range(19))]
    grid = grid_world(rows, slip=0.1, step_reward=-0.01)
    grid = grid.with_rewards(grid.rewards + stream(0, "grid").normal(size=grid.choices) / 100)
    for mdp in (grid, garnet(stream(0, "large"), 300, 3, 5)):
        found = stability_radius(mdp, 0.9)
        outcome = optimality_margins(mdp, found.policy, 0.9, mdp.rewards + np.outer([0.999, 1.001], found.perturbation))
        assert outcome.margins[0] > outcome.error
        assert outcome.margins[1] < -outcome.error
        assert found.upper - found.lower <= 1e-6 * found.radius


def test_ends_of_the_range():
    """Arms of a bandit are half a gap apart; branches that never meet again, (1 - discount) times that."""
    arms = stability_radius(bandit([1.0, 0.5, 0.2]), 0.0)
    assert (arms.radius, arms.choice) == (0.25, 1)
    branches = stability_radius(two_branches(3.0, 1.0), 0.9)
    assert branches.gaps[1] == pytest.approx(18.0)
    assert branches.norms[1] == pytest.approx(20.0)
    assert branches.radius == pytest.approx(0.9)


def test_one_component_of_a_mixture():
    """Only the second of two rewards errs, which counts a quarter in the first state and fully in others."""
    mdp, discount = UNIQUE["inventory"]
    weights = np.where(mdp.state_of_choice == 0, 0.25, 1.0)
    found = stability_radius(mdp, discount, weights=weights)
    assert found.radius > stability_radius(mdp, discount).radius
    errors = found.radius * stream(0, "errors").choice([-1.0, 1.0], (2_000, mdp.choices))
    margins = optimality_margins(mdp, found.policy, discount, mdp.rewards + 0.999 * weights * errors).margins
    assert margins.min() > 0
    beyond = optimality_margins(mdp, found.policy, discount, [mdp.rewards + 1.001 * found.perturbation])
    assert beyond.margins[0] < 0


def unrolled(problem):
    """The horizon as states of one process, with an absorbing last state; numbered stage by stage."""
    states, choices = problem.states, problem.choices
    size = problem.horizon * states + 1
    laws, rewards, firsts = [], [], []
    for stage, mdp in enumerate(problem.stages):
        matrix = mdp.transition_matrix
        for law in matrix if isinstance(matrix, np.ndarray) else matrix.toarray():
            row = np.zeros(size)
            if stage + 1 < problem.horizon:
                row[(stage + 1) * states : (stage + 2) * states] = law
            else:
                row[-1] = 1.0
            laws.append(row)
        rewards.extend(mdp.rewards)
        firsts.extend(mdp.first_choice[:-1] + stage * choices)
    laws.append(np.eye(size)[-1])
    first_choice = np.array([*firsts, len(laws) - 1, len(laws)])
    entries = [np.flatnonzero(row) for row in laws]
    return SparseMDP(
        first_choice,
        np.append(0, np.cumsum([e.size for e in entries])),
        np.concatenate(entries),
        np.concatenate([row[e] for row, e in zip(laws, entries, strict=True)]),
        [*rewards, 0.0],
    )


def horizons():
    rng = stream(0, "horizons")
    different = [garnet(rng, 5, 3, 2) for _ in range(4)]
    return {
        "chain": FiniteHorizonMDP.stationary(chain(3), 5),
        "stages differ": FiniteHorizonMDP(different),
        "Garnet": FiniteHorizonMDP.stationary(garnet(rng, 6, 2, 3), 7),
    }


@pytest.mark.parametrize("place", horizons())
@pytest.mark.parametrize("discount", [0.9, 0.3])
def test_finite_horizon_is_the_unrolled_process(place, discount):
    problem = horizons()[place]
    weights = stream(0, "weights", place).integers(1, 4, (problem.horizon, problem.choices)) / 2
    found = finite_horizon_stability_radius(problem, discount=discount, weights=weights)
    same = stability_radius(unrolled(problem), discount, weights=np.append(weights, 0.0))
    assert found.lower <= same.upper
    assert same.lower <= found.upper
    assert (found.stage * problem.choices + found.choice, found.radius) == (same.choice, pytest.approx(same.radius))
    np.testing.assert_allclose(found.norms.ravel(), same.norms[:-1], rtol=1e-10)
    np.testing.assert_allclose(found.gaps.ravel(), same.gaps[:-1], atol=1e-10)
    np.testing.assert_allclose(found.perturbation.ravel(), same.perturbation[:-1], atol=1e-10)


@pytest.mark.parametrize("place", horizons())
def test_finite_horizon_without_discounting(place):
    problem = horizons()[place]
    found = finite_horizon_stability_radius(problem)
    left = problem.horizon - np.arange(problem.horizon)
    norms = np.where(found.norms > 0, found.norms, np.nan)
    assert np.nanmin(norms) >= 2 - 1e-12
    assert (np.nanmax(norms, axis=1) <= 2 * left + 1e-12).all()
    for k in range(60):
        signs = stream(0, "stages", k).choice([-1.0, 1.0], found.gaps.shape)
        assert made_under(problem, 0.999 * found.radius * signs) == found.policy.tolist()
    assert made_under(problem, 0.999 * found.perturbation) == found.policy.tolist()
    assert made_under(problem, 1.001 * found.perturbation)[found.stage][found.state] == found.choice


def made_under(problem, perturbation):
    stages = [mdp.with_rewards(mdp.rewards + delta) for mdp, delta in zip(problem.stages, perturbation, strict=True)]
    return backward_induction(FiniteHorizonMDP(stages)).made.tolist()


def test_hemicontinuity_radius():
    mdp = tied_mdp(stream(0, "ties"), 20, 3, 4, 0.9)
    found = hemicontinuity_radius(mdp, 0.9)
    assert found.lower <= 0.025 <= found.upper  # gaps are multiples of 1/2
    assert found.upper - found.lower < 1e-9
    assert found.optimal[:2].all()
    shrunk = 0
    for k in range(100):
        delta = 0.999 * found.radius * stream(0, "shrink", k).choice([-1.0, 1.0], mdp.choices)
        chosen = policy_iteration(mdp.with_rewards(mdp.rewards + delta), 0.9, accuracy=1e-10)
        values = mdp.rewards + delta + 0.9 * (mdp.transition_matrix @ chosen.values)
        optimal = chosen.values[mdp.state_of_choice] - values <= 1e-8
        assert not (optimal & ~found.optimal).any()
        shrunk += optimal.sum() < found.optimal.sum()
    assert shrunk > 50
    assert hemicontinuity_radius(bandit([1.0, 1.0]), 0.0).radius == np.inf


def test_half_the_gap_is_too_far_for_the_sets():
    branches = two_branches()
    apart = np.array([-1.0, 1.0, -1.0, 1.0])
    radius = hemicontinuity_radius(branches, 0.9).radius
    for share, first in ((0.999, 0), (1.001, 1)):
        perturbed = branches.with_rewards(branches.rewards + share * radius * apart)
        assert policy_iteration(perturbed, 0.9).policy[0] == first


@given(mdp=mdps(), discount=st.sampled_from([0.0, 0.5, 0.9]), data=st.data())
def test_rewards_of_action_values(mdp, discount, data):
    wanted = np.array(data.draw(st.lists(st.integers(-4, 4), min_size=mdp.choices, max_size=mdp.choices))) / 2
    rewards = reward_of_action_values(mdp, discount, wanted)
    values = policy_iteration(mdp.with_rewards(rewards), discount, accuracy=1e-9).values
    np.testing.assert_allclose(values, np.maximum.reduceat(wanted, mdp.first_choice[:-1]), atol=2e-9)


def test_outcome_tree():
    """All ways to a correct leaf tie; a bonus on the way selects those through it."""
    tree = outcome_tree([True, True, True, True, False, True, False, False])
    root, below, above_leaves = [1, 1], [1, 1, 1, 0], [1, 1, 1, 1, 0, 1, 1, 1]
    assert hemicontinuity_radius(tree, 0.5).optimal.tolist() == [*root, *below, *above_leaves, 1]
    bonus = np.zeros(tree.choices)
    bonus[3] = 1e-6
    chosen = hemicontinuity_radius(tree.with_rewards(tree.rewards + bonus), 0.5)
    assert chosen.optimal[:4].tolist() == [True, False, False, True]
    with pytest.raises(ValueError, match="correct has 3 leaves; their number must be a power of 2 above 1"):
        outcome_tree([True, False, True])


@pytest.mark.parametrize("penalty", [1e-6, 3e-4, 0.1])
def test_length_chain(penalty):
    """The answer stops at the target for every penalty; without one, all lengths tie."""
    made = backward_induction(FiniteHorizonMDP.stationary(length_chain(6, 4, penalty), 6)).made
    assert made[range(4), range(4)].tolist() == [1, 3, 5, 6]
    idle = backward_induction(FiniteHorizonMDP.stationary(length_chain(6, 4, 0.0), 6)).action_values
    assert idle[0, :2].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="target is 7; the longest answer has 6 words"):
        length_chain(6, 7, penalty)


BANDIT = bandit([1.0, 0.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stability_radius(bandit([1.0, 0.2, 1.0]), 0.0), "state 0 has tied choices 0, 2: .* unique"),
        (lambda: stability_radius(bandit([1.0]), 0.0), "no perturbation within the weights changes the policy"),
        (lambda: stability_radius(BANDIT, 0.0, weights=[0, 0]), "no perturbation within the weights"),
        (lambda: stability_radius(BANDIT, 0.0, weights=[1]), r"weights has shape \(1,\); it must be \(2,\)"),
        (lambda: stability_radius(BANDIT, 0.0, weights=[1, -2]), r"weights\[1\] is -2.0; a weight must be >= 0"),
        (lambda: stability_radius(BANDIT, 1.0), "discount is 1; it must be < 1"),
        (lambda: hemicontinuity_radius(BANDIT, -0.1), "discount is -0.1; it must lie in"),
        (
            lambda: finite_horizon_stability_radius(FiniteHorizonMDP.stationary(river_swim(), 5)),
            "state 1 at stage 4 has tied choices 2, 3",
        ),
        (
            lambda: finite_horizon_stability_radius(FiniteHorizonMDP.stationary(BANDIT, 2), weights=[1, 1]),
            "weights has shape",
        ),
        (lambda: gap_gradients(BANDIT, [0], 0.0, [2]), r"choices\[0\] is 2; there are choices 0 to 1"),
        (lambda: gap_gradients(BANDIT, [0], 0.0, [0.5]), "choices has type float64"),
        (lambda: gap_gradients(BANDIT, [[0]], 0.0, [1]), r"made has shape \(1, 1\)"),
        (lambda: optimality_margins(BANDIT, [2], 0.0, [[1, 2]]), r"made\[0\] is 2; the choices of state 0 are 0 to 1"),
        (lambda: optimality_margins(BANDIT, [0], 0.0, [1, 2]), "rewards has shape"),
        (lambda: optimality_margins(BANDIT, [0], 0.0, [[1, 2, 3]]), r"rewards has shape \(1, 3\); it must be \(N, 2\)"),
        (lambda: reward_of_action_values(BANDIT, 0.0, [1]), "action_values has 1 entries for 2 choices"),
        (lambda: tied_mdp(stream(0), 3, 1, 1, 0.9), "actions is 1; a tie needs two"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
