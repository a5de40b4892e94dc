r"""Direct Nash optimisation: what the exact update gains, and what any other policy loses to it.

Throughout, :math:`r = P \pi_t` are the win rates against the policy, :math:`\pi_+ \propto \pi_t e^{r / \eta}` is its
exact update, :math:`\sigma` the logistic function, :math:`\mu` the law of both actions of a pair, and
:math:`\Delta_\pi(a, b) = \eta \log \frac{\pi(a)}{\pi_t(a)} - \eta \log \frac{\pi(b)}{\pi_t(b)}`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.algorithms import hedge, magnetic_mirror_descent, nash_md
from rltheory.algorithms.games.direct_nash_optimization import (
    SAMPLING,
    exact_update,
    sampling_law,
)
from rltheory.algorithms.games.mirror_descent import mirror_descent
from rltheory.arrays import Array, Vector, count, distribution, positive
from rltheory.instances import (
    bradley_terry,
    cycle,
    efron_dice,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    weighted_rock_paper_scissors,
)
from rltheory.measures import kl, l1
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution, log_normalize
from rltheory.simulation import stream
from rltheory.solvers import minimax_winner
from rltheory.theorems.games.regularized_game import Hypotheses
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Existence,
    Identity,
    Paper,
    Standing,
    Theorem,
)
from rltheory.theory.judge import RELATIVE_ROUNDING
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "rosset2024"


EPS = float(np.finfo(np.float64).eps)


WIDEST = 30.0  # largest standard deviation of the logits of a random policy


@dataclass(frozen=True, eq=False)
class Setting:
    """A run of direct Nash optimisation.

    Parameters
    ----------
    game
        The game, n actions.
    inverse_rate
        The paper's eta, > 0, in units of payoff.
    start : array, shape (n,), optional
        First policy; uniform by default.
    iterations
        Last iteration.
    sampling
        What pairs are drawn from: "policy", "uniform" or "target".
    note
        What is particular about it.
    """

    game: PreferenceGame
    inverse_rate: float = 1.0
    start: ArrayLike | None = None
    iterations: int = 30
    sampling: str = "policy"
    note: str = ""

    def __post_init__(self) -> None:
        positive(self.inverse_rate, "inverse_rate")
        count(self.iterations, "iterations")
        self._check_policy("start")
        sampling_law(self.sampling, self.log_start, self.log_start)

    def _check_policy(self, name: str) -> None:
        policy = getattr(self, name)
        if policy is not None:
            object.__setattr__(self, name, distribution(policy, self.game.n, name))

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return f"{self.game}, eta = {self.inverse_rate:g}, pairs from {self.sampling}{note}"

    @cached_property
    def log_start(self) -> Vector:
        """Log-probabilities of the first policy, shape (n,)."""
        return log_distribution(self.start, self.game.n, "start")

    @cached_property
    def log_target(self) -> Vector:
        """Log-probabilities of the exact update of the first policy, shape (n,)."""
        return exact_update(self.log_start, win_rates(self, self.log_start), self.inverse_rate)

    @property
    def resolution(self) -> float:
        """Error that rounding leaves in a log-probability, of an iterate or of a random policy around it.

        An update moves a logarithm by 1 / eta at most; a normal number is no larger than 8.
        """
        largest = float(-self.log_start.min()) + (self.iterations + 1) / self.inverse_rate
        return 8 * EPS * (largest + 8 * WIDEST)

    @property
    def value_rounding(self) -> float:
        """Absolute allowance for sums of payoffs, and of divergences times eta."""
        return 4 * self.resolution * (1 + self.inverse_rate)

    @property
    def square_rounding(self) -> float:
        r"""Absolute allowance for a squared distance.

        An error :math:`\delta` in the distance turns :math:`d^2` into at most
        :math:`(1 + \rho) d^2 + (1 + 1/\rho) \delta^2`; the relative allowance serves as :math:`\rho`.
        """
        return self.resolution**2 * (1 + 1 / RELATIVE_ROUNDING)


@dataclass(frozen=True, eq=False)
class MixtureSetting(Setting):
    """The update against the geometric mixture of policy and reference.

    Parameters
    ----------
    beta
        Temperature, > 0.
    reference : array, shape (n,), optional
        Reference policy; uniform by default.
    """

    beta: float = 0.1
    reference: ArrayLike | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.beta, "beta")
        self._check_policy("reference")

    def __str__(self) -> str:
        return f"{super().__str__()}, beta = {self.beta:g}"

    @cached_property
    def log_reference(self) -> Vector:
        """Log-probabilities of the reference, shape (n,)."""
        return log_distribution(self.reference, self.game.n, "reference")

    @property
    def resolution(self) -> float:
        """Error that rounding leaves in a log-probability; those of the reference enter as well."""
        return super().resolution + 8 * EPS * float(-self.log_reference.min())


def win_rates(s: Setting, log_policy: Array) -> Array:
    """Centred win rates r of all actions against a policy, shape (..., n)."""
    rates: Array = np.exp(log_policy) @ s.game.payoff.T
    return rates


def differences(values: Array) -> Array:
    """Differences of all pairs, shape (..., n, n)."""
    return values[..., :, None] - values[..., None, :]


def pair_mean(first: Array, second: Array, numbers: Array) -> Array:
    """Mean of numbers over pairs of actions, drawn independently."""
    means: Array = np.einsum("...a,...b,...ab->...", first, second, numbers)
    return means


def sigmoid(x: ArrayLike) -> Array:
    """Logistic function."""
    probabilities: Array = (1 + np.tanh(np.asarray(x) / 2)) / 2
    return probabilities


# Runs. ------------------------------------------------------------------------------------------


def improve(s: Setting, rng: np.random.Generator) -> Trace:
    """Apply the exact update again and again: the regression on all pairs in their proportions."""
    return hedge(s.game, iterations=s.iterations, rate=1 / s.inverse_rate, start=s.start)


def compete(s: Setting, rng: np.random.Generator) -> Trace:
    """The same, with a random policy beside each exact update, from close to it to close to a corner."""
    return with_candidates(improve(s, rng), rng)


def improve_on_mixture(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Play Nash-MD with rate 1 / eta, with a random policy beside each iterate."""
    trace = nash_md(
        s.game,
        beta=s.beta,
        iterations=s.iterations,
        rate=1 / s.inverse_rate,
        reference=s.reference,
        start=np.exp(s.log_start),
    )
    return with_candidates(trace, rng)


def with_candidates(trace: Trace, rng: np.random.Generator) -> Trace:
    """Add a random policy around each ``log_next``."""
    centre = trace["log_next"]
    widths = 10 ** rng.uniform(-3, math.log10(WIDEST), (len(centre), 1))
    return extended(trace, log_candidate=log_normalize(centre + widths * rng.standard_normal(centre.shape)))


def extended(trace: Trace, **arrays: Array) -> Trace:
    """Add or replace arrays of shape (time, action)."""
    return replace(trace, values={**trace.values, **{name: (("time", "action"), a) for name, a in arrays.items()}})


# Wrong runs, to be told from right ones. ---------------------------------------------------------


def improve_too_fast(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is too large by 1 %."""
    return improve(replace(s, inverse_rate=s.inverse_rate / 1.01), rng)


def improve_much_too_fast(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is three times too large."""
    return improve(replace(s, inverse_rate=s.inverse_rate / 3), rng)


def improve_with_magnet(s: Setting, rng: np.random.Generator) -> Trace:
    """The game is regularised."""
    return magnetic_mirror_descent(s.game, beta=0.2, iterations=s.iterations, start=np.exp(s.log_start))


def compete_too_fast(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is too large by 1 %."""
    return compete(replace(s, inverse_rate=s.inverse_rate / 1.01), rng)


def compete_unnormalised(s: Setting, rng: np.random.Generator) -> Trace:
    """The random policies add up to 1.1."""
    trace = compete(s, rng)
    return extended(trace, log_candidate=trace["log_candidate"] + math.log(1.1))


def improve_on_policy(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """The opponent is the policy in place of the mixture, as in INPO."""
    keep, weights = 1 - s.beta / s.inverse_rate, np.ones(s.iterations + 1)
    trace = mirror_descent("INPO", s.game, s.log_reference, s.log_start, keep * weights, weights / s.inverse_rate)
    log_mixture = log_normalize(keep * trace["log_policy"] + (1 - keep) * s.log_reference)
    return with_candidates(extended(trace, log_mixture=log_mixture), rng)


# Settings. ---------------------------------------------------------------------------------------


def two_actions(margin: float) -> PreferenceGame:
    """Game in which the first action beats the second by a margin."""
    return PreferenceGame.from_payoff([[0, margin], [-margin, 0]], title=f"two actions, margin {margin:g}")


ROCK_PAPER_SCISSORS = weighted_rock_paper_scissors(0.5, 0.5, 0.5)


def grid() -> Iterator[Setting]:
    """Games of every kind, slow and fast rates, even and skewed starts."""

    def rng(name: str) -> np.random.Generator:
        return stream(0, "dno", name)

    yield Setting(two_actions(0.1), 10.0, note="slow")
    rare = np.array([math.exp(-110), 1.0])
    yield Setting(two_actions(0.5), 0.005, rare, iterations=2, note="fast, rare winner")
    yield Setting(two_actions(0.5), 0.2, np.array([1e-3, 0.999]), note="rare winner")
    yield Setting(ROCK_PAPER_SCISSORS, 1.0, skewed_policy(3, 2), sampling="uniform")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.2, sampling="target")
    yield Setting(efron_dice(), 0.5, skewed_policy(4, 6), sampling="target")
    yield Setting(cycle(5), 0.1, skewed_policy(5, 1))
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.3, sampling="uniform")
    yield Setting(random_game(rng("uniform"), 10), 0.05)
    yield Setting(random_tournament(rng("tournament"), 20), 2.0)
    yield Setting(recorded_game("llmfao_59"), 0.1, iterations=10)


def cyclic_grid() -> Iterator[Setting]:
    """Games whose minimax winner plays all actions, from elsewhere."""
    yield Setting(ROCK_PAPER_SCISSORS, 1.0, skewed_policy(3, 1))
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.5)
    yield Setting(cycle(5), 2.0, skewed_policy(5, 0.2))


def mixture_grid() -> Iterator[MixtureSetting]:
    """Cycles and others, with temperatures up to the inverse rate."""
    yield MixtureSetting(ROCK_PAPER_SCISSORS, 1.0, skewed_policy(3, 2), sampling="uniform", beta=0.1)
    yield MixtureSetting(two_actions(0.5), 0.2, beta=0.2, reference=np.array([0.02, 0.98]), note="a best response")
    yield MixtureSetting(cycle(5), 0.1, beta=0.02, reference=skewed_policy(5, 3), sampling="target")
    yield MixtureSetting(random_game(stream(0, "dno", "uniform"), 10), 0.3, beta=0.05)
    yield MixtureSetting(recorded_game("llmfao_59"), 0.5, beta=0.1, iterations=10)


def any_setting() -> "SearchStrategy[Setting]":
    """Any game, start, rate and law of pairs."""
    return settings_of(Setting, {})


def any_mixture_setting() -> "SearchStrategy[MixtureSetting]":
    """Any game, start, reference, and temperature up to the inverse rate."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform, skewed_policies

    def regularized(drawn: tuple[MixtureSetting, float]) -> "SearchStrategy[MixtureSetting]":
        s, share = drawn
        policies = st.none() | skewed_policies(s.game.n, depth=30.0)
        return policies.map(lambda reference: replace(s, beta=share * s.inverse_rate, reference=reference))

    return st.tuples(settings_of(MixtureSetting, {}), log_uniform(0.01, 1.0)).flatmap(regularized)


def any_cyclic_setting() -> "SearchStrategy[Setting]":
    """Any cycle, from elsewhere than the middle of it."""
    from hypothesis import strategies as st

    from rltheory.strategies import cycles, log_uniform, policies, weighted_cycles

    def started(game: PreferenceGame) -> "SearchStrategy[Setting]":
        starts = policies(game.n).filter(lambda policy: np.ptp(policy) > 0)
        return st.builds(Setting, st.just(game), log_uniform(0.5, 10.0), starts)

    return (weighted_cycles() | cycles(max_n=11)).flatmap(started)


def settings_of(kind: Any, fields: dict[str, "SearchStrategy[Any]"]) -> "SearchStrategy[Any]":
    """Settings of a class on adverse games."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, log_uniform, skewed_policies

    def build(game: PreferenceGame) -> "SearchStrategy[Any]":
        starts = st.none() | skewed_policies(game.n, depth=100.0)
        common = {"inverse_rate": log_uniform(0.01, 10.0), "start": starts, "sampling": st.sampled_from(SAMPLING)}
        return st.builds(kind, st.just(game), **common, **fields)

    return adverse_games(longest_cycle=21).flatmap(build)


# Sides. ------------------------------------------------------------------------------------------


def gain(s: Setting, trace: Trace) -> Array:
    """Edge of the next policy over the current one, P(pi_{t+1} > pi_t) - 1/2."""
    edges: Array = (np.exp(trace["log_next"]) * win_rates(s, trace["log_policy"])).sum(axis=-1)
    return edges


def excess_loss(s: Setting, trace: Trace, anchor: str) -> Array:
    """Loss of the random policy minus that of the next one; win rates and ratios are those of the anchor."""
    law, sure = pairs_and_labels(s, trace, anchor)
    losses = []
    for name in ("log_candidate", "log_next"):
        ahead = s.inverse_rate * differences(trace[name] - trace[anchor])
        cross_entropy = sigmoid(sure) * np.logaddexp(0, -ahead) + sigmoid(-sure) * np.logaddexp(0, ahead)
        losses.append(pair_mean(law, law, cross_entropy))
    return losses[0] - losses[1]


def label_divergence(s: Setting, trace: Trace, anchor: str) -> Array:
    """Mean divergence of the labels from those that the random policy stands for."""
    law, sure = pairs_and_labels(s, trace, anchor)
    ahead = s.inverse_rate * differences(trace["log_candidate"] - trace[anchor])
    return pair_mean(law, law, kl(log_coin(sure), log_coin(ahead)))


def pairs_and_labels(s: Setting, trace: Trace, anchor: str) -> tuple[Array, Array]:
    """Law of the pairs, and differences of win rates."""
    law = sampling_law(s.sampling, trace[anchor], trace["log_next"])
    return law, differences(win_rates(s, trace[anchor]))


def log_coin(x: Array) -> Array:
    """Log-probabilities of a coin that shows heads with probability sigma(x), shape (..., 2)."""
    return -np.logaddexp(0, np.stack([-x, x], axis=-1))


def ratio_spread(log_p: Array, log_q: Array) -> Array:
    """Mean of (L(a) - L(b))^2 for L = log p / q, with a from p and b from q."""
    return pair_mean(np.exp(log_p), np.exp(log_q), differences(log_p - log_q) ** 2)


def ratio_moments(log_p: Array, log_q: Array) -> Array:
    """The same, from moments and divergences."""
    squares = (log_p - log_q) ** 2
    second = (np.exp(log_p) * squares).sum(axis=-1) + (np.exp(log_q) * squares).sum(axis=-1)
    moments: Array = second + 2 * kl(log_p, log_q) * kl(log_q, log_p)
    return moments


def squared_variation(log_p: Array, log_q: Array) -> Array:
    """Squared total variation."""
    return (l1(log_p, log_q) / 2) ** 2


def improves_and_recedes(s: Setting, trace: Trace) -> NDArray[np.bool_]:
    """Whether the next policy beats the current one, and is farther from the equilibrium."""
    equilibrium = np.log(minimax_winner(s.game).policy)
    recedes: NDArray[np.bool_] = kl(equilibrium, trace["log_next"]) > kl(equilibrium, trace["log_policy"])
    return recedes & (gain(s, trace) > 0)


def has_full_support_winner(s: Setting) -> bool:
    """Whether the minimax winner plays all actions, and the run starts elsewhere."""
    policy = minimax_winner(s.game).policy
    return bool(policy.min() > 1e-6) and float(kl(np.log(policy), s.log_start)) > 1e-6


GAME: Hypotheses = {
    "$P + P^\\top = 1$ with entries in $[0, 1]$": BY_CONSTRUCTION,
    "$\\eta > 0$ and a first policy with full support": BY_CONSTRUCTION,
}


EXACT = "$\\pi_{t+1} \\propto \\pi_t e^{r / \\eta}$ with $r = P \\pi_t$; $\\eta$: the inverse rate"


LOSS = (
    "$\\ell(\\pi) = -\\mathbb{E} \\bigl[\\sigma(r_a - r_b) \\log \\sigma(\\Delta_\\pi) + \\sigma(r_b - r_a) \\log "
    "\\sigma(-\\Delta_\\pi)\\bigr]$ over pairs $a, b \\sim \\mu$; $\\mu$: the law of either action; "
)


BERNOULLI = "; $\\mathrm{Ber}(p)$: the law of a coin; $\\sigma$: the logistic function"


DELTA = "$\\Delta_\\pi(a, b) = \\eta \\log \\frac{\\pi(a)}{\\pi_t(a)} - \\eta \\log \\frac{\\pi(b)}{\\pi_t(b)}$; "


TWO = "$p$, $q$: any policies with full support; $L = \\log \\frac{p}{q}$; $a$ is drawn from $p$ and $b$ from $q$"


IMPROVEMENT_PRINTED = Theorem(
    name="dno/improvement-printed",
    title="The exact update beats the policy that it starts from, by a divergence",
    paper=Paper(PAPER, "monotone improvement of the exact update"),
    standing=Standing.SEEN,
    statement=r"\eta\, \mathrm{KL}(\pi_{t+1} \| \pi_t) \le P(\pi_{t+1} \succ \pi_t) - \tfrac12",
    symbols=EXACT,
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=improve,
    measured=lambda s, trace: s.inverse_rate * kl(trace["log_next"], trace["log_policy"]),
    bound=lambda s, trace: np.maximum(gain(s, trace), 0.0),
    settings=grid,
    strategy=any_setting,
    controls={"three times the rate": improve_much_too_fast},
    remark="Where steps are small it is half of what is gained, since the reverse divergence is as large; at fast rates it "
    "is nearly all, $1 - 2 \\eta$ of it when a sure winner is raised and stays rare all the same.",
)


IMPROVEMENT = Theorem(
    name="dno/improvement",
    title="What the exact update gains is both divergences between it and the policy",
    paper=Paper(PAPER, "monotone improvement of the exact update, made exact"),
    standing=Standing.DERIVED,
    statement=r"P(\pi_{t+1} \succ \pi_t) - \tfrac12 = \eta\, \bigl[\mathrm{KL}(\pi_{t+1} \| \pi_t) + \mathrm{KL}(\pi_t \| \pi_{t+1})\bigr]",
    symbols=EXACT,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=improve,
    measured=gain,
    bound=lambda s, trace: (
        s.inverse_rate * (kl(trace["log_next"], trace["log_policy"]) + kl(trace["log_policy"], trace["log_next"]))
    ),
    settings=grid,
    strategy=any_setting,
    controls={"rate wrong by 1 %": improve_too_fast},
)


IMPROVEMENT_WITHOUT_CONVERGENCE = Theorem(
    name="dno/improvement-without-convergence",
    title="Policies that beat their predecessors, one after the other, need not converge",
    paper=Paper(PAPER, "what monotone improvement does not say"),
    standing=Standing.DERIVED,
    statement=r"P(\pi_{t+1} \succ \pi_t) > \tfrac12 \quad\text{and}\quad \mathrm{KL}(\pi^* \| \pi_{t+1}) > \mathrm{KL}(\pi^* \| \pi_t) \quad\text{for all } t",
    symbols=EXACT + "; $\\pi^*$: the minimax winner",
    kind=Existence(),
    hypotheses=GAME | {"$\\pi^*$ plays all actions, and $\\pi_0 \\ne \\pi^*$": has_full_support_winner},
    run=improve,
    measured=improves_and_recedes,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=cyclic_grid,
    strategy=any_cyclic_setting,
    controls={"the game is regularised": improve_with_magnet},
    remark="It is the average of the policies that converges.",
)


EXCESS_LOSS = Theorem(
    name="dno/excess-loss",
    title="What a policy loses to the exact update is the divergence of the labels that it stands for",
    paper=Paper(PAPER, "population loss of Algorithm 1"),
    standing=Standing.DERIVED,
    statement=r"\ell(\pi) - \ell(\pi_{t+1}) = \mathbb{E}_{a, b \sim \mu}\, \mathrm{KL}\bigl(\mathrm{Ber}(\sigma(r_a - r_b)) \,\|\, \mathrm{Ber}(\sigma(\Delta_\pi(a, b)))\bigr)",
    symbols=LOSS + DELTA + "$\\pi$: any policy; " + EXACT + BERNOULLI,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=compete,
    measured=lambda s, trace: excess_loss(s, trace, "log_policy"),
    bound=lambda s, trace: label_divergence(s, trace, "log_policy"),
    settings=grid,
    strategy=any_setting,
    controls={"rate wrong by 1 %": compete_too_fast},
    remark="So the exact update is the only minimiser if all pairs are drawn, and the population version is Hedge.",
)


MIXTURE_UPDATE = Theorem(
    name="dno/nash-md",
    title="With the geometric mixture as opponent and anchor, the regression finds the step of Nash-MD",
    paper=Paper(PAPER, "Appendix A, the option that samples from the mixture"),
    standing=Standing.DERIVED,
    statement=r"\ell(\pi) - \ell(\pi_{t+1}) = \mathbb{E}_{a, b \sim \mu}\, \mathrm{KL}\bigl(\mathrm{Ber}(\sigma(r_a - r_b)) \,\|\, \mathrm{Ber}(\sigma(\Delta_\pi(a, b)))\bigr)",
    symbols=LOSS
    + "$\\Delta_\\pi(a, b) = \\eta \\log \\frac{\\pi(a)}{m_t(a)} - \\eta \\log \\frac{\\pi(b)}{m_t(b)}$ and $r = P m_t$ "
    "with the mixture $m_t \\propto \\pi_t^{1 - \\beta / \\eta} \\pi_{\\mathrm{ref}}^{\\beta / \\eta}$; $\\pi$: any policy; "
    "$\\pi_{t+1}$: the iterate of Nash-MD with rate $1 / \\eta$" + BERNOULLI,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME | {"$0 < \\beta \\le \\eta$": lambda s: s.beta <= s.inverse_rate},
    run=improve_on_mixture,
    measured=lambda s, trace: excess_loss(s, trace, "log_mixture"),
    bound=lambda s, trace: label_divergence(s, trace, "log_mixture"),
    settings=mixture_grid,
    strategy=any_mixture_setting,
    controls={"the policy as opponent": improve_on_policy},
    remark="With a constant rate, Nash-MD converges, but to another policy than the regularised equilibrium.",
)


RATIO_SPREAD = Theorem(
    name="dno/ratio-spread",
    title="The spread of a log-ratio over pairs, by its moments",
    paper=Paper(PAPER, "proof of Theorem 2, from squared error to total variation"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, (L(a) - L(b))^2 = \mathbb{E}_p L^2 + \mathbb{E}_q L^2 + 2\, \mathrm{KL}(p \| q)\, \mathrm{KL}(q \| p)",
    symbols=TWO,
    kind=Identity(rounding=lambda s: s.square_rounding),
    hypotheses=GAME,
    run=compete,
    measured=lambda s, trace: ratio_spread(trace["log_next"], trace["log_candidate"]),
    bound=lambda s, trace: ratio_moments(trace["log_next"], trace["log_candidate"]),
    settings=grid,
    strategy=any_setting,
    controls={"a policy that adds up to 1.1": compete_unnormalised},
)


TOTAL_VARIATION = Theorem(
    name="dno/total-variation",
    title="Total variation is at most what the log-ratio spreads over pairs",
    paper=Paper(PAPER, "proof of Theorem 2, from squared error to total variation"),
    standing=Standing.DERIVED,
    statement=r"8\, \mathrm{TV}(p, q)^2 \le \mathbb{E}\, (L(a) - L(b))^2",
    symbols=TWO,
    kind=EveryStep(rounding=lambda s: s.square_rounding),
    hypotheses=GAME,
    run=compete,
    measured=lambda s, trace: 8 * squared_variation(trace["log_next"], trace["log_candidate"]),
    bound=lambda s, trace: ratio_spread(trace["log_next"], trace["log_candidate"]),
    settings=grid,
    strategy=any_setting,
    controls={"a policy that adds up to 1.1": compete_unnormalised},
    remark="Approached by two even policies of two actions that come close to each other.",
)
