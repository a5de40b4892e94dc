"""Both sides of the theorems on direct Nash optimisation, in plain probabilities and sums over pairs.

Of the library, only the theorem objects under test compute anything here. From their runs come what chance decides:
labels, regressions on them, and random policies; exact updates and iterates are computed afresh.
"""

import math
from itertools import product

import numpy as np
import pytest

from rltheory.simulation import stream
from rltheory.theorems.games import rosset2024, rosset2024_sampled
from rltheory.theory import Theorem

# Sums of p log(p / q), and of squared logarithms up to 1e4, stall near 1e-16 times their largest terms. All else must
# agree to 9 digits.
ABSOLUTE = 1e-13
RELATIVE = 1e-9
LARGEST = 10  # actions

THEOREMS = {
    theorem.name: theorem
    for module in (rosset2024, rosset2024_sampled)
    for theorem in vars(module).values()
    if isinstance(theorem, Theorem)
}


def normalised(weights):
    return weights / weights.sum(-1, keepdims=True)


def first(s):
    return np.full(s.game.n, 1 / s.game.n) if s.start is None else np.array(s.start)


def beats(s, x):
    """P x, for each row."""
    return np.array([[sum(row * policy) for row in s.game.prefer] for policy in np.atleast_2d(x)])


def update(s, x):
    return normalised(x * np.exp(beats(s, x) / s.inverse_rate))


def iterates(s):
    """Policies of a run of exact updates, and their successors."""
    rows = [first(s)[None]]
    for _ in range(s.iterations + 1):
        rows.append(update(s, rows[-1]))
    return np.vstack(rows[:-1]), np.vstack(rows[1:])


def mixtures(s):
    """Mixtures of a run of Nash-MD, and the policies after them."""
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    x, share, rows = first(s)[None], s.beta / s.inverse_rate, []
    for _ in range(s.iterations + 1):
        mixed = normalised(x ** (1 - share) * ref**share)
        x = update(s, mixed)
        rows.append((mixed, x))
    return tuple(np.vstack(column) for column in zip(*rows, strict=True))


def kl(p, q):
    return (p * np.log(p / q)).sum(-1)


def tv(p, q):
    return np.maximum(p - q, 0).sum(-1)


def win(s, u, x):
    """P(u > x)."""
    return (u * beats(s, x)).sum(-1)


def sigma(t):
    return 1 / (1 + np.exp(-t))


def slope(t):
    return sigma(t) * (1 - sigma(t))


def over_pairs(p, q, value):
    """Mean of value(a, b), with a from p and b from q."""
    return sum(p[..., a] * q[..., b] * value(a, b) for a, b in product(range(p.shape[-1]), repeat=2))


def law(s, x, target):
    return {"policy": x, "uniform": np.full(x.shape, 1 / s.game.n), "target": target}[s.sampling]


def spread(p, q, first_from, second_from):
    """Mean of (L(a) - L(b))^2 for L = log p / q."""
    ratio = np.log(p / q)
    return over_pairs(first_from, second_from, lambda a, b: (ratio[..., a] - ratio[..., b]) ** 2)


def improvement_printed(s, trace):
    x, y = iterates(s)
    return s.inverse_rate * kl(y, x), win(s, y, x) - 1 / 2


def improvement(s, trace):
    x, y = iterates(s)
    return win(s, y, x) - 1 / 2, s.inverse_rate * (kl(y, x) + kl(x, y))


def improvement_without_convergence(s, trace):
    x, y = iterates(s)
    star = np.linalg.lstsq(np.vstack([s.game.prefer - 1 / 2, np.ones(s.game.n)]), np.eye(s.game.n + 1)[-1])[0]
    return (win(s, y, x) > 1 / 2) & (kl(star, y) > kl(star, x)), np.ones(len(x))


def excess(s, trace, anchor, following):
    """Loss of the random policies over that of the following ones, and the divergence of labels."""
    weights, r, pi = law(s, anchor, following), beats(s, anchor), np.exp(trace["log_candidate"])

    def sure(a, b):
        return sigma(r[:, a] - r[:, b])

    def ahead(policy, a, b):
        return s.inverse_rate * (np.log(policy / anchor)[:, a] - np.log(policy / anchor)[:, b])

    def loss(policy):
        def value(a, b):
            p = sure(a, b)
            return -p * np.log(sigma(ahead(policy, a, b))) - (1 - p) * np.log(sigma(-ahead(policy, a, b)))

        return over_pairs(weights, weights, value)

    def divergence(a, b):
        p, q = sure(a, b), sigma(ahead(pi, a, b))
        return p * np.log(p / q) + (1 - p) * np.log((1 - p) / sigma(-ahead(pi, a, b)))

    return loss(pi) - loss(following), over_pairs(weights, weights, divergence)


def ratio_spread(s, trace):
    (_, p), q = iterates(s), np.exp(trace["log_candidate"])
    square = np.log(p / q) ** 2
    return spread(p, q, p, q), (p * square).sum(-1) + (q * square).sum(-1) + 2 * kl(p, q) * kl(q, p)


def total_variation(s, trace):
    (_, p), q = iterates(s), np.exp(trace["log_candidate"])
    return 8 * tv(p, q) ** 2, spread(p, q, p, q)


def printed_quotient_fails(s, trace):
    a, b = trace["a"], trace["b"]
    printed = s.largest / (1 - sigma(1))
    within = (abs(a) <= 1) & (abs(b) <= s.largest)
    return within & (abs(a - b) > printed * abs(sigma(a) - sigma(b))), np.ones(len(a))


def constant(m):
    """K."""
    return 1 / slope(1) if m == 1 else (m - 1) / (sigma(m) - sigma(1))


def quotient(s, trace):
    a, b = trace["a"], trace["b"]
    return abs(a - b), constant(2 * s.largest) * abs(sigma(a) - sigma(b))


def finite_class(s, trace):
    x, y = first(s)[None], np.exp(trace["log_next"])
    target = update(s, x) + 0 * y
    weights = law(s, x, update(s, x)) + 0 * y
    same = np.isclose(y, target, rtol=1e-12, atol=0).all(-1)
    seen, all_of_it = spread(target, y, weights, weights), spread(target, y, target, y)
    measured = np.where(same, 0.0, tv(target, y) ** 2 * seen / np.where(same, 1.0, all_of_it))
    scale = math.log(s.policies / s.delta) / (4 * s.inverse_rate**2)
    return measured, constant(s.width) ** 2 * scale / trace.times


def regression(s, trace):
    x, y = np.exp(trace["log_policy"]), np.exp(trace["log_next"])
    r, ratio = beats(s, x), s.inverse_rate * np.log(y / update(s, x))
    measured, bound = [], []
    for t, counts in enumerate(trace["labels"]):
        error, noise, graph = 0.0, np.zeros(s.game.n), np.zeros((s.game.n, s.game.n))
        for a, b in product(range(s.game.n), repeat=2):
            pair = np.eye(s.game.n)[a] - np.eye(s.game.n)[b]
            error += counts[a, b] / s.pairs * (ratio[t, a] - ratio[t, b]) ** 2
            noise += counts[a, b] / s.pairs * sigma(r[t, b] - r[t, a]) * pair
            graph += counts[a, b] / s.pairs * np.outer(pair, pair)
        measured.append(error)
        bound.append(noise @ np.linalg.lstsq(graph, noise, rcond=1e-12)[0] / slope(s.width) ** 2)
    return measured, bound


def finite_sample(s, trace):
    x, y = first(s)[None], np.exp(trace["log_next"])[:, 0]
    target = update(s, x) + 0 * y
    ratio = np.log(target / y)
    seen = sum(
        trace["labels"][:, 0, a, b] / trace.times * (ratio[:, a] - ratio[:, b]) ** 2
        for a, b in product(range(s.game.n), repeat=2)
    )
    curvature = slope(s.width)
    bound = (s.game.n - 1) / (32 * s.inverse_rate**2 * curvature**2 * trace.times)
    return tv(target, y) ** 2 * seen / spread(target, y, target, y), bound


def finite_sample_rate(s, trace):
    x, y = first(s)[None], np.exp(trace["log_next"])
    target = update(s, x)[0] + 0 * y
    weights = law(s, x, update(s, x))[0] + 0 * y
    quotients = tv(target, y) ** 2 * spread(target, y, weights, weights) / spread(target, y, target, y)
    return quotients.mean(-1), (s.width / s.inverse_rate) ** 2 * (s.game.n - 1) / trace.times


def hedge(s, times):
    """Bound of Hedge."""
    return s.inverse_rate * math.log(1 / first(s).min()) / (times + 1) + 1 / (8 * s.inverse_rate)


def averages(values):
    return np.array([np.mean(values[: t + 1], axis=0) for t in range(len(values))])


def exploited(s, x):
    """Exploitability of the averages."""
    return beats(s, averages(x)).max(-1) - 1 / 2


def mixture(s, trace):
    x = np.exp(trace["log_policy"])
    before = np.array([beats(s, x)[:t].sum(0) for t in range(len(x))])
    distances = tv(normalised(first(s) * np.exp(before / s.inverse_rate)), x)
    return exploited(s, x), hedge(s, trace.times) + averages(distances)


def mixture_log_errors(s, trace):
    x, y = np.exp(trace["log_policy"]), np.exp(trace["log_next"])
    errors = np.log(update(s, x) / y).max(-1)
    return exploited(s, x), hedge(s, trace.times) + s.inverse_rate * averages(errors)


def variation_does_not_add(s, trace):
    x, y = np.exp(trace["log_policy"]), np.exp(trace["log_next"])
    bound = hedge(s, trace.times) + 1000 * averages(tv(update(s, x), y))
    return exploited(s, x) > bound, np.ones(len(x))


RESTATED = {
    "dno/improvement-printed": ("every step", improvement_printed),
    "dno/improvement": ("identity", improvement),
    "dno/improvement-without-convergence": ("existence", improvement_without_convergence),
    "dno/excess-loss": ("identity", lambda s, trace: excess(s, trace, *iterates(s))),
    "dno/nash-md": ("identity", lambda s, trace: excess(s, trace, *mixtures(s))),
    "dno/ratio-spread": ("identity", ratio_spread),
    "dno/total-variation": ("every step", total_variation),
    "dno/printed-quotient-fails": ("existence", printed_quotient_fails),
    "dno/quotient": ("every step", quotient),
    "dno/finite-class": ("with probability 1 - delta", finite_class),
    "dno/regression": ("every step", regression),
    "dno/finite-sample": ("in expectation", finite_sample),
    "dno/finite-sample-rate": ("every step", finite_sample_rate),
    "dno/mixture": ("every step", mixture),
    "dno/mixture-log-errors": ("every step", mixture_log_errors),
    "dno/variation-does-not-add": ("existence", variation_does_not_add),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name):
    theorem, (kind, restated) = THEOREMS[name], RESTATED[name]
    assert theorem.kind.name == kind
    small = [s for s in theorem.settings() if not hasattr(s, "game") or s.game.n <= LARGEST]
    assert len(small) >= 2
    for s in small:
        trace = theorem.run(s, stream(0, "restatement", name))
        measured, bound = restated(s, trace)
        np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE, err_msg=str(s))
        np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=ABSOLUTE, err_msg=str(s))


@pytest.mark.parametrize("name", ["dno/regression", "dno/mixture", "dno/mixture-log-errors"])
def test_runs_start_and_average_as_stated(name):
    for s in THEOREMS[name].settings():
        trace = THEOREMS[name].run(s, stream(0, "restatement", name))
        x = np.exp(trace["log_policy"])
        np.testing.assert_allclose(x[0], first(s), rtol=1e-12)
        np.testing.assert_allclose(trace["mean"], averages(x), rtol=1e-12)
        np.testing.assert_allclose(np.exp(trace["log_target"]), update(s, x), rtol=RELATIVE)
        np.testing.assert_array_equal(trace["log_policy"][1:], trace["log_next"][:-1])
        assert (trace["labels"].sum((1, 2)) == s.pairs).all()


def test_hypotheses_name_what_fails():
    win_rates_too_wide = rosset2024_sampled.SampledSetting(rosset2024.two_actions(0.5), pairs=8, width=0.4)
    assert "differ by $B$" in THEOREMS["dno/regression"].failed_hypothesis(win_rates_too_wide)
    assert "differ by $B$" in THEOREMS["dno/finite-sample"].failed_hypothesis(win_rates_too_wide)
    assert "1.59" in THEOREMS["dno/printed-quotient-fails"].failed_hypothesis(rosset2024_sampled.RatioSetting(1.6))
    too_hot = rosset2024.MixtureSetting(rosset2024.two_actions(0.5), 0.1, beta=0.2)
    assert "eta" in THEOREMS["dno/nash-md"].failed_hypothesis(too_hot)
    transitive = rosset2024.Setting(rosset2024.two_actions(0.5))
    assert "all actions" in THEOREMS["dno/improvement-without-convergence"].failed_hypothesis(transitive)


def test_threshold_of_the_printed_inequality():
    """Where the printed constant is as large as the quotient: near 1.597."""
    for largest, fails in ((0.5, True), (1.59, True), (1.6, False), (5.0, False)):
        assert (constant(largest) > largest / (1 - sigma(1))) == fails
    assert abs(constant(0.5) - 4.60) < 0.01
    assert abs(0.5 / (1 - sigma(1)) - 1.86) < 0.01
    assert abs(constant(1) - 5.0862) < 1e-4
    assert abs(constant(0) - 4.327) < 1e-3
