"""Proofs on plain exploration of deterministic processes.

Notation. Q_w(c) is the largest sum of rewards of w steps that begin with choice c; a plan is *greedy* for w if all its
choices are largest for Q_w. Tables are read and plans gone through as in the proofs on GORP.
"""

from collections import Counter

import numpy as np

from proofs_checks.laidlaw2023 import ROUNDING, choices, extreme, right_choices, table
from rltheory.simulation import stream
from rltheory.theorems.effective_horizon import laidlaw2023_exploration as paper
from rltheory.theorems.effective_horizon.laidlaw2023_exploration import Exploration
from rltheory.theory import Claim, Proof, claim

guessing = Proof(of=[paper.BRUTE_FORCE], settings=paper.processes)


@guessing.step(
    "Without repetition n of N plans miss the K optimal ones with probability prod (N - K - j) / (N - j) <= 1 - n / N"
)
def misses(s: Exploration) -> Claim:
    """The product telescopes for K = 1, and falls with K."""
    t = table(s.problem)
    returns = [0.0]
    ends = [(t.start, 0.0)]
    for stage in range(len(t.pays)):
        ends = [
            (int(t.leads[stage, c]), earned + t.pays[stage, c]) for state, earned in ends for c in choices(t, state)
        ]
    returns = np.array([earned for _, earned in ends])
    number, optimal = returns.size, int((returns >= returns.max() - 1e-9).sum())
    left = [np.prod([(number - optimal - j) / (number - j) for j in range(n)]) for n in range(number)]
    return claim(left, "<=", 1 - np.arange(number) / number, "(N - K - j) / (N - j) <= (N - 1 - j) / (N - j)")


looking = Proof(of=[paper.WINDOW], settings=paper.processes)


def best_of_rewards(s, stage, state, steps):
    """Choices that begin a best sequence of so many, fewer where the horizon ends."""
    t = table(s.problem)

    def most(stage, state, steps):
        if steps == 0 or stage == s.horizon:
            return 0.0
        return max(t.pays[stage, c] + most(stage + 1, int(t.leads[stage, c]), steps - 1) for c in choices(t, state))

    worth = {c: t.pays[stage, c] + most(stage + 1, int(t.leads[stage, c]), steps - 1) for c in choices(t, state)}
    return {c for c in worth if worth[c] >= max(worth.values()) - ROUNDING}


def greedy_places(s, steps):
    """Stages and states to which greedy plans come, with their greedy choices."""
    t, here = table(s.problem), {table(s.problem).start}
    for stage in range(s.horizon):
        after = set()
        for state in sorted(here):
            greedy = best_of_rewards(s, stage, state, steps)
            yield stage, state, greedy
            after |= {int(t.leads[stage, c]) for c in greedy}
        here = after


def wrong_turns(s, steps):
    """Number of greedy choices that are not optimal."""
    return sum(len(greedy - right_choices(s.problem, stage, state)) for stage, state, greedy in greedy_places(s, steps))


@looking.step("W is the least number of steps for which greedy plans make no wrong choice")
def least_window(s: Exploration) -> Claim:
    """None with W, one at least with less."""
    wrong = [min(wrong_turns(s, steps), 1) for steps in range(1, s.window + 1)]
    return claim(wrong, "==", [*[1] * (s.window - 1), 0], "by going through all greedy plans")


@looking.step("Optimal choices keep the optimal return within reach", uses=[least_window])
def kept_within_reach(s: Exploration) -> Claim:
    """r(c) + V*(next) = V*(state), at all places of greedy plans."""
    t, left, right = table(s.problem), [], []
    for stage, state, greedy in greedy_places(s, s.window):
        for c in greedy:
            left.append(t.pays[stage, c] + extreme(s.problem, stage + 1, int(t.leads[stage, c]), 1))
            right.append(extreme(s.problem, stage, state, 1))
    return claim(left, "==", right, "the optimality equation", rounding=ROUNDING)


@looking.step("Conclusion: what is earned and what is within reach sum to V* at each stage", uses=[kept_within_reach])
def stays_optimal(s: Exploration) -> Claim:
    """Along a run."""
    run = paper.look_at_rewards(s, stream(0, "proof of windows"))
    return claim(run["within_reach"], "==", s.optimal_return, "sum over stages", rounding=ROUNDING)


trying = Proof(of=[paper.WINDOW_STEPS], settings=paper.processes)


@trying.step("There are A^W sequences at most at each place, and each takes H steps at most with the choices before it")
def trials(s: Exploration) -> Claim:
    """At all places of greedy plans: sequences, and steps of the longest trial over H."""
    t, left, right = table(s.problem), [], []
    for stage, state, _ in greedy_places(s, s.window):
        ends = [state]
        steps = min(s.window, s.horizon - stage)
        for step in range(steps):
            ends = [int(t.leads[stage + step, c]) for end in ends for c in choices(t, end)]
        left += [len(ends), (stage + steps) / s.horizon]
        right += [max(map(len, (choices(t, q) for q in range(s.mdp.states)))) ** s.window, 1]
    return claim(left, "<=", right, "at most A choices at each of W steps; W is cut where the horizon ends")


@trying.step("Conclusion: H A^W steps for each stage", uses=[trials])
def steps_of_a_run(s: Exploration) -> Claim:
    """Along a run."""
    run = paper.look_at_rewards(s, stream(0, "proof of windows"))
    most = s.horizon * s.actions**s.window
    return claim(np.diff(run["steps"], prepend=0), "<=", most, "one trial of each sequence")


covering = Proof(of=[paper.COVERAGE], settings=paper.processes)


@covering.step("The probability to make a choice in an episode")
def visits(s: Exploration) -> Claim:
    """By going through all plans."""
    t = table(s.problem)
    seen = Counter()

    def walk(stage, state, chance, made):
        if stage == len(t.pays):
            for c in made:
                seen[c] += chance
            return
        for c in choices(t, state):
            walk(stage + 1, int(t.leads[stage, c]), chance / len(choices(t, state)), made | {c})

    walk(0, t.start, 1.0, frozenset())
    return claim([seen[c] for c in sorted(seen)], "==", s.chances, "from the definition")


@covering.step("After n episodes some choice is unseen with probability sum (1 - p)^n <= 1/2", uses=[visits])
def union(s: Exploration) -> Claim:
    """At n = ceil(log(2 number) / p_min)."""
    left = ((1 - s.chances) ** s.coverage_bound).sum()
    return claim(left, "<=", 0.5, "(1 - p)^n <= exp(-p n) <= 1 / (2 number)")


hoping = Proof(of=[paper.OPTIMISM], settings=paper.processes)


def model_values(s, known):
    """Largest returns in the model, from each stage and state on."""
    t = table(s.problem)
    ahead = np.zeros((len(t.pays) + 1, len(t.first) - 1))
    for stage in range(len(t.pays) - 1, -1, -1):
        for state in range(ahead.shape[1]):
            ahead[stage, state] = max(
                t.pays[stage, c] + ahead[stage + 1, t.leads[stage, c]]
                if known[c]
                else t.pays.max() + ahead[stage + 1, state]
                for c in choices(t, state)
            )
    return ahead


def some_known(s):
    """Random sets of known choices."""
    rng = stream(0, "proof of optimism", s)
    return rng.random((20, s.problem.choices)) < rng.random((20, 1))


@hoping.step("The model promises at least the optimal return, whatever is known")
def optimistic(s: Exploration) -> Claim:
    """V* <= V of the model."""
    right = [model_values(s, known)[0, table(s.problem).start] for known in some_known(s)]
    why = "an unknown choice can be made for the rest of the episode, and pays the most there is each time"
    return claim(s.optimal_return, "<=", right, why, rounding=ROUNDING)


@hoping.step("An episode that makes known choices only returns what the model promises", uses=[optimistic])
def kept(s: Exploration) -> Claim:
    """Greedy episodes; those that make an unknown choice are left out."""
    t, promised, returned = table(s.problem), [0.0], [0.0]
    for known in some_known(s):
        ahead, state, earned, new = model_values(s, known), t.start, 0.0, False
        for stage in range(len(t.pays)):
            worth = {
                c: t.pays[stage, c] + ahead[stage + 1, t.leads[stage, c]]
                if known[c]
                else t.pays.max() + ahead[stage + 1, state]
                for c in choices(t, state)
            }
            c = max(worth, key=worth.get)
            new |= not known[c]
            earned, state = earned + t.pays[stage, c], int(t.leads[stage, c])
        if not new:
            promised.append(ahead[0, t.start])
            returned.append(earned)
    return claim(promised, "==", returned, "known choices lead and pay in the model as they do", rounding=ROUNDING)


@hoping.step("Conclusion: each episode is optimal or makes a new choice", uses=[optimistic, kept])
def new_or_optimal(s: Exploration) -> Claim:
    """In a run."""
    run = paper.explore(s, stream(0, "proof of optimism", "run"))
    wrong = np.diff(run["wrong"], prepend=0)
    return claim(wrong, "<=", np.diff(run["seen"], prepend=0), "else it returns more than the optimum, or as much")
