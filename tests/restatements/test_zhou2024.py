"""Both sides of the theorems on hybrid actor-critic: fits by least squares, values and occupancies by plain sums."""

import math
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import combination_lock, garnet
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.episodes import zhou2024
from rltheory.theorems.episodes.zhou2024 import Acting, Criticism, Lengths, Threshold
from rltheory.theory import Status, Theorem

THEOREMS = {theorem.name: theorem for theorem in vars(zhou2024).values() if isinstance(theorem, Theorem)}
RNG = np.random.default_rng(0)
SMALL, LOCK = garnet(np.random.default_rng(1), 3, 2, 2), combination_lock([1, 0])
POLICY = RNG.dirichlet(np.ones(2), size=3).ravel()
DATA = RNG.dirichlet(np.ones(6))
CRITICS = [
    Criticism(SMALL, 0.8, policy=POLICY, data=DATA, weight=0.7, sweeps=12),
    Criticism(LOCK, 0.9, policy=np.array([0.3, 0.7, 0.5, 0.5]), data=np.array([0.5, 0.5, 0, 0]), weight=2.0, sweeps=8),
]
WITH_VALUES = replace(CRITICS[0], features=np.column_stack([CRITICS[0].policy_values, RNG.random((6, 2))]))
THRESHOLDS = [Threshold(0.95, 0.3), Threshold(0.5, 0.0)]
ACTORS = [
    Acting(SMALL, 0.8, data=DATA, weight=0.5, step=0.7, iterations=15, sweeps=9),
    Acting(LOCK, 0.6, data=np.full(4, 0.25), weight=3.0, step=0.1, iterations=20),
]
LINEAR = [replace(ACTORS[0], features=RNG.random((6, 2)), sweeps=4)]
EXACT = [replace(s, weight=math.inf) for s in ACTORS]
STATED = [replace(s, step=(1 - s.discount) * math.sqrt(math.log(2) / s.iterations)) for s in ACTORS]


@cache
def dense(mdp):
    return mdp.as_sparse().transition_matrix.toarray()


def of_choices(mdp, of_states):
    return of_states[..., mdp.state_of_choice]


def sums(mdp, numbers):
    """Sums over the choices of each state."""
    return np.array([numbers[mdp.state_of_choice == state].sum() for state in range(mdp.states)])


def evaluated(mdp, discount, policy):
    """Values of choices and discounted probabilities of choices, as sums over steps."""
    values, visits, now = np.zeros(mdp.choices), np.zeros(mdp.choices), policy * of_choices(mdp, mdp.initial)
    for step in range(int(40 / (1 - discount))):
        values = mdp.rewards + discount * dense(mdp) @ sums(mdp, policy * values)
        visits += (1 - discount) * discount**step * now
        now = policy * of_choices(mdp, now @ dense(mdp))
    return values, visits


def swept(s, policy, sweeps, first=0.0):
    """Critics, each fitted by least squares to both kinds of targets, one row for each choice and kind."""
    mdp, (values, visits) = s.mdp, evaluated(s.mdp, s.discount, policy)
    x = np.eye(mdp.choices) if s.features is None else s.features
    offline, online = (0 * visits, visits) if s.weight == math.inf else (s.data, s.weight * visits)
    critics, targets = [np.zeros(mdp.choices) + first], []
    for _ in range(sweeps):
        targets.append(mdp.rewards + s.discount * dense(mdp) @ sums(mdp, policy * critics[-1]))
        roots = np.sqrt(np.concatenate([offline, online]))
        rows, wanted = np.vstack([x, x]) * roots[:, None], np.concatenate([targets[-1], values]) * roots
        critics.append(x @ np.linalg.lstsq(rows, wanted)[0])
    return np.array(critics), np.array(targets), values, visits


def contraction(s, trace):
    critics, _, values, visits = swept(s, s.policy, s.sweeps)
    errors = ((critics - values) ** 2 * visits).sum(axis=1)
    return errors[1:], s.discount * errors[:-1]


def double_robustness(s, trace):
    critics, targets, values, visits = swept(s, s.policy, s.sweeps)
    left = s.weight * ((critics[1:] - values) ** 2 * visits).sum(axis=1)
    return left, ((values - targets) ** 2 * s.data).sum(axis=1) / 4


def burn_in(s, trace):
    critics, _, values, visits = swept(s, s.policy, s.sweeps)
    errors = ((critics - values) ** 2 * visits).sum(axis=1)
    return errors, s.discount ** np.arange(s.sweeps + 1) / (1 - s.discount) ** 2


def threshold(s, trace):
    """One coefficient, found by least squares over three rows: both data, and what the policy meets."""
    theta, found = 1.0, []
    weights = np.sqrt([0.5, 0.5, s.weight * (1 - s.discount), s.weight * s.discount])
    for _ in trace.times:
        found.append(theta)
        targets = np.array([2 * s.discount * theta, 2 * s.discount * theta, 0, 0])
        theta = np.linalg.lstsq((np.array([1, 2, 1, 2]) * weights)[:, None], targets * weights)[0][0]
    rate = 3 * s.discount / (2.5 + s.weight + 3 * s.weight * s.discount)
    return np.array(found), rate**trace.times


def run(s):
    """Policies, critics, values of choices, probabilities of choices, for each step."""
    logits, rows = np.zeros(s.mdp.choices), []
    for _ in range(s.iterations + 1):
        policy = np.exp(logits) / of_choices(s.mdp, sums(s.mdp, np.exp(logits)))
        critics, _, values, visits = swept(s, policy, s.sweeps)
        critic = critics[s.sweeps // 2 + 1 :].mean(axis=0)
        rows.append((policy, critic, values, visits))
        logits = logits + s.step * critic
    return rows


def optimal(s):
    """An optimal policy, by value iteration, and its probabilities of choices."""
    values = np.zeros(s.mdp.states)
    for _ in range(1000):
        q = s.mdp.rewards + s.discount * dense(s.mdp) @ values
        values = np.array([q[s.mdp.state_of_choice == state].max() for state in range(s.mdp.states)])
    best = (q == of_choices(s.mdp, values)).astype(float)
    assert best.sum() == s.mdp.states
    return best, evaluated(s.mdp, s.discount, best)[1]


def followed(s, trace):
    _, visits = optimal(s)
    steps = [(f - of_choices(s.mdp, sums(s.mdp, policy * f))) @ visits for policy, f, _, _ in run(s)]
    return np.append(0, np.cumsum(steps))[trace.times]


def ascent(s, trace):
    return math.log(2) / s.step + s.step * trace.times / (8 * (1 - s.discount) ** 2)


def actor(s, trace):
    return followed(s, trace), ascent(s, trace)


def actor_as_stated(s, trace):
    bound = 2 * math.sqrt(s.iterations * math.log(2)) / (1 - s.discount)
    return followed(s, trace), np.full(trace.times.size, bound)


def earned(s, visits):
    return visits @ s.mdp.rewards / (1 - s.discount)


def exact_critic(s, trace):
    _, best = optimal(s)
    lost = [earned(s, best) - earned(s, visits) for _, _, _, visits in run(s)]
    return np.append(0, np.cumsum(lost))[trace.times], ascent(s, trace) / (1 - s.discount)


def decomposition(s, trace):
    _, best = optimal(s)
    left, right = [], []
    for policy, f, _, visits in run(s):
        mean = sums(s.mdp, policy * f)
        residual = s.mdp.rewards + s.discount * dense(s.mdp) @ mean - f
        left.append((1 - s.discount) * (earned(s, best) - earned(s, visits)))
        right.append((f - of_choices(s.mdp, mean)) @ best + residual @ best - residual @ visits)
    return np.array(left)[trace.times], np.array(right)[trace.times]


def regret(s, trace):
    lost, bound = [], []
    for length in s.lengths:
        step = (1 - s.discount) * math.sqrt(math.log(2) / length)
        one = Acting(s.mdp, s.discount, data=s.data, weight=s.weight, step=step, iterations=length, sweeps=10)
        _, best = optimal(one)
        lost.append(sum(earned(one, best) - earned(one, visits) for _, _, _, visits in run(one)[:-1]))
        ratio = max(d / nu for d, nu in zip(best, s.data, strict=True))
        bound.append((math.sqrt(length * math.log(2)) + math.sqrt(length * ratio)) / (1 - s.discount) ** 2)
    return np.array(lost), np.array(bound)


RESTATED = {
    "hac/contraction": (contraction, CRITICS),
    "hac/double-robustness": (double_robustness, [*CRITICS, WITH_VALUES]),
    "hac/burn-in": (burn_in, CRITICS),
    "hac/threshold": (threshold, THRESHOLDS),
    "hac/actor": (actor, ACTORS),
    "hac/actor-as-stated": (actor_as_stated, STATED),
    "hac/decomposition": (decomposition, [*ACTORS, *LINEAR]),
    "hac/exact-critic": (exact_critic, EXACT),
    "hac/regret": (regret, [Lengths(LOCK, 0.6, data=np.full(4, 0.25), weight=1.0, lengths=(4, 10, 25))]),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement"))
    for side, restated in zip((theorem.measured, theorem.bound), RESTATED[name][0](s, trace), strict=True):
        # Sums of 200 steps at least leave out what is below e^-40 of values below 10.
        np.testing.assert_allclose(np.asarray(side(s, trace))[-len(restated) :], restated, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, theorem in THEOREMS.items() if theorem.strategy])
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn = verify(theorem, settings=examples(theorem.strategy(), 10, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


def test_the_quarter_is_the_best_constant():
    tight = [verdict.tightness for verdict in verify(THEOREMS["hac/double-robustness"])]
    assert max(tight) == pytest.approx(1, abs=1e-6)


def test_a_path_makes_the_contraction_sharp():
    (verdict,) = verify(THEOREMS["hac/contraction"], settings=[list(zhou2024.grid_of_critics())[3]])
    assert 0.98 < verdict.tightness <= 1


@pytest.mark.parametrize(("discount", "weight"), [(0.95, 0.0909), (0.9, 0.2 / 3.7), (0.99, 0.47 / 3.97)])
def test_known_thresholds(discount, weight):
    assert Threshold(discount, weight).factor == pytest.approx(1, abs=1e-4)
    assert "lambda" in THEOREMS["hac/threshold"].failed_hypothesis(Threshold(discount, 0.9 * weight))


def test_temporal_differences_diverge_above_five_sixths():
    assert Threshold(5 / 6, 0.0).factor == pytest.approx(1, rel=1e-12)
    trace = zhou2024.halve(Threshold(0.9, 0.0), np.random.default_rng(0))
    assert trace.last("critic")[1] == pytest.approx(2 * 1.08**20, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(replace, CRITICS[0], weight=-1.0), "weight is -1.0; it must be finite and >= 0"),
        (partial(replace, CRITICS[0], sweeps=0), "sweeps is 0; it must be >= 1"),
        (partial(replace, CRITICS[0], policy=np.ones(6)), "policy sums to 2 in state 0"),
        (partial(replace, ACTORS[0], step=0.0), "step is 0.0; it must be finite and > 0"),
        (partial(replace, ACTORS[0], sweeps=1), "sweeps is 1; it must be >= 2"),
        (partial(replace, THRESHOLDS[0], discount=1.0), "1 - discount is 0.0; it must be finite and > 0"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_setting():
    narrow = replace(CRITICS[0], features=RNG.random((6, 2)))
    for name in ("hac/contraction", "hac/burn-in"):
        assert "tables" in THEOREMS[name].failed_hypothesis(WITH_VALUES)
    assert "holds $Q$" in THEOREMS["hac/double-robustness"].failed_hypothesis(narrow)
    assert "eta" in THEOREMS["hac/actor-as-stated"].failed_hypothesis(ACTORS[0])
    assert "infty" in THEOREMS["hac/exact-critic"].failed_hypothesis(ACTORS[0])
