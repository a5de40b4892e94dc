r"""SPPO: Hedge against itself, with a normaliser that is replaced by its leading term.

The update is :math:`\pi_{t+1} = \pi_t\, e^{\eta P \pi_t} / Z_t`. Regression needs :math:`\log Z_t`, for which the paper
puts :math:`\eta / 2`; the statements below say how far off that is.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import Array
from rltheory.instances import (
    bradley_terry,
    cycle,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    sure_winner,
    weighted_rock_paper_scissors,
)
from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games.swamy2024 import (
    GAME,
    MEAN,
    RateSetting,
    Setting,
    exploitability_of_mean,
    play_at,
    play_tuned,
    settings_of,
)
from rltheory.theory import EveryStep, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "wu2024"


def play(s: RateSetting, rng: np.random.Generator) -> Trace:
    """Run SPPO with exact normalisers; the opponent is the policy itself."""
    trace = play_at(s, s.rate)
    return _against(trace, trace["log_policy"])


def _against(trace: Trace, log_opponent: Array) -> Trace:
    return replace(trace, values={**trace.values, "log_opponent": (("time", "action"), log_opponent)})


# Wrong runs, to be told from right ones.


def play_against_the_first(s: RateSetting, rng: np.random.Generator) -> Trace:
    """Win rates are those against the first policy."""
    trace = play(s, rng)
    return _against(trace, np.broadcast_to(s.log_start, trace["log_policy"].shape))


def play_tuned_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return play_tuned(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_against_the_next(s: RateSetting, rng: np.random.Generator) -> Trace:
    """Win rates are those against the next policy."""
    trace = play(s, rng)
    return _against(trace, trace["log_next"])


def grid() -> Iterator[RateSetting]:
    """Rates from small to large, on orders, cycles and random games."""

    def rng(name: str) -> np.random.Generator:
        return stream(0, "sppo", name)

    yield RateSetting(sure_winner(), None, 200, rate=1.0)
    yield RateSetting(bradley_terry(np.linspace(0, 2000, 50)), None, 200, rate=0.1, note="sure order")
    yield RateSetting(bradley_terry(np.linspace(0, 30, 20)), None, 200, rate=10.0)
    yield RateSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), None, 200, rate=0.5)
    yield RateSetting(cycle(21), skewed_policy(21, 6), 200, rate=2.0, note="skewed start")
    yield RateSetting(random_game(rng("uniform"), 10), None, 200, rate=0.1)
    yield RateSetting(random_tournament(rng("tournament"), 20), None, 200, rate=1.0)
    yield RateSetting(recorded_game("llmfao_59"), None, 200, rate=1.0)


def mixture_grid() -> Iterator[Setting]:
    """Horizons long enough for the exploitability to settle on a rate."""
    yield Setting(sure_winner(), horizon=2000)
    yield Setting(recorded_game("llmfao_59"), horizon=2000)
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), horizon=2000)
    yield Setting(random_game(stream(0, "sppo", "uniform"), 10), horizon=2000)
    yield Setting(random_tournament(stream(0, "sppo", "tournament"), 20), horizon=2000)


def any_setting() -> "SearchStrategy[RateSetting]":
    """Any game, any start and rates of every size."""
    from rltheory.strategies import adverse_games, log_uniform

    return settings_of(RateSetting, adverse_games(longest_cycle=21), rate=log_uniform(0.01, 10))


def excess(s: RateSetting, trace: Trace) -> Array:
    """What log Z_t is above eta / 2."""
    values = np.exp(trace["log_opponent"]) @ s.game.payoff.T
    excesses: Array = np.logaddexp.reduce(trace["log_policy"] + s.rate * values, axis=1)
    return excesses


def uniform_excess(rate: float) -> float:
    """Logarithm of the mean of exp(eta U), above eta / 2, for U uniform on [0, 1]."""
    return rate / 2 + math.log(-math.expm1(-rate) / rate)


SYMBOLS = (
    "$\\pi_t$: the iterates; $\\eta$: the rate; $Z_t = \\sum_a \\pi_t(a)\\, e^{\\eta (P \\pi_t)_a}$: the normaliser"
)

NORMALIZER_LOWER = Theorem(
    name="sppo/normalizer-lower",
    title="The approximate normaliser is too small, never too large",
    paper=Paper(PAPER, "the approximation of the log-partition factor"),
    standing=Standing.DERIVED,
    statement=r"\frac{\eta}{2} \le \log Z_t",
    symbols=SYMBOLS,
    kind=EveryStep(rounding=lambda s: s.log_rounding),
    hypotheses=GAME,
    run=play,
    measured=lambda s, trace: np.full(trace.times.size, s.rate / 2),
    bound=lambda s, trace: s.rate / 2 + excess(s, trace),
    settings=grid,
    strategy=any_setting,
    controls={"win rates against the next policy": play_against_the_next},
)

NORMALIZER_UPPER = Theorem(
    name="sppo/normalizer-upper",
    title="The approximate normaliser is off by the square of the rate at most",
    paper=Paper(PAPER, "the approximation of the log-partition factor"),
    standing=Standing.DERIVED,
    statement=r"\log Z_t - \frac{\eta}{2} \le \frac{\eta^2}{8}",
    symbols=SYMBOLS,
    kind=EveryStep(rounding=lambda s: s.log_rounding),
    hypotheses=GAME,
    run=play,
    measured=excess,
    bound=lambda s, trace: np.full(trace.times.size, s.rate**2 / 8),
    trivial=lambda s: s.rate / 2,
    settings=grid,
    strategy=any_setting,
    controls={"win rates against the first policy": play_against_the_first},
    remark="A third of the bound is the most that can be reached: see `sppo/normalizer`.",
)

NORMALIZER = Theorem(
    name="sppo/normalizer",
    title="No normaliser is larger than that of uniform win rates",
    paper=Paper(PAPER, "the approximation of the log-partition factor; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"\log Z_t - \frac{\eta}{2} \le \log \frac{\sinh(\eta / 2)}{\eta / 2} \le \frac{\eta^2}{24}",
    symbols=SYMBOLS + "; the measured bound is the one in the middle",
    kind=EveryStep(rounding=lambda s: s.log_rounding),
    hypotheses=GAME,
    run=play,
    measured=excess,
    bound=lambda s, trace: np.full(trace.times.size, uniform_excess(s.rate)),
    trivial=lambda s: s.rate / 2,
    settings=grid,
    strategy=any_setting,
    controls={"win rates against the first policy": play_against_the_first},
    remark="Win rates against the policy that plays are less spread than the uniform distribution on $[0, 1]$ (Landau's "
    "condition on the scores of a tournament). A sure order of many actions comes as close to it as one likes.",
)

MIXTURE = Theorem(
    name="sppo/mixture",
    title="The paper's rate for the average policy",
    paper=Paper(PAPER, "convergence of the average policy"),
    standing=Standing.RECALLED,
    statement=r"\eta = \Theta(1 / \sqrt T) \implies \max_u P(u \succ \bar\pi_T) - \min_u P(\bar\pi_T \succ u) = O(1 / \sqrt T)",
    symbols=MEAN + "; the left side, the duality gap, is twice that",
    kind=EveryStep(rounding=lambda s: 2 * s.rounding),
    hypotheses=GAME,
    run=play_tuned,
    measured=lambda s, trace: 2 * exploitability_of_mean(s, trace),
    bound=lambda s, trace: 1 / np.sqrt(trace.times),
    settings=mixture_grid,
    controls={"payoffs ignored": play_tuned_ignoring_payoffs},
    rate=PowerLaw(lambda s: -0.5),
    remark="With constants it is `spo/hedge`, doubled. The rate here is $\\sqrt{8 \\log n / T}$.",
)
