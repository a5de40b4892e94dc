r"""INPO: mirror descent with a magnet, which converges faster than its paper says, and further.

The paper's :math:`\tau` is the temperature :math:`\beta` here; :math:`\eta` is its inverse rate and
:math:`\gamma = 1 / (\eta - \beta)` the step size of the proximal map. Throughout,
:math:`K_t = \mathrm{KL}(\pi^* \| \pi_t)`.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import inpo, magnetic_mirror_descent
from rltheory.algorithms.games.inpo_regression import fit_values
from rltheory.arrays import Array, Matrix
from rltheory.instances import (
    additive,
    bradley_terry,
    cycle,
    efron_dice,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    sure_winner,
    weighted_rock_paper_scissors,
)
from rltheory.measures import kl, regularized_exploitability
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_normalize, span
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import (
    EXPLOITABILITY,
    GAME,
    Hypotheses,
    PolicyRun,
    RegularizedGame,
    regularized_games,
)
from rltheory.theory import EveryStep, Existence, Geometric, Identity, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "zhang2024"
LONGEST_RUN = 1000  # iterations of runs with a constant step
DECREASING_RUN = 1500  # iterations of runs with decreasing steps
HORIZONS = 2 ** np.arange(13)  # of runs whose rate is made for their length
WAVE = 1e-5  # height of the wave on which a large step is tried: second orders are 1e-10
DRAWS = 40  # policies on which losses are compared
WIDEST = 10.0  # largest standard deviation of their logits
EPS = float(np.finfo(np.float64).eps)


class Setting(PolicyRun):
    """A run of INPO on a regularised game."""

    @property
    def usual_step(self) -> float:
        """The largest step with a proved rate."""
        return 4 * self.beta

    @property
    def inverse_rate(self) -> float:
        """The paper's eta, in payoff."""
        return self.beta + 1 / self.step

    @property
    def iterations(self) -> int:
        """Enough for the bound on the divergence to fall by exp(-70), beyond what rounding leaves, or for a long run."""
        return min(math.ceil(70 / math.log1p(self.step * self.beta)), LONGEST_RUN)

    @property
    def distance_to_responses(self) -> float:
        """Largest possible divergence D of a best response from the reference: it costs beta D and gains 1 at most."""
        return min(1 / self.beta, -float(self.log_reference.min()))

    @property
    def loss_rounding(self) -> float:
        """Absolute allowance for losses: squares of differences of four logarithms, as large as in the widest draws."""
        return 128 * EPS * (self.largest_logarithm + 8 * WIDEST) ** 2


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run with the constant step of the setting."""
    return magnetic_mirror_descent(
        s.game, beta=s.beta, iterations=s.iterations, step=s.step, reference=s.reference, start=s.start
    )


def play_decreasing(s: Setting, rng: np.random.Generator) -> Trace:
    """Run with the paper's decreasing steps and on its clock, whose first policy is that of time 1."""
    times = np.arange(1, DECREASING_RUN + 2)
    trace = inpo(
        s.game,
        beta=s.beta,
        iterations=DECREASING_RUN,
        inverse_rate=s.beta * (times + 2) / 2,
        reference=s.reference,
    )
    return replace(trace, times=trace.times + 1)


def play_horizons(s: Setting, rng: np.random.Generator) -> Trace:
    """Average policies of runs of many lengths, each with the rate that is best for its length."""
    means = [
        inpo(
            s.game,
            beta=s.beta,
            iterations=int(horizon) - 1,
            inverse_rate=math.sqrt(horizon / (2 * s.distance_to_responses)),
            reference=s.reference,
        ).last("mean")
        for horizon in HORIZONS
    ]
    return Trace("INPO", HORIZONS, {"mean": (("time", "action"), np.array(means))}, clock="horizon")


def play_from_wave(s: Setting, rng: np.random.Generator) -> Trace:
    """Run from a small wave around the uniform policy."""
    wave = 1 + WAVE * np.cos(2 * np.pi * np.arange(s.game.n) / s.game.n)
    return play(replace(s, start=wave / wave.sum()), rng)


def draw_losses(s: Setting, rng: np.random.Generator) -> Trace:
    """Iterates and any policies, with pairs drawn from the iterate."""
    return _draw(s, rng, play(s, rng))


def draw_losses_off_policy(s: Setting, rng: np.random.Generator) -> Trace:
    """Iterates and any policies, with pairs drawn from other policies, and what the regression makes of them."""
    trace = _draw(s, rng, play(s, rng))
    laws = random_policies(rng, np.zeros(s.game.n))
    fits = [fit_values(np.outer(law, law) * s.game.prefer, law) for law in np.exp(laws)]
    return _with(trace, log_law=laws, log_fitted=_step(s, trace["log_policy"], np.array(fits)))


def _draw(s: Setting, rng: np.random.Generator, trace: Trace) -> Trace:
    """Random iterates of a run, each with its successor, any policy and a pair of actions."""
    drawn = rng.integers(trace.times.size, size=DRAWS)
    log_policy = trace["log_policy"][drawn]
    policies = {
        "log_policy": log_policy,
        "log_next": trace["log_next"][drawn],
        "log_any": random_policies(rng, log_policy),
        "log_law": log_policy,
    }
    pairs = rng.integers(s.game.n, size=(DRAWS, 2))
    return Trace(
        "losses of INPO",
        np.arange(DRAWS),
        {name: (("time", "action"), array) for name, array in policies.items()} | {"pair": (("time", "place"), pairs)},
        clock="draw",
    )


def random_policies(rng: np.random.Generator, centres: Array) -> Matrix:
    """Log-policies around `centres`, from close to far."""
    widths = np.geomspace(1e-2, WIDEST, DRAWS)[:, None]
    return log_normalize(centres + widths * rng.standard_normal((DRAWS, centres.shape[-1])))


def _with(trace: Trace, **policies: Matrix) -> Trace:
    replaced = {name: (("time", "action"), policy) for name, policy in policies.items()}
    return replace(trace, values={**trace.values, **replaced})


def _step(s: Setting, log_policy: Array, values: Array) -> Array:
    """The next policy, given centred win rates."""
    share = s.beta / s.inverse_rate
    return log_normalize((1 - share) * log_policy + share * s.log_reference + values / s.inverse_rate)


# Wrong runs, to be told from right ones.


def play_with_step_20_beta(s: Setting, rng: np.random.Generator) -> Trace:
    """Step five times as large as proved; long cycles then amplify."""
    return play(replace(s, step=20 * s.beta), rng)


def play_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return play(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_without_reference(s: Setting, rng: np.random.Generator) -> Trace:
    """The step forgets the term of the reference, as if it were uniform."""
    start = np.exp(s.log_reference) if s.start is None else s.start
    return play(replace(s, reference=None, start=start), rng)


def play_at_half_temperature(s: Setting, rng: np.random.Generator) -> Trace:
    """The same step at half the temperature."""
    return play(replace(s, beta=s.beta / 2), rng)


def play_with_wrong_rate(s: Setting, rng: np.random.Generator) -> Trace:
    """The inverse rate is too large by a factor of 1.001."""
    return play(replace(s, step=1 / (1.001 * s.inverse_rate - s.beta)), rng)


def play_decreasing_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """Decreasing steps on queries that answer 1/2 to everything."""
    return play_decreasing(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_best_responses(s: Setting, rng: np.random.Generator) -> Trace:
    """The steps do not decrease: each policy is the best response to the one before."""
    trace = inpo(s.game, beta=s.beta, iterations=DECREASING_RUN, inverse_rate=s.beta, reference=s.reference)
    return replace(trace, times=trace.times + 1)


def play_horizons_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """Runs of many lengths on queries that answer 1/2 to everything."""
    return play_horizons(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_from_wave_with_step_4_beta(s: Setting, rng: np.random.Generator) -> Trace:
    """Step within the proved range, from the same wave."""
    return play_from_wave(replace(s, step=4 * s.beta), rng)


def play_from_wave_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """From the same wave, the queries answer 1/2 to everything."""
    return play_from_wave(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def draw_losses_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The closed form ignores the payoffs, the loss does not."""
    return _draw(s, rng, play_ignoring_payoffs(s, rng))


def draw_losses_without_reference(s: Setting, rng: np.random.Generator) -> Trace:
    """The closed form forgets the reference, the loss does not."""
    return _draw(s, rng, play_without_reference(s, rng))


def draw_losses_on_other_pairs(s: Setting, rng: np.random.Generator) -> Trace:
    """The pairs are drawn from other policies than the iterate."""
    return _with(draw_losses(s, rng), log_law=random_policies(rng, np.zeros(s.game.n)))


def draw_fits_of_the_iterate(s: Setting, rng: np.random.Generator) -> Trace:
    """The regression fits win rates against the iterate, whatever the pairs."""
    trace = draw_losses_off_policy(s, rng)
    return _with(trace, log_fitted=trace["log_next"])


STEP_20 = {"step 20 beta on a long cycle": play_with_step_20_beta}
NO_PAYOFFS = {"payoffs ignored": play_ignoring_payoffs}
NO_REFERENCE = {"step without reference": play_without_reference}
HALF_TEMPERATURE = {"half the temperature": play_at_half_temperature}
WRONG_RATE = {"inverse rate wrong by 1e-3": play_with_wrong_rate}
DECREASING = {
    "payoffs ignored": play_decreasing_ignoring_payoffs,
    "steps that do not decrease": play_best_responses,
}


def grid() -> Iterator[Setting]:
    """Games of every kind, from easy to adverse, with the largest proved step and others, from the reference."""

    def rng(*address: object) -> np.random.Generator:
        return stream(0, "inpo", *address)

    rock_paper_scissors = weighted_rock_paper_scissors(0.5, 0.5, 0.5)
    yield Setting(rock_paper_scissors, 0.1, skewed_policy(3, 3), step=0.4, note="skewed reference")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.02, step=0.08)
    yield Setting(efron_dice(), 0.05, step=0.1)
    yield Setting(cycle(101), 0.01, skewed_policy(101, 1), step=0.04, note="skewed reference")
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.05, step=0.2)
    yield Setting(additive(np.linspace(0, 0.5, 7)), 0.5, skewed_policy(7, 30), step=2.0, note="skewed reference")
    yield Setting(random_game(rng("uniform"), 10), 0.1, step=0.4)
    yield Setting(random_game(rng("uniform large"), 50), 0.5, skewed_policy(50, 8), step=2.0, note="skewed reference")
    yield Setting(random_tournament(rng("tournament"), 20), 0.05, step=5.0)
    yield Setting(recorded_game("llmfao_59"), 0.1, step=0.4)
    yield Setting(sure_winner(), 0.5, step=2.0)
    yield Setting(sure_winner(), 0.02, step=0.08)
    yield Setting(sure_winner(), 0.02, step=0.01)
    yield Setting(sure_winner(), 0.02, skewed_policy(2, 13)[::-1], step=0.005, note="winner rare in the reference")
    yield Setting(rock_paper_scissors, 0.02, skewed_policy(3, 5), step=50_000.0, note="nearly best responses")


def grid_with_proved_steps() -> Iterator[Setting]:
    """Settings whose steps are at most 4 beta, and some that start elsewhere."""
    yield from (s for s in grid() if s.step <= 4 * s.beta)
    wave = 1 + 0.5 * np.cos(2 * np.pi * np.arange(101) / 101)
    yield Setting(cycle(101), 0.01, step=0.04, start=wave / 101, note="start on a wave")
    yield Setting(PreferenceGame.indifferent(5), 0.1, step=0.4, start=skewed_policy(5, 30), note="start at a corner")
    yield Setting(PreferenceGame.indifferent(2), 0.5, step=2.0, start=skewed_policy(2, 600), note="start at a corner")


def grid_from_reference() -> Iterator[Setting]:
    """Settings whose steps are at most 4 beta that start at the reference."""
    return (s for s in grid_with_proved_steps() if s.from_reference)


def grid_of_games() -> Iterator[Setting]:
    """Games for runs that choose their own steps."""
    return (replace(s, step=2.0) for s in grid() if s.step == 4 * s.beta)


def grid_of_waves() -> Iterator[Setting]:
    """Long cycles with a step of 20 times the temperature."""
    yield from (Setting(cycle(n), beta, step=20 * beta) for n in (101, 151) for beta in (0.001, 0.003, 0.01))


def grid_of_slow_waves() -> Iterator[Setting]:
    """Long cycles with a step of 10 times the temperature."""
    return (replace(s, step=10 * s.beta) for s in grid_of_waves())


def any_setting(largest: float = 100.0, policies: tuple[str, ...] = ("reference",)) -> "SearchStrategy[Setting]":
    """Any game and policies, and steps up to a multiple of the temperature, which is itself drawn at times."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    def steps(beta: float) -> "SearchStrategy[float]":
        any_step = log_uniform(0.1 * beta, largest * beta)
        return any_step | any_step | st.just(largest * beta)

    return regularized_games(Setting, steps, policies=policies, lowest_beta=0.02)


def any_setting_with_proved_step() -> "SearchStrategy[Setting]":
    """Any game, any policies, and steps of at most 4 beta."""
    return any_setting(4.0, ("reference", "start"))


def any_setting_from_reference() -> "SearchStrategy[Setting]":
    """Any game, any reference where the run starts, and steps of at most 4 beta."""
    return any_setting(4.0)


def any_setting_from_anywhere() -> "SearchStrategy[Setting]":
    """Any game, any policies, and steps of every size."""
    return any_setting(policies=("reference", "start"))


def any_setting_with_a_choice() -> "SearchStrategy[Setting]":
    """Any setting with at least two actions."""
    return any_setting_from_anywhere().filter(lambda s: s.game.n > 1)


def any_game() -> "SearchStrategy[Setting]":
    """Any game and reference, for runs that choose their own steps."""
    from hypothesis import strategies as st

    return regularized_games(Setting, lambda beta: st.just(2.0), lowest_beta=0.02)


def any_cold_game() -> "SearchStrategy[Setting]":
    """The same with at least two actions, at temperatures of at most 1/2."""
    return any_game().filter(lambda s: s.beta <= 1 / 2 and s.game.n > 1)


def divergence(s: RegularizedGame, trace: Trace) -> Array:
    """K_t at the recorded times."""
    return kl(s.log_equilibrium, trace["log_policy"])


def next_divergence(s: Setting, trace: Trace) -> Array:
    """K_{t+1} at the recorded times."""
    return kl(s.log_equilibrium, trace["log_next"])


def exploitability_of_mean(s: Setting, trace: Trace) -> Array:
    """Exploitability of the average policy."""
    with np.errstate(divide="ignore"):  # weights may underflow
        log_mean = np.log(trace["mean"])
    return regularized_exploitability(s.game, log_mean, s.beta, s.log_reference)


def margins(s: Setting, trace: Trace, log_policy: Array) -> Array:
    """The f with h_t(pi, y, y') = f(y) - f(y')."""
    share = s.beta / s.inverse_rate
    return log_policy - share * s.log_reference - (1 - share) * trace["log_policy"]


def win_rates(s: Setting, log_policy: Array) -> Array:
    """Centred win rates of all actions against policies."""
    rates: Array = np.exp(log_policy) @ s.game.payoff.T
    return rates


def of_pair(trace: Trace, values: Array) -> Array:
    """Difference of values between the two actions of the pair."""
    first, second = np.take_along_axis(values, trace["pair"], axis=1).T
    difference: Array = first - second
    return difference


def over_pairs(trace: Trace, terms: Array) -> Array:
    """Mean over pairs drawn from the law; `terms` has the shape (time, action, action)."""
    law = np.exp(trace["log_law"])
    means: Array = np.einsum("ta,tab,tb->t", law, terms, law)
    return means


def loss(s: Setting, trace: Trace, log_policy: Array) -> Array:
    """L_t(pi), the loss with known win rates against pi_t."""
    residual = margins(s, trace, log_policy) - win_rates(s, trace["log_policy"]) / s.inverse_rate
    return over_pairs(trace, (residual[:, :, None] - residual[:, None, :]) ** 2)


def sampled_loss(s: Setting, trace: Trace, log_policy: Array) -> Array:
    """L'_t(pi), the loss with one comparison, in expectation."""
    f, half = margins(s, trace, log_policy), 1 / (2 * s.inverse_rate)
    h = f[:, :, None] - f[:, None, :]
    return over_pairs(trace, s.game.prefer * (h - half) ** 2 + s.game.prefer.T * (h + half) ** 2)


def unexplained(s: Setting, trace: Trace) -> Array:
    """1/(4 eta^2) - E (p_y - p_y')^2 / eta^2."""
    rates = win_rates(s, trace["log_policy"])
    spread = over_pairs(trace, (rates[:, :, None] - rates[:, None, :]) ** 2)
    return (1 / 4 - spread) / s.inverse_rate**2


def variance_to_step(s: Setting, trace: Trace, log_policy: Array) -> Array:
    """Variance under the law of log pi - log pi_rho, pi_rho being the closed form of the step against the law."""
    ratio = log_policy - _step(s, trace["log_policy"], win_rates(s, trace["log_law"]))
    law = np.exp(trace["log_law"])
    centred = ratio - (law * ratio).sum(axis=1, keepdims=True)
    variances: Array = (law * centred**2).sum(axis=1)
    return variances


def decreasing_rounding(s: Setting) -> float:
    """Absolute allowance for a divergence in a run with decreasing steps.

    With weights 1 - 2 / (t + 2) errors add up to T / 3 times that of one iteration, as with the constant step
    3 / (beta T).
    """
    return replace(s, step=3 / (s.beta * DECREASING_RUN)).kl_rounding


START_AT_REFERENCE: Hypotheses = {"$\\pi_0 = \\mu$": lambda s: s.from_reference}
START_AT_REFERENCE_AT_1: Hypotheses = {"$\\pi_1 = \\mu$": lambda s: s.from_reference}
PROVED_STEP: Hypotheses = {"$0 < \\gamma \\le 4 \\beta$": lambda s: s.step <= 4 * s.beta * (1 + 1e-12)}
COLD: Hypotheses = {"$\\beta \\le 1/2$": lambda s: s.beta <= 1 / 2}
TWO_ACTIONS: Hypotheses = {"there are two actions at least": lambda s: s.game.n > 1}
LONG_CYCLE: Hypotheses = {
    "the game is a cycle of $n \\ge 101$ actions, n odd": lambda s: (
        s.game.n >= 101 and s.game.n % 2 == 1 and s.game == cycle(s.game.n)
    ),
    # Growth goes as beta^2; below, rounding hides it.
    "$0.001 \\le \\beta \\le 0.01$": lambda s: 0.001 <= s.beta <= 0.01,
}

ITERATES = (
    "$\\pi_t$: the iterates; $\\pi^*$: the equilibrium of the game with temperature $\\beta$ and reference $\\mu$; "
    "$K_t = \\mathrm{KL}(\\pi^* \\| \\pi_t)$; $\\eta$: the inverse rate"
)
WITH_STEP = ITERATES + "; $\\gamma = 1 / (\\eta - \\beta)$: the step size"
ON_A_WAVE = WITH_STEP + "; the run starts at a small wave around uniform play, the equilibrium of a cycle"
LOSSES = (
    "$h_t(\\pi, y, y') = \\log \\frac{\\pi(y)}{\\pi(y')} - \\frac{\\beta}{\\eta} \\log \\frac{\\mu(y)}{\\mu(y')} - "
    "(1 - \\frac{\\beta}{\\eta}) \\log \\frac{\\pi_t(y)}{\\pi_t(y')}$"
)

SPAN = Theorem(
    name="inpo/span",
    title="Log-probabilities never leave a known distance from the reference",
    paper=Paper(PAPER, "Assumption A, which holds by itself"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{span}(\log \pi_t - \log \mu) \le \frac{1}{\beta}",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=GAME | START_AT_REFERENCE,
    run=play,
    measured=lambda s, trace: span(trace["log_policy"] - s.log_reference),
    bound=lambda s, trace: np.full(trace.times.size, 1 / s.beta),
    settings=grid,
    strategy=any_setting,
    controls=HALF_TEMPERATURE | NO_REFERENCE,
    remark="The recursion averages the log-ratio with $P \\pi_t / \\beta$, whose span is at most $1 / \\beta$.",
)

LOG_RATIO = Theorem(
    name="inpo/log-ratio",
    title="The bound on log-ratios that the paper assumes",
    paper=Paper(PAPER, "Assumption A, which holds by itself"),
    standing=Standing.DERIVED,
    statement=r"\max_a \Bigl| \log \frac{\pi_t(a)}{\mu(a)} \Bigr| \le \frac{1}{\beta}",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=GAME | START_AT_REFERENCE,
    run=play,
    measured=lambda s, trace: np.abs(trace["log_policy"] - s.log_reference).max(axis=1),
    bound=lambda s, trace: np.full(trace.times.size, 1 / s.beta),
    settings=grid,
    strategy=any_setting,
    controls=HALF_TEMPERATURE | NO_REFERENCE,
    remark="The paper assumes a bound $B$ and works with $C = \\max(B \\beta, 1)$. With $B = 1 / \\beta$, which always "
    "holds, $C = 1$.",
)

IDENTITY = Theorem(
    name="inpo/one-step-identity",
    title="What one iteration does to the divergence, exactly",
    paper=Paper(PAPER, "step of the proof of Theorem 4, without the estimates"),
    standing=Standing.DERIVED,
    statement=r"K_{t+1} = \Bigl(1 - \frac{\beta}{\eta}\Bigr) K_t - \frac{\beta}{\eta}\, \mathrm{KL}(\pi_t \| \pi^*) + \mathrm{KL}(\pi_t \| \pi_{t+1})",
    symbols=ITERATES,
    kind=Identity(rounding=lambda s: 8 * s.resolution),
    hypotheses=GAME,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: (
        (1 - s.beta / s.inverse_rate) * divergence(s, trace)
        - s.beta / s.inverse_rate * kl(trace["log_policy"], s.log_equilibrium)
        + kl(trace["log_policy"], trace["log_next"])
    ),
    settings=grid,
    strategy=any_setting_from_anywhere,
    controls=NO_PAYOFFS | NO_REFERENCE | WRONG_RATE,
    remark="The last term is $\\log \\mathbb{E}_{\\pi_t} e^{\\delta - \\mathbb{E} \\delta}$ for "
    "$\\delta = (P \\pi_t - \\beta \\log (\\pi_t / \\mu)) / \\eta$.",
)

ONE_STEP = Theorem(
    name="inpo/one-step",
    title="Each iteration contracts the divergence, up to the square of the rate",
    paper=Paper(PAPER, "Theorem 4, recursion, with a smaller constant"),
    standing=Standing.DERIVED,
    statement=r"K_{t+1} \le \Bigl(1 - \frac{\beta}{\eta}\Bigr) K_t + \frac{1}{2 \eta^2}",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | START_AT_REFERENCE,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: (1 - s.beta / s.inverse_rate) * divergence(s, trace) + 1 / (2 * s.inverse_rate**2),
    settings=grid,
    strategy=any_setting,
    controls=NO_PAYOFFS | NO_REFERENCE,
    remark="Hoeffding's lemma replaces the paper's estimates: the exponent $\\delta$ of the identity has span $2 / \\eta$.",
)

ONE_STEP_PRINTED = Theorem(
    name="inpo/one-step-printed",
    title="The paper's recursion for the divergence",
    paper=Paper(PAPER, "Theorem 4, recursion, with C = 1"),
    standing=Standing.SEEN,
    statement=r"K_{t+1} \le \Bigl(1 - \frac{\beta}{\eta}\Bigr) K_t + \frac{8 C^2}{\eta^2}",
    symbols=ITERATES + "; $C = 1$, which always does",
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | START_AT_REFERENCE,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: (1 - s.beta / s.inverse_rate) * divergence(s, trace) + 8 / s.inverse_rate**2,
    settings=grid,
    strategy=any_setting,
    controls=NO_PAYOFFS,
    remark="The constant is 16 times as large as needed: $1/2$ does in place of 8.",
)

DECREASING_STEPS = Theorem(
    name="inpo/decreasing",
    title="With decreasing steps the divergence goes as 1/T",
    paper=Paper(PAPER, "Theorem 4, with a smaller constant"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \pi_T) \le \frac{2}{\beta^2 (T + 1)}",
    symbols=ITERATES + ", here $\\eta_t = \\beta (t + 2) / 2$ for $t = 1, 2, \\dots$",
    kind=EveryStep(rounding=decreasing_rounding),
    hypotheses=GAME | START_AT_REFERENCE_AT_1,
    run=play_decreasing,
    measured=divergence,
    bound=lambda s, trace: 2 / (s.beta**2 * (trace.times + 1)),
    settings=grid_of_games,
    strategy=any_game,
    controls=DECREASING,
    rate=PowerLaw(lambda s: -1.0),
    trivial=lambda s: s.largest_divergence,
    remark="The induction starts at $K_1 \\le 1 / (8 \\beta^2)$, whatever the temperature. Its noise is not there in the "
    "end: near the equilibrium the divergence goes as $T^{-4}$ with these steps, and geometrically with a constant one.",
)

DECREASING_STEPS_PRINTED = Theorem(
    name="inpo/decreasing-printed",
    title="The paper's rate of the last iterate",
    paper=Paper(PAPER, "Theorem 4, with C = 1"),
    standing=Standing.SEEN,
    statement=r"\mathrm{KL}(\pi^* \| \pi_T) \le \frac{32\, C^2}{\beta^2 (T + 1)}",
    symbols=ITERATES + ", here $\\eta_t = \\beta (t + 2) / 2$ for $t = 1, 2, \\dots$; $C = 1$, which always does",
    kind=EveryStep(rounding=decreasing_rounding),
    hypotheses=GAME | START_AT_REFERENCE_AT_1,
    run=play_decreasing,
    measured=divergence,
    bound=lambda s, trace: 32 / (s.beta**2 * (trace.times + 1)),
    settings=grid_of_games,
    strategy=any_game,
    controls=DECREASING,
    rate=PowerLaw(lambda s: -1.0),
    trivial=lambda s: s.largest_divergence,
    remark="The constant is 16 times as large as needed. The paper's induction starts at an iteration 0 with "
    "$\\eta_0 = \\beta$ that the algorithm does not have; started at $\\pi_1 = \\mu$ it goes through.",
)

MIXTURE = Theorem(
    name="inpo/mixture",
    title="The average policy is hardly exploitable, at any time and any rate",
    paper=Paper(PAPER, "Lemma 2 and Theorem 3, with explicit constants"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(\bar \pi_t) \le \frac{\eta D}{t + 1} + \frac{1}{2 \eta}",
    symbols="$\\bar \\pi_t$: the average of $\\pi_0, \\dots, \\pi_t$; $\\eta$: the inverse rate; "
    "$D = \\min\\{1 / \\beta, \\log (1 / \\min_a \\mu(a))\\}$" + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=GAME | START_AT_REFERENCE,
    run=play,
    measured=exploitability_of_mean,
    bound=lambda s, trace: s.inverse_rate * s.distance_to_responses / (trace.times + 1) + 1 / (2 * s.inverse_rate),
    settings=grid,
    strategy=any_setting,
    controls=NO_PAYOFFS,
    trivial=lambda s: 0.5 + min(1.0, 1 / (8 * s.beta)),
)

MIXTURE_HORIZON = Theorem(
    name="inpo/mixture-horizon",
    title="The paper's rate of the average policy, with a constant",
    paper=Paper(PAPER, "Theorem 3, with explicit constants"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(\bar \pi_T) \le \sqrt{\frac{2 D}{T}}",
    symbols="$\\bar \\pi_T$: the average of the first $T$ policies of a run with inverse rate $\\eta = \\sqrt{T / (2 D)}$; "
    "$D = \\min\\{1 / \\beta, \\log (1 / \\min_a \\mu(a))\\}$" + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=GAME | START_AT_REFERENCE | COLD | TWO_ACTIONS,
    run=play_horizons,
    measured=exploitability_of_mean,
    bound=lambda s, trace: np.sqrt(2 * s.distance_to_responses / trace.times),
    settings=grid_of_games,
    strategy=any_cold_game,
    controls={"payoffs ignored": play_horizons_ignoring_payoffs},
    rate=PowerLaw(lambda s: -0.5),
    trivial=lambda s: 0.5 + min(1.0, 1 / (8 * s.beta)),
    remark="The duality gap is twice the exploitability. At $\\beta \\le 1/2$ the rate is admissible for every $T$.",
)

KL_ONE_STEP = Theorem(
    name="inpo/kl-one-step",
    title="Small constant steps contract the divergence without any rest",
    paper=Paper(PAPER, "Theorem 4, for constant steps and without the additive term"),
    standing=Standing.DERIVED,
    statement=r"K_{t+1} \le \Bigl(1 - \frac{\beta}{\eta}\Bigr) K_t = \frac{1}{1 + \gamma \beta}\, K_t",
    symbols=WITH_STEP,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | PROVED_STEP,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: s.keep * divergence(s, trace),
    settings=grid_with_proved_steps,
    strategy=any_setting_with_proved_step,
    controls=STEP_20 | NO_PAYOFFS | NO_REFERENCE,
    remark="The factor is attained in the limit of very skewed starts, where the divergence is linear in the log-odds.",
)

KL = Theorem(
    name="inpo/kl",
    title="Small constant steps converge geometrically",
    paper=Paper(PAPER, "Theorem 4, for constant steps and without the additive term"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \pi_t) \le (1 + \gamma \beta)^{-t}\, \mathrm{KL}(\pi^* \| \pi_0)",
    symbols=WITH_STEP,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | PROVED_STEP,
    run=play,
    measured=divergence,
    bound=lambda s, trace: s.keep**trace.times * divergence(s, trace)[0],
    since=1,
    settings=grid_with_proved_steps,
    strategy=any_setting_with_proved_step,
    controls=STEP_20 | NO_PAYOFFS | NO_REFERENCE,
    rate=Geometric(lambda s: s.keep),
    remark="So the paper's $O(1/T)$ is no property of the algorithm.",
)

KL_FROM_REFERENCE = Theorem(
    name="inpo/kl-from-reference",
    title="From the reference, the divergence is bounded without any unknown",
    paper=Paper(PAPER, "Theorem 4, for constant steps and without the additive term"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \pi_t) \le \frac{(1 + \gamma \beta)^{-t}}{2 \beta}",
    symbols=WITH_STEP,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | PROVED_STEP | START_AT_REFERENCE,
    run=play,
    measured=divergence,
    bound=lambda s, trace: s.keep**trace.times / (2 * s.beta),
    settings=grid_from_reference,
    strategy=any_setting_from_reference,
    controls=NO_PAYOFFS | NO_REFERENCE,
    rate=Geometric(lambda s: s.keep),
    remark="The best step, $\\gamma = 4 \\beta$, has the factor $1 / (1 + 4 \\beta^2)$; Nash mirror prox has "
    "$1 / (1 + 2 \\beta)$ for two queries in each iteration.",
)

RATE_LIMIT = Theorem(
    name="inpo/rate-limit",
    title="There are games in which ten times the temperature is too large a step for the rate",
    paper=Paper(PAPER, "Theorem 4, for constant steps: what limits them"),
    standing=Standing.DERIVED,
    statement=r"\gamma = 10\, \beta \;\Rightarrow\; K_{t+1} > \frac{1}{1 + \gamma \beta}\, K_t",
    symbols=ON_A_WAVE,
    kind=Existence(),
    hypotheses=GAME | LONG_CYCLE | {"$\\gamma = 10 \\beta$": lambda s: math.isclose(s.step, 10 * s.beta)},
    run=play_from_wave,
    measured=lambda s, trace: next_divergence(s, trace) > s.keep * divergence(s, trace),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid_of_slow_waves,
    controls={"payoffs ignored": play_from_wave_ignoring_payoffs},
    remark="Near the equilibrium an iteration multiplies $K$ by $(1 + \\gamma^2 \\lambda^2) / (1 + \\gamma \\beta)^2$, "
    "where $\\lambda = 1 / (2 n \\tan(\\pi / 2n))$ grows to $1 / \\pi$. The rate needs $\\gamma \\le \\beta / "
    "\\lambda^2$; so the range $\\gamma \\le 4 \\beta$ of the contraction can't be extended beyond $\\pi^2 \\beta$.",
)

STEP_LIMIT = Theorem(
    name="inpo/step-limit",
    title="There are games in which twenty times the temperature is too large a step to converge",
    paper=Paper(PAPER, "Theorem 4, for constant steps: what limits them"),
    standing=Standing.DERIVED,
    statement=r"\gamma = 20\, \beta \;\Rightarrow\; K_{t+1} > K_t",
    symbols=ON_A_WAVE,
    kind=Existence(),
    hypotheses=GAME | LONG_CYCLE | {"$\\gamma = 20 \\beta$": lambda s: math.isclose(s.step, 20 * s.beta)},
    run=play_from_wave,
    measured=lambda s, trace: next_divergence(s, trace) > divergence(s, trace),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid_of_waves,
    controls={"step 4 beta": play_from_wave_with_step_4_beta},
    remark="Near the equilibrium an iteration multiplies $K$ by $(1 + \\gamma^2 \\lambda^2) / (1 + \\gamma \\beta)^2$, "
    "where $\\lambda = 1 / (2 n \\tan(\\pi / 2n))$ grows to $1 / \\pi$. It shrinks only if $\\gamma < 2 \\beta / (\\lambda^2 "
    "- \\beta^2)$, which is $2 \\pi^2 \\beta = 19.7\\, \\beta$ for long cycles and low temperatures.",
)

MINIMISER = Theorem(
    name="inpo/minimiser",
    title="The closed form solves the regression on known win rates",
    paper=Paper(PAPER, "Lemma 5"),
    standing=Standing.SEEN,
    statement=r"h_t(\pi_{t+1}, y, y') = \frac{(P \pi_t)_y - (P \pi_t)_{y'}}{\eta} \quad \text{for all } y, y'",
    symbols="$\\pi_t$: the iterates; $\\eta$: the inverse rate; " + LOSSES,
    kind=Identity(rounding=lambda s: 64 * EPS * s.largest_logarithm),
    hypotheses=GAME,
    run=draw_losses,
    measured=lambda s, trace: of_pair(trace, margins(s, trace, trace["log_next"])),
    bound=lambda s, trace: of_pair(trace, win_rates(s, trace["log_policy"])) / s.inverse_rate,
    settings=grid,
    strategy=any_setting_from_anywhere,
    controls={
        "payoffs ignored": draw_losses_ignoring_payoffs,
        "step without reference": draw_losses_without_reference,
    },
    remark="So the loss $L_t(\\pi)$, the mean square of the difference of the two sides at $\\pi$ over pairs from "
    "$\\pi_t$, is 0 at $\\pi_{t+1}$; and nowhere else, since it is twice the variance of $\\log \\pi - \\log \\pi_{t+1}$ "
    "under $\\pi_t$, which has full support.",
)

LOSS_DIFFERENCE = Theorem(
    name="inpo/loss-difference",
    title="One comparison in place of win rates adds a constant to the loss",
    paper=Paper(PAPER, "Proposition 6, with the constant"),
    standing=Standing.DERIVED,
    statement=r"L'_t(\pi) - L_t(\pi) = \frac{1}{4 \eta^2} - \frac{1}{\eta^2}\, \mathbb{E} \bigl[(P \pi_t)_y - (P \pi_t)_{y'}\bigr]^2",
    symbols="$y, y' \\sim \\pi_t$, of which $w$ wins the comparison and $l$ loses; "
    "$L_t(\\pi) = \\mathbb{E} [h_t(\\pi, y, y') - ((P \\pi_t)_y - (P \\pi_t)_{y'}) / \\eta]^2$; "
    "$L'_t(\\pi) = \\mathbb{E} [h_t(\\pi, w, l) - 1 / (2 \\eta)]^2$; $\\pi$: any policy; " + LOSSES,
    kind=Identity(rounding=lambda s: s.loss_rounding),
    hypotheses=GAME,
    run=draw_losses,
    measured=lambda s, trace: sampled_loss(s, trace, trace["log_any"]) - loss(s, trace, trace["log_any"]),
    bound=unexplained,
    settings=grid,
    strategy=any_setting_from_anywhere,
    controls={"pairs from other policies": draw_losses_on_other_pairs},
    remark="So both losses have the same minimiser. The paper states that the difference does not depend on the policy.",
)

OFF_POLICY = Theorem(
    name="inpo/off-policy",
    title="Pairs from another policy make it the opponent",
    paper=Paper(PAPER, "equation 8, for pairs from another policy"),
    standing=Standing.DERIVED,
    statement=r"L'_\rho(\pi) - L'_\rho(\hat \pi) = 2\, \mathrm{Var}_\rho(\log \pi - \log \pi_\rho), \qquad"
    r" \log \pi_\rho = \Bigl(1 - \frac{\beta}{\eta}\Bigr) \log \pi_t + \frac{\beta}{\eta} \log \mu + \frac{1}{\eta} P \rho + c",
    symbols="$y, y' \\sim \\rho$, of which $w$ wins the comparison and $l$ loses; "
    "$L'_\\rho(\\pi) = \\mathbb{E} [h_t(\\pi, w, l) - 1 / (2 \\eta)]^2$; $\\hat \\pi$: its minimiser, found by least squares; "
    "$\\pi$: any policy; " + LOSSES,
    kind=Identity(rounding=lambda s: s.loss_rounding),
    hypotheses=GAME | TWO_ACTIONS,
    run=draw_losses_off_policy,
    measured=lambda s, trace: sampled_loss(s, trace, trace["log_any"]) - sampled_loss(s, trace, trace["log_fitted"]),
    bound=lambda s, trace: 2 * variance_to_step(s, trace, trace["log_any"]),
    settings=grid,
    strategy=any_setting_with_a_choice,
    controls={"win rates against the iterate": draw_fits_of_the_iterate},
    remark="Hence $\\hat \\pi = \\pi_\\rho$, the step against $\\rho$: with other pairs than those of $\\pi_t$ the method is "
    "no longer self-play.",
)
