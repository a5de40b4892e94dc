r"""Proofs on linear NORA and LSVI-UCB: Gram matrices, switches, the bonus, and regret.

Notation. G is the Gram matrix :math:`\Lambda` before an episode, and G~ that when the critic in force was made; f the
critic, V = max f, :math:`T f = r + P V` with the values V of the next stage; R = H - 1; the *limit* of a choice at
stage h is 2 beta |phi| in the norm of the inverse of G~, but H - h at most, and 0 at the last stage. Learners are
written down here once more, with dense laws.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.instances import random_linear_mdp
from rltheory.simulation import stream
from rltheory.theorems.episodes import tan2025_linear as paper
from rltheory.theorems.episodes.tan2025 import tracking_constant
from rltheory.theorems.episodes.tan2025_linear import Directions, Growth, LinearLearning
from rltheory.theory import Claim, Proof, claim
from rltheory.trace import Trace

ROUNDING = 1e-9  # sums of some hundred numbers up to H, from inverses of matrices of condition 1000 at most

# Gram matrices that grow.

potential = Proof(of=[paper.POTENTIAL], settings=paper.grid_of_directions)
determinant = Proof(of=[paper.DETERMINANT], settings=paper.grid_of_directions)
ratio = Proof(of=[paper.RATIO], settings=paper.grid_of_growth)


def grams(s):
    """The matrices before each feature, and after the last, (T + 1, d, d)."""
    dimension = s.features.shape[1]
    outer = np.einsum("ti,tj->tij", s.features, s.features)
    first = s.regularization * np.eye(dimension)
    return np.concatenate([first[None], first + np.cumsum(outer, axis=0)])


def surprises(s):
    """Squared norms of the features in the inverses of the matrices before them, (T,)."""
    return np.einsum("ti,ti->t", s.features, np.linalg.solve(grams(s)[:-1], s.features[..., None])[..., 0])


@potential.step("log det G_{t+1} - log det G_t = log(1 + |phi_t|^2)")
def one_feature(s: Directions) -> Claim:
    """The matrix determinant lemma."""
    growth = np.diff(np.linalg.slogdet(grams(s))[1])
    return claim(growth, "==", np.log1p(surprises(s)), "det(I + u u^T) = 1 + |u|^2", rounding=1e-11)


@potential.step("min{1, x} <= log2(1 + x) for x >= 0")
def concave(s: Directions) -> Claim:
    """Equal at 0 and at 1."""
    x = surprises(s)
    return claim(np.minimum(1, x), "<=", np.log2(1 + x), "concave on [0, 1], and beyond at least 1", rounding=1e-12)


@potential.step("Conclusion: sum", uses=[one_feature, concave])
def potential_conclusion(s: Directions) -> Claim:
    """Determinants telescope."""
    bound = paper.POTENTIAL.bound(s, paper.gather(s, stream(0, "proofs")))[1:]
    left = np.cumsum(np.minimum(1, surprises(s)))
    return claim(left, "<=", bound, "the differences of logarithms telescope", rounding=1e-10)


@determinant.step("The trace of G / lambda is d + t / lambda at most")
def trace_of_gram(s: Directions) -> Claim:
    """Each feature adds its squared norm."""
    t, dimension = np.arange(len(s.features) + 1), s.features.shape[1]
    left = np.trace(grams(s), axis1=1, axis2=2) / s.regularization
    return claim(left, "<=", dimension + t / s.regularization, "|phi| <= 1")


@determinant.step("log det is d log(trace / d) at most")
def means(s: Directions) -> Claim:
    """The mean of logarithms of eigenvalues is the logarithm of their mean at most."""
    scaled, dimension = grams(s) / s.regularization, s.features.shape[1]
    right = dimension * np.log(np.trace(scaled, axis1=1, axis2=2) / dimension)
    return claim(np.linalg.slogdet(scaled)[1], "<=", right, "Jensen", rounding=1e-12)


@determinant.step("Conclusion", uses=[trace_of_gram, means])
def determinant_conclusion(s: Directions) -> Claim:
    """In units of log 2."""
    run = paper.gather(s, stream(0, "proofs"))
    left = np.linalg.slogdet(grams(s) / s.regularization)[1] / math.log(2)
    return claim(left, "<=", paper.DETERMINANT.bound(s, run), "the logarithm increases", rounding=1e-12)


def relative(s):
    """Eigenvalues, ascending, of the grown matrices relative to the first, and the vector in their bases, (13, d)."""
    root = np.linalg.cholesky(s.before)
    scaled = np.linalg.solve(root, s.added.T)
    values, bases = np.linalg.eigh(np.eye(len(root)) + paper.SIZES[:, None, None] * (scaled @ scaled.T))
    return values, np.einsum("tij,i->tj", bases, np.linalg.solve(root, s.direction))


@ratio.step("Relative to the first matrix, all eigenvalues are >= 1")
def eigenvalues(s: Growth) -> Claim:
    """A positive semidefinite matrix is added to the identity."""
    values, _ = relative(s)
    return claim(1.0, "<=", values, "min of x^T (I + B) x over unit vectors", rounding=1e-11)


@ratio.step("Hence the largest is at most their product", uses=[eigenvalues])
def largest(s: Growth) -> Claim:
    """The others are >= 1."""
    values, _ = relative(s)
    return claim(values[:, -1], "<=", values.prod(axis=1), "factors >= 1", rounding=1e-9)


@ratio.step("|x|^2 = sum y_i^2 <= max v_i sum y_i^2 / v_i")
def norms(s: Growth) -> Claim:
    """In the basis of eigenvectors."""
    values, y = relative(s)
    right = values[:, -1] * (y**2 / values).sum(axis=1)
    return claim((y**2).sum(axis=1), "<=", right, "v_i <= max v", rounding=1e-11)


@ratio.step("Conclusion: the product is the ratio of determinants", uses=[largest, norms])
def ratio_conclusion(s: Growth) -> Claim:
    """Both norms are those of the statement."""
    _, y = relative(s)
    bound = paper.RATIO.bound(s, paper.grow(s, stream(0, "proofs")))
    return claim((y**2).sum(axis=1), "<=", bound, "the steps before", rounding=s.rounding)


# Learners.


class Walk(NamedTuple):
    """A run of T episodes: what was known, the critic and the policy in force in each."""

    laws: np.ndarray  # (C, S)
    r: np.ndarray  # (C,)
    phi: np.ndarray  # (C, d)
    owner: np.ndarray  # (C,), state of each choice
    gram: np.ndarray  # (T + 1, H - 1, d, d)
    gram_then: np.ndarray  # (T, H - 1, d, d)
    w: np.ndarray  # (T, H - 1, d)
    f: np.ndarray  # (T, H, C)
    policy: np.ndarray  # (T, H, C)
    k: np.ndarray  # (T,), episodes since the critic was made
    made: np.ndarray  # (T, H)
    came: np.ndarray  # (T, H), states after the choices

    def greatest(self, of_choices):
        """Largest number among the choices of each state, which all have as many."""
        return of_choices.reshape(*of_choices.shape[:-1], self.laws.shape[1], -1).max(axis=-1)

    def later_values(self):
        """V of the next stage, (T, H - 1, S)."""
        return self.greatest(self.f)[:, 1:]

    def backups(self):
        """T f, (T, H, C)."""
        found = np.tile(self.r, (*self.f.shape[:2], 1))
        found[:, :-1] += self.later_values() @ self.laws.T
        return found

    def widths(self, grams):
        """Norms of all features in the inverses, (T, H - 1, C)."""
        return np.sqrt(np.einsum("cd,thde,ce->thc", self.phi, np.linalg.inv(grams), self.phi))

    def visited(self, of_choices):
        """Numbers of the choices made, for the stages that there are."""
        return np.take_along_axis(of_choices, self.made[:, : of_choices.shape[1], None], axis=2)[..., 0]

    def occupancy(self, initial):
        """Probabilities of choices, (T, H, C)."""
        state, found = np.tile(initial, (len(self.f), 1)), []
        for h in range(self.f.shape[1]):
            found.append(state[:, self.owner] * self.policy[:, h])
            state = found[-1] @ self.laws
        return np.stack(found, axis=1)


@cache
def walk(s: LinearLearning, learner: str) -> Walk:
    """Run NORA, or LSVI-UCB with rare switching, episode by episode, from their definitions."""
    mdp, rng = s.problem.tabular, stream(0, "proofs of linear NORA", s, learner)
    laws, r, phi = mdp.transition_matrix, mdp.rewards, s.problem.features.reshape(mdp.choices, -1)
    owner, horizon, actions = mdp.state_of_choice, s.horizon, s.problem.features.shape[1]
    gram = np.tile(s.regularization * np.eye(phi.shape[1]), (horizon - 1, 1, 1))
    targets, rows, k, gram_then = np.zeros((horizon - 1, phi.shape[1], mdp.states)), [], 0, gram
    for episode in range(s.episodes):
        if episode == 0 or (np.linalg.det(gram) >= (2 - 1e-9) * np.linalg.det(gram_then)).any():
            f, w, values, k, gram_then = (
                np.tile(r, (horizon, 1)),
                np.zeros((horizon - 1, phi.shape[1])),
                np.zeros(mdp.states),
                0,
                gram,
            )
            for h in reversed(range(horizon)):
                if h < horizon - 1:
                    w[h] = np.linalg.solve(gram[h], targets[h] @ values)
                    width = np.sqrt(np.einsum("cd,de,ce->c", phi, np.linalg.inv(gram[h]), phi))
                    f[h] = r + np.clip(phi @ w[h] + s.beta * width, 0, horizon - 1 - h)
                values = f[h].reshape(-1, actions).max(axis=1)
        by_state = f.reshape(horizon, -1, actions)
        if learner == "NORA":
            policy = np.exp(s.eta * k * (by_state - by_state.max(axis=2, keepdims=True)))
        else:
            policy = np.arange(actions) == by_state.argmax(axis=2)[..., None]
        policy = (policy / policy.sum(axis=2, keepdims=True)).reshape(horizon, -1)
        made, came, state, gram_before = [], [], rng.choice(mdp.states, p=mdp.initial), gram
        gram = gram.copy()
        for h in range(horizon):
            made.append(int(rng.choice(mdp.choices, p=np.where(owner == state, policy[h], 0))))
            state = rng.choice(mdp.states, p=laws[made[-1]])
            came.append(state)
            if h < horizon - 1:
                gram[h] += np.outer(phi[made[-1]], phi[made[-1]])
                targets[h, :, state] += phi[made[-1]]
        rows.append((gram_before, gram_then, w, f, policy, k, made, came))
        k += 1
    before, *others = (np.array(column) for column in zip(*rows, strict=True))
    return Walk(laws, r, phi, owner, np.concatenate([before, gram[None]]), *others)


def learners() -> Iterator[LinearLearning]:
    """A trap, and random processes of two and three stages."""
    yield LinearLearning(paper.linear_trap(3), 3, 300, 3.0, 0.2)
    for dimension, horizon, episodes in ((2, 2, 1500), (3, 3, 200)):
        problem = random_linear_mdp(stream(0, "proofs of linear NORA", dimension), 4, 3, dimension)
        yield LinearLearning(problem, horizon, episodes, 30.0, 0.3, horizon - 1.0)


def learners_and_one_choice() -> Iterator[LinearLearning]:
    """A single choice besides."""
    yield from learners()
    yield LinearLearning(paper.one_choice(), 2, 257, 1.0)


def all_times(s):
    """A trace without values that has all times of a run."""
    return Trace("times", np.arange(1, s.episodes + 1), {})


def doublings(s, w):
    """log2 of determinants over the first, before each episode, (T, H - 1)."""
    return np.linalg.slogdet(w.gram[:-1] / s.regularization)[1] / math.log(2)


# Changes of the critic.

switches = Proof(of=[paper.SWITCHES], settings=learners_and_one_choice)


def charged(s):
    """For each change, a stage whose determinant has doubled, as flags (T, H - 1)."""
    w = walk(s, "NORA")
    flags = np.zeros((s.episodes, s.horizon - 1), int)
    for t in range(1, s.episodes):
        if w.k[t] == 0:
            flags[t, (np.linalg.slogdet(w.gram[t])[1] - np.linalg.slogdet(w.gram_then[t - 1])[1]).argmax()] = 1
    return flags


@switches.step("After j charges of a stage its determinant is 2^j times the first, or more")
def charges(s: LinearLearning) -> Claim:
    """Each time it has doubled, and it never falls."""
    w = walk(s, "NORA")
    return claim(charged(s).cumsum(axis=0), "<=", doublings(s, w), "determinants grow", rounding=1e-6)


@switches.step("Conclusion: j is at most the bound on doublings, at each of H - 1 stages", uses=[charges])
def switches_conclusion(s: LinearLearning) -> Claim:
    """linear-nora/determinant."""
    changes = np.cumsum(walk(s, "NORA").k == 0) - 1
    return claim(changes, "<=", paper.SWITCHES.bound(s, all_times(s)), "each change is charged to one stage")


# The bonus.

bonus = Proof(of=[paper.BONUS], settings=learners)
EXPONENTS = np.array([-8.0, -3.0, -1.0, -0.3, 0.1, 1.0, 2.0, 5.0])


def net(s):
    """Distance of the net, and the logarithm of its size."""
    d, spread = s.problem.dimension, s.horizon - 1
    log = d * math.log1p(8 * spread * s.episodes / math.sqrt(s.regularization))
    log += d * (d + 1) / 2 * math.log1p(32 * s.episodes * s.beta**2 / s.regularization)
    return 1 / (2 * math.sqrt(s.episodes)), log


def noise(s, w, values):
    """Sum of phi_i (V(s_{i+1}) - P V) for one V, (S,), before each episode and after the last, (T + 1, H - 1, d)."""
    made, came = w.made[:, :-1], w.came[:, :-1]
    terms = w.phi[made] * (values[came] - (w.laws @ values)[made])[..., None]
    return np.concatenate([np.zeros_like(terms[:1]), np.cumsum(terms, axis=0)])


def optimal_values(s, w):
    """V* of each stage and after, (H + 1, S)."""
    values = np.zeros((s.horizon + 1, w.laws.shape[1]))
    for h in reversed(range(s.horizon)):
        values[h] = w.greatest(w.r + w.laws @ values[h + 1])
    return values


@bonus.step("For V in [0, R], log E e^{x (V - P V)} <= x^2 R^2 / 8")
def hoeffding(s: LinearLearning) -> Claim:
    """Of every choice, with the optimal values as an example."""
    w, spread = walk(s, "LSVI-UCB"), s.horizon - 1
    values = optimal_values(s, w)[1]
    deviations = values[None] - (w.laws @ values)[:, None]
    moments = np.log((w.laws * np.exp(EXPONENTS[:, None, None] * deviations)).sum(axis=2))
    return claim(moments, "<=", (EXPONENTS**2 * spread**2 / 8)[:, None], "Hoeffding's lemma", rounding=1e-12)


@bonus.step("<x, S> - |x|_G^2 / 2 = |S|^2 / 2 - |x - G^{-1} S|_G^2 / 2, with |S| in the norm of the inverse")
def square(s: LinearLearning) -> Claim:
    """Completing the square: the mean of its exponential over Gaussian x is that of |S|^2 / 2 over a determinant."""
    w = walk(s, "LSVI-UCB")
    gram, sums = w.gram, noise(s, w, optimal_values(s, w)[1])
    x = stream(0, "proofs of linear NORA", "vector").normal(size=sums.shape)
    centre = np.linalg.solve(gram, sums[..., None])[..., 0]

    def form(u):
        return np.einsum("thd,thde,the->th", u, gram, u)

    left = (x * sums).sum(axis=-1) - form(x) / 2
    right = ((sums * centre).sum(axis=-1) - form(x - centre)) / 2
    return claim(left, "==", right, "completing the square", rounding=1e-8)


@bonus.step(
    "For one V: |S|^2 <= (R / 2)^2 (log det G / lambda^d + 2 log(1 / delta')) always, with probability 1 - delta'",
    uses=[hoeffding, square],
)
def self_normalised(s: LinearLearning) -> Claim:
    """Ville's inequality for the mixture of supermartingales. In this run the event takes place for V*."""
    w, spread = walk(s, "LSVI-UCB"), s.horizon - 1
    sums = noise(s, w, optimal_values(s, w)[1])
    left = (sums * np.linalg.solve(w.gram, sums[..., None])[..., 0]).sum(axis=-1)
    logs = np.linalg.slogdet(w.gram / s.regularization)[1]
    right = (spread / 2) ** 2 * (logs + 2 * math.log(s.horizon / s.delta))
    return claim(left, "<=", right, "Markov's inequality at the first time that it fails")


@bonus.step("Weights have norm R sqrt(T / lambda) at most")
def weights(s: LinearLearning) -> Claim:
    """G is at least lambda, and at least Phi^T Phi, for the matrix Phi of the features."""
    w, spread = walk(s, "LSVI-UCB"), s.horizon - 1
    right = spread * math.sqrt(s.episodes / s.regularization)
    return claim(np.linalg.norm(w.w, axis=-1), "<=", right, "|G^{-1/2} Phi^T v| <= |v|, and v is in [0, R]^T")


@bonus.step("beta^2 G^{-1} has norm beta^2 / lambda at most")
def matrices(s: LinearLearning) -> Claim:
    """The largest eigenvalue."""
    w = walk(s, "LSVI-UCB")
    left = s.beta**2 * np.linalg.norm(np.linalg.inv(w.gram_then), ord=2, axis=(-2, -1))
    return claim(left, "<=", s.beta**2 / s.regularization, "G >= lambda I")


@bonus.step("Critics whose weights and matrices are within e / 2 and e^2 / 4 have values within e")
def close(s: LinearLearning) -> Claim:
    """Roots of numbers that differ by x differ by sqrt(x) at most; maxima, and cuts, do not move values apart."""
    w, rng = walk(s, "LSVI-UCB"), stream(0, "proofs of linear NORA", "net")
    distance, _ = net(s)
    moved, shift = rng.normal(size=w.w.shape), rng.normal(size=w.gram_then.shape)
    moved *= distance / 2 / np.linalg.norm(moved, axis=-1, keepdims=True)
    shift = shift + np.swapaxes(shift, -1, -2)
    shift *= distance**2 / 4 / np.linalg.norm(shift, ord=2, axis=(-2, -1))[..., None, None]
    squared = s.beta**2 * np.linalg.inv(w.gram_then)

    def values(weights, matrix):
        squares = np.einsum("cd,thde,ce->thc", w.phi, matrix, w.phi)
        return w.greatest(w.r + weights @ w.phi.T + np.sqrt(np.maximum(squares, 0)))

    apart = np.abs(values(w.w, squared) - values(w.w + moved, squared + shift))
    return claim(apart, "<=", distance, "|phi| <= 1, and |sqrt x - sqrt y| <= sqrt|x - y|", rounding=1e-12)


@bonus.step("Errors of values up to 2 e change S by 2 e sqrt(T) = 1 at most")
def discretisation(s: LinearLearning) -> Claim:
    """G is at least Phi^T Phi; here are errors of random signs."""
    w = walk(s, "LSVI-UCB")
    distance, _ = net(s)
    signs = stream(0, "proofs of linear NORA", "signs").choice([-1.0, 1.0], size=w.made[:, :-1].shape)
    sums = np.cumsum(2 * distance * w.phi[w.made[:, :-1]] * signs[..., None], axis=0)
    left = np.sqrt((sums * np.linalg.solve(w.gram[1:], sums[..., None])[..., 0]).sum(axis=-1))
    return claim(left, "<=", 1.0, "|G^{-1/2} Phi^T e| <= |e|")


@bonus.step("The bias of the ridge is R sqrt(d lambda) at most")
def bias(s: LinearLearning) -> Claim:
    """P V is linear in the features, with weights of norm R sqrt(d) at most."""
    w, spread = walk(s, "LSVI-UCB"), s.horizon - 1
    true = w.later_values() @ s.problem.measures.T
    form = np.einsum("thd,thde,the->th", true, np.linalg.inv(w.gram_then), true)
    right = spread * math.sqrt(s.problem.dimension * s.regularization)
    return claim(s.regularization * np.sqrt(form), "<=", right, "G >= lambda I, and the norm of measures")


@bonus.step("beta is the sum of the bias, the noise of a net for all H stages, and 1")
def fixed_point(s: LinearLearning) -> Claim:
    """A net of a ball of radius r has (1 + 2 r / e)^k points in dimension k, whatever the norm."""
    d, spread, (_, log) = s.problem.dimension, s.horizon - 1, net(s)
    logs = d * math.log1p(s.episodes / (d * s.regularization)) + 2 * (log + math.log(s.horizon / s.delta))
    right = spread * math.sqrt(d * s.regularization) + spread / 2 * math.sqrt(logs) + 1
    return claim(s.beta, "==", right, "linear-nora/determinant bounds the determinant")


def needed(w):
    """|<phi, w> - P V| over the norms of features, (T, H - 1, C)."""
    return np.abs(w.w @ w.phi.T - w.later_values() @ w.laws.T) / w.widths(w.gram_then)


@bonus.step(
    "Conclusion, by the inequality of Cauchy and Schwarz",
    uses=[self_normalised, weights, matrices, close, discretisation, bias, fixed_point],
)
def bonus_conclusion(s: LinearLearning) -> Claim:
    """<phi, w> - P V = <phi, G^{-1} (S - lambda w*)>. In this run the event takes place."""
    return claim(needed(walk(s, "LSVI-UCB")), "<=", s.beta, "with probability 1 - delta, for all critics")


# Regret.

regret_of_lsvi_ucb = Proof(of=[paper.REGRET_OF_LSVI_UCB], settings=learners)
regret_of_nora = Proof(of=[paper.REGRET_OF_NORA], settings=learners)


def limits(s, w):
    """What the critic may err, (T, H, C)."""
    caps = s.horizon - 1.0 - np.arange(s.horizon)[:, None]
    found = np.zeros_like(w.f)
    found[:, :-1] = 2 * s.beta * w.widths(w.gram_then)
    return np.minimum(found, caps)


def lost(s, w):
    """What the policy of each episode loses."""
    best = s.problem.tabular.initial @ optimal_values(s, w)[0]
    return best - (w.occupancy(s.problem.tabular.initial) * w.r).sum(axis=(1, 2))


def shared_steps(proof, learner):
    """The steps that both proofs have: what the critic errs, where the learner goes, and in the mean."""

    @proof.step("0 <= f - T f <= limit, with probability 1 - delta")
    def errors(s: LinearLearning) -> Claim:
        """linear-nora/bonus; in this run the event takes place."""
        w = walk(s, learner)
        limit = limits(s, w)
        left = np.abs(w.f - w.backups() - limit / 2)
        return claim(left, "<=", limit / 2, "P V lies in [0, H - h], where f is cut", rounding=ROUNDING)

    @proof.step("Along the way squared norms are twice those of the present matrix at most, and these at most 1")
    def present(s: LinearLearning) -> Claim:
        """Until the critic is made anew no determinant has doubled: linear-nora/determinant-ratio."""
        w = walk(s, learner)
        then, now = (w.visited(w.widths(grams)) ** 2 for grams in (w.gram_then, w.gram[:-1]))
        return claim(np.maximum(then, 2 * np.maximum(now, now**2)), "<=", 2 * now, "lambda >= 1 and |phi| <= 1")

    @proof.step("Hence limits sum to 2 beta (H - 1) sqrt(2 t l_t) at most", uses=[present])
    def along_the_way(s: LinearLearning) -> Claim:
        """Cauchy-Schwarz at each stage, linear-nora/potential and linear-nora/determinant."""
        w = walk(s, learner)
        left = np.cumsum(w.visited(limits(s, w)).sum(axis=1))
        return claim(left, "<=", s.bonuses(all_times(s)), "sqrt(t) times the root of the sum of 2 |phi|^2")

    @proof.step(
        "In the mean they do, up to H (H - 1) / 2 sqrt(T log(1 / delta) / 2), with probability 1 - delta",
        uses=[along_the_way],
    )
    def in_the_mean(s: LinearLearning) -> Claim:
        """In this run the event takes place."""
        w = walk(s, learner)
        limit = limits(s, w)
        mean = (w.occupancy(s.problem.tabular.initial) * limit).sum(axis=(1, 2))
        why = "Azuma's maximal inequality: limits of an episode sum to at most H (H - 1) / 2"
        return claim(np.cumsum(mean - w.visited(limit).sum(axis=1)), "<=", np.full(s.episodes, s.noise), why)

    @proof.step("V* - V^pi <= sum E_pi [f - T f] + sum E_pi [max f - <pi, f>]", uses=[errors])
    def optimism(s: LinearLearning) -> Claim:
        """V* is at most max f, whose distance from V^pi is the right side exactly."""
        w = walk(s, learner)
        gap = w.greatest(w.f)[:, :, w.owner] - w.f
        right = (w.occupancy(s.problem.tabular.initial) * (w.f - w.backups() + gap)).sum(axis=(1, 2))
        return claim(lost(s, w), "<=", right, "T f <= f by induction; the differences telescope", rounding=ROUNDING)

    return optimism, in_the_mean


lsvi_ucb_optimism, lsvi_ucb_mean = shared_steps(regret_of_lsvi_ucb, "LSVI-UCB")
nora_optimism, nora_mean = shared_steps(regret_of_nora, "NORA")


@regret_of_lsvi_ucb.step("Conclusion, with probability 1 - 2 delta", uses=[lsvi_ucb_optimism, lsvi_ucb_mean])
def lsvi_ucb_conclusion(s: LinearLearning) -> Claim:
    """Best choices miss nothing."""
    bound = paper.REGRET_OF_LSVI_UCB.bound(s, all_times(s))
    return claim(np.cumsum(lost(s, walk(s, "LSVI-UCB"))), "<=", bound, "add up", rounding=ROUNDING)


@regret_of_nora.step("The actor misses H (H + 1) / 2 after a change, and H kappa / (eta k) after k steps, at most")
def follows(s: LinearLearning) -> Claim:
    """In each state: nora/tracking."""
    w, horizon = walk(s, "NORA"), s.horizon
    gap = w.greatest(w.f)[:, :, w.owner] - w.f
    missed = (w.occupancy(s.problem.tabular.initial) * gap).sum(axis=(1, 2))
    later = horizon * tracking_constant(s.problem.features.shape[1]) / (s.eta * np.maximum(w.k, 1))
    limit = np.where(w.k == 0, horizon * (horizon + 1) / 2, later)
    return claim(missed, "<=", limit, "nora/tracking with x = eta k; f lies in [0, H - h + 1]", rounding=ROUNDING)


@regret_of_nora.step("Between changes these sum to the stated bracket", uses=[follows])
def epochs(s: LinearLearning) -> Claim:
    """The harmonic sum; there are N_t + 1 stretches."""
    w, horizon, t = walk(s, "NORA"), s.horizon, np.arange(1, s.episodes + 1)
    later = horizon * tracking_constant(s.problem.features.shape[1]) / s.eta
    limit = np.where(w.k == 0, horizon * (horizon + 1) / 2, later / np.maximum(w.k, 1))
    bracket = horizon * (horizon + 1) / 2 + later * (1 + np.log(t))
    why = "1 + 1/2 + ... + 1/K <= 1 + log K, and linear-nora/switches"
    return claim(np.cumsum(limit), "<=", (paper.SWITCHES.bound(s, all_times(s)) + 1) * bracket, why)


@regret_of_nora.step("Conclusion, with probability 1 - 2 delta", uses=[nora_optimism, nora_mean, epochs])
def nora_conclusion(s: LinearLearning) -> Claim:
    """Add up."""
    bound = paper.REGRET_OF_NORA.bound(s, all_times(s))
    return claim(np.cumsum(lost(s, walk(s, "NORA"))), "<=", bound, "the terms are those of the steps before")
