"""Both sides of the theorems on soft policies: plain iterations, and optimal values by enumeration of policies."""

import math
from functools import cache
from itertools import product

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import two_branches
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.theorems.policy_cliff import xu2025_soft
from rltheory.theorems.policy_cliff.xu2025_soft import SoftProcess
from rltheory.theory import Existence, Status, Theorem

# Values of some units, good to some eps times the square of the horizon, over temperatures of a tenth.
ABSOLUTE = 1e-10
RELATIVE = 1e-9

THEOREMS = {theorem.name: theorem for theorem in vars(xu2025_soft).values() if isinstance(theorem, Theorem)}


def futures(last=0.0):
    """State 0 leads to state 1, where one of two actions costs, or to state 2, where both are equal, or one costs."""
    laws = np.zeros((3, 2, 3))
    laws[0] = [[0, 1, 0], [0, 0, 1]]
    laws[1], laws[2] = [0, 1, 0], [0, 0, 1]
    return TabularMDP(laws, [[0, 0], [0, -0.5], [0, last]], initial=[0.5, 0.2, 0.3])


def arbitrary():
    rng = stream(0, "restatement", "process")
    return TabularMDP(rng.dirichlet(np.ones(3), (3, 2)), rng.random((3, 2)), initial=[0.2, 0.3, 0.5])


CHANGE = np.array([0.3, -0.2, 0.1, 0.3, -0.3, 0.2])
REFERENCE = np.array([0.7, 0.3, 0.6, 0.4, 0.1, 0.9])
SETTINGS = {
    "ties": SoftProcess(futures(), 0.8, "", 0.2, CHANGE, coolings=4),
    "ties, reference": SoftProcess(futures(-1.0), 0.8, "", 0.4, CHANGE, REFERENCE, coolings=4),
    "arbitrary": SoftProcess(arbitrary(), 0.7, "", 0.5, CHANGE, coolings=4),
    "arbitrary, reference": SoftProcess(arbitrary(), 0.7, "", 0.5, CHANGE, REFERENCE, coolings=4),
    "bandit": SoftProcess(TabularMDP(np.ones((1, 3, 1)), [[1, 0.5, 0]]), 0.0, "", 0.3, [0, 0.1, 0.2], coolings=4),
    "tied fork": SoftProcess(two_branches(0.0, 0.0), 0.6, "", 0.5, [0.0, 0.1, 0.0, 0.3], coolings=4),
    "fork": SoftProcess(two_branches(1.0, 1.1), 0.6, "", 0.3, [0.1, 0.0, -0.3, 0.2], coolings=4),
}


def choices(s):
    return [range(a, b) for a, b in zip(s.mdp.first_choice[:-1], s.mdp.first_choice[1:], strict=True)]


def laws(s):
    matrix = s.mdp.transition_matrix
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def entropy_weights(s):
    return np.ones(s.mdp.choices) if s.reference is None else np.array(s.reference)


def soft(s, temperature, rewards):
    """Soft values and probabilities, from backups that leave 1e-23 of the error."""
    return _soft(s, temperature, tuple(rewards))


@cache
def _soft(s, temperature, rewards):
    values, matrix, reference = np.zeros(s.mdp.states), laws(s), entropy_weights(s)
    for _ in range(150 if s.discount < 0.8 else 250):
        weights = reference * np.exp((np.array(rewards) + s.discount * matrix @ values) / temperature)
        sums = np.add.reduceat(weights, s.mdp.first_choice[:-1])
        values = temperature * np.log(sums)
    return values, weights / sums[s.mdp.state_of_choice]


def visits(s, policy):
    """Expected discounted numbers of visits, from each state (row) to each state."""
    mixed = np.array([policy[list(own)] @ laws(s)[list(own)] for own in choices(s)])
    return np.linalg.inv(np.eye(s.mdp.states) - s.discount * mixed)


def value(s, policy, rewards):
    return visits(s, policy) @ [policy[list(own)] @ rewards[list(own)] for own in choices(s)]


def soft_value(s, policy, temperature, rewards):
    return value(s, policy, rewards - temperature * np.log(policy / entropy_weights(s)))


def best(s, rewards):
    """Largest values of all deterministic policies, and the values of the first of those which is best everywhere."""
    return _best(s, tuple(rewards))


@cache
def _best(s, rewards):
    return max((value(s, policy, np.array(rewards)) for policy in deterministic(s)), key=lambda v: v.sum())


def deterministic(s):
    return [np.isin(np.arange(s.mdp.choices), made).astype(float) for made in product(*choices(s))]


@cache
def gaps(s):
    action_values = s.mdp.rewards + s.discount * laws(s) @ best(s, s.mdp.rewards)
    return np.concatenate([action_values[list(own)].max() - action_values[list(own)] for own in choices(s)])


@cache
def limit(s):
    """Slopes and policy at temperature zero, from sweeps over what ties to nine digits."""
    h = np.zeros(s.mdp.states)
    for _ in range(250):
        weights = entropy_weights(s) * np.exp(s.discount * laws(s) @ h) * (gaps(s) < 1e-9)
        h = np.log(np.add.reduceat(weights, s.mdp.first_choice[:-1]))
    return h, weights / np.exp(h)[s.mdp.state_of_choice]


def tv(s, p, q):
    return np.array([np.abs(p[list(own)] - q[list(own)]).sum() / 2 for own in choices(s)])


def kl(s, p, q):
    return np.array([(p[list(own)] * np.log(p[list(own)] / q[list(own)])).sum() for own in choices(s)])


def perturbed(side):
    """Curve over halvings; `side` receives the setting, the learned policy, and the true rewards with their scale."""

    def curve(s, trace):
        learned = soft(s, s.temperature, s.mdp.rewards)[1]
        scales = 0.5**trace.times
        return np.array([side(s, learned, s.mdp.rewards + scale * s.change, scale) for scale in scales])

    return curve


def cooled(side):
    """Curve over temperatures."""
    return lambda s, trace: np.array([side(s, s.temperature / k) for k in range(1, s.coolings + 1)])


def omega(s, scale):
    return scale * (max(s.change) - min(s.change)) / (s.temperature * (1 - s.discount))


def most(s):
    return max(len(own) for own in choices(s))


def soft_loss(s, learned, rewards):
    return soft(s, s.temperature, rewards)[0] - soft_value(s, learned, s.temperature, rewards)


def greedy(s):
    """The first policy that is optimal for the learned rewards, as the solver breaks ties."""
    return np.isin(np.arange(s.mdp.choices), s.optimum.policy).astype(float)


def along_the_way(s, learned, rewards, scale):
    divergences = kl(s, learned, soft(s, s.temperature, rewards)[1])
    return s.temperature * s.mdp.initial @ visits(s, learned) @ divergences


def lambert(a):
    """The w with w e^w = (A - 1) / e, by bisection."""
    low, high = 0.0, math.log(a)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.exp(middle) < (a - 1) / math.e else (low, middle)
    return low


def tightest(s, t, sides):
    """Both sides where their quotient is largest, with the theorem's allowance."""
    measured, bound, rounding = sides(s, t)
    place = np.argmax(measured / (bound + rounding))
    return measured[place], bound[place]


def rare(s, t):
    bound = -t * np.log(soft(s, t, s.mdp.rewards)[1]) + s.discount / (1 - s.discount) * t * math.log(most(s))
    return gaps(s), bound, s.value_rounding(s.temperature)


def slope_distance(s, t):
    return np.abs((soft(s, t, s.mdp.rewards)[0] - best(s, s.mdp.rewards)) / t - limit(s)[0]).max()


def slope_bound(s, t):
    h, _ = limit(s)
    weights = entropy_weights(s) * np.exp(s.discount * laws(s) @ h - h[s.mdp.state_of_choice] - gaps(s) / t)
    weights = weights * (gaps(s) > 1e-9)
    return max(math.log(1 + weights[list(own)].sum()) for own in choices(s)) / (1 - s.discount)


def limit_sides(s, t):
    policy = soft(s, t, s.mdp.rewards)[1]
    astray = np.array([policy[list(own)] @ (gaps(s)[list(own)] > 1e-9) for own in choices(s)])
    return tv(s, policy, limit(s)[1]), astray + math.tanh(s.discount * slope_distance(s, t) / 4), s.slope_rounding


def price(s, t):
    return (best(s, s.mdp.rewards) - value(s, soft(s, t, s.mdp.rewards)[1], s.mdp.rewards)).max()


def stability(s, t):
    return tv(s, soft(s, t, s.mdp.rewards)[1], soft(s, t, s.mdp.rewards + s.change)[1]).max()


def off_reference(s, t):
    policy, reference = soft(s, t, s.mdp.rewards)[1][:2], entropy_weights(s)[:2]
    return abs(policy - reference / reference.sum()).sum() / 2 > 0.25 and max(gaps(s)[:2]) < 1e-9


def ways(s, trace):
    found = []
    for k in range(1, 6):
        scale = 4.0**-k
        cold, warm = (
            logistic(s, s.mdp.rewards + scale * s.change, s.temperature * way) for way in (scale**2, scale**0.5)
        )
        # The log-odds are those of the definition: horizon * span * scale over the temperature, times the discount.
        close = abs(warm - 0.5) < np.ptp(s.change) / (1 - s.discount) / s.temperature * 2.0**-k / 4
        found.append(cold > 0.7 and 1 - cold < math.exp(-(2**k)) and close)
    return np.array(found)


def logistic(s, rewards, temperature):
    ahead = rewards[1] - rewards[0] + s.discount / (1 - s.discount) * (rewards[3] - rewards[2])
    return 1 / (1 + math.exp(-ahead / temperature))


RESTATED = {
    "soft-policy/lipschitz": (
        perturbed(lambda s, p, r, scale: tv(s, p, soft(s, s.temperature, r)[1]).max()),
        perturbed(lambda s, p, r, scale: scale * max(abs(s.change)) / (2 * s.temperature * (1 - s.discount))),
    ),
    "soft-policy/tanh": (
        perturbed(lambda s, p, r, scale: tv(s, p, soft(s, s.temperature, r)[1]).max()),
        perturbed(lambda s, p, r, scale: math.tanh(omega(s, scale) / 4)),
    ),
    "soft-policy/kl": (
        perturbed(lambda s, p, r, scale: kl(s, p, soft(s, s.temperature, r)[1]).max()),
        perturbed(lambda s, p, r, scale: omega(s, scale) ** 2 / 8),
    ),
    "soft-policy/loss-identity": (
        perturbed(lambda s, p, r, scale: s.mdp.initial @ soft_loss(s, p, r)),
        perturbed(along_the_way),
    ),
    "soft-policy/quadratic": (
        perturbed(lambda s, p, r, scale: soft_loss(s, p, r).max()),
        perturbed(lambda s, p, r, scale: omega(s, scale) ** 2 * s.temperature / (8 * (1 - s.discount))),
    ),
    "soft-policy/misspecification-greedy": (
        perturbed(lambda s, p, r, scale: (best(s, r) - value(s, greedy(s), r)).max()),
        perturbed(lambda s, p, r, scale: scale * np.ptp(s.change) / (1 - s.discount)),
    ),
    "soft-policy/misspecification": (
        perturbed(lambda s, p, r, scale: (best(s, r) - value(s, p, r)).max()),
        perturbed(
            lambda s, p, r, scale: (scale * np.ptp(s.change) + s.temperature * math.log(most(s))) / (1 - s.discount)
        ),
    ),
    "soft-policy/soft-values": (
        cooled(lambda s, t: (soft(s, t, s.mdp.rewards)[0] - best(s, s.mdp.rewards)).max()),
        cooled(lambda s, t: t * math.log(most(s)) / (1 - s.discount)),
    ),
    "soft-policy/price": (cooled(price), cooled(lambda s, t: t * math.log(most(s)) / (1 - s.discount))),
    "soft-policy/price-of-a-bandit": (cooled(price), cooled(lambda s, t: t * lambert(most(s)))),
    "soft-policy/concentration": (
        cooled(lambda s, t: tightest(s, t, rare)[0]),
        cooled(lambda s, t: tightest(s, t, rare)[1]),
    ),
    "soft-policy/stability-performance": (
        cooled(lambda s, t: stability(s, t) * price(s, t)),
        cooled(lambda s, t: max(abs(s.change)) * math.log(most(s)) / (2 * (1 - s.discount) ** 2)),
    ),
    "soft-policy/zero-temperature": (cooled(slope_distance), cooled(slope_bound)),
    "soft-policy/zero-temperature-policy": (
        cooled(lambda s, t: tightest(s, t, limit_sides)[0]),
        cooled(lambda s, t: tightest(s, t, limit_sides)[1]),
    ),
    "soft-policy/limit-is-not-uniform": (cooled(off_reference), cooled(lambda s, t: 1.0)),
    "soft-policy/limits-do-not-commute": (ways, lambda s, trace: np.ones(5)),
    "soft-policy/sigmoid": (
        perturbed(lambda s, p, r, scale: soft(s, s.temperature, r)[1][1]),
        perturbed(lambda s, p, r, scale: logistic(s, r, s.temperature)),
    ),
}
USED = {
    "soft-policy/lipschitz": 0.9999,
    "soft-policy/tanh": 0.9999,
    "soft-policy/kl": 0.9999,
    "soft-policy/quadratic": 0.9999,
    "soft-policy/misspecification-greedy": 0.9999,
    "soft-policy/soft-values": 0.9999,
    "soft-policy/price": 0.988,
    "soft-policy/price-of-a-bandit": 0.9999,
    "soft-policy/concentration": 0.9999,
    "soft-policy/zero-temperature": 0.9999,
    "soft-policy/zero-temperature-policy": 0.9999,
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    if theorem.failed_hypothesis(s) is not None or (isinstance(theorem.kind, Existence) and s.mdp.states == 1):
        return
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = (side(s, trace) for side in RESTATED[name])
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=ABSOLUTE)
    if theorem.kind.name == "every step":
        assert (measured <= (1 + RELATIVE) * bound + ABSOLUTE).all()


@pytest.mark.parametrize("name", USED)
def test_bounds_are_used_as_far_as_known(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]


@pytest.mark.parametrize(("name", "power"), [("quadratic", 2), ("misspecification-greedy", 1)])
def test_losses_go_with_a_power_of_the_perturbation(name, power):
    """The local slope on logarithmic axes, of the smallest perturbations."""
    for verdict in verify(THEOREMS[f"soft-policy/{name}"]):
        slopes = np.diff(np.log2(verdict.measured[-7:-3]))
        np.testing.assert_allclose(slopes, -power, rtol=5e-3)


def test_the_logarithm_of_what_is_left_falls_by_the_gap():
    for verdict in verify(THEOREMS["soft-policy/zero-temperature"]):
        (s,) = [s for s in xu2025_soft.limit_grid() if str(s) == verdict.setting]
        slope = np.diff(np.log(verdict.measured[-4:])) * s.temperature
        np.testing.assert_allclose(slope, -np.min(gaps(s)[gaps(s) > 1e-9]), rtol=1e-2)


def test_the_loss_of_the_dearest_smoothing_in_closed_form():
    """The share of the wrong branch is a sigmoid of the difference of what both are worth, entropy included."""
    for discount, ratio in ((0.9, 0.56), (0.99, 0.92), (0.999, 0.988)):
        s = xu2025_soft.almost_dear_enough(discount, 1.0)
        horizon, pay = discount / (1 - discount), s.mdp.rewards[2]
        lost = horizon * pay / (1 + math.exp(-horizon * (math.log(2) - pay)))
        trace = xu2025_soft.cool(s, stream(0, "restatement"))
        assert (s.optimum.values - trace["values"][0])[0] == pytest.approx(lost, rel=1e-9)
        assert lost * (1 - discount) / math.log(2) == pytest.approx(ratio, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.0}, r"temperature is 0.0; it must be finite and > 0"),
        ({"coolings": 0}, r"coolings is 0; it must be >= 1"),
        ({"perturbation": [1.0]}, r"perturbation has 1 entries for 6 choices"),
        ({"reference": [0.5, 0.5, 1, 0, 0.5, 0.5]}, r"reference\[3\] is 0; every probability must be > 0"),
        ({"reference": [0.5, 0.4, 1, 0, 0.5, 0.5]}, r"reference sums to 0.9 in state 0; expected 1"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SoftProcess(futures(), 0.8, **changes)
