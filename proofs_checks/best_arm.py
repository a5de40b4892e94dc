r"""Proofs on finding the best arm: confidence intervals, evidence, halving, and the characteristic time.

Notation. :math:`\mu_a` the means of Bernoulli arms, :math:`\hat\mu_a` those of n pulls, d the divergence of Bernoulli
laws, :math:`\beta(n) = \log(\pi^2 K n^2 / (3 \delta))`, and c the middle of the two largest means. Laws of sums are
binomial and computed exactly; runs are recomputed with plain NumPy.
"""

import math
from functools import cache
from itertools import combinations

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln, kl_div, xlogy
from scipy.stats import binom

from rltheory.simulation import stream
from rltheory.theorems.bandits import best_arm as paper
from rltheory.theory import Claim, Proof, claim

PULLS = np.arange(1, 301)


def d(p, q):
    """Divergence of Bernoulli laws."""
    return kl_div(p, q) + kl_div(1 - np.asarray(p), 1 - np.asarray(q))


def threshold(s, n):
    """Beta(n)."""
    return np.log(math.pi**2 * s.means.size * n**2 / (3 * s.delta))


intervals = Proof(of=[paper.ELIMINATION, paper.LUCB, paper.KL_LUCB], settings=paper.arms)


@intervals.step("Chernoff: each end of an interval misses the mean with probability exp(-beta(n)) at most")
def chernoff(s) -> Claim:
    """P(n d(mean, mu) > beta(n), mean above mu), and the same below, with a smaller budget, which is harder."""
    chances, budget = [], 1.0
    for n in PULLS:
        sums = np.arange(n + 1)
        for mean in s.means:
            far = n * d(sums / n, mean) > budget
            law = binom.pmf(sums, n, mean)
            chances.append([law[far & (sums > n * mean)].sum(), law[far & (sums < n * mean)].sum()])
    why = "Markov's inequality for the exponential of the sum, with the best tilt; so for every budget, here 1"
    return claim(chances, "<=", math.exp(-budget), why)


@intervals.step("Union: 2 K ends after all numbers of pulls fail with probability delta at most", uses=[chernoff])
def union(s) -> Claim:
    """2 K (exp(-beta(1)) + ... + exp(-beta(n)))."""
    sums = 2 * s.means.size * np.exp(-threshold(s, np.arange(1, 100_001))).cumsum()
    return claim(sums, "<=", s.delta, "1 + 1/4 + 1/9 + ... = pi^2 / 6")


@intervals.step("Pinsker: intervals of radius sqrt(beta / (2 n)) contain those of the divergence")
def pinsker(s) -> Claim:
    """2 (p - q)^2 <= d(p, q)."""
    p, q = np.linspace(0, 1, 201)[:, None], np.linspace(0.005, 0.995, 200)
    return claim(2 * (p - q) ** 2, "<=", d(p, q), "Pinsker's inequality")


@intervals.step("Elimination: while all intervals hold, arm a is dropped when n Delta_a^2 / 8 > beta(n), or before")
def dropped(s) -> Claim:
    """The means of the best arm and of arm a differ by Delta - 2 radii at least; that must be above 2 radii."""
    gaps = s.gaps[:, None]
    n = (paper.elimination_bound(s)[:, None] + np.arange(1000)).astype(int)
    radius = np.sqrt(threshold(s, n) / (2 * n))
    return claim(2 * radius, "<=", gaps - 2 * radius, "4 radii are below the gap, from the bound on")


@intervals.step("Elimination: while all intervals hold, the best arm is never dropped")
def kept(s) -> Claim:
    """The mean of another arm is above that of the best by 2 radii - Delta_a at most."""
    radius = np.sqrt(threshold(s, PULLS) / (2 * PULLS))
    return claim(2 * radius - s.gaps[:, None], "<=", 2 * radius, "gaps are positive")


@cache
def plain_lucb(s, kl):
    """Information of the needy arm, beta over its pulls, and the number needy, in rounds where all intervals hold."""
    rng, k, c = stream(0, "plain lucb", str(s), kl), s.means.size, s.middle
    rows = []
    for _ in range(3):
        counts = np.ones(k)
        sums = (rng.random(k) < s.means).astype(float)
        while True:
            means, budget = sums / counts, threshold(s, counts) / counts
            if kl:
                ends = np.array([ends_of(m, b) for m, b in zip(means, budget, strict=True)])
                low, high = ends[:, 0], ends[:, 1]
                information = np.array([paper.chernoff_information(m, c) for m in s.means])
            else:
                low, high = means - np.sqrt(budget / 2), means + np.sqrt(budget / 2)
                information = (s.means - c) ** 2 / 2
            leader = int(means.argmax())
            rest = np.where(np.arange(k) == leader, -np.inf, high)
            challenger = int(rest.argmax())
            if low[leader] > high[challenger]:
                break
            if ((low <= s.means) & (s.means <= high)).all():
                needy = [a for a in (leader, challenger) if low[a] <= c <= high[a]]
                worst = needy[0] if needy else leader
                rows.append([information[worst], budget[worst], len(needy)])
            for a in (leader, challenger):
                counts[a] += 1
                sums[a] += rng.random() < s.means[a]
    return np.array(rows)


def ends_of(m, budget):
    """Ends of the interval of a mean, by bracketing."""

    def excess(q):
        return float(d(m, q)) - budget

    low = brentq(excess, 1e-15, m) if m > 0 and excess(1e-15) > 0 else 0.0
    high = brentq(excess, m, 1 - 1e-15) if m < 1 and excess(1 - 1e-15) > 0 else 1.0
    return low, high


@intervals.step(
    "LUCB: while all intervals hold and it goes on, the interval of the leader or of the challenger holds c"
)
def one_is_needy(s) -> Claim:
    """Number of such intervals in each round."""
    needy = np.concatenate([plain_lucb(s, kl)[:, 2] for kl in (False, True)])
    why = (
        "both above c: two arms were better than c; both below: the best arm, or one with a larger end, is; the leader "
        "above and the challenger below: it would stop; the other way round: the leader leads"
    )
    return claim(1.0, "<=", needy, why)


@intervals.step("An interval with both the mean and c has information of beta(n) / n at most", uses=[one_is_needy])
def informative(s) -> Claim:
    """C(mu_a, c) <= beta(n) / n of the needy arm, or (mu_a - c)^2 / 2 in place of it."""
    rows = np.concatenate([plain_lucb(s, kl) for kl in (False, True)])
    why = "the mean of its pulls is a point x with d(x, mu_a) and d(x, c) both no more than beta(n) / n"
    return claim(rows[:, 0], "<=", rows[:, 1], why, rounding=1e-9)


@intervals.step("Chernoff's information is the least of the larger divergence")
def chernoff_information(s) -> Claim:
    """For every x on a grid."""
    x = np.linspace(0.001, 0.999, 999)
    left = [paper.chernoff_information(mean, s.middle) for mean in s.means]
    right = [np.maximum(d(x, mean), d(x, s.middle)).min() for mean in s.means]
    return claim(left, "<=", right, "one divergence rises in x and the other falls: they are equal at the least")


@intervals.step("Conclusion", uses=[union, pinsker, dropped, kept, informative, chernoff_information])
def pulls_conclusion(s) -> Claim:
    """First pulls of all arms, and two pulls for each round, whose needy arm is pulled at a number that counts."""
    n = np.arange(1, 200_001)
    both = (s.means - s.middle) ** 2 / 2, [paper.chernoff_information(mean, s.middle) for mean in s.means]
    left = [s.means.size + 2 * sum((n * one <= threshold(s, n)).sum() for one in information) for information in both]
    return claim(left, "==", [paper.lucb_bound(s), paper.kl_lucb_bound(s)], "count them")


# --------------------------------------------------------------------------------------------------

evidence = Proof(of=[paper.EVIDENCE], settings=paper.games_of_evidence)


def log_mixture(successes, n):
    """Logarithm of the Beta(1/2, 1/2) mixture of the probabilities of a sequence."""
    return betaln(successes + 0.5, n - successes + 0.5) - math.log(math.pi)


def log_best(successes, n):
    """Logarithm of the largest probability of a sequence."""
    return xlogy(successes, successes / n) + xlogy(n - successes, 1 - successes / n)


@evidence.step("Krichevsky and Trofimov: no law gives a sequence more than 2 sqrt(n) times the mixture")
def mixture_is_good(s) -> Claim:
    """For sequences of up to 300 rewards in [0, 1], sums in tenths included."""
    left, right = [], []
    for n in PULLS:
        successes = np.linspace(0, n, 10 * n + 1)
        left.append(np.max(log_best(successes, n) - log_mixture(successes, n)))
        right.append(math.log(2 * math.sqrt(n)))
    return claim(left, "<=", right, "Willems, Shtarkov and Tjalkens 1995; the worst are n equal rewards")


@evidence.step("The mixture is a law of sequences, so its ratio to the true law is a martingale of mean 1")
def is_law(s) -> Claim:
    """Sum over sequences of n rewards."""
    totals = []
    for n in PULLS:
        k = np.arange(n + 1)
        log_number = -betaln(k + 1, n - k + 1) - math.log(n + 1)
        totals.append(np.exp(log_number + log_mixture(k, n)).sum())
    return claim(totals, "==", 1.0, "a mixture of laws is a law")


@evidence.step("Evidence for a worse arm is n d(mean_a, mu_a) + n d(mean_b, mu_b) at most")
def against_the_truth(s) -> Claim:
    """For all sums of up to 12 rewards of each arm; b is the best."""
    left, right = [0.0], [0.0]
    for n in range(1, 13):
        for a, b in ((i, j) for i in range(n + 1) for j in range(i)):
            x, y = a / n, b / n
            for mean in s.means:
                left.append(n * float(d(x, (x + y) / 2) + d(y, (x + y) / 2)))
                right.append(n * float(d(x, mean) + d(y, s.means[s.best])))
    why = "it is the least of the sum over means with mu_a <= mu_b, of which the true ones are two"
    return claim(left, "<=", right, why, rounding=1e-12)


@evidence.step("The exponential of n d(mean, mu) is the ratio of the largest probability to the true one")
def ratio(s) -> Claim:
    """In logarithms."""
    n, mean = 40, s.means[:, None]
    k = np.arange(n + 1)
    right = log_best(k, n) - xlogy(k, mean) - xlogy(n - k, 1 - mean)
    return claim(n * d(k / n, mean), "==", right, "by definition", rounding=1e-11)


@evidence.step("Conclusion", uses=[mixture_is_good, is_law, against_the_truth, ratio])
def evidence_conclusion(s) -> Claim:
    """Ville: two mixtures together exceed (K - 1) / delta with probability delta / (K - 1) at most, for K - 1 arms."""
    n = np.arange(1, s.budget // s.means.size + 1)
    level = (s.means.size - 1) / s.delta
    trace = paper.evidence_in_turns(s, stream(0, "times"))
    return claim(
        np.log(2 * np.sqrt(n) * 2 * np.sqrt(n) * level), "==", paper.EVIDENCE.bound(s, trace), "twice 2 sqrt(n)"
    )


# --------------------------------------------------------------------------------------------------

halving = Proof(of=[paper.HALVING], settings=paper.halvings)


@halving.step("Hoeffding: another arm does as well as the best with probability exp(-t Delta^2 / 2) at most")
def overtaken(s) -> Claim:
    """Exact, for t pulls of both."""
    left, right = [], []
    for t in (1, 2, 5, 20, 60):
        best = binom.pmf(np.arange(t + 1), t, max(s.means))
        for mean, gap in zip(s.means, s.bandit.gaps, strict=True):
            if gap > 0:
                left.append((best * binom.sf(np.arange(t + 1) - 1, t, mean)).sum())
                right.append(math.exp(-t * gap**2 / 2))
    return claim(left, "<=", right, "differences of two rewards lie in [-1, 1]")


@halving.step("If the best arm is dropped, k' others do as well, and k' - j of them if any j are left out")
def markov(s) -> Claim:
    """Whether it is dropped, at most the number of the rest that do as well over k' - j, on random sums."""
    rng, means = stream(0, "halving", str(s)), -np.sort(-s.bandit.means)
    left, right = [], []
    for _ in range(300):
        k = int(rng.integers(2, means.size + 1))
        sums, kept = rng.binomial(3, means[:k]), k - k // 2
        # Of equal arms the best comes last here, which is the worst case.
        survivors = sorted(range(k), key=lambda a: (-sums[a], a == 0))[:kept]
        for spared in range(kept):
            left.append(float(0 not in survivors))
            right.append((sums[1 + spared :] >= sums[0]).sum() / (kept - spared))
    return claim(left, "<=", right, "all that are kept do as well")


@halving.step("The k best arms are the worst company", uses=[overtaken, markov])
def company(s) -> Claim:
    """Chances of the rest, j of the best being left out, for every set of k arms with the best."""
    gaps, left, right = np.sort(s.bandit.gaps), [], []
    for k in range(2, gaps.size + 1):
        for others in combinations(gaps[1:], k - 1):
            for spared in range(k - k // 2):
                left.append(np.exp(-(np.sort(others)[spared:] ** 2) / 2).sum())
                right.append(np.exp(-(gaps[1 + spared : k] ** 2) / 2).sum())
    return claim(left, "<=", right, "its gaps are the smallest, one by one")


@halving.step("Conclusion", uses=[company])
def halving_conclusion(s) -> Claim:
    """Sum over rounds of the least bound over the numbers that are left out."""
    gaps, rounds, totals = np.sort(s.bandit.gaps), math.ceil(math.log2(len(s.means))), []
    for n in s.budgets:
        k, total = gaps.size, 0.0
        for _ in range(rounds):
            t, kept = int(n) // (k * rounds), math.ceil(k / 2)
            total += min(
                sum(math.exp(-t * gaps[i] ** 2 / 2) for i in range(j + 1, k)) / (kept - j) for j in range(kept)
            )
            k = kept
        totals.append(min(total, 1.0))
    bounds = [paper.halving_bound(s, int(n)) for n in s.budgets]
    return claim(totals, "==", bounds, "each round is lost with this probability at most")


@halving.step("The paper's closed form is no smaller, where K is a power of two", uses=[halving_conclusion])
def closed(s) -> Claim:
    """3 log2 K exp(-n / (8 H log2 K)), with k / 4 - 1 rivals left out of k."""
    rng, left, right = stream(0, "closed", str(s)), [], []
    for rounds in (1, 2, 3, 4):
        k = 2**rounds
        means = np.append(0.95, rng.uniform(0.05, 0.9, k - 1))
        hardness = np.max(np.arange(2, k + 1) / np.sort(0.95 - means)[1:] ** 2)
        for times in (1, 10, 100, 1000):
            n = k * rounds * times
            left.append(paper.halving_bound(paper.Halving(tuple(means.tolist()), np.array([n])), n))
            right.append(3 * rounds * math.exp(-n / (8 * hardness * rounds)))
    why = "of 3 k / 4 terms each has a gap of rank k / 4 + 1 or worse, and they are divided by k / 4 + 1"
    return claim(left, "<=", right, why)


# --------------------------------------------------------------------------------------------------

change = Proof(of=[paper.LOWER_BOUND], settings=paper.budgets)
TURNS = 7


@cache
def enumerated(s):
    """Two arms pulled in turns until one has two successes more, or is given up: exact laws under two bandits.

    Under the second bandit the other arm is as good as the best. Returned are the expected pulls of each arm, the
    expected log-likelihood ratio, and the probabilities of the event that the best is recommended.
    """
    p = np.sort(s.means)[::-1][:2]
    q = np.array([p[0] * 0.9, p[0] * 0.9 + 0.05])
    states, pulls, log_ratio, event = {(0, 0): (1.0, 1.0)}, np.zeros(2), 0.0, np.zeros(2)
    for t in range(2 * TURNS):
        arm, following = t % 2, {}
        for sums, weights in states.items():
            pulls[arm] += weights[0]
            for reward in (0, 1):
                new = tuple(x + reward * (i == arm) for i, x in enumerate(sums))
                chances = [law[arm] if reward else 1 - law[arm] for law in (p, q)]
                moved = weights[0] * chances[0], weights[1] * chances[1]
                log_ratio += moved[0] * math.log(chances[0] / chances[1])
                if arm == 1 and abs(new[0] - new[1]) >= 2:
                    event += np.array(moved) * (new[0] > new[1])
                else:
                    old = following.get(new, (0.0, 0.0))
                    following[new] = old[0] + moved[0], old[1] + moved[1]
        states = following
    return p, q, pulls, log_ratio, event


@change.step("Wald: the expected log-likelihood ratio is the sum of expected pulls times divergences")
def wald(s) -> Claim:
    """On an enumerated policy."""
    p, q, pulls, log_ratio, _ = enumerated(s)
    return claim(log_ratio, "==", (pulls * d(p, q)).sum(), "each pull adds the divergence, whatever came before")


@change.step("Data processing: no event tells more than the whole run", uses=[wald])
def data_processing(s) -> Claim:
    """The divergence of the probabilities of an event is the expected log-likelihood ratio at most."""
    _, _, _, log_ratio, event = enumerated(s)
    return claim(d(event[0], event[1]), "<=", log_ratio, "Jensen's inequality on the event and off it")


@change.step("No weights make the least cost larger than 1 / T", uses=[data_processing])
def minimax(s) -> Claim:
    """Min over a of w_* d(mu_*, m) + w_a d(mu_a, m) for random weights, times T."""
    weights = stream(0, "weights", str(s)).dirichlet(np.ones(s.means.size), 2000)
    own, best = weights[:, [s.best]], s.means[s.best]
    others = np.arange(s.means.size) != s.best
    rest, means = weights[:, others], s.means[others]
    middle = (own * best + rest * means) / (own + rest)
    cost = (own * d(best, middle) + rest * d(means, middle)).min(1)
    why = "it is the largest; so sum E N_a d(mu_a, m_a) <= E tau / T for some bandit in which another arm is as good"
    return claim(cost * s.characteristic.time, "<=", 1.0, why, rounding=1e-9)


@change.step("A tangent: kl(x, delta) >= (2 x - 1) log((1 - delta) / delta) for x >= delta")
def tangent(s) -> Claim:
    """With x the probability that the best arm is recommended in time; elsewhere the right side is negative."""
    x = np.linspace(s.delta, 1, 1000)
    left = (2 * x - 1) * math.log((1 - s.delta) / s.delta)
    return claim(left, "<=", d(x, s.delta), "the line that touches the convex function at 1 - delta")


@change.step("Conclusion", uses=[minimax, tangent])
def change_conclusion(s) -> Claim:
    """N - E min(tau, n) - 2 least P(F) <= n - least, where E min(tau, n) is T kl(1 - P(F), delta) or more."""
    failure = np.linspace(0, 1 - s.delta, 500)
    pulls = s.characteristic.time * d(1 - failure, s.delta)
    right = paper.LOWER_BOUND.bound(s, None)
    return claim(s.budget - pulls - 2 * s.least * failure, "<=", right, "insert the tangent", rounding=1e-9)


# --------------------------------------------------------------------------------------------------

hardness = Proof(of=[paper.HARDNESS, paper.EASINESS], settings=paper.gaussians)


def costs(s, weights):
    """Costs w_* w_a / (w_* + w_a) Delta_a^2 / (2 sigma^2), best arm first, of weights in the order of the gaps."""
    gaps = np.sort(max(s.means) - np.array(s.means))[1:]
    own, rest = weights[..., :1], weights[..., 1:]
    return own * rest / (own + rest) * gaps**2 / (2 * s.deviation**2)


@hardness.step("Weights in proportion to 1 / Delta^2 cost 1 / (2 H) at least")
def proportional(s) -> Claim:
    """The best arm has as much as any other, so that half of the other's weight counts."""
    gaps = np.sort(max(s.means) - np.array(s.means))
    gaps[0] = gaps[1]
    weights = gaps**-2 / (gaps**-2).sum()
    return claim(1 / (2 * s.hardness), "<=", costs(s, weights).min(), "x y / (x + y) >= min(x, y) / 2", rounding=1e-15)


@hardness.step("No weights cost more than 1 / H")
def no_better(s) -> Claim:
    """With v the least cost, every weight is 2 sigma^2 v / Delta_a^2 at least, and they sum to 1."""
    weights = stream(0, "weights", str(s)).dirichlet(np.ones(len(s.means)), 2000)
    return claim(costs(s, weights).min(1), "<=", 1 / s.hardness, "x y / (x + y) <= min(x, y)")


@hardness.step("Conclusion", uses=[proportional, no_better])
def hardness_conclusion(s) -> Claim:
    """H <= T <= 2 H."""
    time = paper.characteristic_time(paper.Bandit.gaussian(s.means, s.deviation)).time
    return claim([s.hardness, time], "<=", [time, 2 * s.hardness], "1 / T is the largest of least costs")
