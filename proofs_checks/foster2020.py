r"""Proofs of what a round of inverse gap weighting costs, and of the regret of SquareCB and of epsilon-greedy.

Notation. :math:`\hat f` the predictions, f the true means, p the probabilities of the arms, b the first best
prediction, :math:`g(a) = \hat f(b) - \hat f(a)` and :math:`\delta = f - \hat f`. Runs are recomputed with plain NumPy,
and means over the arm and the reward of a round, given the rounds before, are sums.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.bandits import foster2020 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-9  # sums of hundreds of numbers, and products with gamma up to 1000


def weights_of(predictions, gamma):
    """Inverse gap weighting, from its definition."""
    best = int(predictions.argmax())
    p = np.array([1 / (predictions.size + gamma * (predictions[best] - value)) for value in predictions])
    p[best] = 1 - np.delete(p, best).sum()
    return p


def draws(s):
    """True means at random, near the predictions and far from them."""
    rng = stream(0, "proofs on inverse gap weighting", s)
    return s.predictions + rng.normal(size=(50, s.arms)) * np.logspace(-3, 1, 50)[:, None]


one_round = Proof(of=[paper.ONE_ROUND, paper.DEAREST], settings=paper.rounds)


@one_round.step("Compared with arm a, what is lost beyond the error is a sum over arms of functions of delta")
def separable(s) -> Claim:
    """f(a) - E_p f - gamma / 4 E_p delta^2, for every arm a and many f."""
    p, truths = weights_of(s.predictions, s.gamma), draws(s)
    delta = truths - s.predictions
    left = truths - (truths @ p)[:, None] - s.gamma / 4 * (delta**2 @ p)[:, None]
    terms = (np.eye(s.arms) - p)[None] * delta[:, None, :] - s.gamma / 4 * p * delta[:, None, :] ** 2
    right = s.predictions - s.predictions @ p + terms.sum(axis=2)
    return claim(left, "==", right, "insert f = f^ + delta", rounding=ROUNDING)


@one_round.step("Each is concave, with its maximum at delta = 2 (1{b = a} - p(b)) / (gamma p(b))")
def maxima(s) -> Claim:
    """The maximum is (1{b = a} - p(b))^2 / (gamma p(b))."""
    p = weights_of(s.predictions, s.gamma)[None, :]
    slope = np.eye(s.arms)[:, :, None] - p[:, :, None]
    delta = np.concatenate([np.linspace(-10, 10, 201), np.logspace(-3, 4, 100)])
    left = slope * delta - s.gamma / 4 * p[:, :, None] * delta**2
    return claim(left, "<=", slope**2 / (s.gamma * p[:, :, None]), "complete the square", rounding=ROUNDING)


@one_round.step("The maxima sum to (1 / p(a) - 1) / gamma", uses=[maxima])
def sum_of_maxima(s) -> Claim:
    """p(b) / gamma for each other arm b, and (1 - p(a))^2 / (gamma p(a))."""
    p = weights_of(s.predictions, s.gamma)
    left = ((np.eye(s.arms) - p) ** 2 / (s.gamma * p)).sum(axis=1)
    return claim(left, "==", (1 / p - 1) / s.gamma, "the others have 1 - p(a) together", rounding=ROUNDING)


@one_round.step(
    "With f^(a) - E_p f^ that is the same for all arms but the best, which has no more", uses=[sum_of_maxima]
)
def same_for_all(s) -> Claim:
    """1 / p(a) = K + gamma g(a), and f^(a) = f^(b) - g(a)."""
    p = weights_of(s.predictions, s.gamma)
    total = (1 / p - 1) / s.gamma + s.predictions - s.predictions @ p
    right = (s.arms - 1) / s.gamma + s.gaps @ p
    return claim(total, "<=", right, "equality; for the best arm 1 / p(b) <= K", rounding=ROUNDING)


@one_round.step("Arms but the best attain it", uses=[same_for_all])
def attained(s) -> Claim:
    """At the maxima arm a is the best in truth, so that it is what the round loses."""
    p = weights_of(s.predictions, s.gamma)
    others = np.delete(np.arange(s.arms), s.predictions.argmax())
    truths = paper.worst_truths(s, p)[others]
    errors = (truths - s.predictions) ** 2 @ p
    left = truths.max(axis=1) - truths @ p - s.gamma / 4 * errors
    return claim(left, "==", (s.arms - 1) / s.gamma + s.gaps @ p, "insert", rounding=ROUNDING)


@one_round.step("Conclusion", uses=[separable, same_for_all, attained])
def dearest(s) -> Claim:
    """The bound of the theorem."""
    total = (s.arms - 1) / s.gamma + s.gaps @ weights_of(s.predictions, s.gamma)
    return claim(total, "==", s.dearest, "g(b) = 0")


@one_round.step("It is below 2 (K - 1) / gamma", uses=[dearest])
def usual(s) -> Claim:
    """Each of K - 1 terms of the sum is below 1 / gamma."""
    return claim(s.dearest, "<=", 2 * (s.arms - 1) / s.gamma, "x / (K + gamma x) < 1 / gamma")


# --------------------------------------------------------------------------------------------------


class Play(NamedTuple):
    """One run, row t - 1 being round t."""

    predictions: np.ndarray  # (n, K)
    truths: np.ndarray  # (n, K), means of the context
    class_predictions: np.ndarray  # (n, m, K)
    p: np.ndarray  # (n, K)
    arms: np.ndarray
    rewards: np.ndarray

    def pulled(self, table):
        """Entries of the arms that were pulled."""
        return np.take_along_axis(table, self.arms[:, None], axis=-1)[:, 0]


@cache
def play(s) -> Play:
    """Exponential weights of rate 1/2, and the rule of the setting."""
    rng, losses, rows = stream(0, "proofs on SquareCB", s), np.zeros(len(s.tables)), []
    bandit = s.bandit
    for _ in range(s.horizon):
        x = rng.choice(bandit.contexts, p=bandit.frequencies)
        w = np.exp((losses.min() - losses) / 2)
        predictions = w / w.sum() @ s.tables[:, x]
        if isinstance(s, paper.Weighted):
            p = weights_of(predictions, s.gamma)
        else:
            p = (
                np.full(bandit.arms, s.epsilon / bandit.arms)
                + (1 - s.epsilon) * np.eye(bandit.arms)[predictions.argmax()]
            )
        arm = rng.choice(bandit.arms, p=p)
        reward = float(rng.random() < bandit.means[x, arm])
        rows.append((predictions, bandit.means[x], s.tables[:, x], p, arm, reward))
        losses = losses + (s.tables[:, x, arm] - reward) ** 2
    return Play(*(np.array(column) for column in zip(*rows, strict=True)))


def errors(r):
    """E_p (f^ - f)^2 in each round."""
    return (r.p * (r.predictions - r.truths) ** 2).sum(axis=1)


def both():
    """Settings of both rules."""
    yield from paper.weighted()
    yield from paper.exploring()


oracle = Proof(of=[paper.SQUARE_CB, paper.GREEDY], settings=both)


@oracle.step("Square losses in [0, 1] are exp-concave: exp(-(z - r)^2 / 2) is concave in z")
def concave(s) -> Claim:
    """Second differences in z, for rewards 0 and 1."""
    z, rewards = np.linspace(0, 1, 201), np.array([[0.0], [1.0]])
    values = np.exp(-((z - rewards) ** 2) / 2)
    return claim(np.diff(values, 2), "<=", 0.0, "the second derivative has the sign of (z - r)^2 - 1", rounding=1e-15)


@oracle.step(
    "Along every run the oracle loses 2 log |F| more than any table at most, after every round", uses=[concave]
)
def aggregate(s) -> Claim:
    """The potential -2 log(mean of exp(-L / 2)) grows by the loss of the oracle at least."""
    r = play(s)
    lost = ((r.pulled(r.predictions) - r.rewards) ** 2).cumsum()
    of_tables = np.take_along_axis(r.class_predictions, r.arms[:, None, None], axis=2)[..., 0]
    least = ((of_tables - r.rewards[:, None]) ** 2).cumsum(axis=0).min(axis=1)
    return claim(lost - least, "<=", 2 * s.log_size, "Jensen, and telescope", rounding=ROUNDING)


@oracle.step("Given the past, what the oracle loses more than the truth is its squared error, in the mean")
def bias(s) -> Claim:
    """E_r (f^ - r)^2 - (f - r)^2 = (f^ - f)^2, for every arm."""
    r = play(s)
    f, guess = r.truths, r.predictions
    mean = f * ((guess - 1) ** 2 - (f - 1) ** 2) + (1 - f) * (guess**2 - f**2)
    return claim(mean, "==", (guess - f) ** 2, "the mean of r is f")


@oracle.step("A round costs what the rule says", uses=[bias])
def cost(s) -> Claim:
    """By the error of the round, and what exploring costs."""
    r, k = play(s), s.bandit.arms
    lost = r.truths.max(axis=1) - (r.p * r.truths).sum(axis=1)
    if isinstance(s, paper.Weighted):
        right = s.gamma / 4 * errors(r) + (k - 1) / s.gamma * (1 + s.gamma / (k + s.gamma))
        why = "the theorem on one round, with gaps of predictions in [0, 1]"
    else:
        right = (1 - s.epsilon) * np.sqrt(2 * k / s.epsilon * errors(r)) + s.epsilon * (1 - 1 / k)
        why = "the best arm and b differ by two errors at most, and each has probability epsilon / K at least"
    return claim(lost, "<=", right, why, rounding=ROUNDING)


@oracle.step("Conclusion", uses=[aggregate, bias, cost])
def conclusion(s) -> Claim:
    """Errors sum to 2 log |F| at most, in the mean; their roots to sqrt(2 t log |F|), by Cauchy, Schwarz and Jensen."""
    k, t = s.bandit.arms, s.times
    if isinstance(s, paper.Weighted):
        total = t * (k - 1) / s.gamma * (1 + s.gamma / (k + s.gamma)) + s.gamma / 4 * 2 * s.log_size
        theorem = paper.SQUARE_CB
    else:
        roots = np.sqrt(2 * k / s.epsilon) * np.sqrt(2 * t * s.log_size)
        total = (1 - s.epsilon) * roots + s.epsilon * (1 - 1 / k) * t
        theorem = paper.GREEDY
    bound = theorem.bound(s, theorem.run(s, stream(0, "times")))
    return claim(total, "==", bound, "insert", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------


def errors_after(s, table):
    """Mean squared error of each table on the data of the policy of a table."""
    pulled = s.epsilon / s.bandit.arms + (1 - s.epsilon) * np.eye(s.bandit.arms)[table.argmax(axis=1)]
    return np.einsum("x,xa,mxa->m", s.bandit.frequencies, pulled, (s.tables - s.bandit.means) ** 2)


cycle = Proof(of=[paper.TWO_CYCLE], settings=paper.alternating)


@cycle.step("Two tables are each the only best fit to the data of the other")
def each_other(s) -> Claim:
    """Their errors are below those of all others by more than rounding."""
    trace = paper.retrain_on(s, stream(0, "unused"))
    left, right = [], []
    for here, there in (trace["table"][2:4], trace["table"][3:5]):
        others = np.delete(errors_after(s, s.tables[here]), there)
        left.append(errors_after(s, s.tables[here])[there] + 1e-6)
        right.append(others.min())
    return claim(left, "<=", right, "compute all errors")


@cycle.step("They are not the same", uses=[each_other])
def different(s) -> Claim:
    """Else it would be a fixed point."""
    one, two = paper.retrain_on(s, stream(0, "unused"))["table"][2:4]
    return claim(1, "<=", abs(int(one) - int(two)), "two numbers of tables")


realizable = Proof(of=[paper.REALIZABLE_RETRAINING], settings=paper.retraining)


@realizable.step("On the data of any table the truth alone has no error")
def no_error(s) -> Claim:
    """The error of another is epsilon / K times its smallest positive one, at least."""
    wrong = (s.tables != s.bandit.means).any(axis=(1, 2))
    least = min(errors_after(s, table)[wrong].min() for table in s.tables)
    unweighted = np.einsum("x,mxa->m", s.bandit.frequencies, (s.tables - s.bandit.means) ** 2)
    return claim(s.epsilon / s.bandit.arms * unweighted[wrong].min(), "<=", least, "each arm is pulled that often")


@realizable.step("Its policy costs what random arms cost", uses=[no_error])
def costs(s) -> Claim:
    """It pulls a best arm else."""
    pulled = s.epsilon / s.bandit.arms + (1 - s.epsilon) * np.eye(s.bandit.arms)[s.bandit.means.argmax(axis=1)]
    cost = np.einsum("x,xa,xa->", s.bandit.frequencies, pulled, s.bandit.gaps)
    return claim(cost, "==", s.exploration, "best arms have no gaps")
