"""Average rewards and diameters against enumeration in rational arithmetic, published answers and each other."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import entr, softmax

from rltheory.problems import SparseMDP, TabularMDP, uniform_policy
from rltheory.solvers import (
    average_linear_program,
    average_policy_iteration,
    diameter,
    end_components,
    gain_and_bias,
    induced_chain,
    is_communicating,
    is_weakly_communicating,
    relative_value_iteration,
    soft_relative_value_iteration,
)
from tests import exact_chains as exact
from tests.elsewhere import elsewhere

ANSWERS = json.loads((Path(__file__).parent / "data" / "average_reward.json").read_text(encoding="utf-8"))

# Answers whose licence forbids copies are read where they are at hand.
ELSEWHERE = elsewhere("peers")
LONG_RUN = json.loads((ELSEWHERE / "long_run_average_multichain.json").read_text("utf-8")) if ELSEWHERE else []
ABSENT = pytest.param({}, marks=pytest.mark.skip(reason="RLTHEORY_DATA names no folder of answers not to be copied"))

SWAP = TabularMDP([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], [[0, 0.5], [3, 1]], title="swap or stay")
TWO_ISLANDS = TabularMDP(np.eye(2)[:, None], [[1], [2]])


def both_forms(mdp):
    return mdp, SparseMDP.from_tabular(mdp)


def riverswim(states):
    """Left is sure and right against the current; there is little at the left end and 1 at the right one."""
    left, right = np.zeros((2, states, states))
    here = np.arange(states)
    left[here, np.maximum(here - 1, 0)] = 1
    right[here, here] = 0.6
    right[here[:-1], here[1:]] = 0.35
    right[here[1:], here[:-1]] = 0.05
    right[0, :2] = right[-1, :-3:-1] = 0.4, 0.6
    right[-1, :-3:-1] = 0.6, 0.4
    rewards = np.zeros((states, 2))
    rewards[0, 0], rewards[-1, 1] = 0.005, 1
    return TabularMDP(np.stack([left, right], axis=1), rewards)


def random_process(rng, states, actions):
    return TabularMDP(rng.dirichlet(np.full(states, 0.1), (states, actions)), rng.random((states, actions)))


def holds_from_each_state(found, gain, optimum):
    """Whether the bounds contain the exact gain of the policy and that of the best policy."""
    for s in range(len(gain)):
        lower, upper = Fraction(float(found.lower[s])), Fraction(float(found.upper[s]))
        assert lower <= gain[s] <= optimum[s] <= upper


@given(mdp=exact.processes())
def test_policy_iteration_keeps_its_certificate(mdp):
    truth = exact.gains_and_biases(mdp)
    optimum = [max(gain[s] for gain, _ in truth.values()) for s in range(mdp.states)]
    for form in both_forms(mdp):
        found = average_policy_iteration(form)
        gain, bias = truth[tuple(found.policy)]
        holds_from_each_state(found, gain, optimum)
        assert max(abs(Fraction(float(x)) - y) for x, y in zip(found.bias, bias, strict=True)) <= found.bias_error
        assert found.bias_error < 1e-8


def with_a_terrible_choice(mdp):
    """The last state gets one more choice, which no good policy takes: to earn -5000 for ever."""
    first_choice, rewards, first_entry, successors, probabilities = SparseMDP.from_tabular(mdp).arrays
    return SparseMDP(
        np.append(first_choice[:-1], mdp.choices + 1),
        np.append(first_entry, successors.size + 1).astype(int),
        np.append(successors, mdp.states - 1).astype(int),
        np.append(probabilities, 1.0),
        np.append(rewards, -5000.0),
    )


@given(mdp=exact.processes(quarters=True))
def test_policy_iteration_finds_the_optimal_bias(mdp):
    """Probabilities in quarters are exact in float64, so that ties are ties.

    Next to the terrible choice all others look alike to the iteration that finds a first policy, so that it is poor.
    """
    truth = exact.gains_and_biases(mdp)
    optimum = [max(gain[s] for gain, _ in truth.values()) for s in range(mdp.states)]
    biases = [bias for gain, bias in truth.values() if gain == optimum]
    best = [max(bias[s] for bias in biases) for s in range(mdp.states)]
    assert best in biases
    for form in (mdp, with_a_terrible_choice(mdp)):
        found = average_policy_iteration(form)
        assert truth[tuple(found.policy)] == (optimum, best)
        assert abs(found.bias_span - float(max(best) - min(best))) <= 2 * found.bias_error + 1e-15


@given(mdp=exact.processes())
def test_linear_program_keeps_its_certificate(mdp):
    truth = exact.gains_and_biases(mdp)
    optimum = [max(gain[s] for gain, _ in truth.values()) for s in range(mdp.states)]
    for form in both_forms(mdp):
        found = average_linear_program(form)
        holds_from_each_state(found, truth[tuple(found.policy)][0], optimum)


@given(mdp=exact.processes())
def test_relative_value_iteration_keeps_its_certificate(mdp):
    for form in both_forms(mdp):
        if not is_weakly_communicating(mdp):
            with pytest.raises(ValueError, match=f"the process has {end_components(mdp).count} end components"):
                relative_value_iteration(form)
            continue
        truth = exact.gains_and_biases(mdp)
        found = relative_value_iteration(form)
        lower, upper = Fraction(found.lower), Fraction(found.upper)
        assert upper - lower <= Fraction(1e-6)
        assert lower <= min(truth[tuple(found.policy)][0])
        assert max(max(gain) for gain, _ in truth.values()) <= upper
        assert lower <= found.gain <= upper
        assert found.values[0] == 0
        # The values solve the optimality equation up to the bounds, by its plain definition.
        change = form.rewards + form.transition_matrix @ found.values - found.values[form.state_of_choice]
        best = np.maximum.reduceat(change, form.first_choice[:-1])
        assert found.lower - 1e-12 <= best.min() <= best.max() <= found.upper + 1e-12


@given(mdp=exact.processes())
def test_diameter_keeps_its_certificate(mdp):
    every = [exact.exact_chain(mdp, policy)[0] for policy in exact.deterministic_policies(mdp)]
    shortest = {
        (s, t): min((x[s] for x in times if x[s] is not None), default=None)
        for t in range(mdp.states)
        for times in [[exact.hitting_times(chain, {t}) for chain in every]]
        for s in range(mdp.states)
    }
    for form in both_forms(mdp):
        found = diameter(form)
        if None in shortest.values():
            assert found.steps == found.lower == found.upper == np.inf
            assert shortest[found.start, found.target] is None
            assert not is_communicating(mdp)
        else:
            truth = max(shortest.values())
            assert Fraction(found.lower) <= truth <= Fraction(found.upper)
            assert found.upper - found.lower <= 1e-9 * found.steps
            assert abs(shortest[found.start, found.target] - truth) <= truth * Fraction(1e-9)


@pytest.mark.parametrize("case", ANSWERS["riverswim"], ids=lambda case: f"{case['states']} states")
@pytest.mark.parametrize("sparse", [False, True])
def test_riverswim(case, sparse):
    mdp = riverswim(case["states"])
    mdp = SparseMDP.from_tabular(mdp) if sparse else mdp
    gain = Fraction(case["gain"])
    found = average_policy_iteration(mdp)
    # The published gain is that of decimal probabilities; rounding moves it by 1e-16 times the span of the bias.
    np.testing.assert_allclose(found.gain, float(gain), rtol=1e-14)
    np.testing.assert_allclose(average_linear_program(mdp).gain, float(gain), rtol=1e-14)
    assert relative_value_iteration(mdp, accuracy=1e-9).gain == pytest.approx(float(gain), abs=1e-9)
    assert [mdp.choice_names[choice] for choice in found.policy] == ["1"] * case["states"]
    assert found.bias_span == pytest.approx(case["bias_span"], rel=1e-12)
    assert diameter(mdp).steps == pytest.approx(case["diameter"], rel=1e-12)
    assert (diameter(mdp).start, diameter(mdp).target) == (0, case["states"] - 1)
    left = gain_and_bias(*induced_chain(mdp, mdp.first_choice[:-1]))
    np.testing.assert_allclose(left.gain, float(Fraction(case["gain_always_left"])), rtol=1e-14)


@pytest.mark.parametrize("case", ANSWERS["gains"], ids=lambda case: case["name"])
def test_published_gains(case):
    mdp = TabularMDP(case["transitions"], case["rewards"])
    for solver in (average_policy_iteration, average_linear_program, relative_value_iteration):
        found = solver(mdp)
        np.testing.assert_allclose(found.gain, case["gain"], atol=1e-6)
        assert [int(mdp.choice_names[choice]) for choice in found.policy] == case["actions"]


@pytest.mark.parametrize("case", LONG_RUN or [ABSENT], ids=lambda case: case.get("name", "absent"))
@pytest.mark.parametrize("solver", [average_policy_iteration, average_linear_program])
def test_published_long_run_averages(case, solver):
    """The largest long-run average, and the smallest as the largest of the opposite rewards."""
    choices = [(s, law) for s, laws in enumerate(case["transitions"]) for law in laws]
    for sign, answers in ((1, case["expected_max"]), (-1, case["expected_min"])):
        mdp = SparseMDP(
            np.append(0, np.cumsum([len(laws) for laws in case["transitions"]])),
            np.append(0, np.cumsum([len(law) for _, law in choices])),
            [int(t) for _, law in choices for t in law],
            [p for _, law in choices for p in law.values()],
            [sign * (s in case["reward_states"]) for s, _ in choices],
        )
        expected = [sign * float(Fraction(answers[str(s)])) for s in range(mdp.states)]
        np.testing.assert_allclose(solver(mdp).gain, expected, atol=1e-12)


@pytest.mark.parametrize("states", [25, 100])
def test_long_riverswim(states):
    """Poor policies forget a state once in 7^states steps; the good one mixes fast."""
    found = average_policy_iteration(riverswim(states))
    # Always right, the detailed balance of the line gives the law, and the last state earns 1.
    law = np.append(7.0 ** np.arange(2 - states, 1), [0.35 / 0.4])
    law[0] *= 0.05 / 0.6
    np.testing.assert_allclose(found.gain, law[-1] / law.sum(), rtol=1e-13)
    assert (found.upper - found.lower).max() <= 1e-10
    # The drift is 0.3 states a step; only the ends differ.
    assert diameter(riverswim(states)).steps == pytest.approx((states - 1) / 0.3, rel=0.05)


def test_three_ways_agree_on_a_multichain_process():
    """Forty states, in each of which three lotteries lead to others or to one of two rivers of different worth."""
    rng = np.random.default_rng(0)
    river, gates, actions = riverswim(8), 40, 3
    states = gates + 2 * river.states
    laws, rewards = np.zeros((states, actions, states)), np.zeros((states, actions))
    for k in range(2):
        inside = slice(gates + k * river.states, gates + (k + 1) * river.states)
        laws[inside, :2, inside] = river.transition_matrix.reshape(river.states, 2, river.states)
        rewards[inside, :2] = (k + 1) * river.rewards.reshape(river.states, 2)
    laws[:gates, :, :gates] = rng.dirichlet(np.full(gates, 0.1), (gates, actions))
    laws[:gates] *= 0.7
    laws[:gates, :, gates] = 0.3 * rng.random((gates, actions))
    laws[:gates, :, gates + river.states] = 0.3 - laws[:gates, :, gates]
    rewards[:gates] = rng.normal(size=(gates, actions))
    allowed = np.arange(actions) < np.where(np.arange(states) < gates, actions, 2)[:, None]
    mdp = TabularMDP(laws, rewards, allowed=allowed)
    found = average_policy_iteration(mdp)
    assert end_components(mdp).count == 2
    np.testing.assert_allclose(found.gain[gates:], np.repeat([1, 2], 8) * average_policy_iteration(river).gain[0])
    assert np.ptp(found.gain[:gates]) > 0.1  # the lotteries differ
    other = average_linear_program(SparseMDP.from_tabular(mdp))
    assert (other.upper - other.lower).max() <= 1e-6
    np.testing.assert_allclose(other.gain, found.gain, atol=1e-6)
    # Value iteration approaches from any state: (T^n 0) / n differs from the gain by the span of the bias over n.
    values = np.zeros(states)
    for _ in range(2000):
        values = np.maximum.reduceat(mdp.rewards + mdp.transition_matrix @ values, mdp.first_choice[:-1])
    np.testing.assert_allclose(values / 2000, found.gain, atol=2 * found.bias_span / 2000)


def test_three_ways_agree_on_random_processes():
    mdp = random_process(np.random.default_rng(1), 150, 4)
    for form in both_forms(mdp):
        exactly = average_policy_iteration(form)
        iterated = relative_value_iteration(form, accuracy=1e-10)
        programmed = average_linear_program(form)
        np.testing.assert_array_equal(iterated.policy, exactly.policy)
        np.testing.assert_array_equal(programmed.policy, exactly.policy)
        assert iterated.lower <= exactly.upper[0]
        assert exactly.lower[0] <= iterated.upper
        shift = exactly.bias[0] - iterated.values[0]
        np.testing.assert_allclose(iterated.values + shift, exactly.bias, atol=1e-8)


@settings(max_examples=30)
@given(mdp=exact.processes(quarters=True))
def test_adding_and_scaling_rewards(mdp):
    changed = SparseMDP.from_tabular(mdp)
    changed = SparseMDP(
        mdp.first_choice, *(changed.arrays[k].astype(int) for k in (2, 3)), changed.arrays[4], 1000 * mdp.rewards + 7
    )
    found, moved = average_policy_iteration(mdp), average_policy_iteration(changed)
    np.testing.assert_allclose(moved.gain, 1000 * found.gain + 7, atol=1e-9)
    np.testing.assert_allclose(moved.bias, 1000 * found.bias, atol=1e-8)


def test_randomised_policies_average_their_choices():
    chain, rewards = induced_chain(SWAP, [0.5, 0.5, 1, 0])
    np.testing.assert_array_equal(chain.transitions, [[0.5, 0.5], [1, 0]])
    np.testing.assert_array_equal(rewards, [0.25, 3])
    np.testing.assert_allclose(gain_and_bias(chain, rewards).gain, 3.5 / 3, rtol=1e-15)
    sparse, _ = induced_chain(SparseMDP.from_tabular(SWAP), [0.5, 0.5, 1, 0])
    np.testing.assert_array_equal(sparse.transitions.toarray(), chain.transitions)


def test_periodic_processes_need_damping():
    assert relative_value_iteration(SWAP).gain == pytest.approx(1.5, abs=1e-6)
    with pytest.raises(ArithmeticError, match=r"the gain lies in \[.*the limit of 1000 sweeps is spent"):
        relative_value_iteration(SWAP, damping=0, sweeps=1000)
    ring = TabularMDP(np.roll(np.eye(40), 1, axis=1)[:, None], np.eye(40)[:, :1])
    assert relative_value_iteration(ring).gain == pytest.approx(1 / 40, abs=1e-6)
    assert average_policy_iteration(ring).bias_span == pytest.approx(39 / 40, rel=1e-12)


@pytest.mark.parametrize("solver", [average_policy_iteration, average_linear_program, relative_value_iteration])
def test_accuracy_beyond_float64_is_an_error(solver):
    with pytest.raises(ArithmeticError, match=r"wider than the accuracy 1e-17; float64 can certify no more here"):
        solver(SWAP, accuracy=1e-17)


def soft_gains(mdp, policy, temperature):
    """Gain from each state of rewards and entropies, the chain's law in rational arithmetic."""
    every = exact.laws(SparseMDP.from_tabular(mdp).transition_matrix.toarray())
    shares = np.split(policy, mdp.first_choice[1:-1])
    chain, rewards = [], []
    for first, share in zip(mdp.first_choice[:-1], shares, strict=True):
        weights = exact.fractions(share / share.sum())
        rows = every[first : first + share.size]
        mixed = [exact.dot(weights, column) for column in zip(*rows, strict=True)]
        chain.append([p / sum(mixed) for p in mixed])
        earned = share @ mdp.rewards[first : first + share.size] + temperature * entr(share).sum()
        rewards.append(Fraction(float(earned)))
    return exact.gain_and_bias(chain, rewards)[0]


@given(mdp=exact.processes(max_states=3), temperature=st.sampled_from([0.01, 0.5, 3.0]), data=st.data())
def test_soft_iteration_keeps_its_certificate(mdp, temperature, data):
    assume(is_weakly_communicating(mdp))
    logits = data.draw(st.lists(st.integers(-4, 4), min_size=mdp.choices, max_size=mdp.choices))
    other = np.concatenate([softmax(part) for part in np.split(np.array(logits, float), mdp.first_choice[1:-1])])
    for form in both_forms(mdp):
        found = soft_relative_value_iteration(form, temperature=temperature)
        assert found.upper - found.lower <= 1e-6
        policy = np.exp(found.log_policy)
        np.testing.assert_allclose(np.add.reduceat(policy, mdp.first_choice[:-1]), 1, rtol=1e-14)
        # The rewards of the exact chain are rounded to float64.
        assert found.lower <= float(min(soft_gains(mdp, policy, temperature))) + 1e-13
        assert float(max(soft_gains(mdp, other, temperature))) <= found.upper + 1e-13
        assert found.values[0] == 0
        change = (form.rewards + form.transition_matrix @ found.values) / temperature
        parts = np.split(change, mdp.first_choice[1:-1])
        best = temperature * np.array([np.logaddexp.reduce(part) for part in parts]) - found.values
        assert found.lower - 1e-12 <= best.min() <= best.max() <= found.upper + 1e-12


@st.composite
def moves(draw):
    """Processes in which every choice leads to a single state, with rewards in halves."""
    states, actions = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    targets = draw(
        st.lists(
            st.lists(st.integers(0, states - 1), min_size=actions, max_size=actions), min_size=states, max_size=states
        )
    )
    rewards = st.lists(st.integers(-4, 4), min_size=actions, max_size=actions)
    return TabularMDP(
        np.eye(states)[np.array(targets)], np.array(draw(st.lists(rewards, min_size=states, max_size=states))) / 2
    )


@given(mdp=moves(), temperature=st.sampled_from([0.25, 1.0, 2.0]))
def test_soft_gain_is_an_eigenvalue_where_moves_are_sure(mdp, temperature):
    assume(is_weakly_communicating(mdp))
    matrix = np.zeros((mdp.states, mdp.states))
    np.add.at(matrix, (mdp.state_of_choice, mdp.transition_matrix.argmax(axis=1)), np.exp(mdp.rewards / temperature))
    largest = np.abs(np.linalg.eigvals(matrix)).max()
    found = soft_relative_value_iteration(mdp, temperature=temperature, accuracy=1e-9)
    assert found.gain == pytest.approx(temperature * np.log(largest), abs=1e-8)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_soft_gain_is_the_best_of_all_policies(temperature):
    """A search over the logits of randomised policies, evaluated by their chains."""
    mdp = random_process(np.random.default_rng(5), 3, 2)

    def policy(logits):
        return softmax(logits.reshape(3, 2), axis=1).ravel()

    def loss(logits):
        chain, rewards = induced_chain(mdp, policy(logits))
        earned = rewards + temperature * entr(policy(logits)).reshape(3, 2).sum(axis=1)
        return -gain_and_bias(chain, earned).gain[0]

    searched = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-9, "xrtol": 1e-9})
    found = soft_relative_value_iteration(mdp, temperature=temperature, accuracy=1e-10)
    assert found.gain == pytest.approx(-searched.fun, abs=1e-9)
    np.testing.assert_allclose(np.exp(found.log_policy), policy(searched.x), atol=1e-4)
    assert np.ptp(found.log_policy) > 0.1


def test_entropy_is_worth_its_temperature():
    plain = relative_value_iteration(SWAP, accuracy=1e-9).gain
    gains = [soft_relative_value_iteration(SWAP, temperature=t, accuracy=1e-9).gain for t in (1e-3, 0.1, 1.0)]
    assert plain - 1e-9 <= gains[0] < gains[1] < gains[2] <= plain + np.log(2) + 1e-9
    assert gains[0] - plain < 1e-3 * np.log(2) + 1e-9
    # A penalty for leaving a reference policy costs nothing where nothing else is to be had.
    idle = SWAP.with_rewards(np.log(uniform_policy(SWAP)))
    assert soft_relative_value_iteration(idle, temperature=1.0).gain == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"temperature": 0}, ValueError, "temperature is 0.0; it must be finite and > 0"),
        ({"temperature": 1, "accuracy": -1}, ValueError, "accuracy is -1.0"),
        ({"temperature": 1, "damping": 1}, ValueError, r"damping is 1.0; it must lie in \[0, 1\)"),
        ({"temperature": 1, "sweeps": 0}, ValueError, "sweeps is 0"),
        ({"temperature": 1, "accuracy": 1e-17}, ArithmeticError, "float64 can certify no more here"),
        ({"temperature": 1, "sweeps": 2}, ArithmeticError, "the limit of 2 sweeps is spent"),
    ],
)
def test_wrong_arguments_of_the_soft_iteration_are_named(options, error, message):
    with pytest.raises(error, match=message):
        soft_relative_value_iteration(SWAP, **options)
    with pytest.raises(ValueError, match="the process has 2 end components"):
        soft_relative_value_iteration(TWO_ISLANDS, temperature=1.0)


def test_one_state():
    mdp = TabularMDP([[[1], [1]]], [[1, 2]])
    for solver in (average_policy_iteration, average_linear_program, relative_value_iteration):
        np.testing.assert_allclose(solver(mdp).gain, 2, atol=1e-6)
    assert diameter(mdp).upper == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: relative_value_iteration(TWO_ISLANDS), "the process has 2 end components"),
        (lambda: relative_value_iteration(SWAP, accuracy=0), "accuracy is 0.0; it must be finite and > 0"),
        (lambda: relative_value_iteration(SWAP, damping=1), r"damping is 1.0; it must lie in \[0, 1\)"),
        (lambda: relative_value_iteration(SWAP, damping=-0.1), "damping is -0.1; it must be finite and >= 0"),
        (lambda: relative_value_iteration(SWAP, sweeps=0), "sweeps is 0; it must be >= 1"),
        (lambda: average_policy_iteration(SWAP, accuracy=-1), "accuracy is -1.0"),
        (lambda: average_linear_program(SWAP, accuracy=np.nan), "accuracy is nan"),
        (lambda: induced_chain(SWAP, [0]), r"policy has shape \(1,\); it must name a choice for each of 2 states"),
        (lambda: induced_chain(SWAP, [0, 1]), r"policy\[1\] is 1; the choices of state 1 are 2 to 3"),
        (lambda: induced_chain(SWAP, [0.5, 0.5, 1]), "policy has 3 probabilities for 4 choices"),
        (lambda: induced_chain(SWAP, [0.5, 0.5, 1.5, -0.5]), r"policy\[3\] is -0.5; a probability must be >= 0"),
        (lambda: induced_chain(SWAP, [0.5, 0.4, 1, 0]), "policy sums to 0.9 over the choices of state 0"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
