"""Both sides of the theorems on finding the best arm, with policies in plain NumPy on the same draws."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from rltheory.simulation import stream
from rltheory.theorems.bandits import best_arm as paper
from rltheory.theory import Theorem
from rltheory.variates import generators, uniform

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def d(p, q):
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def threshold(s, n):
    return math.log(math.pi**2 * s.means.size * n * n / (3 * s.delta))


def ends(s, mean, n, kl):
    budget = threshold(s, n) / n
    if not kl:
        return mean - math.sqrt(budget / 2), mean + math.sqrt(budget / 2)
    low = brentq(lambda q: d(mean, q) - budget, 1e-300, mean, xtol=1e-15) if mean > 0 else 0.0
    top = 1 - 1e-16
    high = brentq(lambda q: d(mean, q) - budget, mean, top, xtol=1e-15) if mean < 1 and d(mean, top) > budget else 1.0
    return low, high


class Table:
    """Pulls of one replicate, and its draws."""

    def __init__(self, means, key, replicate):
        self.means, self.states = means, generators(key, replicate, replicate + 1)
        self.n, self.sums = np.zeros(len(means)), np.zeros(len(means))

    def pull(self, arm):
        self.n[arm] += 1
        self.sums[arm] += uniform(self.states, 0) < self.means[arm]

    @property
    def hat(self):
        return self.sums / self.n


def key_of(name):
    return stream(0, "restated", name).integers(2**64, size=4, dtype=np.uint64)


def eliminate(s, key):
    table, left = Table(s.means, key, 0), list(range(s.means.size))
    while len(left) > 1:
        for a in left:
            table.pull(a)
        n = table.n.max()
        width = 2 * math.sqrt(threshold(s, n) / (2 * n))
        left = [a for a in left if max(table.hat[left]) - table.hat[a] <= width]
    return table.n, left[0]


def lucb(s, key, kl):
    table = Table(s.means, key, 0)
    for a in range(s.means.size):
        table.pull(a)
    while True:
        intervals = [ends(s, *pair, kl) for pair in zip(table.hat, table.n, strict=True)]
        leader = max(range(s.means.size), key=lambda a: (table.hat[a], -a))
        challenger = max((a for a in range(s.means.size) if a != leader), key=lambda a: (intervals[a][1], -a))
        if intervals[leader][0] > intervals[challenger][1]:
            return table.n, leader
        table.pull(leader)
        table.pull(challenger)


def halve(means, budget, key, replicate):
    table, left, rounds = Table(means, key, replicate), list(range(len(means))), math.ceil(math.log2(len(means)))
    for _ in range(rounds):
        earned = []
        for a in left:
            before = table.sums[a]
            for _ in range(budget // (len(left) * rounds)):
                table.pull(a)
            earned.append(table.sums[a] - before)
        order = sorted(range(len(left)), key=lambda i: (-earned[i], i))
        left = sorted(left[i] for i in order[: math.ceil(len(left) / 2)])
    return left[0]


def counted(s, information):
    return sum(n * information <= threshold(s, n) for n in range(1, 100_000))


def pulls_of_each(s, t, name):
    pulls, arm = eliminate(s, key_of(name))
    assert arm == s.means.argmax()
    gaps = s.means.max() - s.means
    gaps[s.means.argmax()] = min(gap for gap in gaps if gap > 0)
    return pulls, [1 + counted(s, gap**2 / 8) for gap in gaps]


def of_lucb(s, t, name):
    pulls, arm = lucb(s, key_of(name), kl=False)
    assert arm == s.means.argmax()
    c = np.sort(s.means)[-2:].mean()
    return [pulls.sum()], [s.means.size + 2 * sum(counted(s, (mean - c) ** 2 / 2) for mean in s.means)]


def of_kl_lucb(s, t, name):
    pulls, arm = lucb(s, key_of(name), kl=True)
    assert arm == s.means.argmax()
    c = np.sort(s.means)[-2:].mean()

    def information(mean):
        low, high = sorted((mean, c))
        return d(brentq(lambda x: d(x, low) - d(x, high), low, high, xtol=1e-15), low)

    return [pulls.sum()], [s.means.size + 2 * sum(counted(s, information(mean)) for mean in s.means)]


def evidence(s, t, name):
    rng, k = stream(0, "restated", name), s.means.size
    draws = rng.random((s.budget // k, k)) < s.means
    largest, curve, sums = 0.0, [], np.zeros(k)
    for n, row in enumerate(draws, 1):
        sums += row
        hat, best = sums / n, int(s.means.argmax())
        for a in range(k):
            if hat[a] > hat[best]:
                middle = (hat[a] + hat[best]) / 2
                largest = max(largest, n * (d(hat[a], middle) + d(hat[best], middle)))
        curve.append(largest)
    return curve, [math.log((k - 1) / s.delta) + math.log(4 * n) for n in t]


def errors(s, t, name):
    measured, bounds, gaps = [], [], sorted(max(s.means) - mean for mean in s.means)
    rng = stream(0, "restated", name)
    for n in s.budgets.tolist():
        key = rng.integers(2**64, size=4, dtype=np.uint64)
        measured.append(np.mean([halve(s.means, n, key, i) != np.argmax(s.means) for i in range(32)]))
        total, left, rounds = 0.0, len(gaps), math.ceil(math.log2(len(gaps)))
        for _ in range(rounds):
            share, kept = n // (left * rounds), math.ceil(left / 2)
            chances = [math.exp(-share * gap**2 / 2) for gap in gaps[1:left]]
            total += min(sum(chances[j:]) / (kept - j) for j in range(kept))
            left = kept
        bounds.append(min(total, 1))
    return measured, bounds


def credit(s, t, name):
    """Track-and-stop for two arms."""
    k, w = s.means.size, by_bisection(s.means)
    time = 1 / sum(w * [d(mean, w @ s.means) for mean in s.means])
    least, key, left = time * math.log((1 - s.delta) / s.delta), key_of(name), []
    for i in range(8):
        table, right = Table(s.means, key, i), False
        for a in range(k):
            table.pull(a)
        while True:
            hat, n, leader = table.hat, table.n, int(table.hat.argmax())
            known = True
            for b in set(range(k)) - {leader}:
                middle = (table.sums[leader] + table.sums[b]) / (n[leader] + n[b])
                z = n[leader] * d(hat[leader], middle) + n[b] * d(hat[b], middle)
                known &= z > math.log(4 * math.sqrt(n[leader] * n[b]) * (k - 1) / s.delta)
            if known or n.sum() == s.budget:
                right = known and leader == s.means.argmax()
                break
            if n.min() < math.sqrt(n.sum()) - k / 2:
                table.pull(int(n.argmin()))
            else:
                lacking = n.sum() * by_bisection(hat) - n
                table.pull(int(np.flatnonzero(lacking > lacking.max() - 1e-9)[0]))
        left.append(s.budget - table.n.sum() - 2 * least * (not right))
    return [np.mean(left)], [s.budget - least]


def by_bisection(means):
    """Optimal weights by two nested searches, or equal shares of those that are best."""
    best = int(means.argmax())
    top, ties = means[best], means == means.max()
    if ties.sum() > 1:
        return ties / ties.sum()

    def at(x, a):
        return (top + x * means[a]) / (1 + x)

    def cost(x, a):
        return d(top, at(x, a)) + x * d(means[a], at(x, a))

    others = [a for a in range(means.size) if a != best]

    def ratio(y, a):
        return brentq(lambda x: cost(x, a) - y, 1e-12, 1e6, xtol=1e-14, rtol=1e-14)

    def excess(y):
        return sum(d(top, at(x, a)) / d(means[a], at(x, a)) for a in others for x in [ratio(y, a)]) - 1

    highest = min(cost(1e3, a) for a in others)
    y = brentq(excess, 1e-10 * highest, highest, xtol=1e-15, rtol=1e-14)
    w = np.array([1.0 if a == best else ratio(y, a) for a in range(means.size)])
    return w / w.sum()


def time_and_hardness(s, t, name):
    gaps = np.sort(max(s.means) - np.array(s.means))
    hardness = 2 * s.deviation**2 * (gaps[1] ** -2 + (gaps[1:] ** -2).sum())

    def ratio(y):
        return y / (gaps[1:] ** 2 / 2 - y)  # x / (1 + x) gap^2 / 2 = y

    y = brentq(lambda y: (ratio(y) ** 2).sum() - 1, 0, gaps[1] ** 2 / 2 * (1 - 1e-12), xtol=1e-16)
    return [s.deviation**2 * (1 + ratio(y).sum()) / y], [2 * hardness]


RESTATED = {
    "successive-elimination/pulls": pulls_of_each,
    "lucb/pulls": of_lucb,
    "kl-lucb/pulls": of_kl_lucb,
    "best-arm/evidence": evidence,
    "sequential-halving/error": errors,
    "best-arm/lower-bound": credit,
    "characteristic-time/upper": time_and_hardness,
    "characteristic-time/lower": lambda s, t, name: [
        [side[0] / factor] for side, factor in zip(time_and_hardness(s, t, name)[::-1], (2, 1), strict=True)
    ],
}


def test_every_theorem_is_restated():
    assert RESTATED.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    s = list(theorem.settings())[0 if name == "best-arm/lower-bound" else 1]
    trace = theorem.run(s, stream(0, "restated", name))
    measured, bound = RESTATED[name](s, trace.times, name)
    # Counts agree exactly; evidence of 3000 pulls rounds some thousand times, times are good to 1e-8.
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-7)


def test_a_run_that_goes_wrong_exceeds_the_bound():
    s = paper.Arms(np.array([0.4, 0.6]), 0.1)
    runs = {
        paper.ELIMINATION: paper.eliminate_by_error_bars,
        paper.LUCB: paper.run_lucb_by_error_bars,
        paper.KL_LUCB: paper.run_kl_lucb_by_error_bars,
    }
    for theorem, run in runs.items():
        traces = [run(s, stream(0, "wrong", i)) for i in range(40)]
        over = [bool((trace["pulls"] > theorem.bound(s, trace)).all()) for trace in traces]
        assert 0 < sum(over) < 40


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: paper.Arms(np.array([0.5, 1.0]), 0.1), r"means are \[0.5, 1.0\]; they must be two at least, all in"),
        (lambda: paper.Arms(np.array([0.5]), 0.1), "two at least"),
        (lambda: paper.Arms(np.array([0.5, 0.2]), 0.5), r"delta is 0.5; it must lie in \(0, 1/2\)"),
        (lambda: paper.Budget(np.array([0.5, 0.2]), 0.1, 1), "budget is 1; it must be >= 2"),
        (lambda: paper.Halving((0.5, 0.2), np.array([4, 4])), "must increase, from 1 at least"),
        (lambda: paper.Halving((0.5, 0.5), np.array([4])), "one of them must be above all others"),
        (lambda: paper.GaussianArms((1.0, 1.0), 1.0), "one of them must be above all others"),
        (lambda: paper.GaussianArms((1.0, 0.0), 0.0), "deviation is 0.0"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
