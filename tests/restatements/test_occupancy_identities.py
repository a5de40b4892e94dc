"""Both sides of the theorems on occupancies and differences, by sums over time and inverse matrices."""

import numpy as np
import pytest

from rltheory import verify
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.discounted import occupancy_identities
from rltheory.theorems.discounted.occupancy_identities import TwoEpisodicPolicies, TwoPolicies, TwoProcesses
from rltheory.theory import Status, Theorem
from tests.exact_mdps import state_choices
from tests.restatements.plain_mdps import best_values, choice_values, laws, occupancy, values_of

# Values of up to some hundred, good to some hundred eps; sums over time are cut at 1e-14.
ABSOLUTE = 1e-11

THREE = TabularMDP.from_rows(
    [0, 2, 3, 5],
    [[0.5, 0.5, 0], [0, 0.2, 0.8], [0.1, 0.9, 0], [0.3, 0.3, 0.4], [0, 0, 1]],
    [1.0, 0.0, 0.5, -1.0, 0.75],
    initial=[0.6, 0.4, 0.0],
)
OTHER = TabularMDP.from_rows(
    [0, 2, 3, 5],
    [[0.4, 0.6, 0], [0.1, 0.1, 0.8], [0, 0.7, 0.3], [0.3, 0.2, 0.5], [0, 0.5, 0.5]],
    [0.5, 0.0, 1.0, -1.0, 0.7],
    initial=[0.6, 0.4, 0.0],
)
POLICY, AGAINST = np.array([0.3, 0.7, 1.0, 0.5, 0.5]), np.array([1.0, 0.0, 1.0, 0.9, 0.1])
STAGED = np.array([POLICY, AGAINST, POLICY, POLICY])
EPISODES = FiniteHorizonMDP([THREE, OTHER, THREE, OTHER])
SETTINGS = {
    "policies": TwoPolicies(THREE, 0.8, policy=POLICY, other=AGAINST),
    "policies, exchanged": TwoPolicies(THREE, 0.5, policy=AGAINST, other=POLICY),
    "policies without a future": TwoPolicies(THREE, 0.0, policy=POLICY, other=AGAINST),
    "processes": TwoProcesses(THREE, 0.8, other=OTHER, policy=POLICY),
    "processes, exchanged": TwoProcesses(OTHER, 0.3, other=THREE, policy=AGAINST),
    "episodes": TwoEpisodicPolicies(EPISODES, STAGED, STAGED[::-1].copy()),
}
THEOREMS = {theorem.name: theorem for theorem in vars(occupancy_identities).values() if isinstance(theorem, Theorem)}
ALPHA = np.arange(11) / 10
STATES = np.array([0, 0, 1, 2, 2])


def way(s):
    return [(1 - a) * s.other + a * s.policy for a in ALPHA]


def returns(s):
    return np.array([s.mdp.initial @ values_of(s.mdp, s.discount, policy) for policy in way(s)])


def gains(s):
    return returns(s) - returns(s)[0]


def visits(s, policy):
    found = occupancy(s.mdp, s.discount, policy)
    return np.array([sum(found[c] for c in choices) for choices in state_choices(s.mdp)])


def difference(s):
    v = values_of(s.mdp, s.discount, s.other)
    advantages = choice_values(s.mdp, s.discount, v) - v[STATES]
    return [occupancy(s.mdp, s.discount, policy) @ advantages / (1 - s.discount) for policy in way(s)], gains(s)


def difference_reversed(s):
    q = [choice_values(s.mdp, s.discount, values_of(s.mdp, s.discount, policy)) for policy in way(s)]
    weight = visits(s, s.other)[STATES] / (1 - s.discount)
    return [weight * (policy - s.other) @ values for policy, values in zip(way(s), q, strict=True)], gains(s)


def play_out(s, policy):
    """Return of a staged policy, and probabilities of choices, by following the states."""
    reached, total, made = s.problem.initial, 0.0, []
    for mdp, probabilities in zip(s.problem.stages, policy, strict=True):
        made.append(reached[STATES] * probabilities)
        total += made[-1] @ mdp.rewards
        reached = made[-1] @ laws(mdp)
    return total, np.array(made)


def episodic_difference(s):
    v, advantages = np.zeros(3), []
    for mdp, probabilities in zip(s.problem.stages[::-1], s.other[::-1], strict=True):
        q = choice_values(mdp, 1.0, v)
        v = np.array([sum(probabilities[c] * q[c] for c in choices) for choices in state_choices(mdp)])
        advantages.insert(0, q - v[STATES])
    runs = [play_out(s, policy) for policy in way(s)]
    return [(made * advantages).sum() for _, made in runs], [total - runs[0][0] for total, _ in runs]


def mixture(s):
    v = values_of(s.mdp, s.discount, s.other)
    advantages = choice_values(s.mdp, s.discount, v) - v[STATES]
    mean = np.array([sum(s.policy[c] * advantages[c] for c in choices) for choices in state_choices(s.mdp)])
    left = np.abs(gains(s) - ALPHA * (visits(s, s.other) @ mean) / (1 - s.discount))
    right = ALPHA**2 * s.discount * (max(mean) - min(mean)) / (1 - s.discount) / (1 - s.discount + s.discount * ALPHA)
    return left, right


def flow(s):
    made = occupancy(s.mdp, s.discount, s.policy)
    return visits(s, s.policy), (1 - s.discount) * s.mdp.initial + s.discount * sum(made[:, None] * laws(s.mdp))


def linear(s):
    made = [occupancy(s.mdp, s.discount, policy) for policy in way(s)]
    return [d @ s.mdp.rewards / (1 - s.discount) for d in made], returns(s)


def occupancy_distance(s):
    made = np.array([occupancy(s.mdp, s.discount, policy) for policy in way(s)])
    apart = [visits(s, policy)[STATES] @ np.abs(policy - s.other) / (1 - s.discount) for policy in way(s)]
    return np.abs(made - made[0]).sum(axis=1), apart


def simulation(s):
    v, other = (values_of(mdp, s.discount, s.policy) for mdp in (s.mdp, s.other))
    changes = choice_values(s.mdp, s.discount, v) - choice_values(s.other, s.discount, v)
    of_state = [sum(s.policy[c] * changes[c] for c in choices) for choices in state_choices(s.mdp)]
    rows = [sum(s.policy[c] * laws(s.other)[c] for c in choices) for choices in state_choices(s.mdp)]
    # The series of the inverse, to 1e-14.
    total, term = np.zeros(3), np.array(of_state)
    while np.abs(term).max() > 1e-15:
        total, term = total + term, s.discount * np.array(rows) @ term
    return v - other, total


def largest_change(s, v):
    moved = max(np.maximum(p - q, 0).sum() for p, q in zip(laws(s.mdp), laws(s.other), strict=True))
    return (max(abs(s.mdp.rewards - s.other.rewards)) + s.discount * (max(v) - min(v)) * moved) / (1 - s.discount)


def simulation_bound(s):
    v, other = (values_of(mdp, s.discount, s.policy) for mdp in (s.mdp, s.other))
    return np.abs(v - other), np.full(3, largest_change(s, v))


def optimal_bound(s):
    v, other = (best_values(mdp, s.discount) for mdp in (s.mdp, s.other))
    return np.abs(v - other), np.full(3, largest_change(s, v))


RESTATED = {
    "mdp-identities/performance-difference": difference,
    "mdp-identities/performance-difference-reversed": difference_reversed,
    "mdp-identities/performance-difference-episodic": episodic_difference,
    "mdp-identities/mixture": mixture,
    "mdp-identities/flow": flow,
    "mdp-identities/return": linear,
    "mdp-identities/occupancy-distance": occupancy_distance,
    "mdp-identities/simulation": simulation,
    "mdp-identities/simulation-bound": simulation_bound,
    "mdp-identities/simulation-bound-optimal": optimal_bound,
}
SHARP = {
    "mdp-identities/mixture": 1 - 1e-6,
    "mdp-identities/occupancy-distance": 0.99,  # reached in the limit of equal policies
    "mdp-identities/simulation-bound": 1 - 1e-6,
    "mdp-identities/simulation-bound-optimal": 1 - 1e-6,
}


def fits(theorem, s):
    return isinstance(s, theorem.setting_type)


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()
    assert {name for name, theorem in THEOREMS.items() if theorem.kind.name == "every step"} == SHARP.keys()


@pytest.mark.parametrize(
    ("name", "place"),
    [(name, place) for name, theorem in THEOREMS.items() for place, s in SETTINGS.items() if fits(theorem, s)],
)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = RESTATED[name](s)
    for side, restated in ((theorem.measured, measured), (theorem.bound, bound)):
        curve = np.broadcast_to(side(s, trace), trace.times.shape)
        np.testing.assert_allclose(curve, restated, atol=ABSOLUTE)


@pytest.mark.parametrize("name", SHARP)
def test_bounds_are_reached(name):
    assert max(verdict.tightness for verdict in verify(THEOREMS[name])) >= SHARP[name]


def test_what_a_mixture_gains_reaches_its_bound_at_every_weight():
    (s,) = (s for s in occupancy_identities.grid() if str(s.mdp) == "prospect" and s.discount == 0.9)
    theorem = THEOREMS["mdp-identities/mixture"]
    trace = theorem.run(s, stream(0, "restatement"))
    np.testing.assert_allclose(theorem.measured(s, trace), theorem.bound(s, trace), atol=ABSOLUTE)


@pytest.mark.parametrize("name", THEOREMS)
def test_holds_in_drawn_settings(name):
    drawn = verify(THEOREMS[name], settings=examples(THEOREMS[name].strategy(), 30, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwoPolicies(THREE, 0.5, policy=POLICY, other=POLICY[:3]), r"other has shape \(3,\)"),
        (lambda: TwoPolicies(THREE, 0.5, policy=2 * POLICY, other=POLICY), r"policy\[1\] is 1.4"),
        (lambda: TwoEpisodicPolicies(EPISODES, STAGED[:2], STAGED), r"policy has shape \(2, 5\)"),
        (lambda: TwoProcesses(THREE, 0.5, other=OTHER, policy=POLICY / 2), "policy sums to 0.5 in state 0"),
        (
            lambda: TwoProcesses(THREE, 0.5, other=occupancy_identities.prospect(), policy=POLICY),
            "other has other states or choices than mdp",
        ),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
