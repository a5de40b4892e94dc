r"""Nash-MD: mirror descent against the mixture with the reference, and what it converges to.

Throughout, :math:`\sigma_t \propto \pi_t^{1 - \eta_t \beta} \mu^{\eta_t \beta}` is the mixture,
:math:`K_t = \mathrm{KL}(\pi^* \| \pi_t)`, and :math:`\beta' = \beta / (1 - \eta \beta)` for a constant rate.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms import magnetic_mirror_descent, nash_md
from rltheory.arrays import Array, Vector
from rltheory.instances import (
    additive,
    bradley_terry,
    condorcet,
    cycle,
    low_rank,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    weighted_rock_paper_scissors,
)
from rltheory.measures import best_response, kl
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_normalize, span
from rltheory.simulation import stream
from rltheory.solvers import regularized_equilibrium
from rltheory.theorems.games import munos2024
from rltheory.theorems.games.regularized_game import (
    GAME,
    Hypotheses,
    PolicyRun,
    RegularizedGame,
    at_largest_difference,
    regularized_games,
)
from rltheory.theory import EveryStep, Existence, Geometric, Identity, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "munos2024"
EPS = float(np.finfo(np.float64).eps)
BIASED = 1e-6  # divergence at which a limit counts as another policy
HORIZON = 1000  # iterations of a run at most, unless it is to stand still


# Lemmas on mixtures and exponential weights, for any policies


def draw_mixtures(s: RegularizedGame, rng: np.random.Generator) -> Trace:
    """Random policies, mixtures with the reference of every weight, and exponential weights of every size."""
    return _mixtures(s, rng)


def draw_with_larger_share(s: RegularizedGame, rng: np.random.Generator) -> Trace:
    """The mixtures hold more of the reference than declared, by a tenth of the rest."""
    return _mixtures(s, rng, added_share=0.1)


def draw_with_larger_gain(s: RegularizedGame, rng: np.random.Generator) -> Trace:
    """The weights are tilted by 1.1 times the gain."""
    return _mixtures(s, rng, gain_factor=1.1)


def _mixtures(
    s: RegularizedGame, rng: np.random.Generator, added_share: float = 0.0, gain_factor: float = 1.0
) -> Trace:
    policy, other = (munos2024.random_policies(rng, s.log_equilibrium) for _ in range(2))
    draws = len(policy)
    share, width = rng.uniform(0, 1, draws), 10 ** rng.uniform(-3, 1, draws)
    normals, signs = rng.standard_normal(policy.shape), rng.choice([-1.0, 1.0], policy.shape)
    gain = width[:, None] * np.where(rng.random((draws, 1)) < 0.5, signs, normals)
    mixed = (share + added_share * (1 - share))[:, None]
    rows = {
        "policy": policy,
        "other": other,
        "mixture": log_normalize((1 - mixed) * policy + mixed * s.log_reference),
        "gain": gain,
        "tilted": log_normalize(policy + gain_factor * gain),
    }
    values = {name: (("time", "action"), array) for name, array in rows.items()}
    return Trace("mixtures", np.arange(draws), {"share": (("time",), share), **values}, clock="draw")


def log_normalizer(s: RegularizedGame, trace: Trace) -> Vector:
    """Logarithm of the sum of pi^(1-s) mu^s."""
    share = trace["share"][:, None]
    totals: Vector = np.logaddexp.reduce((1 - share) * trace["policy"] + share * s.log_reference, axis=-1)
    return totals


def average_divergence(s: RegularizedGame, trace: Trace, log_policy: Array) -> Vector:
    """Average s KL(u || mu) + (1 - s) KL(u || pi), for the given policies u."""
    share = trace["share"]
    averages: Vector = share * kl(log_policy, s.log_reference) + (1 - share) * kl(log_policy, trace["policy"])
    return averages


def excess_of_tilt(trace: Trace) -> Vector:
    """KL(u || pi+) - KL(u || pi) - <pi - u, delta>."""
    gained = ((np.exp(trace["policy"]) - np.exp(trace["other"])) * trace["gain"]).sum(axis=-1)
    excess: Vector = kl(trace["other"], trace["tilted"]) - kl(trace["other"], trace["policy"]) - gained
    return excess


# Runs


class Setting(PolicyRun):
    r"""A run of Nash-MD; `step` is its rate :math:`\eta`, in (0, 1 / beta], where the rate is constant."""

    def __str__(self) -> str:
        return super().__str__().replace("gamma", "eta")

    @property
    def usual_step(self) -> float:
        """The largest step with a proved rate."""
        return 4 * self.beta

    @property
    def iterations(self) -> int:
        """Enough for the start to be forgotten, by exp(-70)."""
        return math.ceil(70 / (self.step * self.beta))

    @property
    def resolution(self) -> float:
        """Error that rounding leaves in the log-probabilities of a run.

        An iteration rounds logarithms as large as L + 1 / beta, where L is the largest of reference and start. The
        errors add up over the 1 / (eta beta) iterations after which they are forgotten.
        """
        start = 0.0 if self.start is None else -math.log(np.min(self.start))
        largest = max(-float(self.log_reference.min()), start) + 1 / self.beta
        return 4 * EPS * largest * (1 + 1 / (self.step * self.beta))

    @property
    def mixed_beta(self) -> float:
        """Temperature beta' whose equilibrium the mixture approaches, at a constant rate below 1 / beta."""
        return self.beta / (1 - self.step * self.beta)

    @cached_property
    def log_mixed_equilibrium(self) -> Vector:
        """Log-probabilities of the equilibrium at temperature beta', shape (n,)."""
        return regularized_equilibrium(self.game, self.mixed_beta, self.reference).log_policy


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the algorithm as the theorems say."""
    return _run(s, min(s.iterations, HORIZON))


def _run(s: Setting, iterations: int) -> Trace:
    return nash_md(s.game, beta=s.beta, iterations=iterations, rate=s.step, reference=s.reference, start=s.start)


def play_decreasing(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the algorithm with decreasing rates, whatever the setting's."""
    return nash_md(s.game, beta=s.beta, iterations=HORIZON, reference=s.reference, start=s.start)


def play_both(s: Setting, rng: np.random.Generator) -> Trace:
    """Nash-MD, and magnetic mirror descent at temperature beta' from its first mixture."""
    return _beside_magnetic(s, s.mixed_beta, rng)


def _beside_magnetic(s: Setting, beta: float, rng: np.random.Generator) -> Trace:
    trace = play(s, rng)
    first, iterations = np.exp(trace["log_mixture"][0]), int(trace.times[-1])
    magnetic = magnetic_mirror_descent(
        s.game, beta=beta, iterations=iterations, step=s.step, reference=s.reference, start=first
    )
    return replace(trace, values={**trace.values, "log_magnetic": magnetic.values["log_policy"]})


def play_to_limit(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the algorithm until it stands still; keep the last iteration only."""
    return _last(_run(s, s.iterations))


def _last(trace: Trace) -> Trace:
    return replace(
        trace, times=trace.times[-1:], values={name: (dims, array[-1:]) for name, (dims, array) in trace.values.items()}
    )


# Wrong runs, to be told from right ones. Each keeps the setting's horizon and start.


def play_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return play(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_with_little_reference(s: Setting, rng: np.random.Generator) -> Trace:
    """The reference has nine tenths of its weight in the mixtures."""
    return nash_md(s.game, beta=0.9 * s.beta, iterations=HORIZON, rate=s.step, reference=s.reference, start=s.start)


def play_decreasing_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything, and rates decrease."""
    return play_decreasing(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_best_responses(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate never decreases from 1 / beta."""
    return nash_md(s.game, beta=s.beta, iterations=HORIZON, rate=1 / s.beta, reference=s.reference, start=s.start)


def play_both_at_beta(s: Setting, rng: np.random.Generator) -> Trace:
    """The temperature of magnetic mirror descent is beta."""
    return _beside_magnetic(s, s.beta, rng)


def play_at_other_rate(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is nine tenths of what is said."""
    return play_to_limit(replace(s, step=0.9 * s.step), rng)


def play_against_policy(s: Setting, rng: np.random.Generator) -> Trace:
    """The opponent is the policy instead of the mixture: magnetic mirror descent at temperature beta."""
    return _last(
        magnetic_mirror_descent(
            s.game,
            beta=s.beta,
            iterations=s.iterations,
            step=1 / (1 / s.step - s.beta),
            reference=s.reference,
            start=s.start,
        )
    )


NO_PAYOFFS = {"payoffs ignored": play_ignoring_payoffs}
NO_PAYOFFS_DECREASING = {"payoffs ignored": play_decreasing_ignoring_payoffs}
LITTLE_REFERENCE = {"reference with nine tenths of its weight": play_with_little_reference}


def largest_rate(beta: float) -> float:
    """Largest rate up to which all are at most 4 beta', that is, eta (1 - eta beta) <= 4 beta; 0.99 / beta if all are."""
    return 0.99 / beta if beta >= 1 / 4 else (1 - math.sqrt(1 - 16 * beta**2)) / (2 * beta)


def _random(name: str) -> np.random.Generator:
    return stream(0, "nash-md", name)


def grid() -> Iterator[Setting]:
    """Constant rates of every size, on games of every kind."""
    rock = weighted_rock_paper_scissors(0.5, 0.5, 0.5)
    yield Setting(rock, 0.1, reference=skewed_policy(3, 3), step=0.5, note="skewed reference")
    yield Setting(rock, 0.5, reference=skewed_policy(3, 6), step=1.9, note="nearly best responses")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.05, step=1.0)
    yield Setting(cycle(5), 0.1, step=0.2, start=skewed_policy(5, 4), note="skewed start")
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.05, step=1.5)
    yield Setting(condorcet(_random("condorcet"), 10, 0.2), 0.1, step=1.0)
    yield Setting(
        random_game(_random("uniform"), 10), 0.1, step=0.5, reference=skewed_policy(10, 20), note="skewed reference"
    )
    yield Setting(low_rank(_random("low rank"), 50), 0.2, step=1.0)
    yield Setting(PreferenceGame.indifferent(5), 0.1, step=0.3, start=skewed_policy(5, 600), note="start at a corner")
    ratings, rare = np.linspace(0, 6, 10), skewed_policy(10, 5)[::-1]
    yield Setting(bradley_terry(ratings), 0.2, reference=rare, step=0.02, note="winner rare in the reference")
    yield Setting(recorded_game("llmfao_59"), 0.1, step=0.5)


def decreasing_grid() -> Iterator[Setting]:
    """Games of every kind, for decreasing rates."""
    rock = weighted_rock_paper_scissors(0.5, 0.5, 0.5)
    yield Setting(rock, 0.1, reference=skewed_policy(3, 3), note="skewed reference")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.02)
    yield Setting(cycle(101), 0.01, reference=skewed_policy(101, 1), note="skewed reference")
    yield Setting(random_tournament(_random("tournament"), 20), 0.05)
    yield Setting(random_game(_random("uniform"), 10), 0.1, start=skewed_policy(10, 20), note="skewed start")
    ratings, rare = np.linspace(0, 6, 10), skewed_policy(10, 5)[::-1]
    yield Setting(bradley_terry(ratings), 0.2, reference=rare, note="winner rare in the reference")
    yield Setting(recorded_game("llmfao_59"), 0.1)


def converging_grid() -> Iterator[Setting]:
    """Constant rates of at most 4 beta'."""
    rock = weighted_rock_paper_scissors(0.5, 0.5, 0.5)
    yield Setting(rock, 0.1, reference=skewed_policy(3, 3), step=largest_rate(0.1), note="skewed reference")
    yield Setting(rock, 0.5, reference=skewed_policy(3, 6), step=0.5, note="skewed reference")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.1, step=largest_rate(0.1))
    yield Setting(cycle(5), 0.1, reference=skewed_policy(5, 2), step=0.2, note="skewed reference")
    yield Setting(cycle(101), 0.1, reference=skewed_policy(101, 1), step=largest_rate(0.1), note="skewed reference")
    yield Setting(additive(np.linspace(0, 0.5, 7)), 0.1, step=0.3)
    yield Setting(random_game(_random("uniform"), 10), 0.2, step=largest_rate(0.2))
    yield Setting(PreferenceGame.indifferent(5), 0.1, step=0.3, start=skewed_policy(5, 600), note="start at a corner")
    yield Setting(recorded_game("llmfao_59"), 0.1, step=largest_rate(0.1))


def biased_grid() -> Iterator[Setting]:
    """Settings whose limit is another policy than the equilibrium."""
    for beta in (0.05, 0.1):
        reference = skewed_policy(3, 3)
        yield Setting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), beta, reference=reference, step=largest_rate(beta))
    yield Setting(cycle(5), 0.1, reference=skewed_policy(5, 2), step=largest_rate(0.1))
    yield Setting(random_game(_random("uniform"), 10), 0.2, step=largest_rate(0.2))


def any_setting() -> "SearchStrategy[Setting]":
    """Any game and policies, and constant rates up to 1 / beta."""
    from rltheory.strategies import log_uniform

    return regularized_games(
        Setting, lambda beta: log_uniform(0.02 / beta, 1 / beta), policies=("reference", "start"), longest_cycle=21
    )


def any_decreasing_rate() -> "SearchStrategy[Setting]":
    """Any game and policies, for decreasing rates."""
    from hypothesis import strategies as st

    return regularized_games(Setting, lambda beta: st.just(2.0), policies=("reference", "start"))


def any_converging_rate() -> "SearchStrategy[Setting]":
    """Any game and policies, and constant rates of at most 4 beta', the largest being drawn often."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    def steps(beta: float) -> "SearchStrategy[float]":
        return st.just(largest_rate(beta)) | log_uniform(largest_rate(beta) / 2, largest_rate(beta))

    return regularized_games(Setting, steps, policies=("reference", "start"), lowest_beta=0.05, longest_cycle=21)


def divergence(s: Setting, trace: Trace) -> Array:
    """K_t at the recorded times."""
    return kl(s.log_equilibrium, trace["log_policy"])


def next_divergence(s: Setting, trace: Trace) -> Array:
    """K_{t+1} at the recorded times."""
    return kl(s.log_equilibrium, trace["log_next"])


def mixed_divergence(s: Setting, trace: Trace) -> Array:
    """KL of the equilibrium at temperature beta' to the mixture."""
    return kl(s.log_mixed_equilibrium, trace["log_mixture"])


def recursion(s: Setting, trace: Trace, factor: float) -> Array:
    """(1 - eta beta) K_t + factor * eta^2."""
    return max(1 - s.step * s.beta, 0.0) * divergence(s, trace) + factor * s.step**2


def decreasing_rounding(s: Setting) -> float:
    """Allowance for a divergence at decreasing rates, which remember no more than the smallest of them would."""
    return replace(s, step=2 / (s.beta * (HORIZON + 2))).kl_rounding


def log_limit(s: Setting, trace: Trace) -> Array:
    """Logarithm of the best response at temperature beta to the equilibrium at temperature beta'."""
    response = best_response(s.game, s.log_mixed_equilibrium, s.beta, s.log_reference)
    return np.broadcast_to(response, trace["log_policy"].shape)


def is_another_policy(s: Setting, trace: Trace) -> NDArray[np.bool_]:
    """Whether the run stands still, and elsewhere than at the equilibrium."""
    still = span(trace["log_next"] - trace["log_policy"]) <= 4 * s.resolution
    return still & (divergence(s, trace) > BIASED)


RATE_IN_RANGE: Hypotheses = {"$0 < \\eta \\le 1 / \\beta$": lambda s: s.step * s.beta <= 1 + 1e-12}
CONVERGING: Hypotheses = {
    "$0 < \\eta < 1 / \\beta$": lambda s: s.step * s.beta < 1,
    "$\\eta \\le 4 \\beta'$": lambda s: s.step * (1 - s.step * s.beta) <= 4 * s.beta * (1 + 1e-12),
}

MIXTURE = "$\\mathrm{mix} \\propto \\pi^{1-s} \\mu^s$ with normaliser $Z = \\sum_a \\pi(a)^{1-s} \\mu(a)^s$; $0 \\le s \\le 1$"
POLICIES = "; $u$, $\\pi$: any policies with full support"
TILTED = "$\\pi^+ \\propto \\pi\\, e^\\delta$ for any vector $\\delta$" + POLICIES
ITERATES = (
    "$\\pi_t$: the iterates; $\\pi^*$: the equilibrium of the game with temperature $\\beta$ (the paper's $\\tau$) and "
    "reference $\\mu$; $K_t = \\mathrm{KL}(\\pi^* \\| \\pi_t)$; "
)
CONSTANT = ITERATES + "$\\eta$: the rate of this iteration"
DECREASING = ITERATES + "with rates $\\eta_t = 2 / (\\beta (t + 2))$ from $t = 0$, whatever the setting says"
MIXED = (
    "$\\sigma_t \\propto \\pi_t^{1 - \\eta \\beta} \\mu^{\\eta \\beta}$: the mixtures; "
    "$\\beta' = \\beta / (1 - \\eta \\beta)$; $\\pi^*_\\beta$: the equilibrium with temperature $\\beta$"
)
RESPONSE = "; $\\mathrm{BR}_\\beta(\\pi) \\propto \\mu\\, e^{P \\pi / \\beta}$: the best response"
LEMMA = Paper(PAPER, "Lemma 1; exact form derived here")
LARGER_SHARE = {"a larger share than declared": draw_with_larger_share}
LARGER_GAIN = {"a gain larger by a tenth": draw_with_larger_gain}

MIXTURE_NORMALIZER = Theorem(
    name="nash-md/mixture-normalizer",
    title="What normalises a geometric mixture is its average divergence from what it mixes",
    paper=LEMMA,
    standing=Standing.DERIVED,
    statement=r"-\log Z = s\, \mathrm{KL}(\mathrm{mix} \| \mu) + (1 - s)\, \mathrm{KL}(\mathrm{mix} \| \pi)",
    symbols=MIXTURE + "; $\\pi$: any policy with full support",
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_mixtures,
    measured=lambda s, trace: -log_normalizer(s, trace),
    bound=lambda s, trace: average_divergence(s, trace, trace["mixture"]),
    settings=munos2024.grid,
    strategy=munos2024.any_setting,
    controls=LARGER_SHARE,
)

MIXTURE_DIVERGENCE = Theorem(
    name="nash-md/mixture-divergence",
    title="The divergence to a geometric mixture is the average divergence, less what normalises it",
    paper=LEMMA,
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(u \| \mathrm{mix}) = s\, \mathrm{KL}(u \| \mu) + (1 - s)\, \mathrm{KL}(u \| \pi) + \log Z",
    symbols=MIXTURE + POLICIES,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_mixtures,
    measured=lambda s, trace: kl(trace["other"], trace["mixture"]),
    bound=lambda s, trace: average_divergence(s, trace, trace["other"]) + log_normalizer(s, trace),
    settings=munos2024.grid,
    strategy=munos2024.any_setting,
    controls=LARGER_SHARE,
)

MIXTURE_LEMMA = Theorem(
    name="nash-md/mixture",
    title="A geometric mixture is no farther than the average",
    paper=Paper(PAPER, "Lemma 1"),
    standing=Standing.SEEN,
    statement=r"\mathrm{KL}(u \| \mathrm{mix}) + s\, \mathrm{KL}(\mathrm{mix} \| \mu) \le s\, \mathrm{KL}(u \| \mu) + (1 - s)\, \mathrm{KL}(u \| \pi)",
    symbols=MIXTURE + POLICIES + "; in the algorithm $s = \\eta \\beta$",
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME,
    run=draw_mixtures,
    measured=lambda s, trace: (
        kl(trace["other"], trace["mixture"]) + trace["share"] * kl(trace["mixture"], s.log_reference)
    ),
    bound=lambda s, trace: average_divergence(s, trace, trace["other"]),
    settings=munos2024.grid,
    strategy=munos2024.any_setting,
    controls=LARGER_SHARE,
    remark="What is missing for equality is $(1 - s)\\, \\mathrm{KL}(\\mathrm{mix} \\| \\pi)$.",
)

TILT_LEMMA = Theorem(
    name="nash-md/exponential-weights",
    title="Exponential weights come closer by what they gain, up to a square",
    paper=Paper(PAPER, "Lemma 2"),
    standing=Standing.SEEN,
    statement=r"\mathrm{KL}(u \| \pi^+) - \mathrm{KL}(u \| \pi) - \langle \pi - u, \delta \rangle \le 2 \|\delta\|_\infty^2",
    symbols=TILTED,
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_mixtures,
    measured=lambda s, trace: excess_of_tilt(trace),
    bound=lambda s, trace: 2 * np.abs(trace["gain"]).max(axis=-1) ** 2,
    settings=munos2024.grid,
    strategy=munos2024.any_setting,
    controls=LARGER_GAIN,
    remark="Four times what is needed, since $\\mathrm{span}(\\delta) \\le 2 \\|\\delta\\|_\\infty$.",
)

TILT_LEMMA_BY_SPAN = Theorem(
    name="nash-md/exponential-weights-by-span",
    title="That square is at most an eighth of the squared span",
    paper=Paper(PAPER, "Lemma 2; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(u \| \pi^+) - \mathrm{KL}(u \| \pi) - \langle \pi - u, \delta \rangle \le \tfrac18\, \mathrm{span}(\delta)^2",
    symbols=TILTED,
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_mixtures,
    measured=lambda s, trace: excess_of_tilt(trace),
    bound=lambda s, trace: span(trace["gain"]) ** 2 / 8,
    settings=munos2024.grid,
    strategy=munos2024.any_setting,
    controls=LARGER_GAIN,
    remark="Hoeffding's lemma. It is attained by small $\\delta$ that take two values with probability one half each.",
)

ONE_STEP = Theorem(
    name="nash-md/one-step",
    title="Each iteration shrinks the divergence, up to the square of the rate",
    paper=Paper(PAPER, "Theorem 1"),
    standing=Standing.SEEN,
    statement=r"K_{t+1} \le (1 - \eta \beta)\, K_t + 2 \eta^2",
    symbols=CONSTANT,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | RATE_IN_RANGE,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: recursion(s, trace, 2),
    settings=grid,
    strategy=any_setting,
    controls=NO_PAYOFFS | LITTLE_REFERENCE,
)

ONE_STEP_IMPROVED = Theorem(
    name="nash-md/one-step-improved",
    title="An eighth of the square of the rate is enough",
    paper=Paper(PAPER, "Theorem 1; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"K_{t+1} \le (1 - \eta \beta)\, K_t + \tfrac18 \eta^2",
    symbols=CONSTANT,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | RATE_IN_RANGE,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: recursion(s, trace, 1 / 8),
    settings=grid,
    strategy=any_setting,
    controls=NO_PAYOFFS | LITTLE_REFERENCE,
    remark="Sixteen times less than the paper's $2 \\eta^2$: win rates lie in $[0, 1]$, so that their span is at most 1. Where "
    "the divergence is small a search found no need for more than a third of it: the proof drops a divergence.",
)

RATE = Theorem(
    name="nash-md/rate",
    title="With decreasing rates the divergence falls as 1 / T",
    paper=Paper(PAPER, "Theorem 1"),
    standing=Standing.SEEN,
    statement=r"K_T \le \frac{8}{\beta^2 (T + 1)}",
    symbols=DECREASING,
    kind=EveryStep(rounding=decreasing_rounding),
    hypotheses=GAME,
    run=play_decreasing,
    measured=divergence,
    bound=lambda s, trace: 8 / (s.beta**2 * (trace.times + 1)),
    since=1,
    settings=decreasing_grid,
    strategy=any_decreasing_rate,
    controls=NO_PAYOFFS_DECREASING,
    rate=PowerLaw(lambda s: -1.0),
    remark="The schedule forgets the start at once, $\\eta_0 \\beta = 1$. The constant is loose by two orders of magnitude, "
    "and near the equilibrium the divergence falls as $1 / T^2$: the mixture is then off by $1 / T$.",
)

RATE_IMPROVED = Theorem(
    name="nash-md/rate-improved",
    title="The constant of that rate is sixteen times smaller",
    paper=Paper(PAPER, "Theorem 1; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"K_T \le \frac{1}{2 \beta^2 (T + 1)}",
    symbols=DECREASING,
    kind=EveryStep(rounding=decreasing_rounding),
    hypotheses=GAME,
    run=play_decreasing,
    measured=divergence,
    bound=lambda s, trace: 1 / (2 * s.beta**2 * (trace.times + 1)),
    since=1,
    settings=decreasing_grid,
    strategy=any_decreasing_rate,
    controls=NO_PAYOFFS_DECREASING | {"the rate does not decrease": play_best_responses},
    rate=PowerLaw(lambda s: -1.0),
)

MIXTURE_IS_MAGNETIC = Theorem(
    name="nash-md/mixture-is-magnetic",
    title="At a constant rate, the mixture is magnetic mirror descent at a higher temperature",
    paper=Paper(PAPER, "the algorithm; equivalence derived here"),
    standing=Standing.DERIVED,
    statement=r"\sigma_{t+1} = \mathrm{arg\,max}_\pi\; \langle \pi, P \sigma_t \rangle - \beta'\, \mathrm{KL}(\pi \| \mu) - \tfrac{1}{\eta} \mathrm{KL}(\pi \| \sigma_t)",
    symbols=MIXED
    + "; compared are the iterates of both runs, by $-\\log$ of the probability on which they differ most",
    kind=Identity(rounding=lambda s: s.resolution),
    hypotheses=GAME | CONVERGING,
    run=play_both,
    measured=lambda s, trace: at_largest_difference(trace["log_mixture"], trace["log_magnetic"]),
    bound=lambda s, trace: at_largest_difference(trace["log_magnetic"], trace["log_mixture"]),
    settings=converging_grid,
    strategy=any_converging_rate,
    controls={"magnetic mirror descent at temperature beta": play_both_at_beta},
    remark="True for every constant rate below $1 / \\beta$; larger ones than $4 \\beta'$ may amplify rounding.",
)

CONSTANT_RATE = Theorem(
    name="nash-md/constant-rate",
    title="At a constant rate the mixture converges geometrically, to the equilibrium of a higher temperature",
    paper=Paper(PAPER, "the algorithm; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^*_{\beta'} \| \sigma_t) \le (1 - \eta \beta)^t\, \mathrm{KL}(\pi^*_{\beta'} \| \sigma_0)",
    symbols=MIXED,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | CONVERGING,
    run=play,
    measured=mixed_divergence,
    bound=lambda s, trace: (1 - s.step * s.beta) ** trace.times * mixed_divergence(s, trace)[0],
    since=1,
    settings=converging_grid,
    strategy=any_converging_rate,
    controls=NO_PAYOFFS | LITTLE_REFERENCE,
    rate=Geometric(lambda s: 1 - s.step * s.beta),
)

CONSTANT_RATE_LIMIT = Theorem(
    name="nash-md/constant-rate-limit",
    title="At a constant rate the policy converges to a best response, not to the equilibrium",
    paper=Paper(PAPER, "the algorithm; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\lim_t \pi_t = \mathrm{BR}_\beta(\pi^*_{\beta'})",
    symbols=MIXED
    + RESPONSE
    + "; compared are the last iterate and this response, by $-\\log$ of the probability on which they differ most",
    kind=Identity(rounding=lambda s: s.resolution / s.beta),
    hypotheses=GAME | CONVERGING,
    run=play_to_limit,
    measured=lambda s, trace: at_largest_difference(trace["log_policy"], log_limit(s, trace)),
    bound=lambda s, trace: at_largest_difference(log_limit(s, trace), trace["log_policy"]),
    settings=converging_grid,
    strategy=any_converging_rate,
    controls={"the rate is nine tenths of what is said": play_at_other_rate},
    remark="The policy answers the mixture, and the mixture plays a game of temperature $\\beta' > \\beta$. The two "
    "errors cancel in games of additive preferences, where the best response to any policy is the equilibrium.",
)

CONSTANT_RATE_BIAS = Theorem(
    name="nash-md/constant-rate-bias",
    title="At a constant rate Nash-MD may stand still elsewhere than at the equilibrium",
    paper=Paper(PAPER, "the algorithm; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\lim_t \mathrm{KL}(\pi^*_\beta \| \pi_t) > 10^{-6}",
    symbols=MIXED,
    kind=Existence(),
    hypotheses=GAME | CONVERGING,
    run=play_to_limit,
    measured=is_another_policy,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=biased_grid,
    controls={"the opponent is the policy": play_against_policy},
    remark="What a constant rate leaves is $\\mathrm{KL}(\\pi^*_\\beta \\| \\mathrm{BR}_\\beta(\\pi^*_{\\beta'}))$, "
    "of the order of the squared rate; decreasing rates make it vanish.",
)
