r"""The KL-regularised preference game: identities and inequalities on which all algorithms for it rest.

The game and the uniqueness of its equilibrium are from :cite:`munos2024`; the statements below are derived, each in a
few lines. They speak of policies rather than of runs, so they are tried on random policies, from close to the
equilibrium to close to a corner.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import Array, Matrix
from rltheory.instances import (
    additive,
    bradley_terry,
    cycle,
    low_rank,
    random_game,
    random_tournament,
    recorded_game,
    sure_winner,
    weighted_rock_paper_scissors,
)
from rltheory.measures import advantage, best_response, exploitability, kl, l1, regularized_exploitability
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_normalize, span
from rltheory.simulation import stream
from rltheory.solvers import regularized_equilibrium
from rltheory.theorems.games.regularized_game import EXPLOITABILITY, GAME, RegularizedGame, regularized_games
from rltheory.theory import EveryStep, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = Paper("munos2024", "the regularised game, Section 3; statement derived here")
DRAWS = 60  # of each kind
WIDEST = 30.0  # largest standard deviation of the logits of a random policy


@dataclass(frozen=True, eq=False)
class Setting(RegularizedGame):
    """A regularised game, on random policies."""

    def __str__(self) -> str:
        reference = "" if self.reference is None else ", reference given"
        return f"{self.game}, beta = {self.beta:g}{reference}"

    @property
    def resolution(self) -> float:
        """Error that rounding leaves in a log-probability of the widest draws."""
        return super().resolution + 256 * WIDEST * float(np.finfo(np.float64).eps)

    @property
    def value_rounding(self) -> float:
        """Absolute allowance for sums of payoffs, and of divergences times beta or 1 / gamma."""
        return 4 * self.resolution * (1 + self.beta + 1 / self.step)


def random_policies(rng: np.random.Generator, centre: Array) -> Matrix:
    """Log-policies around `centre`, which is the first: ever wider normal logits, then ever larger moves of weight.

    A move takes weight from one action and gives it to another. Some inequalities are tight in such directions only.
    """
    n = centre.size
    widths = np.concatenate([[0.0], np.geomspace(1e-3, WIDEST, DRAWS - 1)])
    wide = centre + widths[:, None] * rng.standard_normal((DRAWS, n))
    moves = np.tile(np.exp(centre), (DRAWS, 1))
    for policy, share in zip(moves, np.geomspace(1e-3, 0.99, DRAWS), strict=True):
        giver, taker = rng.integers(n, size=2)
        policy[[giver, taker]] += share * policy[giver] * np.array([-1, 1]) * (giver != taker)
    # A weight far below the rounding of another has lost its digits in the sum; the smallest are left as they were.
    moved = np.where(moves == np.exp(centre), centre, np.log(moves))
    return log_normalize(np.concatenate([wide, moved]))


def proximal(s: Setting, log_anchor: Array, log_opponent: Array) -> Array:
    """Log of prox(x; P y) for each anchor x and opponent y, from the definition."""
    values = np.exp(log_opponent) @ s.game.payoff.T
    return log_normalize(s.keep * log_anchor + (1 - s.keep) * s.log_reference + s.keep * s.step * values)


def draw_policies(s: Setting, rng: np.random.Generator) -> Trace:
    """Random policies, and what the game makes of them."""
    policy, other, third = (random_policies(rng, s.log_equilibrium) for _ in range(3))
    policies = {
        "policy": policy,
        "other": other,
        "third": third,
        "equilibrium": np.broadcast_to(s.log_equilibrium, policy.shape),
        "response": best_response(s.game, policy, s.beta, s.log_reference),
        "other_response": best_response(s.game, other, s.beta, s.log_reference),
        "prox": proximal(s, policy, other),
        "self_prox": proximal(s, policy, policy),
    }
    return _trace(policies)


def draw_references(s: Setting, rng: np.random.Generator) -> Trace:
    """Random reference policies around the setting's own, and the equilibrium for each."""
    references = random_policies(rng, s.log_reference)
    equilibria = [regularized_equilibrium(s.game, s.beta, np.exp(reference)) for reference in references]
    return _trace({"reference": references, "equilibrium": np.array([found.log_policy for found in equilibria])})


def _trace(policies: dict[str, Matrix]) -> Trace:
    draws = len(next(iter(policies.values())))
    return Trace(
        "random policies",
        np.arange(draws),
        {name: (("time", "action"), log_policies) for name, log_policies in policies.items()},
        clock="draw",
    )


# Wrong runs, to be told from right ones.


def _with(trace: Trace, **policies: Matrix) -> Trace:
    replaced = {name: (("time", "action"), policy) for name, policy in policies.items()}
    return replace(trace, values={**trace.values, **replaced})


def draw_at_wrong_temperature(s: Setting, rng: np.random.Generator) -> Trace:
    """Everything is computed at a temperature 0.1 % too high."""
    return draw_policies(replace(s, beta=1.001 * s.beta), rng)


def draw_with_wrong_equilibrium(s: Setting, rng: np.random.Generator) -> Trace:
    """The equilibrium alone is computed at a temperature 0.1 % too high."""
    trace = draw_policies(s, rng)
    wrong = replace(s, beta=1.001 * s.beta).log_equilibrium
    return _with(trace, equilibrium=np.broadcast_to(wrong, trace["policy"].shape))


def draw_unnormalised(s: Setting, rng: np.random.Generator) -> Trace:
    """The second policy adds up to 1.1."""
    trace = draw_policies(s, rng)
    return _with(trace, other=trace["other"] + math.log(1.1), response=trace["response"] + math.log(1.1))


def draw_with_sharp_responses(s: Setting, rng: np.random.Generator) -> Trace:
    """Best responses are computed at an eighth of the temperature."""
    sharp = s.beta / 8
    trace = draw_policies(s, rng)
    responses = (best_response(s.game, trace[name], sharp, s.log_reference) for name in ("policy", "other"))
    return _with(trace, response=next(responses), other_response=next(responses))


def draw_references_at_half_temperature(s: Setting, rng: np.random.Generator) -> Trace:
    """The equilibria are computed at half the temperature."""
    return draw_references(replace(s, beta=s.beta / 2), rng)


def draw_references_at_high_temperature(s: Setting, rng: np.random.Generator) -> Trace:
    """The equilibria are computed at ten times the temperature."""
    return draw_references(replace(s, beta=10 * s.beta), rng)


WRONG_TEMPERATURE = {"temperature wrong by 1e-3": draw_at_wrong_temperature}
WRONG_EQUILIBRIUM = {"equilibrium of a temperature wrong by 1e-3": draw_with_wrong_equilibrium}


def grid() -> Iterator[Setting]:
    """Games of every kind, at low and high temperatures."""

    def rng(name: str) -> np.random.Generator:
        return stream(0, "regularized-game", name)

    yield Setting(sure_winner(), 0.02)
    yield Setting(sure_winner(), 0.5, reference=np.array([0.02, 0.98]))
    yield Setting(PreferenceGame.indifferent(2), 0.1)
    yield Setting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.1)
    yield Setting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.5, step=1.0)
    yield Setting(cycle(5), 0.05)
    yield Setting(additive(np.linspace(0, 0.5, 7)), 0.05, step=0.5)
    pairs = np.kron([[0, 1], [-1, 0]], [[0.5, -0.5], [-0.5, 0.5]])
    two_pairs = PreferenceGame.from_payoff(pairs, title="two pairs, n = 4")
    yield Setting(two_pairs, 0.04, reference=np.array([0.49, 0.49, 0.01, 0.01]))
    yield Setting(random_game(rng("uniform"), 10), 0.02)
    yield Setting(random_game(rng("uniform"), 10), 2.0, step=10.0)
    yield Setting(random_tournament(rng("tournament"), 20), 0.1)
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.05)
    yield Setting(low_rank(rng("low rank"), 50), 0.2, step=4.0)
    yield Setting(recorded_game("llmfao_59"), 0.1)


def any_setting(*, lowest_beta: float = 0.01, longest_cycle: int = 101) -> "SearchStrategy[Setting]":
    """Any game, any reference, and steps of every size."""
    from rltheory.strategies import log_uniform

    def steps(beta: float) -> "SearchStrategy[float]":
        return log_uniform(0.1, 10)

    return regularized_games(Setting, steps, lowest_beta=lowest_beta, longest_cycle=longest_cycle)


def any_setting_with_many_equilibria() -> "SearchStrategy[Setting]":
    """Settings in which it does not take long to find the equilibria of a hundred references."""
    return any_setting(lowest_beta=0.02, longest_cycle=21)


def edge(s: Setting, log_policy: Array, log_opponent: Array) -> Array:
    """Edge of a policy over its opponent, by definition."""
    return advantage(s.game, log_policy, log_opponent, s.beta, s.log_reference)


def penalty(s: Setting, log_policy: Array) -> Array:
    """Penalty g of a policy."""
    return s.beta * kl(log_policy, s.log_reference)


def inner(f: Array, g: Array) -> Array:
    """Scalar product along the last axis."""
    products: Array = (f * g).sum(axis=-1)
    return products


def edge_by_values(s: Setting, trace: Trace) -> Array:
    """-<v, x+ - u> + g(x+) - g(u) with v = P y, for the proximal map of the trace and its third policy."""
    values = np.exp(trace["other"]) @ s.game.payoff.T
    gain = inner(values, np.exp(trace["prox"]) - np.exp(trace["third"]))
    return penalty(s, trace["prox"]) - penalty(s, trace["third"]) - gain


def prox_objective(s: Setting, trace: Trace, log_policy: Array) -> Array:
    """-<v, pi> + g(pi) + KL(pi || x) / gamma."""
    values = np.exp(trace["other"]) @ s.game.payoff.T
    return penalty(s, log_policy) + kl(log_policy, trace["policy"]) / s.step - inner(values, np.exp(log_policy))


SYMBOLS = (
    "$P_\\beta(u \\succ \\pi) = \\langle u, P \\pi \\rangle - \\beta\\, \\mathrm{KL}(u \\| \\mu) + "
    "\\beta\\, \\mathrm{KL}(\\pi \\| \\mu)$; $\\pi^*$: the equilibrium"
)
RESPONSE = "; $\\mathrm{BR}_\\beta(\\pi) \\propto \\mu\\, e^{P \\pi / \\beta}$: the best response"
PROX = (
    "$x_+ = \\mathrm{arg\\,min}_\\pi F(\\pi)$ with $F(\\pi) = -\\langle v, \\pi \\rangle + g(\\pi) + \\frac{1}{\\gamma} "
    "\\mathrm{KL}(\\pi \\| x)$ and $g(\\pi) = \\beta\\, \\mathrm{KL}(\\pi \\| \\mu)$; $u$, $\\pi$: any policies"
)

EQUILIBRIUM_EDGE = Theorem(
    name="regularized-game/edge-over-equilibrium",
    title="A policy loses to the equilibrium by exactly its divergence",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"P_\beta(\pi \succ \pi^*) = \tfrac12 - \beta\, \mathrm{KL}(\pi \| \pi^*)",
    symbols=SYMBOLS,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: edge(s, trace["policy"], trace["equilibrium"]),
    bound=lambda s, trace: -s.beta * kl(trace["policy"], trace["equilibrium"]),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_TEMPERATURE | WRONG_EQUILIBRIUM,
)

EXPLOITABILITY_IS_KL = Theorem(
    name="regularized-game/exploitability",
    title="Exploitability is the divergence from the best response",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"g(\pi) + \beta \log \sum_a \mu(a)\, e^{(P \pi)_a / \beta} - \tfrac12 = \beta\, \mathrm{KL}(\pi \| \mathrm{BR}_\beta(\pi))",
    symbols=SYMBOLS
    + RESPONSE
    + "; $g(\\pi) = \\beta\\, \\mathrm{KL}(\\pi \\| \\mu)$; the left side is $\\mathcal{E}_\\beta(\\pi)$",
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: (
        penalty(s, trace["policy"])
        + s.beta * np.logaddexp.reduce(s.log_reference + np.exp(trace["policy"]) @ s.game.payoff.T / s.beta, axis=-1)
    ),
    bound=lambda s, trace: s.beta * kl(trace["policy"], trace["response"]),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_TEMPERATURE,
    remark="The maximum over $u$ is attained at the best response. The right side does not cancel near the equilibrium.",
)

EDGE = Theorem(
    name="regularized-game/edge",
    title="The edge of one policy over another, by their divergences from the equilibrium",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"P_\beta(u \succ \pi) - \tfrac12 = \beta\, \mathrm{KL}(\pi \| \pi^*) - \beta\, \mathrm{KL}(u \| \pi^*) + \langle u - \pi^*, P (\pi - \pi^*) \rangle",
    symbols=SYMBOLS,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: edge(s, trace["other"], trace["policy"]),
    bound=lambda s, trace: (
        s.beta * (kl(trace["policy"], trace["equilibrium"]) - kl(trace["other"], trace["equilibrium"]))
        + inner(
            np.exp(trace["other"]) - np.exp(trace["equilibrium"]),
            (np.exp(trace["policy"]) - np.exp(trace["equilibrium"])) @ s.game.payoff.T,
        )
    ),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_EQUILIBRIUM,
)

EXPLOITABILITY_LOWER = Theorem(
    name="regularized-game/exploitability-lower",
    title="Little exploitability means little divergence",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\beta\, \mathrm{KL}(\pi \| \pi^*) \le \mathcal{E}_\beta(\pi)",
    symbols=SYMBOLS + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: (1 + s.beta) * s.kl_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: s.beta * kl(trace["policy"], trace["equilibrium"]),
    bound=lambda s, trace: regularized_exploitability(s.game, trace["policy"], s.beta, s.log_reference),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_EQUILIBRIUM,
)

EXPLOITABILITY_UPPER = Theorem(
    name="regularized-game/exploitability-upper",
    title="Little divergence and distance mean little exploitability",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(\pi) \le \beta\, \mathrm{KL}(\pi \| \pi^*) + \frac{1}{8 \beta} \|\pi - \pi^*\|_1^2",
    symbols=SYMBOLS + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: (1 / s.beta + s.beta) * s.kl_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: regularized_exploitability(s.game, trace["policy"], s.beta, s.log_reference),
    bound=lambda s, trace: (
        s.beta * kl(trace["policy"], trace["equilibrium"])
        + l1(trace["policy"], trace["equilibrium"]) ** 2 / (8 * s.beta)
    ),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_TEMPERATURE,
)

EXPLOITABILITY_BY_KL = Theorem(
    name="regularized-game/exploitability-by-kl",
    title="Exploitability and divergence are equivalent, up to the temperature",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(\pi) \le \Bigl(\beta + \frac{1}{4 \beta}\Bigr) \mathrm{KL}(\pi \| \pi^*)",
    symbols=SYMBOLS + EXPLOITABILITY,
    kind=EveryStep(rounding=lambda s: (1 / s.beta + s.beta) * s.kl_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: regularized_exploitability(s.game, trace["policy"], s.beta, s.log_reference),
    bound=lambda s, trace: (s.beta + 1 / (4 * s.beta)) * kl(trace["policy"], trace["equilibrium"]),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_TEMPERATURE,
    remark="The previous statement and Pinsker's inequality.",
)

KL_BY_SPAN = Theorem(
    name="regularized-game/kl-by-span",
    title="Divergence is at most the squared span of the log-ratio, over eight",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi \| u) \le \tfrac18\, \mathrm{span}(\log \pi - \log u)^2",
    symbols="$\\pi$, $u$: any policies with full support; $\\mathrm{span}(x) = \\max x - \\min x$",
    kind=EveryStep(rounding=lambda s: s.kl_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: kl(trace["policy"], trace["other"]),
    bound=lambda s, trace: span(trace["policy"] - trace["other"]) ** 2 / 8,
    settings=grid,
    strategy=any_setting,
    controls={"a policy that adds up to 1.1": draw_unnormalised},
    remark="Hoeffding's lemma. It certifies computed equilibria.",
)

L1_BY_SPAN = Theorem(
    name="regularized-game/l1-by-span",
    title="Distance is at most a hyperbolic tangent of the span of the log-ratio",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\|\pi - u\|_1 \le 2 \tanh\bigl(\tfrac14\, \mathrm{span}(\log \pi - \log u)\bigr)",
    symbols="$\\pi$, $u$: any policies with full support; $\\mathrm{span}(x) = \\max x - \\min x$",
    kind=EveryStep(rounding=lambda s: 2 * s.resolution),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: l1(trace["policy"], trace["other"]),
    bound=lambda s, trace: 2 * np.tanh(span(trace["policy"] - trace["other"]) / 4),
    settings=grid,
    strategy=any_setting,
    controls={"a policy that adds up to 1.1": draw_unnormalised},
)

EXPLOITABILITY_BY_SPAN = Theorem(
    name="regularized-game/exploitability-by-span",
    title="The residual of the fixed point bounds the exploitability",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_\beta(\pi) \le \tfrac{\beta}{8}\, \mathrm{span}\bigl(\log \pi - \log \mathrm{BR}_\beta(\pi)\bigr)^2",
    symbols=SYMBOLS + EXPLOITABILITY + RESPONSE,
    kind=EveryStep(rounding=lambda s: s.beta * s.kl_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: s.beta * kl(trace["policy"], trace["response"]),
    bound=lambda s, trace: s.beta * span(trace["policy"] - trace["response"]) ** 2 / 8,
    settings=grid,
    strategy=any_setting,
    controls={"a response that adds up to 1.1": draw_unnormalised},
)

RESPONSE_CONTRACTS = Theorem(
    name="regularized-game/response-contracts",
    title="The best response is Lipschitz, a contraction above temperature 1/2",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\|\mathrm{BR}_\beta(\pi) - \mathrm{BR}_\beta(u)\|_1 \le \frac{1}{2 \beta} \|\pi - u\|_1",
    symbols="$\\pi$, $u$: any policies" + RESPONSE,
    kind=EveryStep(rounding=lambda s: (1 + 1 / s.beta) * s.resolution),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: l1(trace["response"], trace["other_response"]),
    bound=lambda s, trace: l1(trace["policy"], trace["other"]) / (2 * s.beta),
    settings=grid,
    strategy=any_setting,
    controls={"responses at an eighth of the temperature": draw_with_sharp_responses},
)

EQUILIBRIUM_SPAN = Theorem(
    name="regularized-game/equilibrium-span",
    title="The equilibrium stays within a factor of the reference",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\mathrm{span}(\log \pi^* - \log \mu) \le \frac{1}{\beta}",
    symbols="$\\pi^*$: the equilibrium for the reference $\\mu$, here drawn at random",
    kind=EveryStep(rounding=lambda s: 2 * s.resolution),
    hypotheses=GAME,
    run=draw_references,
    measured=lambda s, trace: span(trace["equilibrium"] - trace["reference"]),
    bound=lambda s, trace: np.full(trace.times.size, 1 / s.beta),
    settings=grid,
    strategy=any_setting_with_many_equilibria,
    controls={"half the temperature": draw_references_at_half_temperature},
)

EQUILIBRIUM_DIVERGENCES = Theorem(
    name="regularized-game/equilibrium-divergences",
    title="What the equilibrium gains over the reference is the two divergences between them",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\beta\, \bigl[\mathrm{KL}(\pi^* \| \mu) + \mathrm{KL}(\mu \| \pi^*)\bigr] = \langle \pi^*, P \mu \rangle - \tfrac12",
    symbols="$\\pi^*$: the equilibrium for the reference $\\mu$, here drawn at random",
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_references,
    measured=lambda s, trace: (
        s.beta * (kl(trace["equilibrium"], trace["reference"]) + kl(trace["reference"], trace["equilibrium"]))
    ),
    bound=lambda s, trace: inner(np.exp(trace["equilibrium"]), np.exp(trace["reference"]) @ s.game.payoff.T),
    settings=grid,
    strategy=any_setting_with_many_equilibria,
    controls={"half the temperature": draw_references_at_half_temperature},
)

EQUILIBRIUM_KL = Theorem(
    name="regularized-game/equilibrium-kl",
    title="The equilibrium is close to the reference, whatever the number of actions",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \mu) \le \frac{1}{2 \beta}",
    symbols="$\\pi^*$: the equilibrium for the reference $\\mu$, here drawn at random",
    kind=EveryStep(rounding=lambda s: s.kl_rounding),
    hypotheses=GAME,
    run=draw_references,
    measured=lambda s, trace: kl(trace["equilibrium"], trace["reference"]),
    bound=lambda s, trace: np.full(trace.times.size, 1 / (2 * s.beta)),
    settings=grid,
    strategy=any_setting_with_many_equilibria,
    controls={"half the temperature": draw_references_at_half_temperature},
    remark="This is the distance from which runs start that begin at the reference.",
)

REGULARIZATION_BIAS = Theorem(
    name="regularized-game/bias",
    title="In the game itself, the regularised equilibrium is hardly exploitable",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\max_a (P \pi^*)_a - \tfrac12 \le \beta \log \frac{1}{\min_a \mu(a)}",
    symbols="$\\pi^*$: the equilibrium for the reference $\\mu$, here drawn at random",
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_references,
    measured=lambda s, trace: np.maximum(exploitability(s.game, np.exp(trace["equilibrium"])), 0.0),
    bound=lambda s, trace: -s.beta * trace["reference"].min(axis=-1),
    settings=grid,
    strategy=any_setting_with_many_equilibria,
    controls={"ten times the temperature": draw_references_at_high_temperature},
    trivial=lambda s: 0.5,
)

THREE_POINTS = Theorem(
    name="regularized-game/three-points",
    title="Three-point identity of the proximal map",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"-\langle v, x_+ - u \rangle + g(x_+) - g(u) = \frac{1}{\gamma} \bigl[\mathrm{KL}(u \| x) - \mathrm{KL}(x_+ \| x)\bigr] - \Bigl(\frac{1}{\gamma} + \beta\Bigr) \mathrm{KL}(u \| x_+)",
    symbols=PROX,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=edge_by_values,
    bound=lambda s, trace: (
        (kl(trace["third"], trace["policy"]) - kl(trace["prox"], trace["policy"])) / s.step
        - (1 / s.step + s.beta) * kl(trace["third"], trace["prox"])
    ),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_TEMPERATURE,
)

IMPROVEMENT = Theorem(
    name="regularized-game/monotone-improvement",
    title="A proximal step beats the policy that it starts from, by a known amount",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"P_\beta(x_+ \succ x) - \tfrac12 = \frac{1}{\gamma} \mathrm{KL}(x_+ \| x) + \Bigl(\frac{1}{\gamma} + \beta\Bigr) \mathrm{KL}(x \| x_+)",
    symbols=SYMBOLS + "; " + PROX + "; here $v = P x$",
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: edge(s, trace["self_prox"], trace["policy"]),
    bound=lambda s, trace: (
        kl(trace["self_prox"], trace["policy"]) / s.step
        + (1 / s.step + s.beta) * kl(trace["policy"], trace["self_prox"])
    ),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_TEMPERATURE,
    remark="Improvement over the predecessor does not imply convergence.",
)

PROX_GAP = Theorem(
    name="regularized-game/prox-gap",
    title="What a policy misses of the proximal optimum is its divergence from it",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"F(\pi) - F(x_+) = \Bigl(\frac{1}{\gamma} + \beta\Bigr) \mathrm{KL}(\pi \| x_+)",
    symbols=PROX,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=draw_policies,
    measured=lambda s, trace: prox_objective(s, trace, trace["third"]) - prox_objective(s, trace, trace["prox"]),
    bound=lambda s, trace: (1 / s.step + s.beta) * kl(trace["third"], trace["prox"]),
    settings=grid,
    strategy=any_setting,
    controls=WRONG_TEMPERATURE,
    remark="So a proximal step with error $e$ in its objective is off by $e \\gamma q$ in divergence.",
)
