"""Both sides of the theorems on value iteration, by plain loops and the best of all policies."""

import numpy as np
import pytest

from rltheory import verify
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.discounted import value_iteration
from rltheory.theorems.discounted.value_iteration import ValueIteration
from rltheory.theory import Status, Theorem
from tests.restatements.plain_mdps import backup, best_values, first_best, laws, values_of

# Values of up to some hundred, good to some hundred eps; losses of the order of 1e-12 stand beside them.
ABSOLUTE = 1e-11

THREE = TabularMDP.from_rows(
    [0, 2, 3, 5],
    [[0.5, 0.5, 0], [0, 0.2, 0.8], [0.1, 0.9, 0], [0.3, 0.3, 0.4], [0, 0, 1]],
    [1.0, 0.0, 0.5, -1.0, 0.75],
)
ERRORS = np.array([[0.1, -0.1, 0.0], [0.05, 0.1, -0.1]])
SETTINGS = {
    "from zero": ValueIteration(THREE, 0.8),
    "from elsewhere": ValueIteration(THREE, 0.3, start=np.array([3.0, -2.0, 5.0])),
    "without a future": ValueIteration(THREE, 0.0, start=np.array([1.0, 2.0, 3.0])),
    "with errors": ValueIteration(THREE, 0.7, start=np.array([0.0, 1.0, 0.0]), errors=ERRORS),
}
THEOREMS = {theorem.name: theorem for theorem in vars(value_iteration).values() if isinstance(theorem, Theorem)}


def walk(s, times):
    """v, T v and the values of greedy policies at the times."""
    v = np.zeros(3) if s.start is None else s.start
    rows = []
    for k in range(times[-1] + 1):
        if k in times:
            rows.append(
                (v, backup(s.mdp, s.discount, v), values_of(s.mdp, s.discount, first_best(s.mdp, s.discount, v)))
            )
        v = backup(s.mdp, s.discount, v) + (0 if s.errors is None else s.errors[k % 2])
    return (np.array(part) for part in zip(*rows, strict=True))


def gain(s):
    return s.discount / (1 - s.discount)


def distance(s, times):
    v, _, _ = walk(s, times)
    left = np.abs(v - best_values(s.mdp, s.discount)).max(axis=1)
    return left, s.discount**times * left[0]


def span_of_change(s, times):
    v, backed_up, _ = walk(s, times)
    left = np.ptp(backed_up - v, axis=1)
    mixing = max(np.maximum(p - q, 0).sum() for p in laws(s.mdp) for q in laws(s.mdp))
    return left, (s.discount * mixing) ** times * left[0]


def certificate(s, times):
    v, backed_up, _ = walk(s, times)
    low, high = (backed_up - v).min(axis=1), (backed_up - v).max(axis=1)
    off = best_values(s.mdp, s.discount) - backed_up
    # The larger of the distances to the middle, put as distances to the two ends.
    left = np.maximum(off.max(axis=1) - gain(s) * low, gain(s) * high - off.min(axis=1)) - gain(s) * (high - low) / 2
    return left, gain(s) * (high - low) / 2


def lost(s, times):
    _, _, own = walk(s, times)
    return (best_values(s.mdp, s.discount) - own).max(axis=1)


def loss_by_span(s, times):
    v, backed_up, _ = walk(s, times)
    return lost(s, times), gain(s) * np.ptp(backed_up - v, axis=1)


def loss(s, times):
    v, _, _ = walk(s, times)
    return lost(s, times), gain(s) * np.ptp(v - best_values(s.mdp, s.discount), axis=1)


def with_errors(s, times):
    left, fading = distance(s, times)
    size = 0 if s.errors is None else 0.1
    return left, fading + np.array([sum(size * s.discount**j for j in range(k)) for k in times])


def loss_with_errors(s, times):
    return lost(s, times), 2 * gain(s) * with_errors(s, times)[1]


RESTATED = {
    "value-iteration/distance": distance,
    "value-iteration/span-of-change": span_of_change,
    "value-iteration/certificate": certificate,
    "value-iteration/loss-by-span": loss_by_span,
    "value-iteration/loss": loss,
    "value-iteration/errors-distance": with_errors,
    "value-iteration/errors-loss": loss_with_errors,
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    if theorem.failed_hypothesis(s) is not None:
        assert place == "with errors"
        assert "errors" not in name
        return
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = RESTATED[name](s, trace.times)
    np.testing.assert_allclose(theorem.measured(s, trace), measured, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, atol=ABSOLUTE)
    assert (measured <= bound + ABSOLUTE).all()


@pytest.mark.parametrize("name", THEOREMS)
def test_bounds_are_reached(name):
    """Each constant is the best: some default setting uses all of it, and no drawn setting more."""
    tightness = [verdict.tightness for verdict in verify(THEOREMS[name])]
    assert 1 - 1e-6 <= max(tightness) <= 1 + 1e-6
    drawn = verify(THEOREMS[name], settings=examples(THEOREMS[name].strategy(), 30, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


def test_the_bound_with_errors_is_reached_in_every_iteration():
    (*_, s) = value_iteration.grid_with_errors()
    theorem = THEOREMS["value-iteration/errors-loss"]
    trace = theorem.run(s, stream(0, "restatement"))
    ratio = theorem.measured(s, trace)[1:20] / theorem.bound(s, trace)[1:20]
    np.testing.assert_allclose(ratio, 1, atol=1e-6)


def test_twice_the_distance_is_reached():
    s = ValueIteration(
        value_iteration.overrated_state(0.9), 0.9, start=value_iteration.JUST_ABOVE * np.array([1.0, -1.0])
    )
    trace = THEOREMS["value-iteration/loss"].run(s, stream(0, "restatement"))
    assert value_iteration.loss(s, trace)[0] == pytest.approx(2 * 0.9 / 0.1 * np.abs(s.start).max(), rel=1e-6)


def test_wrong_errors_are_named():
    with pytest.raises(ValueError, match=r"errors has shape \(1, 2\)"):
        ValueIteration(THREE, 0.5, errors=np.zeros((1, 2)))
    with pytest.raises(ValueError, match="start has 2 entries for 3 states"):
        ValueIteration(THREE, 0.5, start=np.zeros(2))
