r"""RUCB, CCB, double Thompson sampling and RMED.

With :math:`W_{ab}` wins of a over b, :math:`N_{ab}` their duels and :math:`\hat P_{ab} = W_{ab} / N_{ab}`, the bounds
of round t are :math:`\hat P_{ab} \pm \sqrt{\alpha \log t / N_{ab}}`; pairs that have not met yet have infinite ones.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.dueling.play import DuelingPolicy, Duels
from rltheory.arrays import Array, Matrix, Vector, not_negative, positive
from rltheory.jit import kernel
from rltheory.variates import Generators, beta_variates, uniform, uniforms

__all__ = ["ccb", "double_thompson", "rmed", "rucb"]

NEVER_MET = 1e300  # in place of the inverse root of 0: times 0 it is 0


@kernel
def _start_bounds(parameters: Vector, duels: Duels) -> None:
    n = duels.wins.shape[0]
    duels.memory[:n] = 0.5
    duels.memory[n : 2 * n] = NEVER_MET


@kernel
def _observe_bounds(t: int, parameters: Vector, duels: Duels) -> None:
    wins, memory, first, second = duels.wins, duels.memory, duels.first, duels.second
    n = wins.shape[0]
    for lane in range(first.size):
        a, b = first[lane], second[lane]
        if a != b:
            met = wins[a, b, lane] + wins[b, a, lane]
            root = 1.0 / math.sqrt(met)
            memory[a, b, lane] = wins[a, b, lane] / met
            memory[b, a, lane] = wins[b, a, lane] / met
            memory[n + a, b, lane] = root
            memory[n + b, a, lane] = root


@kernel
def _start_relative_bounds(parameters: Vector, duels: Duels) -> None:
    _start_bounds(parameters, duels)
    duels.memory[2 * duels.wins.shape[0] + 1, 0] = -1.0


@kernel
def _choose_by_relative_bounds(t: int, parameters: Vector, duels: Duels) -> None:
    memory, first, second, draws = duels.memory, duels.first, duels.second, duels.work[0]
    n = duels.wins.shape[0]
    means, roots, lowest, hypothesis = memory[:n], memory[n : 2 * n], memory[2 * n], memory[2 * n + 1, 0]
    now = math.sqrt(parameters[0] * math.log(t + 1.0))
    for a in range(n):
        for lane in range(first.size):
            lowest[a, lane] = np.inf
        for b in range(n):
            if b != a:
                for lane in range(first.size):
                    lowest[a, lane] = min(lowest[a, lane], means[a, b, lane] + now * roots[a, b, lane])
    uniforms(duels.generators, draws)
    for lane in range(first.size):
        c = _champion(lowest, lane, int(hypothesis[lane]), draws[lane], hypothesis)
        best, largest = c, 0.5
        for b in range(n):
            value = means[b, c, lane] + now * roots[b, c, lane]
            # A bound of 1/2 is that of the champion itself, who does not win ties.
            if b != c and (value > largest or (value == 0.5 and best == c)):
                best, largest = b, value
        first[lane], second[lane] = c, best


@kernel
def _champion(lowest: Matrix, lane: int, held: int, draw: float, hypothesis: Vector) -> int:
    """Draw who may be the best; the one held to be it has half of the chance, and the others the rest."""
    n, candidates, last = lowest.shape[0], 0, -1
    for a in range(n):
        if lowest[a, lane] >= 0.5:
            candidates += 1
            last = a
    if held >= 0 and lowest[held, lane] < 0.5:
        held = -1
    if candidates == 1:
        held = last
    hypothesis[lane] = held
    if candidates == 0:
        return int(n * draw)
    if candidates == 1:
        return last
    if held >= 0:
        if draw < 0.5:
            return held
        draw, candidates = 2.0 * draw - 1.0, candidates - 1
    place = int(candidates * draw)
    for a in range(n):
        if lowest[a, lane] >= 0.5 and a != held:
            if place == 0:
                return a
            place -= 1
    return last


def rucb(alpha: float = 0.51) -> DuelingPolicy:
    r"""Relative upper confidence bounds :cite:`zoghi2014`, for games with a Condorcet winner.

    Candidates are the actions whose upper bounds against all others reach 1/2. One of them is drawn, and meets the
    action with the largest upper bound against it; of equal ones the first.

    Parameters
    ----------
    alpha
        :math:`\alpha > 0`; the analysis takes one above 1/2.
    """
    return DuelingPolicy(
        "RUCB",
        _start_relative_bounds,
        _choose_by_relative_bounds,
        _observe_bounds,
        (positive(alpha, "alpha"),),
        lambda n, lanes: (2 * n + 2, n, lanes),
    )


class Hypotheses(NamedTuple):
    """What CCB holds about L replicates with n actions; 1 where something is so, or else 0."""

    may_beat: Array  # (n, n, L), an upper bound of 1/2 at least
    superiors: Array  # (n, n, L), the second is taken to beat the first
    most: Matrix  # (n, L), actions that this one may beat
    least: Matrix  # (n, L), actions that it beats for sure
    hopeful: Matrix  # (n, L), taken for a winner of Copeland's rule
    losses: Vector  # (L,), of such a winner


@kernel
def _hypotheses(duels: Duels) -> Hypotheses:
    memory, n = duels.memory, duels.wins.shape[0]
    others = memory[4 * n :]
    return Hypotheses(memory[2 * n : 3 * n], memory[3 * n : 4 * n], others[0], others[1], others[2], others[3, 0])


@kernel
def _reset(lane: int, hypotheses: Hypotheses) -> None:
    _, superiors, _, _, hopeful, losses = hypotheses
    n = superiors.shape[0]
    losses[lane] = n
    for a in range(n):
        hopeful[a, lane] = 1.0
        for b in range(n):
            superiors[a, b, lane] = 0.0


@kernel
def _start_hypotheses(parameters: Vector, duels: Duels) -> None:
    _start_bounds(parameters, duels)
    for lane in range(duels.first.size):
        _reset(lane, _hypotheses(duels))


@kernel
def _superiors_of(a: int, lane: int, superiors: Array) -> int:
    number = 0
    for b in range(superiors.shape[0]):
        number += int(superiors[a, b, lane])
    return number


@kernel
def _keep_superiors(a: int, lane: int, wanted: int, superiors: Array, generators: Generators) -> None:
    """Keep so many superiors of an action, drawn from all; none if there are fewer."""
    left = _superiors_of(a, lane, superiors)
    if left == wanted:
        return
    if left < wanted:
        wanted = 0
    for b in range(superiors.shape[0]):
        if superiors[a, b, lane] == 1.0:
            if wanted > 0 and uniform(generators, lane) * left < wanted:
                wanted -= 1
            else:
                superiors[a, b, lane] = 0.0
            left -= 1


@kernel
def _largest(lane: int, scores: Matrix) -> float:
    largest = 0.0
    for a in range(scores.shape[0]):
        largest = max(largest, scores[a, lane])
    return largest


@kernel
def _revise(lane: int, hypotheses: Hypotheses, generators: Generators) -> None:
    may_beat, superiors, most, least, hopeful, losses = hypotheses
    n, left = most.shape[0], 0.0
    surely, possibly = _largest(lane, least), _largest(lane, most)
    for a in range(n):
        if hopeful[a, lane] == 1.0 and most[a, lane] < surely:
            hopeful[a, lane] = 0.0
            if _superiors_of(a, lane, superiors) != losses[lane] + 1.0:
                for b in range(n):
                    superiors[a, b, lane] = 1.0 - may_beat[a, b, lane] if b != a else 0.0
        left += hopeful[a, lane]
    if left == 0.0:
        _reset(lane, hypotheses)
    for a in range(n):
        if most[a, lane] == possibly and least[a, lane] == possibly:
            hopeful[a, lane] = 1.0
            losses[lane] = n - 1 - possibly
            for b in range(n):
                _keep_superiors(b, lane, int(losses[lane]) + 1 if b != a else 0, superiors, generators)


@kernel
def _draw_unsure(lane: int, hypotheses: Hypotheses, generators: Generators) -> tuple[int, int]:
    """Draw an action and one that is taken for its superior, but not yet for sure; (-1, -1) if there are none."""
    may_beat, superiors = hypotheses.may_beat, hypotheses.superiors
    n, seen, first, second = superiors.shape[0], 0, -1, -1
    for a in range(n):
        for b in range(n):
            if superiors[a, b, lane] * may_beat[a, b, lane] * may_beat[b, a, lane] == 1.0:
                seen += 1
                if uniform(generators, lane) * seen < 1.0:
                    first, second = a, b
    return first, second


@kernel
def _draw_champion(lane: int, hypotheses: Hypotheses, generators: Generators) -> int:
    """Draw one of those that may beat most others; with a chance of 2/3 a hopeful one, if there is any."""
    _, _, most, _, hopeful, _ = hypotheses
    n, possibly, only_hopeful, seen, champion = most.shape[0], _largest(lane, most), False, 0, -1
    if uniform(generators, lane) < 2.0 / 3.0:
        for a in range(n):
            only_hopeful = only_hopeful or (most[a, lane] == possibly and hopeful[a, lane] == 1.0)
    for a in range(n):
        if most[a, lane] == possibly and (hopeful[a, lane] == 1.0 or not only_hopeful):
            seen += 1
            if uniform(generators, lane) * seen < 1.0:
                champion = a
    return champion


@kernel
def _rival(
    c: int, lane: int, now: float, means: Array, roots: Array, hypotheses: Hypotheses, only_superiors: bool
) -> int:
    """Find the largest bound over c among those that c may beat; -1 if no superior is among them."""
    may_beat, superiors = hypotheses.may_beat, hypotheses.superiors
    best, largest = (-1, 0.0) if only_superiors else (c, 0.5)
    for b in range(superiors.shape[0]):
        if b != c and may_beat[c, b, lane] == 1.0 and (superiors[c, b, lane] == 1.0 or not only_superiors):
            value = means[b, c, lane] + now * roots[b, c, lane]
            # A bound of 1/2 is that of c itself, who does not win ties.
            if value > largest or (value == largest and best == c):
                best, largest = b, value
    return best


@kernel
def _choose_by_copeland_bounds(t: int, parameters: Vector, duels: Duels) -> None:
    memory, first, second, generators = duels.memory, duels.first, duels.second, duels.generators
    n, hypotheses, disproven = duels.wins.shape[0], _hypotheses(duels), duels.work[0]
    means, roots = memory[:n], memory[n : 2 * n]
    may_beat, superiors, most, least, _, _ = hypotheses
    now = math.sqrt(parameters[0] * math.log(t + 1.0))
    for lane in range(first.size):
        disproven[lane] = 0.0
    for a in range(n):
        for lane in range(first.size):
            most[a, lane] = 0.0
            least[a, lane] = n - 1.0
        for b in range(n):
            if b != a:
                for lane in range(first.size):
                    may_beat[a, b, lane] = means[a, b, lane] + now * roots[a, b, lane] >= 0.5
                    most[a, lane] += may_beat[a, b, lane]
    for a in range(n):
        for b in range(n):
            if b != a:
                for lane in range(first.size):
                    least[a, lane] -= may_beat[b, a, lane]
                    disproven[lane] += superiors[a, b, lane] * (1.0 - may_beat[b, a, lane])
    for lane in range(first.size):
        if disproven[lane] > 0.0:
            _reset(lane, hypotheses)
        _revise(lane, hypotheses, generators)
        c, d = -1, -1
        if uniform(generators, lane) < 0.25:
            c, d = _draw_unsure(lane, hypotheses, generators)
        if c < 0:
            c = _draw_champion(lane, hypotheses, generators)
            if uniform(generators, lane) < 0.5:
                d = _rival(c, lane, now, means, roots, hypotheses, True)
            if d < 0:
                d = _rival(c, lane, now, means, roots, hypotheses, False)
        first[lane], second[lane] = c, d


def ccb(alpha: float = 0.51) -> DuelingPolicy:
    r"""Copeland confidence bounds :cite:`zoghi2015`, for winners of Copeland's rule where nobody beats all others.

    An action may beat another if its upper bound is 1/2 at least, and surely does if the other may not beat it. Three
    hypotheses are held: who is a winner, at first everybody; how many others beat a winner; and which superiors, one
    more than that, show that an action is none. They are revised when bounds settle, and all forgotten when a superior
    has surely lost. With a chance of 1/4 an action meets a superior of it, if any of these pairs is unsure. Else a
    champion is drawn from those that may beat most, with a chance of 2/3 only from the supposed winners among them. It
    meets the action with the largest upper bound against it, of those that it may beat, itself included: with a chance
    of 1/2 only its superiors count, if any of them is left. Of equal ones the first is taken, the champion last.

    Parameters
    ----------
    alpha
        :math:`\alpha > 0`; the analysis takes one above 1/2, and a game without ties.

    Examples
    --------
    Three winners beat each other in a cycle, and all of them beat the fourth action.

    >>> from rltheory.algorithms.dueling import play_duels
    >>> from rltheory.problems import PreferenceGame
    >>> game = PreferenceGame([[0.5, 0.7, 0.3, 0.7], [0.3, 0.5, 0.7, 0.7], [0.7, 0.3, 0.5, 0.7], [0.3, 0.3, 0.3, 0.5]])
    >>> policies, rng = [ccb(), rucb()], np.random.default_rng(0)
    >>> ours, theirs = (play_duels(game, p, horizon=20_000, rng=rng).last("copeland_regret")[0] for p in policies)
    >>> bool(ours < theirs / 10)
    True
    """
    return DuelingPolicy(
        "CCB",
        _start_hypotheses,
        _choose_by_copeland_bounds,
        _observe_bounds,
        (positive(alpha, "alpha"),),
        lambda n, lanes: (4 * n + 4, n, lanes),
    )


@kernel
def _keep_larger(a: int, values: Vector, largest: Vector, best: NDArray[np.int64]) -> None:
    for lane in range(best.size):
        better = values[lane] > largest[lane]
        largest[lane] = values[lane] if better else largest[lane]
        best[lane] = a if better else best[lane]


@kernel
def _choose_by_two_samples(t: int, parameters: Vector, duels: Duels) -> None:
    wins, memory, first, second, work = duels.wins, duels.memory, duels.first, duels.second, duels.work
    n, generators = wins.shape[0], duels.generators
    means, roots, beaten, scores = memory[:n], memory[n : 2 * n], memory[2 * n], memory[2 * n + 1]
    rest, sample, wins_of, losses_of, largest = work[:4], work[4], work[5], work[6], work[7]
    now = math.sqrt(parameters[0] * math.log(t + 1.0))
    for lane in range(first.size):
        largest[lane] = -1.0
        first[lane] = 0
        second[lane] = 0
    for a in range(n):
        uniforms(generators, scores[a])
        for lane in range(first.size):
            beaten[a, lane] = 0.0
        for b in range(n):
            if b != a:
                for lane in range(first.size):
                    beaten[a, lane] += means[a, b, lane] + now * roots[a, b, lane] > 0.5
        for lane in range(first.size):
            largest[lane] = max(largest[lane], beaten[a, lane])
    for a in range(n):
        for b in range(a + 1, n):
            for lane in range(first.size):
                wins_of[lane] = wins[a, b, lane] + 1.0
                losses_of[lane] = wins[b, a, lane] + 1.0
            beta_variates(generators, wins_of, losses_of, rest, sample)
            for lane in range(first.size):
                scores[a, lane] += sample[lane] > 0.5
                scores[b, lane] += sample[lane] < 0.5
    for a in range(n):
        for lane in range(first.size):
            scores[a, lane] = scores[a, lane] if beaten[a, lane] == largest[lane] else -1.0
    for lane in range(first.size):
        largest[lane] = -1.0
    for a in range(n):
        _keep_larger(a, scores[a], largest, first)
    for lane in range(first.size):
        largest[lane] = -1.0
    for a in range(n):
        for lane in range(first.size):
            wins_of[lane] = wins[a, first[lane], lane] + 1.0
            losses_of[lane] = wins[first[lane], a, lane] + 1.0
        beta_variates(generators, wins_of, losses_of, rest, sample)
        for lane in range(first.size):
            c = first[lane]
            unsure = means[a, c, lane] - now * roots[a, c, lane] <= 0.5
            sample[lane] = 0.5 if a == c else (sample[lane] if unsure else -1.0)
        _keep_larger(a, sample, largest, second)


def double_thompson(alpha: float = 0.51) -> DuelingPolicy:
    r"""Double Thompson sampling :cite:`wu2016`, for winners of Copeland's rule, a Condorcet winner among them.

    Among the actions with the most upper bounds above 1/2, the first of a duel wins most duels of a sample of
    preferences from their posteriors; ties are broken at random. The second one has, in another sample, the largest
    preference over the first, of those whose lower bound over it is 1/2 at most; that of the first over itself is 1/2.

    Parameters
    ----------
    alpha
        :math:`\alpha > 0`; the analysis takes one above 1/2.
    """
    return DuelingPolicy(
        "double Thompson",
        _start_bounds,
        _choose_by_two_samples,
        _observe_bounds,
        (positive(alpha, "alpha"),),
        lambda n, lanes: (2 * n + 2, n, lanes),
    )


@kernel
def _start_lists(parameters: Vector, duels: Duels) -> None:
    n = duels.wins.shape[0]
    duels.memory[n + 1] = 1.0


@kernel
def _choose_by_minimal_divergence(t: int, parameters: Vector, duels: Duels) -> None:
    wins, memory, first, second = duels.wins, duels.memory, duels.first, duels.second
    n = wins.shape[0]
    if t < n * (n - 1) // 2:
        a, rest = 0, t
        while rest >= n - 1 - a:
            rest -= n - 1 - a
            a += 1
        for lane in range(first.size):
            first[lane], second[lane] = a, a + 1 + rest
        return
    evidence, waiting = memory[n], memory[n + 1]
    for lane in range(first.size):
        a, likely = 0, 0
        while waiting[a, lane] == 0.0:
            a += 1
        for b in range(n):
            if evidence[b, lane] < evidence[likely, lane]:
                likely = b
        any_above, lowest, least = False, a, np.inf
        for b in range(n):
            if b != a:
                share = wins[a, b, lane] / (wins[a, b, lane] + wins[b, a, lane])
                any_above = any_above or share <= 0.5
                if share < least:
                    lowest, least = b, share
        met = wins[a, likely, lane] + wins[likely, a, lane]
        above = likely != a and wins[a, likely, lane] <= 0.5 * met
        first[lane], second[lane] = a, likely if above or not any_above else lowest


@kernel
def _evidence(won: float, lost: float) -> float:
    """Divergence of the share of wins from 1/2, times the duels, if it is 1/2 at most."""
    if won >= lost:
        return 0.0
    met = won + lost
    return (won * math.log(2.0 * won / met) if won > 0.0 else 0.0) + lost * math.log(2.0 * lost / met)


@kernel
def _sum_evidence(divergences: Array, a: int, lane: int, evidence: Matrix) -> None:
    total = 0.0
    for b in range(divergences.shape[0]):
        total += divergences[a, b, lane]
    evidence[a, lane] = total


@kernel
def _observe_divergences(t: int, parameters: Vector, duels: Duels) -> None:
    wins, memory, first, second = duels.wins, duels.memory, duels.first, duels.second
    n = wins.shape[0]
    divergences, evidence, waiting, following = memory[:n], memory[n], memory[n + 1], memory[n + 2]
    for lane in range(first.size):
        a, b = first[lane], second[lane]
        if a != b:
            divergences[a, b, lane] = _evidence(wins[a, b, lane], wins[b, a, lane])
            divergences[b, a, lane] = _evidence(wins[b, a, lane], wins[a, b, lane])
            _sum_evidence(divergences, a, lane, evidence)
            _sum_evidence(divergences, b, lane, evidence)
    if t < n * (n - 1) // 2:
        return
    budget = math.log(t + 1.0) + parameters[0] * n**1.01
    for lane in range(first.size):
        waiting[first[lane], lane] = 0.0
        least, left = np.inf, 0.0
        for b in range(n):
            least = min(least, evidence[b, lane])
            left += waiting[b, lane]
        for b in range(n):
            if waiting[b, lane] == 0.0 and evidence[b, lane] - least <= budget:
                following[b, lane] = 1.0
        if left == 0.0:
            for b in range(n):
                waiting[b, lane] = following[b, lane]
                following[b, lane] = 0.0


def rmed(c: float = 0.3) -> DuelingPolicy:
    r"""RMED1 of :cite:`komiyama2015`, for games with a Condorcet winner.

    The evidence against a is :math:`I_a = \sum_{b : \hat P_{ab} \le 1/2} N_{ab} \mathrm{kl}(\hat P_{ab}, 1/2)`. After
    each pair has met once, actions are taken in turns from a list; it is followed by the list of those for which, while
    they did not wait, :math:`I_a - \min_b I_b \le \log t + c\, n^{1.01}`. An action meets the one with the least
    evidence against it, if it has lost to it half of the duels at least or to nobody half of them, and else the one to
    whom it has lost most.

    Parameters
    ----------
    c
        A number >= 0; 0.3 is that of the paper's experiments.
    """
    return DuelingPolicy(
        "RMED1",
        _start_lists,
        _choose_by_minimal_divergence,
        _observe_divergences,
        (not_negative(c, "c"),),
        lambda n, lanes: (n + 3, n, lanes),
    )
