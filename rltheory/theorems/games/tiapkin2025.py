r"""Nash mirror prox converges geometrically, last iterate and all, whatever the number of actions.

Throughout, :math:`K_k = \mathrm{KL}(\pi^* \| \pi_k)`, :math:`h_k = \pi_{k+1/2}`,
:math:`q = 1 / (1 + \gamma \beta)`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import nash_mirror_prox
from rltheory.algorithms.games.nash_mirror_prox import largest_step
from rltheory.arrays import Array
from rltheory.instances import (
    additive,
    bradley_terry,
    condorcet,
    cycle,
    efron_dice,
    low_rank,
    planted_reference,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    sure_winner,
    weighted_rock_paper_scissors,
)
from rltheory.measures import kl, l1, regularized_exploitability
from rltheory.problems import PreferenceGame
from rltheory.simplex import span
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import EXPLOITABILITY, GAME, Hypotheses, PolicyRun, regularized_games
from rltheory.theory import EveryStep, Geometric, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "tiapkin2025"
HALF_ITERATE = 3 + 2 * math.sqrt(2)


class Setting(PolicyRun):
    """A run of Nash mirror prox on a regularised game."""

    @property
    def iterations(self) -> int:
        """Enough for the bound on the divergence to fall by exp(-70), to 1e-30: beyond what rounding leaves."""
        return math.ceil(70 / math.log1p(self.step * self.beta))


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the algorithm as the theorems say."""
    return nash_mirror_prox(
        s.game, beta=s.beta, iterations=s.iterations, step=s.step, reference=s.reference, start=s.start
    )


def play_with_largest_step(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the algorithm with the largest admissible step, whatever the setting's."""
    return play(replace(s, step=largest_step(s.beta)), rng)


# Wrong runs, to be told from right ones. Each keeps the setting's horizon and start.


def play_with_step_4(s: Setting, rng: np.random.Generator) -> Trace:
    """Step beyond the proved range; long cycles then amplify."""
    return nash_mirror_prox(
        s.game, beta=s.beta, iterations=s.iterations, step=4.0, reference=s.reference, start=s.start
    )


def play_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return play(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_without_reference(s: Setting, rng: np.random.Generator) -> Trace:
    """The prox step forgets the term of the reference, as if it were uniform."""
    start = np.exp(s.log_reference) if s.start is None else s.start
    return play(replace(s, reference=None, start=start), rng)


def play_with_wrong_weight(s: Setting, rng: np.random.Generator) -> Trace:
    """The weight q is too large by a factor of 1.001, at the same step."""
    wrong_beta = (1 / min(1.001 * s.keep, 0.9999) - 1) / s.step
    return nash_mirror_prox(
        s.game, beta=wrong_beta, iterations=s.iterations, step=s.step, reference=s.reference, start=s.start
    )


STEP_4 = {"step 4 on a long cycle": play_with_step_4}
NO_PAYOFFS = {"payoffs ignored": play_ignoring_payoffs}
NO_REFERENCE = {"prox without reference": play_without_reference}
WRONG_WEIGHT = {"weight q wrong by 1e-3": play_with_wrong_weight}


def grid() -> Iterator[Setting]:
    """Games of every kind, from easy to adverse, with starts and references from uniform to extreme."""

    def rng(*address: object) -> np.random.Generator:
        return stream(0, "nash-mp", *address)

    yield Setting(
        weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.1, reference=skewed_policy(3, 3), note="skewed reference"
    )
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.02)
    yield Setting(efron_dice(), 0.05, step=1.0)
    wave = 1 + 0.5 * np.cos(2 * np.pi * np.arange(101) / 101)
    yield Setting(cycle(101), 0.01, start=wave / 101, note="start on a wave")
    yield Setting(cycle(5), 0.1, step=largest_step(0.1), start=skewed_policy(5, 4), note="skewed start")
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.02)
    yield Setting(additive(np.linspace(0, 0.5, 7)), 0.1, step=largest_step(0.1), start=skewed_policy(7, 30))
    yield Setting(condorcet(rng("condorcet"), 10, 0.2), 0.1)
    yield Setting(random_game(rng("uniform"), 10), 0.1)
    yield Setting(random_game(rng("uniform large"), 50), 0.5, reference=skewed_policy(50, 8), note="skewed reference")
    yield Setting(random_tournament(rng("tournament"), 20), 0.05, step=largest_step(0.05))
    yield Setting(low_rank(rng("low rank"), 50), 0.02)
    yield Setting(PreferenceGame.indifferent(5), 0.1, start=skewed_policy(5, 30), note="start at a corner")
    yield Setting(PreferenceGame.indifferent(2), 1.0, start=skewed_policy(2, 600), note="start at a corner")
    yield Setting(sure_winner(), 0.01, reference=skewed_policy(2, 45)[::-1], note="winner rare in the reference")
    planted = random_game(rng("planted"), 10)
    equilibrium = rng("planted equilibrium").dirichlet(np.ones(10))
    near = equilibrium * (1 + 1e-4 * np.cos(np.arange(10)))
    yield Setting(
        planted,
        1.0,
        reference=planted_reference(planted, equilibrium, 1.0),
        start=near / near.sum(),
        note="start near the equilibrium",
    )
    yield Setting(recorded_game("llmfao_59"), 0.1)
    yield Setting(recorded_game("llmfao_59"), 0.02)


def grid_up_to_step_2() -> Iterator[Setting]:
    """Settings with steps of at most 2."""
    return (s for s in grid() if s.step <= 2)


def grid_step_2() -> Iterator[Setting]:
    """Settings with step 2."""
    return (s for s in grid() if s.step == 2)


def grid_step_2_from_reference() -> Iterator[Setting]:
    """Settings with step 2 that start at the reference."""
    return (s for s in grid() if s.step == 2 and s.from_reference)


def any_setting(largest: Callable[[float], float] = largest_step) -> "SearchStrategy[Setting]":
    """Any game, any policies, and steps up to the largest, which is itself drawn often."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    def steps(beta: float) -> "SearchStrategy[float]":
        return st.just(largest(beta)) | log_uniform(largest(beta) / 2, largest(beta))

    return regularized_games(Setting, steps, policies=("reference", "start"))


def any_setting_up_to_step_2() -> "SearchStrategy[Setting]":
    """Any game, any policies, and steps of at most 2."""
    return any_setting(lambda beta: 2.0)


def any_setting_with_step_2(policies: tuple[str, ...] = ("reference", "start")) -> "SearchStrategy[Setting]":
    """Any game, any policies, and step 2."""
    from hypothesis import strategies as st

    return regularized_games(Setting, lambda beta: st.just(2.0), policies=policies)


def any_setting_with_step_2_from_reference() -> "SearchStrategy[Setting]":
    """Any game, any reference where the run starts, and step 2."""
    return any_setting_with_step_2(policies=("reference",))


def divergence(s: Setting, trace: Trace) -> Array:
    """K_k at the recorded times."""
    return kl(s.log_equilibrium, trace["log_policy"])


def next_divergence(s: Setting, trace: Trace) -> Array:
    """K_{k+1} at the recorded times."""
    return kl(s.log_equilibrium, trace["log_next"])


def exploitability_of(s: Setting, log_policy: Array) -> Array:
    """Exploitability in the regularised game."""
    return regularized_exploitability(s.game, log_policy, s.beta, s.log_reference)


def span_to_equilibrium(s: Setting, log_policy: Array) -> Array:
    """Span of log pi - log pi*."""
    return span(log_policy - s.log_equilibrium)


ADMISSIBLE_STEP: Hypotheses = {
    "$0 < \\gamma \\le 2 \\beta + 2 \\sqrt{1 + \\beta^2}$": lambda s: s.step <= largest_step(s.beta) * (1 + 1e-12)
}
STEP_AT_MOST_2: Hypotheses = {"$0 < \\gamma \\le 2$": lambda s: s.step <= 2}
STEP_2: Hypotheses = {"$\\gamma = 2$": lambda s: s.step == 2}
START_AT_REFERENCE: Hypotheses = {"$\\pi_0 = \\mu$": lambda s: s.from_reference}

ITERATES = (
    "$\\pi_k$: the iterates; $\\pi^*$: the equilibrium of the game with temperature $\\beta$ and reference $\\mu$; "
    "$K_k = \\mathrm{KL}(\\pi^* \\| \\pi_k)$; $\\gamma$: the step size"
)
WITH_HALF = ITERATES + "; $h_k = \\pi_{k+1/2}$: the half iterate"

ONE_STEP = Theorem(
    name="nash-mp/one-step",
    title="Each iteration descends, and pays for the distance it moves",
    paper=Paper(PAPER, "one-step inequality behind the linear rate"),
    standing=Standing.DERIVED,
    statement=r"\Bigl(\frac{1}{\gamma} + \beta\Bigr) K_{k+1} + \beta\, \mathrm{KL}(h_k \| \pi^*)"
    r" + \Bigl(\frac{1}{\gamma} - \frac{\gamma q}{4}\Bigr) \mathrm{KL}(h_k \| \pi_k) \le \frac{1}{\gamma} K_k",
    symbols=WITH_HALF + "; $q = 1 / (1 + \\gamma \\beta)$",
    kind=EveryStep(rounding=lambda s: (1 / s.step + 2 * s.beta) * s.kl_rounding),
    hypotheses=GAME | ADMISSIBLE_STEP,
    run=play,
    measured=lambda s, trace: (
        (1 / s.step + s.beta) * next_divergence(s, trace)
        + s.beta * kl(trace["log_half"], s.log_equilibrium)
        + (1 / s.step - s.step * s.keep / 4) * kl(trace["log_half"], trace["log_policy"])
    ),
    bound=lambda s, trace: divergence(s, trace) / s.step,
    settings=grid,
    strategy=any_setting,
    controls=STEP_4 | NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
    remark="The last coefficient is $\\ge 0$ exactly for the admissible steps, which is where their range comes from.",
)

KL_ONE_STEP = Theorem(
    name="nash-mp/kl-one-step",
    title="Each iteration shrinks the divergence by the stated factor",
    paper=Paper(PAPER, "linear rate of the last iterate, abstract"),
    standing=Standing.DERIVED,
    statement=r"K_{k+1} \le \frac{1}{1 + \gamma \beta}\, K_k",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | ADMISSIBLE_STEP,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: s.keep * divergence(s, trace),
    settings=grid,
    strategy=any_setting,
    controls=STEP_4 | NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
    remark="The factor is attained in the limit of very skewed starts, where the divergence is linear in the log-odds.",
)

KL = Theorem(
    name="nash-mp/kl",
    title="The divergence to the equilibrium shrinks geometrically",
    paper=Paper(PAPER, "linear rate of the last iterate, abstract"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \pi_k) \le (1 + \gamma \beta)^{-k}\, \mathrm{KL}(\pi^* \| \pi_0)",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | ADMISSIBLE_STEP,
    run=play,
    measured=divergence,
    bound=lambda s, trace: s.keep**trace.times * divergence(s, trace)[0],
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=STEP_4 | NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
    rate=Geometric(lambda s: s.keep),
    remark="With $\\gamma = 2$ and $N = 2k$ queries this is the abstract's $(1 + 2\\beta)^{-N/2}$. Near the "
    "equilibrium the divergence is quadratic, and slow modes shrink by $q^2$ instead of $q$: expect twice the slope.",
)

KL_FROM_REFERENCE = Theorem(
    name="nash-mp/kl-from-reference",
    title="From the reference, the divergence is bounded without any unknown",
    paper=Paper(PAPER, "linear rate of the last iterate, abstract"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \pi_k) \le \frac{(1 + 2 \beta)^{-k}}{2 \beta}",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | STEP_2 | START_AT_REFERENCE,
    run=play,
    measured=divergence,
    bound=lambda s, trace: s.keep**trace.times / (2 * s.beta),
    settings=grid_step_2_from_reference,
    strategy=any_setting_with_step_2_from_reference,
    controls=NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
    rate=Geometric(lambda s: s.keep),
)

KL_LARGEST_STEP = Theorem(
    name="nash-mp/kl-largest-step",
    title="The largest admissible step gives the best proved rate",
    paper=Paper(PAPER, "linear rate of the last iterate, at another step"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \pi_k) \le \bigl(\sqrt{1 + \beta^2} - \beta\bigr)^{2k}\, \mathrm{KL}(\pi^* \| \pi_0)",
    symbols=ITERATES + ", here $2 \\beta + 2 \\sqrt{1 + \\beta^2}$ whatever the setting says",
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME,
    run=play_with_largest_step,
    measured=divergence,
    bound=lambda s, trace: np.exp(-2 * trace.times * math.asinh(s.beta)) * divergence(s, trace)[0],
    since=1,
    settings=grid_step_2,
    strategy=any_setting_with_step_2,
    controls=STEP_4 | NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
    rate=Geometric(lambda s: math.exp(-2 * math.asinh(s.beta))),
    remark="The factor equals $e^{-2\\,\\mathrm{asinh}(\\beta)}$, smaller than $1/(1 + 2\\beta)$.",
)

HALF_FORWARD = Theorem(
    name="nash-mp/half-iterate",
    title="The half iterate is as close as the iterate, up to a constant",
    paper=Paper(PAPER, "step of the proof"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| h_k) \le (3 + 2 \sqrt 2)\, K_k",
    symbols=WITH_HALF,
    kind=EveryStep(rounding=lambda s: 8 * s.kl_rounding),
    hypotheses=GAME | STEP_AT_MOST_2,
    run=play,
    measured=lambda s, trace: kl(s.log_equilibrium, trace["log_half"]),
    bound=lambda s, trace: HALF_ITERATE * divergence(s, trace),
    settings=grid_up_to_step_2,
    strategy=any_setting_up_to_step_2,
    controls=NO_PAYOFFS,
)

HALF_BACKWARD = Theorem(
    name="nash-mp/half-iterate-reverse",
    title="The reverse divergence of the half iterate is bounded as well",
    paper=Paper(PAPER, "step of the proof"),
    standing=Standing.DERIVED,
    statement=r"\beta\, \mathrm{KL}(h_k \| \pi^*) \le \frac{1}{\gamma} K_k",
    symbols=WITH_HALF,
    kind=EveryStep(rounding=lambda s: (1 / s.step + s.beta) * s.kl_rounding),
    hypotheses=GAME | ADMISSIBLE_STEP,
    run=play,
    measured=lambda s, trace: s.beta * kl(trace["log_half"], s.log_equilibrium),
    bound=lambda s, trace: divergence(s, trace) / s.step,
    settings=grid,
    strategy=any_setting,
    controls=NO_PAYOFFS | WRONG_WEIGHT,
    remark="It follows from the one-step descent, hence for every admissible step and not only up to 2.",
)

EXPLOITABILITY_HALF = Theorem(
    name="nash-mp/exploitability-half",
    title="The half iterate is hardly exploitable",
    paper=Paper(PAPER, "linear rate of the exploitability gap, abstract"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(h_k) \le \Bigl(\frac12 + \frac{3 + 2 \sqrt 2}{4 \beta}\Bigr) K_k",
    symbols=WITH_HALF + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: (1 + 2 / s.beta) * s.kl_rounding),
    hypotheses=GAME | STEP_2,
    run=play,
    measured=lambda s, trace: exploitability_of(s, trace["log_half"]),
    bound=lambda s, trace: (1 / 2 + HALF_ITERATE / (4 * s.beta)) * divergence(s, trace),
    settings=grid_step_2,
    strategy=any_setting_with_step_2,
    controls=NO_PAYOFFS,
)

EXPLOITABILITY_STEP = Theorem(
    name="nash-mp/exploitability",
    title="The next iterate is hardly exploitable",
    paper=Paper(PAPER, "linear rate of the exploitability gap, abstract"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(\pi_{k+1}) \le \Bigl(\frac32 + \sqrt 2\Bigr) K_k + \frac{1}{4 \beta} K_{k+1}",
    symbols=ITERATES + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: (4 + 1 / s.beta) * s.kl_rounding),
    hypotheses=GAME | STEP_2,
    run=play,
    measured=lambda s, trace: exploitability_of(s, trace["log_next"]),
    bound=lambda s, trace: (3 / 2 + math.sqrt(2)) * divergence(s, trace) + next_divergence(s, trace) / (4 * s.beta),
    settings=grid_step_2,
    strategy=any_setting_with_step_2,
    controls=NO_PAYOFFS,
)

EXPLOITABILITY_FROM_REFERENCE = Theorem(
    name="nash-mp/exploitability-from-reference",
    title="From the reference, the exploitability is bounded without any unknown",
    paper=Paper(PAPER, "linear rate of the exploitability gap, abstract"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(\pi_{k+1}) \le \Bigl(3 + \frac{1}{4 \beta}\Bigr) \frac{(1 + 2 \beta)^{-k}}{2 \beta}",
    symbols=ITERATES + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: (4 + 1 / s.beta) * s.kl_rounding),
    hypotheses=GAME | STEP_2 | START_AT_REFERENCE,
    run=play,
    measured=lambda s, trace: exploitability_of(s, trace["log_next"]),
    bound=lambda s, trace: (3 + 1 / (4 * s.beta)) * s.keep**trace.times / (2 * s.beta),
    settings=grid_step_2_from_reference,
    strategy=any_setting_with_step_2_from_reference,
    controls=NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
    rate=Geometric(lambda s: s.keep),
    trivial=lambda s: 0.5 + min(1.0, 1 / (8 * s.beta)),
    remark="The constant is loose by two orders of magnitude in practice; the rate is what it promises.",
)

SPAN_ONE_STEP = Theorem(
    name="nash-mp/span-one-step",
    title="Each iteration contracts the log-probabilities, up to the half iterate's distance",
    paper=Paper(PAPER, "linear rate of the span of log-probabilities, abstract"),
    standing=Standing.DERIVED,
    statement=r"s_{k+1} \le q\, \bigl(s_k + \gamma\, \|h_k - \pi^*\|_1\bigr)",
    symbols=WITH_HALF + "; $s_k = \\mathrm{span}(\\log \\pi_k - \\log \\pi^*)$; $q = 1 / (1 + \\gamma \\beta)$",
    kind=EveryStep(rounding=lambda s: 2 * s.resolution),
    hypotheses=GAME,
    run=play,
    measured=lambda s, trace: span_to_equilibrium(s, trace["log_next"]),
    bound=lambda s, trace: (
        s.keep * (span_to_equilibrium(s, trace["log_policy"]) + s.step * l1(s.log_equilibrium, trace["log_half"]))
    ),
    settings=grid,
    strategy=any_setting,
    controls=NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
)

SPAN = Theorem(
    name="nash-mp/span",
    title="All log-probabilities converge, uniformly and geometrically",
    paper=Paper(PAPER, "linear rate of the span of log-probabilities, abstract"),
    standing=Standing.DERIVED,
    statement=r"s_k \le q^k s_0 + \frac{\gamma \sqrt 2\, (1 + \sqrt 2)}{\sqrt{1 + \gamma \beta} - 1}\, \sqrt{K_0}\; q^{k/2}",
    symbols=ITERATES + "; $s_k = \\mathrm{span}(\\log \\pi_k - \\log \\pi^*)$; $q = 1 / (1 + \\gamma \\beta)$",
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=GAME | STEP_AT_MOST_2,
    run=play,
    measured=lambda s, trace: span_to_equilibrium(s, trace["log_policy"]),
    bound=lambda s, trace: (
        s.keep**trace.times * span_to_equilibrium(s, trace["log_policy"])[0]
        + s.step
        * math.sqrt(2)
        * (1 + math.sqrt(2))
        * np.sqrt(divergence(s, trace)[0])
        * s.keep ** (trace.times / 2)
        / (math.sqrt(1 + s.step * s.beta) - 1)
    ),
    settings=grid_up_to_step_2,
    strategy=any_setting_up_to_step_2,
    controls=NO_PAYOFFS | NO_REFERENCE | WRONG_WEIGHT,
    rate=Geometric(lambda s: math.sqrt(s.keep)),
    remark="The span is of the order of the square root of the divergence, hence half the exponent.",
)
