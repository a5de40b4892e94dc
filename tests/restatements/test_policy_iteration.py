"""Both sides of the theorems on policy iteration, by plain loops and the best of all policies."""

import math

import numpy as np
import pytest

from rltheory import verify
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.discounted import policy_iteration
from rltheory.theorems.discounted.policy_iteration import ModifiedPolicyIteration, PolicyIteration
from rltheory.theory import Status, Theorem
from tests.restatements.plain_mdps import backup, best_values, choice_values, first_best, values_of

# Values of up to some hundred, good to some hundred eps.
ABSOLUTE = 1e-11

# A chain in which state i is left for the next only once that is; and the end pays.
FOUR = TabularMDP.from_rows(
    [0, 1, 3, 5, 7],
    [[1, 0, 0, 0], [0, 1, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 1, 0], [0, 0.8, 0.2, 0], [0, 0, 0, 1], [0, 0, 1, 0]],
    [1.0, 0.1, 0.0, 0.1, 0.0, 0.1, 0.0],
)
ERRORS = np.array([[0.5, -0.5, 0.25, 0.0], [0.0, 0.4, -0.4, 0.5], [-0.1, 0.0, 0.0, 0.1]])
SETTINGS = {
    "exact": PolicyIteration(FOUR, 0.9, start=np.array([0, 1, 3, 5])),
    "short horizon": PolicyIteration(FOUR, 0.4, start=np.array([0, 2, 3, 6])),
    "without a future": PolicyIteration(FOUR, 0.0, start=np.array([0, 2, 4, 6])),
    "with errors": PolicyIteration(FOUR, 0.8, start=np.array([0, 1, 3, 5]), errors=ERRORS),
    "two backups": ModifiedPolicyIteration(FOUR, 0.8, backups=2),
    "five backups": ModifiedPolicyIteration(FOUR, 0.6, start=np.array([0.0, -1.0, -1.0, -1.0]), backups=5),
}
THEOREMS = {theorem.name: theorem for theorem in vars(policy_iteration).values() if isinstance(theorem, Theorem)}


def walk(s):
    """Policies and their values, with one more than the run records."""
    made, policies, values = list(s.start), [], []
    for k in range(50 if s.errors is None else 8):
        v = values_of(s.mdp, s.discount, made)
        policies.append(made)
        values.append(v)
        estimate = v if s.errors is None else v + s.errors[k % 3]
        worth = choice_values(s.mdp, s.discount, estimate)
        best = first_best(s.mdp, s.discount, estimate)
        made = [b if worth[b] > worth[m] + 1e-9 else m for b, m in zip(best, made, strict=True)]
    return np.array(policies), np.array(values)


def losses(s, values):
    return np.abs(best_values(s.mdp, s.discount) - values).max(axis=1)


def one_step(s, times):
    found = losses(s, walk(s)[1])
    return found[times + 1], s.discount * found[times]


def ahead_of_backup(s, times):
    _, values = walk(s)
    backed_up = np.array([backup(s.mdp, s.discount, values[k]) for k in times])
    return losses(s, values)[times + 1], losses(s, backed_up)


def lifetime(s):
    return max(k for k in range(1000) if s.discount**k >= 1 - s.discount - 1e-15)


def survival(s, times):
    policies, _ = walk(s)
    optimal = best_values(s.mdp, s.discount)
    worth = choice_values(s.mdp, s.discount, optimal)
    measured = []
    for k in times:
        lost = optimal - worth[policies[k]]
        worst = int(lost.argmax())
        kept = [j for j in times if policies[j][worst] == policies[k][worst]]
        measured.append(max(kept) - k if lost.max() > 1e-9 else 0)
    return measured, np.full(times.size, lifetime(s))


def count(s, times):
    return times, np.full(times.size, 3 * (lifetime(s) + 1))


def erroneous_one_step(s, times):
    found = losses(s, walk(s)[1])
    spans = np.array([np.ptp(s.errors[k % 3]) for k in times])
    right = s.discount * found[times] + s.discount * spans / (1 - s.discount)
    return found[times], np.append(right[:1], right[:-1])


def erroneous_loss(s, times):
    found = losses(s, walk(s)[1])
    bounds = [found[0]]
    for _ in times[1:]:
        bounds.append(s.discount * bounds[-1] + 2 * s.discount * 0.5 / (1 - s.discount))
    return found[times], np.array(bounds)


def sweeps(s, times):
    """Iterates, their backups, greedy policies' values, and value iteration."""
    w = single = np.full(4, s.mdp.rewards.min() / (1 - s.discount)) if s.start is None else s.start
    rows = []
    for k in range(times[-1] + 1):
        made = first_best(s.mdp, s.discount, w)
        if k in times:
            rows.append((w, backup(s.mdp, s.discount, w), values_of(s.mdp, s.discount, made), single))
        for _ in range(s.backups):
            w = choice_values(s.mdp, s.discount, w)[made]
        single = backup(s.mdp, s.discount, single)
    return [losses(s, np.array(part)) for part in zip(*rows, strict=True)]


def modified(s, times):
    w, _, _, single = sweeps(s, times)
    return w, single


def modified_loss(s, times):
    _, backed_up, own, _ = sweeps(s, times)
    return own, backed_up


RESTATED = {
    "policy-iteration/one-step": one_step,
    "policy-iteration/ahead-of-backup": ahead_of_backup,
    "policy-iteration/survival": survival,
    "policy-iteration/count": count,
    "policy-iteration/errors-one-step": erroneous_one_step,
    "policy-iteration/errors-loss": erroneous_loss,
    "policy-iteration/modified": modified,
    "policy-iteration/modified-loss": modified_loss,
}
EXACT = ("exact", "short horizon", "without a future")
PAIRS = [
    (name, place)
    for name in RESTATED
    for place in (
        ("two backups", "five backups") if "modified" in name else ("with errors",) if "errors" in name else EXACT
    )
]
SHARP = RESTATED.keys() - {"policy-iteration/count"}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize(("name", "place"), PAIRS)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = RESTATED[name](s, trace.times)
    spoken_of = trace.times >= theorem.since
    for side, restated in ((theorem.measured, measured), (theorem.bound, bound)):
        curve = np.broadcast_to(side(s, trace), trace.times.shape)
        np.testing.assert_allclose(curve[spoken_of], np.asarray(restated)[spoken_of], atol=ABSOLUTE)


def test_the_chain_takes_several_iterations():
    assert THEOREMS["policy-iteration/count"].run(SETTINGS["exact"], stream(0, "restatement")).times.size > 3


@pytest.mark.parametrize("name", THEOREMS)
def test_bounds_are_reached(name):
    """But for the count, some default setting uses all of the bound, and no drawn setting more."""
    tightness = [verdict.tightness for verdict in verify(THEOREMS[name])]
    assert max(tightness) >= (1 - 1e-6 if name in SHARP else 0.5)
    drawn = verify(THEOREMS[name], settings=examples(THEOREMS[name].strategy(), 30, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


@pytest.mark.parametrize(("discount", "n"), [(0.5, 10), (0.9, 20)])
def test_errors_reach_the_bound_in_every_iteration(discount, n):
    (s,) = (
        s
        for s in policy_iteration.grid_with_errors()
        if s.discount == discount and s.mdp.states == n and s.start is not None
    )
    theorem = THEOREMS["policy-iteration/errors-loss"]
    trace = theorem.run(s, stream(0, "restatement"))
    ratio = theorem.measured(s, trace)[1:n] / theorem.bound(s, trace)[1:n]
    np.testing.assert_allclose(ratio, 1, atol=1e-6)


@pytest.mark.parametrize("discount", [0.6, 0.9, 0.95])
def test_the_worst_choice_survives_as_long_as_it_can(discount):
    longest = math.floor(math.log(1 - discount) / math.log(discount))
    mdp = policy_iteration.late_regret(discount, longest + 2)
    s = PolicyIteration(mdp, discount, start=policy_iteration.first_choices(mdp))
    trace = policy_iteration.play(s, stream(0, "restatement"))
    assert policy_iteration.survival(s, trace)[0] == longest == s.lifetime


def test_modified_policy_iteration_needs_its_condition():
    """From above, and from values that a backup lowers, nothing is stated."""
    theorem = THEOREMS["policy-iteration/modified"]
    s = ModifiedPolicyIteration(FOUR, 0.8, start=np.array([20.0, 0.0, 0.0, 0.0]))
    assert theorem.failed_hypothesis(s) == "$T w_0 \\ge w_0$"


@pytest.mark.parametrize(
    ("setting", "change", "message"),
    [
        (PolicyIteration, {"start": np.array([0, 1, 3])}, r"shape \(3,\)"),
        (PolicyIteration, {"start": np.array([0, 1, 3, 4])}, "the choices of state 3 are 5 to 6"),
        (PolicyIteration, {"errors": np.zeros((1, 2))}, r"errors has shape \(1, 2\)"),
        (ModifiedPolicyIteration, {"start": np.zeros(2)}, "start has 2 entries for 4 states"),
        (ModifiedPolicyIteration, {"backups": 0}, "backups is 0; it must be >= 1"),
    ],
)
def test_wrong_settings_are_named(setting, change, message):
    with pytest.raises(ValueError, match=message):
        setting(FOUR, 0.5, **change)
