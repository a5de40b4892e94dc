"""Both sides of the theorems on the map from rewards to optimal policies, by enumeration of all deterministic policies.

Of the library, only the theorem objects under test compute anything here.
"""

import math
import re
from itertools import product

import numpy as np
import pytest

from rltheory import verify
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.theorems.policy_cliff import xu2025, xu2025_cliffs, xu2025_incomplete, xu2025_stability
from rltheory.theorems.policy_cliff.xu2025 import PerturbedProcess
from rltheory.theorems.policy_cliff.xu2025_cliffs import TiedProcess
from rltheory.theorems.policy_cliff.xu2025_incomplete import IncompleteReward
from rltheory.theorems.policy_cliff.xu2025_stability import NoisyProcess, StableProcess, WeightedProcess
from rltheory.theory import Existence, InExpectation, Status, Theorem

# Optimal values of the library are asked for to 1e-11 of the largest, which is below 100.
ABSOLUTE = 1e-8
THEOREMS = {
    theorem.name: theorem
    for module in (xu2025, xu2025_stability, xu2025_cliffs, xu2025_incomplete)
    for theorem in vars(module).values()
    if isinstance(theorem, Theorem)
}

LAWS = np.array([[[0.5, 0.5, 0], [0, 0.25, 0.75]], [[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0.2, 0.3, 0.5]]])
REWARDS = np.array([[1, 0.5], [0, 0.3], [-0.2, 0.6]])
MDP = TabularMDP(LAWS, REWARDS, initial=[0.5, 0.25, 0.25])
DIRECTION = np.array([0.3, -1, 0.7, 0.2, -0.5, 1])
WEIGHTS = np.array([1, 0, 0.5, 0.5, 2, 1])
GAMMA = 0.8
H = 1 / (1 - GAMMA)


def values(rewards, made):
    """Values of states if action made[s] is made in state s, summed over 160 steps: 0.8^160 is 3e-16."""
    laws = np.array([LAWS[s, a] for s, a in enumerate(made)])
    paid = np.array([rewards[2 * s + a] for s, a in enumerate(made)])
    total, factor = np.zeros(3), np.eye(3)
    for _ in range(160):
        total, factor = total + factor @ paid, GAMMA * factor @ laws
    return total


POLICIES = list(product((0, 1), repeat=3))


def q(rewards):
    """Optimal values of the choices: the best of all eight policies from the next state on."""
    best = np.max([values(rewards, made) for made in POLICIES], axis=0)
    return rewards + GAMMA * LAWS.reshape(6, 3) @ best


def gaps(rewards):
    found = q(rewards).reshape(3, 2)
    return (found.max(axis=1, keepdims=True) - found).ravel()


def gradients(made):
    """Rows V^pi(s) - Q^pi(c), as functions of the reward, for the choices not made: one unit reward at a time."""
    rows = []
    for c in (2 * s + 1 - a for s, a in enumerate(made)):
        units = []
        for unit in np.eye(6):
            v = values(unit, made)
            units.append(v[c // 2] - unit[c] - GAMMA * LAWS.reshape(6, 3)[c] @ v)
        rows.append(units)
    return np.array(rows)


R = REWARDS.ravel()
OPTIMUM = max(POLICIES, key=lambda made: values(R, made).sum())
OTHERS = np.array([2 * s + 1 - a for s, a in enumerate(OPTIMUM)])
MADE = np.array([2 * s + a for s, a in enumerate(OPTIMUM)])
GRADIENTS = gradients(OPTIMUM)
RADIUS = (GRADIENTS @ R / np.abs(GRADIENTS).sum(axis=1)).min()
# The reward that makes choice 1 as good as choice 0 in state 0, or the other way round.
TIED = R + gaps(R) * np.array([1, 1, 0, 0, 0, 0])

PERTURBED = PerturbedProcess(MDP, GAMMA, "restated", DIRECTION)
STABLE = StableProcess(MDP, GAMMA, "restated", DIRECTION)
FAR = StableProcess(MDP, GAMMA, "restated", 2 * RADIUS * -np.sign(GRADIENTS[(GRADIENTS @ R).argmin()]))
WEIGHTED = WeightedProcess(MDP, GAMMA, "restated", DIRECTION, WEIGHTS)
NOISY = NoisyProcess(MDP, GAMMA, "restated", noise=0.9)
TIE = TiedProcess(MDP, GAMMA, "restated", among=np.array([0, 1]))
SKEWED = TiedProcess(MDP, GAMMA, "restated", among=np.array([0, 1]), selection=[0.7, 0.3])
SLACK = IncompleteReward(MDP, GAMMA, "restated", -DIRECTION, among=np.array([0, 1]))


def moved(trace):
    """Values and perturbations of a sweep."""
    deltas = np.outer(np.geomspace(1e-3, 1, 7), DIRECTION)
    return deltas, np.array([q(R + delta) for delta in deltas])


def lipschitz(trace):
    deltas, found = moved(trace)
    return np.abs(found - q(R)).max(1), H * np.abs(deltas).max(1)


def span(trace):
    deltas, found = moved(trace)
    return np.ptp(found - q(R), axis=1), H * np.ptp(deltas, axis=1)


def two_sided(trace):
    deltas, found = moved(trace)
    rise = found - q(R)
    from_low = (rise - H * deltas.min(1, keepdims=True)).max(1)
    from_high = (H * deltas.max(1, keepdims=True) - rise).max(1)
    return np.maximum(from_low, from_high), H * np.ptp(deltas, axis=1)


def lost_gaps(trace):
    deltas, _ = moved(trace)
    left = [max(0, (gaps(R) - gaps(R + delta)).max()) for delta in deltas]
    return np.array(left), H * np.ptp(deltas, axis=1)


def tie_breaker(trace):
    deltas, _ = moved(trace)
    left = [max(g for g, new in zip(gaps(R), gaps(R + d), strict=True) if new < 1e-9) for d in deltas]
    return np.array(left), H * np.ptp(deltas, axis=1)


INSIDE = np.array([0.01, 0.1, 0.3, 0.6, 0.9, 0.99, 0.999])
REACH = gaps(R)[OTHERS].min() / (2 * H)


def hemicontinuity(trace):
    new = [gaps(R + t * REACH * DIRECTION) < 1e-9 for t in INSIDE]
    return [not (chosen & (gaps(R) > 1e-9)).any() for chosen in new], np.ones(7)


def slope(trace):
    """The optimum is unique: its values with the perturbation as reward."""
    best = [np.mean([values(R + t * REACH * DIRECTION, made) for made in POLICIES], axis=1).max() for t in INSIDE]
    start = np.mean([values(R, made) for made in POLICIES], axis=1).max()
    return np.array(best) - start, INSIDE * REACH * values(DIRECTION, OPTIMUM).mean()


def share(weights):
    radius = (GRADIENTS @ R / (np.abs(GRADIENTS) @ weights)).min()
    lost = GRADIENTS @ (radius * weights * DIRECTION) / (GRADIENTS @ R)
    return np.array([max(0, (-t * lost).max()) for t in INSIDE]), INSIDE


def radius_exact(trace):
    place = (GRADIENTS @ R / np.abs(GRADIENTS).sum(axis=1)).argmin()
    found = []
    for t in (1.001, 1.01, 1.1, 2.0, 10.0):
        rewards = R - t * RADIUS * np.sign(GRADIENTS[place])
        found.append(gaps(rewards)[MADE].max() > 0)
    return np.array(found), np.ones(5)


def flips():
    distances = GRADIENTS @ R / np.linalg.norm(GRADIENTS, axis=1)
    return np.array([math.erfc(d / (0.9 * distances.min()) / math.sqrt(2)) / 2 for d in distances])


EPSILONS = np.array([0.9, 0.03, 1e-3])


def reach_of_tie():
    found = gaps(TIED)
    return found[found > 1e-9].min() / (2 * H)


def prescribed(target, epsilon):
    wanted = q(TIED) + epsilon * np.eye(6)[target]
    return wanted - GAMMA * LAWS.reshape(6, 3) @ wanted.reshape(3, 2).max(1)


def deterministic_jump(trace):
    passes = []
    for epsilon in EPSILONS * reach_of_tie():
        rewards = [prescribed(target, epsilon) for target in (0, 1)]
        close = all(np.abs(r - TIED).max() <= epsilon * (1 + 1e-9) for r in rewards)
        passes.append(close and gaps(rewards[0])[1] > 1e-9 and gaps(rewards[1])[0] > 1e-9)
    return np.array(passes), np.ones(3)


def jump_size(trace):
    left = [max(np.abs(prescribed(t, e) - TIED).max() for t in (0, 1)) for e in EPSILONS * reach_of_tie()]
    back = GAMMA * LAWS.reshape(6, 3)[:, 0]
    factor = max(max(1 - back[t], np.delete(back, t).max()) for t in (0, 1))
    return np.array(left), factor * EPSILONS * reach_of_tie()


def bump(trace):
    leads = [min(gaps(TIED + e * np.eye(6)[t])[1 - t] for t in (0, 1)) for e in EPSILONS * reach_of_tie()]
    return (1 - GAMMA) * EPSILONS * reach_of_tie(), np.array(leads)


def shrinks(trace):
    found = []
    for epsilon in EPSILONS * reach_of_tie():
        new = [gaps(TIED + epsilon * np.eye(6)[t]) < 1e-9 for t in (0, 1)]
        old = gaps(TIED) < 1e-9
        found.append(all((old | ~chosen).all() and (old & ~chosen).any() for chosen in new))
    return np.array(found), np.ones(3)


def first_optimal():
    return [0 if gaps(TIED)[2 * s] < 1e-9 else 1 for s in range(3)]


def slacker():
    """Returns from the initial distribution, and visits of state 0 under the policy that has switched."""
    made = first_optimal()
    switched = [1, *made[1:]]
    start = np.array([0.5, 0.25, 0.25])
    complete = TIED - DIRECTION
    gain = start @ (values(complete, switched) - values(complete, made))
    visits = start @ values(np.eye(6)[0] + np.eye(6)[1], switched)
    v = values(-DIRECTION, made)
    advantage = -DIRECTION[1] + GAMMA * LAWS[0, 1] @ v - v[0]
    return gain, visits, advantage


def missing(trace):
    left = []
    for t in np.geomspace(1e-3, 1, 7):
        rewards = TIED - t * DIRECTION
        best = np.max([values(rewards, made) for made in POLICIES], axis=0)
        left.append((best - values(rewards, first_optimal())).max())
    return np.array(left), H * np.geomspace(1e-3, 1, 7) * np.ptp(DIRECTION)


RESTATED = {
    "policy-cliff/lipschitz": (PERTURBED, lipschitz),
    "policy-cliff/span": (PERTURBED, span),
    "policy-cliff/two-sided": (PERTURBED, two_sided),
    "policy-cliff/gaps": (PERTURBED, lost_gaps),
    "policy-cliff/tie-breaker": (PERTURBED, tie_breaker),
    "policy-cliff/hemicontinuity": (PERTURBED, hemicontinuity),
    "policy-cliff/slope": (PERTURBED, slope),
    "policy-cliff/radius": (STABLE, lambda trace: share(np.ones(6))),
    "policy-cliff/weighted-radius": (WEIGHTED, lambda trace: share(WEIGHTS)),
    "policy-cliff/radius-exact": (STABLE, radius_exact),
    "policy-cliff/radius-lower": (STABLE, lambda trace: ([REACH], [RADIUS])),
    "policy-cliff/radius-upper": (STABLE, lambda trace: ([RADIUS], [REACH * H])),
    "policy-cliff/crossing": (FAR, lambda trace: ([True], [1])),
    "policy-cliff/noise-upper": (NOISY, lambda trace: (trace["changed"], [flips().sum()])),
    "policy-cliff/noise-lower": (NOISY, lambda trace: (1 - trace["changed"], [1 - flips().max()])),
    "policy-cliff/inverse": (PERTURBED, lambda trace: (q(R) + DIRECTION, q(R) + DIRECTION)),
    "policy-cliff/deterministic-jump": (TIE, deterministic_jump),
    "policy-cliff/uniform-jump": (TIE, lambda trace: (np.full(3, 0.5), np.full(3, 0.5))),
    "policy-cliff/jump-size": (TIE, jump_size),
    "policy-cliff/jump-cost": (TIE, lambda trace: (jump_size(trace)[0], EPSILONS * reach_of_tie())),
    "policy-cliff/bump": (TIE, bump),
    "policy-cliff/preference": (TIE, lambda trace: (bump(trace)[1] > 0, np.ones(3))),
    "policy-cliff/sets-shrink": (TIE, shrinks),
    "policy-cliff/selection": (SKEWED, lambda trace: (np.full(3, 0.5), np.full(3, 0.7))),
    "policy-cliff/slacker": (SLACK, lambda trace: ([slacker()[0]], [slacker()[1] * slacker()[2]])),
    "policy-cliff/slacker-lower": (SLACK, lambda trace: ([0.5 * slacker()[2]], [slacker()[0]])),
    "policy-cliff/slacker-exists": (SLACK, lambda trace: ([slacker()[0] > 0], [1])),
    "policy-cliff/missing-reward": (SLACK, missing),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name):
    theorem, (s, restated) = THEOREMS[name], RESTATED[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement", name))
    measured, bound = restated(trace)
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-7, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-7, atol=ABSOLUTE)


def test_noise_changes_the_policy_as_often_as_enumeration_says():
    """A thousand draws each; the shares differ by five standard deviations at most, which are below 1/45."""
    trace = THEOREMS["policy-cliff/noise-upper"].run
    shares = np.mean([trace(NOISY, stream(0, "restatement", k))["changed"][0] for k in range(4)])
    distances = GRADIENTS @ R / np.linalg.norm(GRADIENTS, axis=1)
    drawn = R + 0.9 * distances.min() * stream(1, "restatement").standard_normal((1000, 6))
    changed = np.mean([(gaps(r)[MADE] > 1e-12).any() for r in drawn])
    assert abs(shares - changed) <= 5 * math.sqrt(2 * 0.25 / 1000)


VALUES = {"lipschitz", "span", "two-sided", "gaps", "tie-breaker", "missing-reward"}
DISTANCES = {"radius", "weighted-radius", "radius-lower", "radius-upper"}
SHARP = VALUES | DISTANCES | {"jump-cost", "bump", "selection", "slacker-lower"}


@pytest.mark.parametrize("name", THEOREMS)
def test_bounds_are_attained(name):
    theorem = THEOREMS[name]
    verdicts = verify(theorem)
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    if name.partition("/")[2] in SHARP:
        assert 0.999 < max(verdict.tightness for verdict in verdicts) <= 1 + 1e-6
    else:
        assert isinstance(theorem.kind, Existence | InExpectation) or theorem.kind.name == "identity"


def test_the_papers_constant_is_looser():
    """The rewards that raise one value move by that much, not by 1 + gamma times as much."""
    theorem = THEOREMS["policy-cliff/jump-cost"]
    discounted = [s for s in theorem.settings() if s.discount > 0]
    for verdict, s in zip(verify(theorem, settings=discounted), discounted, strict=True):
        assert verdict.tightness / (1 + s.discount) <= 1 / 1.5 + 1e-6


def test_ties_are_out_of_scope_of_the_radius():
    tied = StableProcess(TIE.mdp, GAMMA)
    (verdict,) = verify(THEOREMS["policy-cliff/radius"], settings=[tied])
    assert verdict.status is Status.NOT_APPLICABLE
    assert re.search(
        r"the optimal policy is unique \(state \d has tied choices \d, \d.*\) fails", verdict.judgement.reason
    )
    unique = TiedProcess(MDP, GAMMA)
    (verdict,) = verify(THEOREMS["policy-cliff/uniform-jump"], settings=[unique])
    assert verdict.status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PerturbedProcess(MDP, GAMMA, direction=[1, 2]), "direction has 2 entries for 6 choices"),
        (
            lambda: WeightedProcess(MDP, GAMMA, weights=[1, 1, 1, 1, 1, -1]),
            r"weights\[5\] is -1.0; a weight must be >= 0",
        ),
        (lambda: NoisyProcess(MDP, GAMMA, noise=0), "noise is 0.0; it must be finite and > 0"),
        (lambda: TiedProcess(MDP, GAMMA, state=3), "state is 3; there are states 0 to 2"),
        (lambda: TiedProcess(MDP, GAMMA, among=[0, 6]), r"among is \[0 6\]; there are choices 0 to 5"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
