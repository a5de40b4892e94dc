r"""Proofs on learning without restarts: accounts of a run, epochs, errors, optimism, regret.

Notation: step i is made in state s_i by choice c_i and leads to s_{i+1}; P and p^ are true and empirical laws, n the
visits before the epoch, b the bonus, J and V gain and function of the plan in force; T is the horizon, C and S are the
numbers of choices and of states. Runs of LOOP are made here step by step, with a planner of their own.
"""

from functools import cache
from itertools import product
from math import comb, factorial, log, sqrt
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.average_reward import he2024average as paper
from rltheory.theorems.average_reward.he2024average import Setting
from rltheory.theory import Claim, Proof, claim

STEPS = 1500
ROUNDING = 1e-9  # sums of 1500 numbers up to some dozen
SLOPES = np.array([-8.0, -2.0, -0.5, 0.5, 2.0, 8.0])


def short_runs():
    """The default settings, for fewer steps."""
    for s in paper.grid():
        yield Setting(s.mdp, s.span, STEPS)
    yield Setting(s.mdp, s.span, STEPS, known_rewards=False)


class Run(NamedTuple):
    """A run of LOOP, step by step."""

    state: np.ndarray  # (T + 1,)
    choice: np.ndarray
    epoch: np.ndarray
    visits: np.ndarray  # (epochs, C), before the epoch
    bonus: np.ndarray  # (epochs, C)
    laws: np.ndarray  # (epochs, C, S)
    gain: np.ndarray  # (epochs,)
    values: np.ndarray  # (epochs, S)
    policy: np.ndarray  # (epochs, S)

    @property
    def ends(self):
        """Last steps of the epochs."""
        return np.append(np.flatnonzero(np.diff(self.epoch)), self.epoch.size - 1)


def known(s):
    """Rewards that the learner adds its bonus to, where a choice was made."""
    return s.mdp.rewards if s.known_rewards else np.zeros(s.mdp.choices)


def back_up(s, seen, bonus, laws, values):
    """L u and the choices that attain it."""
    rewards = np.where(seen, s.mdp.rewards, known(s))
    worth = np.split(rewards + bonus + laws @ values, s.mdp.first_choice[1:-1])
    policy = np.array([int(np.argmax(each)) for each in worth]) + s.mdp.first_choice[:-1]
    return np.array([each.max() for each in worth]), policy


def plan(s, seen, bonus, laws):
    """Truncated value iteration to a precision of 1e-4."""
    values, low, high = np.zeros(s.mdp.states), -np.inf, np.inf
    while high - low > 1e-4:
        full, policy = back_up(s, seen, bonus, laws, values)
        cut = np.minimum(full, full.min() + s.span)
        low, high = (cut - values).min(), (cut - values).max()
        result = low, values - values.min(), policy
        values = values + 0.9 * (cut - values)
    return result


@cache
def run(s: Setting) -> Run:
    """Run LOOP."""
    rng, size = stream(0, "proof of LOOP", s), (s.mdp.choices, s.mdp.states)
    ell = log(s.mdp.choices * s.horizon / s.delta)
    width = s.span * sqrt(ell / 2)
    if not s.known_rewards:
        width += sqrt(log(2 * s.mdp.choices * s.horizon / s.delta) / 2)
    seen, state = np.zeros(size), int(np.argmax(s.mdp.initial))
    steps, plans = [(state, -1, -1)], []
    while len(steps) <= s.horizon:
        n = seen.sum(1)
        laws = np.where(n[:, None] > 0, seen, 1) / np.where(n > 0, n, s.mdp.states)[:, None]
        bonus = np.where(n > 0, width / np.sqrt(np.maximum(n, 1)), s.span + 1)
        gain, values, policy = plan(s, n > 0, bonus, laws)
        plans.append((n, bonus, laws, gain, values, policy))
        while len(steps) <= s.horizon and seen[policy[state]].sum() - n[policy[state]] < max(1, n[policy[state]]):
            choice = policy[state]
            state = int(rng.choice(s.mdp.states, p=s.laws[choice]))
            seen[choice, state] += 1
            steps.append((state, choice, len(plans) - 1))
    states, choices, epochs = np.array(steps).T
    return Run(states, choices[1:], epochs[1:], *(np.array(part) for part in zip(*plans, strict=True)))


def errors(s, gain, values):
    """E_i for gains and functions given for each step."""
    r = run(s)
    steps = np.arange(r.choice.size)
    expected = (s.laws[r.choice] * values).sum(1)
    return values[steps, r.state[:-1]] + gain - s.mdp.rewards[r.choice] - expected


def optimal(s):
    """J* and V* for each step."""
    return np.full(s.horizon, s.gain), np.broadcast_to(s.optimum.bias, (s.horizon, s.mdp.states))


def noise(s, values):
    """P V - V(s_{i+1})."""
    r = run(s)
    return (s.laws[r.choice] * values).sum(1) - values[np.arange(r.choice.size), r.state[1:]]


def drift(s, values):
    """V(s_{i+1}) - V(s_i)."""
    r, steps = run(s), np.arange(s.horizon)
    return values[steps, r.state[1:]] - values[steps, r.state[:-1]]


def widths(s):
    """(S log 2 + l) / 2, rooted, times H: what (p^ - P) V is worth, times the root of n, if all laws are near."""
    return s.span * sqrt((s.mdp.states * log(2) + s.log) / 2)


# --------------------------------------------------------------------------------------------------

proof = Proof(
    of=[
        paper.DECOMPOSITION,
        paper.REGRET_DECOMPOSITION,
        paper.NOISE,
        paper.EPOCHS_OF_DOUBLING,
        paper.DRIFT,
        paper.ERRORS,
        paper.OPTIMISM,
        paper.LOOP,
        paper.LOOP_UNKNOWN_REWARDS,
    ],
    settings=short_runs,
)


@proof.step("Each step of a plan is an error, noise and a change of value")
def promises(s: Setting) -> Claim:
    """J - r = E + (P V - V') + (V' - V)."""
    r = run(s)
    gain, values = r.gain[r.epoch], r.values[r.epoch]
    right = errors(s, gain, values) + noise(s, values) + drift(s, values)
    return claim(gain - s.mdp.rewards[r.choice], "==", right, "the policy's value is V where it is followed")


@proof.step("With the optimal gain and bias the error is the gap", uses=[promises])
def gaps(s: Setting) -> Claim:
    """E = Gap for J*, V*."""
    why = "the definition of the gap"
    return claim(errors(s, *optimal(s)), "==", s.gaps[run(s).choice], why, rounding=ROUNDING)


@proof.step("No gap is negative, and in each state one is 0")
def no_gap_is_negative(s: Setting) -> Claim:
    """J* + V* = max_c (r + P V*)."""
    worth = np.split(s.mdp.rewards + s.laws @ s.optimum.bias, s.mdp.first_choice[1:-1])
    best = [each.max() for each in worth]
    return claim(best, "==", s.gain + s.optimum.bias, "the optimality equation", rounding=ROUNDING)


@proof.step("Noise is sub-Gaussian with the variance proxy of its range")
def hoeffding(s: Setting) -> Claim:
    """Log E exp(x (P V - V')) <= x^2 sp(V)^2 / 8, for V* and all functions of plans."""
    functions = np.vstack([s.optimum.bias, run(s).values])
    centred = (s.laws @ functions.T)[:, None, :] - functions.T[None]
    left = [np.log((s.laws[:, :, None] * np.exp(x * centred)).sum(1)) for x in SLOPES]
    right = SLOPES[:, None, None] ** 2 * np.ptp(functions, axis=1) ** 2 / 8
    return claim(left, "<=", right, "Hoeffding's lemma", rounding=ROUNDING)


@proof.step("The best slope makes Ville's inequality Azuma's", uses=[hoeffding])
def azuma(s: Setting) -> Claim:
    """exp(x^2 T H^2 / 8 - x H azuma) = delta for x = 4 azuma / (H T)."""
    far = sqrt(s.horizon * log(1 / s.delta) / 2)
    x = 4 * far / (s.span * s.horizon)
    left = np.exp(x**2 * s.horizon * s.span**2 / 8 - x * s.span * far)
    why = "exp(x sum - x^2 H^2 t / 8) is a supermartingale from 1"
    return claim([left, far], "==", [s.delta, s.azuma], why)


@proof.step("It holds at all times at once: exactly, for coins", uses=[azuma])
def never_on_the_way(s: Setting) -> Claim:
    """P(max_t sum_i (coin_i - p) >= sqrt(n log(1/delta) / 2)) <= delta."""
    n, chances = 60, np.array([0.05, 0.2, 0.5, 0.8, 0.95])
    far = sqrt(n * log(1 / s.delta) / 2)
    reached = []
    for p in chances:
        alive = np.zeros(n + 2)
        alive[0] = 1.0
        for t in range(1, n + 1):
            alive = (1 - p) * alive + p * np.append(0, alive[:-1])
            alive[np.arange(n + 2) - p * t >= far] = 0
        reached.append(1 - alive.sum())
    return claim(reached, "<=", s.delta, "Ville's inequality")


@proof.step("Regret is within noise and the ends' values of the sum of gaps", uses=[gaps, never_on_the_way])
def regret_and_gaps(s: Setting) -> Claim:
    """|Reg - sum of gaps| <= |sum of noise| + sp(V*)."""
    r, values = run(s), optimal(s)[1]
    left = np.abs(np.cumsum(s.gain - s.mdp.rewards[r.choice] - s.gaps[r.choice]))
    right = np.abs(np.cumsum(noise(s, values))) + np.ptp(s.optimum.bias)
    return claim(
        left, "<=", right, "changes of one function telescope; Azuma with delta / 2 on each side", rounding=ROUNDING
    )


@proof.step("An epoch ends by a choice that doubled its visits, or was made first")
def doubling(s: Setting) -> Claim:
    """Each epoch but the last has a choice made max(1, n) times."""
    r = run(s)
    made = np.array([np.bincount(r.choice[r.epoch == k], minlength=s.mdp.choices) for k in range(r.gain.size - 1)])
    most = (made / np.maximum(r.visits[:-1], 1)).max(1)
    return claim(most, "==", 1.0, "the stopping rule")


@proof.step("A choice ends as many epochs as its visits can double", uses=[doubling])
def doublings(s: Setting) -> Claim:
    """Epochs ended by c <= 1 + log2 N(c), where c was made."""
    r = run(s)
    made = np.diff(np.vstack([r.visits, np.bincount(r.choice, minlength=s.mdp.choices)]), axis=0)
    ended = (made == np.maximum(r.visits, 1)).sum(0)
    visits = np.bincount(r.choice, minlength=s.mdp.choices)
    right = np.where(visits > 0, 1 + np.log2(np.maximum(visits, 1)), 0)
    return claim(ended, "<=", right, "the first visit makes 1 of 0, each later end at least 2 n of n")


@proof.step("Sums of logarithms are largest for equal visits", uses=[doublings])
def jensen(s: Setting) -> Claim:
    """N(t) <= 1 + K (1 + log2(t / K)) for K choices made."""
    r = run(s)
    times = np.arange(1, s.horizon + 1)
    first = np.unique(r.choice, return_index=True)[1]
    made = (first[:, None] < times).sum(0)
    right = 1 + made * (1 + np.log2(times / made))
    return claim(r.epoch + 1, "<=", right, "Jensen, and an epoch that has not ended")


@proof.step("That is less than the bound, however many choices were made", uses=[jensen])
def epochs(s: Setting) -> Claim:
    """1 + K (1 + log2(t / K)) <= C log2(8 max(t, C) / C) for 1 <= K <= min(t, C)."""
    pairs = [(k, t) for t in range(1, 200) for k in range(1, min(t, s.mdp.choices) + 1)]
    k, t = np.array(pairs).T
    choices = s.mdp.choices
    right = choices * np.log2(8 * np.maximum(t, choices) / choices)
    why = "x (1 - log2 x) < 1.07 for x = K / C, so that the left side is below 1 + C (1.07 + log2(max(t, C) / C))"
    return claim(1 + k * (1 + np.log2(t / k)), "<=", right, why)


@proof.step("An epoch changes the value by the span at most")
def changes(s: Setting) -> Claim:
    """V_k(end) - V_k(start) <= H."""
    r = run(s)
    starts = np.append(0, r.ends[:-1] + 1)
    k = np.arange(r.gain.size)
    left = r.values[k, r.state[r.ends + 1]] - r.values[k, r.state[starts]]
    why = "truncated iterates have span H, so have their averages; inside an epoch the changes telescope"
    return claim(np.stack([left, np.ptp(r.values, axis=1)]), "<=", s.span, why, rounding=ROUNDING)


@proof.step("A plan promises no more than its own optimistic model")
def upper_side(s: Setting) -> Claim:
    """V + J <= r + b + p^ V at the choices of the policy; r is 0 where unknown."""
    r = run(s)
    k, owner = np.arange(r.gain.size)[:, None], r.policy
    seen = r.visits[k, owner] > 0
    rewards = np.where(seen, s.mdp.rewards[owner], known(s)[owner])
    right = rewards + r.bonus[k, owner] + (r.laws[k, owner] * r.values[:, None]).sum(2)
    return claim(r.values + r.gain[:, None], "<=", right, "V + J <= T V <= L V", rounding=ROUNDING)


@proof.step("A function in [0, H] sees half of the distance of two laws")
def half_distance(s: Setting) -> Claim:
    """(p^ - P) V <= (H / 2) ||p^ - P||_1."""
    r = run(s)
    apart = r.laws - s.laws
    left = np.einsum("kcs,ks->kc", apart, r.values)
    return claim(left, "<=", s.span / 2 * np.abs(apart).sum(2), "V - H/2 is at most H/2 in size", rounding=ROUNDING)


@proof.step("Weissman's inequality: exactly, for few draws from few states")
def weissman(s: Setting) -> Claim:
    """P(||p^ - p||_1 >= e) <= 2^S exp(-n e^2 / 2)."""
    left, right = [], []
    for n, p in product([1, 4, 12], [np.array([0.5, 0.5]), np.array([0.2, 0.3, 0.5]), np.array([0.9, 0.05, 0.05])]):
        counts = np.array([k for k in product(range(n + 1), repeat=p.size) if sum(k) == n])
        ways = [factorial(n) / np.prod([factorial(each) for each in row]) for row in counts.tolist()]
        chance, distance = ways * (p**counts).prod(1), np.abs(counts / n - p).sum(1)
        for e in np.linspace(0.1, 2, 20):
            left.append(chance[distance >= e].sum())
            right.append(2**p.size * np.exp(-n * e**2 / 2))
    return claim(left, "<=", right, "Hoeffding for each set of states", rounding=1e-12)


@proof.step("At the width of the bound this is delta, over all choices and visits", uses=[half_distance, weissman])
def near(s: Setting) -> Claim:
    """2^S exp(-n e^2 / 2) C T = delta for e = 2 width / (H sqrt(n))."""
    n = np.array([1.0, 10, 1000])
    e = 2 * widths(s) / (s.span * np.sqrt(n))
    left = 2**s.mdp.states * np.exp(-n * e**2 / 2) * s.mdp.choices * s.horizon
    return claim(left, "==", s.delta, "e^2 = 2 (S log 2 + l) / n")


def roots(s):
    """1 / sqrt(n) of the choice of each step, before the epoch; 0 where n = 0."""
    r = run(s)
    n = r.visits[r.epoch, r.choice]
    return np.where(n > 0, 1 / np.sqrt(np.maximum(n, 1)), 0)


@proof.step("Inverse roots of visits add up to a root, for each choice", uses=[doubling])
def inverse_roots(s: Setting) -> Claim:
    """Sum of 1 / sqrt(n) over the steps of c <= (1 + sqrt 2) sqrt(N(c))."""
    r = run(s)
    steps = np.eye(s.mdp.choices)[r.choice]
    left, visits = np.cumsum(roots(s)[:, None] * steps, axis=0), np.cumsum(steps, axis=0)
    why = "sqrt(N + v) >= sqrt(N) + (sqrt 2 - 1) v / sqrt(N) for v <= N"
    return claim(left, "<=", (1 + sqrt(2)) * np.sqrt(visits), why)


@proof.step("And to the root of C t for all of them", uses=[inverse_roots])
def all_inverse_roots(s: Setting) -> Claim:
    """Sum of 1 / sqrt(n) <= (1 + sqrt 2) sqrt(C t)."""
    right = (1 + sqrt(2)) * np.sqrt(s.mdp.choices * np.arange(1, s.horizon + 1))
    return claim(np.cumsum(roots(s)), "<=", right, "Cauchy and Schwarz")


def near_errors(s, gain):
    """Errors, as long as all laws are near."""
    r = run(s)
    found, n = errors(s, gain, r.values[r.epoch]), r.visits[r.epoch, r.choice]
    far = widths(s) / np.sqrt(np.maximum(n, 1)) < (s.span / 2) * np.abs(
        r.laws[r.epoch, r.choice] - s.laws[r.choice]
    ).sum(1)
    return np.where(far & (n > 0), 0, found), n == 0


@proof.step("Errors after the first visit are the bonus and the distance of laws", uses=[upper_side, near])
def later_errors(s: Setting) -> Claim:
    """E <= b + width / sqrt(n), where n > 0."""
    r = run(s)
    found, first = near_errors(s, r.gain[r.epoch])
    right = r.bonus[r.epoch, r.choice] + widths(s) * roots(s)
    return claim(found[~first], "<=", right[~first], "E <= b + (p^ - P) V", rounding=ROUNDING)


@proof.step("Errors on a first visit are 2 H + 1 at most, H + 1 with gains that are cut at 1", uses=[upper_side])
def first_errors(s: Setting) -> Claim:
    """E <= 2 H + 1, and with min(J, 1) E <= H + 1."""
    r = run(s)
    gain, values, first = r.gain[r.epoch], r.values[r.epoch], r.visits[r.epoch, r.choice] == 0
    left = [errors(s, gain, values)[first], errors(s, np.minimum(gain, 1), values)[first]]
    why = "E <= b + (p^ - P) V, or V + J - r - P V with r, V >= 0"
    return claim(left, "<=", [[2 * s.span + 1], [s.span + 1]], why, rounding=ROUNDING)


@proof.step("Errors add up to their bound", uses=[later_errors, first_errors, all_inverse_roots])
def all_errors(s: Setting) -> Claim:
    """Sum of E <= (1 + sqrt 2) (sqrt(n) b + width) sqrt(C t) + C (2 H + 1)."""
    r, choices = run(s), s.mdp.choices
    found, _ = near_errors(s, r.gain[r.epoch])
    level = s.span * sqrt(s.log / 2)
    if not s.known_rewards:
        level += sqrt(log(2 * choices * s.horizon / s.delta) / 2)
    times = np.arange(1, s.horizon + 1)
    right = (1 + sqrt(2)) * (level + widths(s)) * np.sqrt(choices * times) + choices * (2 * s.span + 1)
    return claim(np.cumsum(found), "<=", right, "C first visits", rounding=ROUNDING)


@proof.step("The bonus covers the mean of V*: Hoeffding, exactly for coins")
def covered(s: Setting) -> Claim:
    """P(p - mean of n coins >= x) <= exp(-2 n x^2), which times C T is delta at x = sqrt(l / (2 n))."""
    left, right = [], []
    for n, p in product([1, 5, 40], [0.05, 0.5, 0.9]):
        chance = np.array([comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])
        for x in [*np.linspace(0.05, 0.9, 10), sqrt(s.log / (2 * n))]:
            left.append(chance[p - np.arange(n + 1) / n >= x].sum())
            right.append(np.exp(-2 * n * x**2))
    level = np.exp(-2 * 7 * (s.log / (2 * 7))) * s.mdp.choices * s.horizon
    return claim([*left, level], "<=", [*right, s.delta], "Hoeffding, and a union", rounding=1e-12)


@proof.step("Where the bonus covers it, the optimal gain and bias are plausible", uses=[covered])
def plausible(s: Setting) -> Claim:
    """V* - min V* + J* <= max_c [r + b + p^ (V* - min V*)], with b raised to what covers."""
    r, values = run(s), s.optimum.bias - s.optimum.bias.min()
    left, right = [], []
    for n, bonus, laws in zip(r.visits, r.bonus, r.laws, strict=True):
        raised = np.where(n > 0, np.maximum(bonus, (s.laws - laws) @ values), bonus)
        left.append(values + s.gain)
        right.append(back_up(s, n > 0, raised, laws, values)[0])
    return claim(left, "<=", right, "the optimality equation; H + 1 covers all of a new choice", rounding=ROUNDING)


@proof.step("No plausible gain exceeds the growth of truncated iteration", uses=[plausible])
def growth(s: Setting) -> Claim:
    """J* <= max (T u - u) for all u, so that a plan is within its precision."""
    r, rng = run(s), stream(0, "proof of optimism", s)
    values, found = s.optimum.bias - s.optimum.bias.min(), []
    for n, bonus, laws in zip(r.visits, r.bonus, r.laws, strict=True):
        raised = np.where(n > 0, np.maximum(bonus, (s.laws - laws) @ values), bonus)
        for u in rng.uniform(0, s.span, (5, s.mdp.states)):
            full = back_up(s, n > 0, raised, laws, u)[0]
            found.append((np.minimum(full, full.min() + s.span) - u).max())
    why = "at the state where V* - u is largest, T u - u >= T V* - V* >= J*: T is monotone, T (V + c) = T V + c"
    return claim(s.gain, "<=", found, why, rounding=ROUNDING)


@proof.step("Regret is errors, noise, changes of plans and precision", uses=[growth, promises])
def regret(s: Setting) -> Claim:
    """Sum of min(J, 1) - r = sum of E' + noise + drift, with E' for min(J, 1); and J* <= 1."""
    r = run(s)
    gain, values = np.minimum(r.gain[r.epoch], 1), r.values[r.epoch]
    right = np.cumsum(errors(s, gain, values) + noise(s, values) + drift(s, values))
    why = "any gain will do in the identity, and J* <= min(J, 1) + precision"
    return claim(np.cumsum(gain - s.mdp.rewards[r.choice]), "==", right, why, rounding=ROUNDING)


@proof.step("Conclusion", uses=[regret, azuma, epochs, changes, first_errors, later_errors, all_inverse_roots])
def conclusion(s: Setting) -> Claim:
    """Errors with H + 1 on first visits, H azuma, H N(t), and the precision make the bound of the theorem."""
    choices, t = s.mdp.choices, np.arange(0, s.horizon + 1, 100)
    both = sqrt(s.log / 2) + sqrt((s.mdp.states * log(2) + s.log) / 2)
    right = (1 + sqrt(2)) * s.span * both * np.sqrt(choices * t) + choices * (s.span + 1)
    if not s.known_rewards:
        right += (1 + sqrt(2)) * sqrt(2 * log(2 * choices * s.horizon / s.delta)) * np.sqrt(choices * t)
    right += s.span * choices * np.log2(8 * np.maximum(t, choices) / choices)
    right += s.span * sqrt(s.horizon * log(1 / s.delta) / 2) + paper.PRECISION * t
    trace = paper.Trace("times", t, {})
    return claim(paper.regret_bound(s, trace), "==", right, "add; unknown rewards err on both sides of the mean")


# --------------------------------------------------------------------------------------------------

witness = Proof(of=[paper.NEGATIVE_REGRET], settings=paper.NEGATIVE_REGRET.settings)


@witness.step("A path that stays where it pays 1 has negative regret, and one wrong choice in it a positive gap")
def lucky(s: Setting) -> Claim:
    """Left and right once in the last state and the one before, then right 200 times with luck."""
    last, optimum = s.mdp.choices - 1, s.optimum
    path = np.concatenate([[last - 1, last - 2], np.full(200, last)])
    gap = s.gain + optimum.bias[s.mdp.state_of_choice] - s.mdp.rewards - s.laws @ optimum.bias
    left = [(s.gain - s.mdp.rewards[path]).sum(), -gap[path].sum()]
    return claim(left, "<=", [-1.0, -1e-3], "its probability is positive: 0.35 and powers of 0.6")
