"""Both sides of the theorems on several rewards: loops over classes, and optimal values by enumeration of policies."""

import math
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import forgetful_mixture, opposed_bandit, prompt_tree
from rltheory.problems import RewardMixture, TabularMDP
from rltheory.simulation import stream
from rltheory.theorems.policy_cliff import xu2025_mixtures
from rltheory.theorems.policy_cliff.xu2025_mixtures import MixtureSetting
from rltheory.theory import Existence, Status, Theorem

# Values of some units, good to some eps times the square of the horizon, over temperatures of a tenth.
ABSOLUTE = 1e-10
RELATIVE = 1e-9

THEOREMS = {theorem.name: theorem for theorem in vars(xu2025_mixtures).values() if isinstance(theorem, Theorem)}


def arbitrary(classes):
    rng = stream(0, "restatement", "mixture", classes)
    mdp = TabularMDP(rng.dirichlet(np.ones(3), (3, 2)), np.zeros((3, 2)))
    prompts = rng.dirichlet(np.ones(3), classes)
    prompts[0] = [0.3, 0.7, 0.0]
    return RewardMixture(mdp, rng.random((classes, 6)), rng.dirichlet(np.ones(classes)), prompts)


SETTINGS = {
    "two classes": MixtureSetting(arbitrary(2), 0.7, 0.5),
    "three classes": MixtureSetting(arbitrary(3), 0.5, 1.0),
    "bandit": MixtureSetting(opposed_bandit(0.5, 2.0), 0.0, 0.3),
    "forgetful": MixtureSetting(forgetful_mixture(), 0.6),
    "tree": MixtureSetting(prompt_tree(stream(0, "restatement", "tree"), [[2, 1, 0], [0, 3, 4]], depth=1), 0.8),
}


def laws(s):
    matrix = s.mixture.mdp.transition_matrix
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def choices(s):
    return [list(range(*ends)) for ends in pairwise(s.mixture.mdp.first_choice)]


def weight(s, k, state):
    """Probability of class k given the prompt."""
    m = s.mixture
    total = sum(p * d[state] for p, d in zip(m.shares, m.prompts, strict=True))
    return m.shares[k] * m.prompts[k, state] / total if total else m.shares[k]


def effective(s, rewards, weights):
    """Loop over choices and classes."""
    total = np.zeros(s.mixture.mdp.choices)
    for state, own in enumerate(choices(s)):
        for k, row in enumerate(rewards):
            total[own] += weights(k, state) * row[own]
    return total


def moved(s, rewards, weights):
    before = effective(s, s.mixture.rewards, lambda k, state: weight(s, k, state))
    return max(abs(effective(s, rewards, weights) - before))


def soft(s, rewards):
    return np.array(_soft(s, tuple(rewards)))


@cache
def _soft(s, rewards):
    values = np.zeros(s.mixture.mdp.states)
    for _ in range(200 if s.discount else 2):
        weights = np.exp((np.array(rewards) + s.discount * laws(s) @ values) / s.temperature)
        sums = np.add.reduceat(weights, s.mixture.mdp.first_choice[:-1])
        values = s.temperature * np.log(sums)
    return weights / sums[s.mixture.mdp.state_of_choice]


def tv(s, p, q):
    return max(sum(abs(p[own] - q[own])) / 2 for own in choices(s))


def value(s, policy, rewards):
    mixed = np.array([policy[own] @ laws(s)[own] for own in choices(s)])
    paid = [policy[own] @ rewards[own] for own in choices(s)]
    return np.linalg.solve(np.eye(len(mixed)) - s.discount * mixed, paid)


@cache
def values_of_all(s):
    rules = [np.isin(np.arange(s.mixture.mdp.choices), made).astype(float) for made in product(*choices(s))]
    return np.array([[value(s, rule, rewards) for rewards in s.mixture.rewards] for rule in rules])


def optimal(s, w):
    return ((1 - w) * values_of_all(s)[:, 0] + w * values_of_all(s)[:, 1]).max(axis=0)


def drawn(side):
    return lambda s, trace: np.array([side(s, trace, t) for t in range(8)])


def swept(side):
    return lambda s, trace: np.array([side(s, t / 100) for t in range(101)])


def both(s, w):
    return (1 - w) * s.mixture.rewards[0] + w * s.mixture.rewards[1]


def posterior(s):
    return lambda k, state: weight(s, k, state)


def changed_policy(s, trace, t):
    rewards = [effective(s, s.mixture.rewards + by, posterior(s)) for by in (0, trace["change"][t])]
    return tv(s, *(soft(s, row) for row in rewards))


def disagreement(s, trace, t):
    w = np.array([[weight(s, k, state) for state in range(s.mixture.mdp.states)] for k in range(len(s.mixture.shares))])
    spread = max(max(column) - min(column) for column in s.mixture.rewards.T)
    return max(abs(trace["weights"][t] - w).sum(axis=0)) / 2 * spread


def returns(s, trace, by_class):
    """Policies are those of the run, whose draws are repeated here."""
    m, rng, found = s.mixture, stream(0, "restatement", "returns"), []
    prompts = [state for state in range(m.mdp.states) if m.shares @ m.prompts[:, state] > 0]
    for _ in range(8):
        total = 0.0
        heights = rng.exponential(5.0, (len(prompts), m.mdp.choices))
        for prompt, row in zip(prompts, heights, strict=True):
            policy = np.concatenate([np.exp(row[own]) / np.exp(row[own]).sum() for own in choices(s)])
            if by_class:
                own = [value(s, policy, rewards)[prompt] for rewards in m.rewards]
                total += sum(p * d[prompt] * v for p, d, v in zip(m.shares, m.prompts, own, strict=True))
            else:
                rewards = sum(weight(s, k, prompt) * row for k, row in enumerate(m.rewards))
                total += (m.shares @ m.prompts[:, prompt]) * value(s, policy, rewards)[prompt]
        found.append(total)
    return np.array(found)


def loses(s, trace):
    """Deterministic policies are enumerated for each prompt on its own; ties are those of the solver."""
    m, lost = s.mixture, 0.0
    all_values = values_of_all(s)
    for prompt in np.flatnonzero(m.shares @ m.prompts):
        true = np.array([m.shares[k] * m.prompts[k, prompt] for k in range(len(m.shares))])
        earned = np.tensordot(all_values[:, :, prompt], true, axes=([1], [0]))
        believed = np.tensordot(all_values[:, :, prompt], m.shares, axes=([1], [0]))
        lost += earned.max() - earned[believed > believed.max() - 1e-9].max()
    # Where shares leave a tie, the solver may lose more than the best of the tied policies.
    return np.array([trace["loss"][0] >= lost - ABSOLUTE and trace["loss"][0] > 1e-9])


def neighbours(s, w):
    return optimal(s, w) if w in (0, 1) else (optimal(s, w - 0.01) + optimal(s, w + 0.01)) / 2


def with_least_slack(s, w):
    return max(neighbours(s, w)) + max(optimal(s, w) - neighbours(s, w))


def shares_of_copies(s, prompt):
    """The first class's shares of the copies of all prompts that are left when one is deleted."""
    counts = s.mixture.shares[:, None] * s.mixture.prompts
    return [counts[0, k] / counts[:, k].sum() for k in np.flatnonzero(counts.any(axis=0)) if k != prompt]


def nearest_share(name):
    """As none moves, any of the prompts may be the one that moves most: the one that the run has taken."""

    def curve(s, trace):
        boundary = np.flatnonzero((s.mixture.prompts > 0).sum(axis=0) > 1)
        rows = zip(boundary, trace[name], strict=True)
        return np.array([min(shares_of_copies(s, k), key=lambda share: abs(share - x)) for k, x in rows])

    return curve


RESTATED = {
    "reward-mixture/aggregation": (
        drawn(lambda s, trace, t: moved(s, s.mixture.rewards + trace["change"][t], posterior(s))),
        drawn(lambda s, trace, t: max(max(abs(row)) for row in trace["change"][t])),
    ),
    "reward-mixture/one-class": (
        drawn(lambda s, trace, t: moved(s, s.mixture.rewards + trace["change_of_one"][t], posterior(s))),
        drawn(
            lambda s, trace, t: max(
                max(weight(s, k, state) for state in range(s.mixture.mdp.states)) * max(abs(row))
                for k, row in enumerate(trace["change_of_one"][t])
            )
        ),
    ),
    "reward-mixture/weights": (
        drawn(lambda s, trace, t: moved(s, s.mixture.rewards, lambda k, state: trace["weights"][t][k, state])),
        drawn(disagreement),
    ),
    "reward-mixture/soft-policy": (
        drawn(changed_policy),
        drawn(lambda s, trace, t: abs(trace["change"][t]).max() / (2 * s.temperature * (1 - s.discount))),
    ),
    "reward-mixture/posterior": (lambda s, trace: returns(s, trace, True), lambda s, trace: returns(s, trace, False)),
    "reward-mixture/shares-lose": (loses, lambda s, trace: np.ones(1)),
    "reward-mixture/convex": (swept(with_least_slack), swept(lambda s, w: max(neighbours(s, w)))),
    "reward-mixture/breakpoints": (swept(lambda s, w: max(optimal(s, w))), swept(lambda s, w: max(optimal(s, w)))),
    "reward-mixture/weight-slope": (
        swept(lambda s, w: tv(s, soft(s, both(s, w)), soft(s, both(s, max(w - 0.01, 0.0))))),
        swept(
            lambda s, w: (
                0.01 * np.ptp(s.mixture.rewards[1] - s.mixture.rewards[0]) / (4 * s.temperature * (1 - s.discount))
            )
        ),
    ),
    "reward-mixture/cliff": (
        swept(lambda s, w: soft(s, both(s, w))[0]),
        swept(lambda s, w: 1 / (1 + math.exp((2.0 - w * 2.5) / s.temperature))),
    ),
    "reward-mixture/deletion": (nearest_share("after"), nearest_share("before")),
}
USED = {
    "reward-mixture/aggregation": 0.9999,
    "reward-mixture/one-class": 0.9999,
    "reward-mixture/weights": 0.9999,
    "reward-mixture/soft-policy": 0.999,
    "reward-mixture/convex": 0.9999,
    "reward-mixture/weight-slope": 0.9999,
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    if theorem.failed_hypothesis(s) is not None or (isinstance(theorem.kind, Existence) and place != "forgetful"):
        return
    trace = theorem.run(s, stream(0, "restatement", "returns"))
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


def test_forgetting_the_prompt_halves_the_return():
    s = SETTINGS["forgetful"]
    (verdict,) = verify(THEOREMS["reward-mixture/shares-lose"], settings=[s])
    assert verdict.status is Status.HOLDS
    trace = xu2025_mixtures.weigh_by_shares(s, stream(0, "restatement"))
    assert trace["loss"] == pytest.approx([s.discount / 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"discount": 1.0}, "discount is 1; it must be < 1"), ({"temperature": 0}, "temperature is 0.0")],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        MixtureSetting(forgetful_mixture(), **{"discount": 0.5, **changes})
