"""Learning without restarts on RiverSwim: steps of learners, extended value iteration, and every learner many times.

Peers are plain loops in Python with NumPy, in which such algorithms are usually published, and a compiled loop that
learns nothing. ``python -m benchmarks.bench_average_reward FILE`` draws the regret of every learner to a file, and
prints a table of it.
"""

import sys
from collections.abc import Iterator

import numba
import numpy as np

from benchmarks.harness import Contender, Limit, Race
from rltheory.algorithms import average_reward_learners
from rltheory.instances import river_swim
from rltheory.measures import pseudo_regret
from rltheory.simulation import replicates, stream
from rltheory.solvers import Plausible, extended_value_iteration

RIVER = river_swim()
SPAN = 6.4  # that of the optimal bias is 6.31
STEPS, REPLICATES, DELTA = 1_000_000, 20, 0.05


PRACTICAL = ("LOOP, bonus x 0.2", "optimistic Q-learning, bonus x 0.01", "LSCVI-UCB, bonus x 0.02")


def learners(horizon):
    """Every learner at the constants of its theorem, and some where these leave little to see at smaller ones."""
    common = {"horizon": horizon, "span": SPAN, "delta": DELTA}
    runs = average_reward_learners(RIVER, **common)
    for name in PRACTICAL:
        runs[name] = average_reward_learners(RIVER, bonus=float(name.split()[-1]), **common)[name]
    return runs


def steps_race(name: str, steps: int, limit: float, plain=None) -> Race:
    def right(visits):
        return visits.sum() > 0 and visits.shape == (RIVER.choices,)

    def ours():
        return learners(steps)[name](stream(0, "bench", name)).last("visits")

    def bare():
        return wander(np.asarray(RIVER.transition_matrix).cumsum(axis=1), steps, stream(0, "bench", "bare"))

    contenders = [
        Contender("rltheory", ours, lambda visits: right(visits) and visits.sum() == steps, units=steps),
        Contender("bare loop, no learning", bare, right, units=steps),
    ]
    if plain is not None:
        few = 20_000
        contenders.append(Contender("plain NumPy", lambda: plain(few, stream(0, "bench", "plain")), right, units=few))
    return Race(f"{name}, RiverSwim, {steps} steps: a step", contenders, Limit(limit), rounds=5)


@numba.njit
def wander(sums, steps, rng):
    """Swim right all the time."""
    visits = np.zeros(sums.shape[0], np.int64)
    state = 0
    for _ in range(steps):
        choice = 2 * state + 1
        visits[choice] += 1
        level, state = rng.random(), 0
        while sums[choice, state] <= level:
            state += 1
    return visits


def numpy_planner(rewards, laws, radii, first_choice, precision):
    """Extended value iteration for balls of the first norm: one sort, one cumulative sum and one product a sweep."""
    values, sweeps = np.zeros(laws.shape[1]), 0
    while True:
        order = np.argsort(values)
        ascending = values[order]
        moved = np.minimum(radii / 2, 1 - laws[:, order[-1]])
        # Of the cumulative probabilities from the worst state on, the mass moved is taken away.
        below = np.maximum(np.cumsum(laws[:, order], axis=1) - moved[:, None], 0.0)
        means = ascending[-1] - below[:, :-1] @ np.diff(ascending)
        backed_up = rewards + means
        change = np.maximum.reduceat(backed_up, first_choice[:-1]) - values
        sweeps += 1
        if np.ptp(change) <= precision:
            return change.min(), change.max(), values, backed_up
        values = values + 0.9 * change
        values -= values.min()


def plain_ucrl2(horizon, rng):
    """UCRL2 of the paper with known rewards, step after step."""
    states, actions = RIVER.states, 2
    sums = np.asarray(RIVER.transition_matrix).cumsum(axis=1)
    seen, visits, state, time = np.zeros((states * actions, states)), np.zeros(states * actions), 0, 0
    while time < horizon:
        floor = np.maximum(visits, 1)
        laws = np.where(visits[:, None] > 0, seen / floor[:, None], 1 / states)
        radii = np.sqrt(14 * states * np.log(2 * actions * max(time, 1) / DELTA) / floor)
        *_, backed_up = numpy_planner(RIVER.rewards, laws, radii, RIVER.first_choice, 1 / np.sqrt(max(time, 1)))
        policy = backed_up.reshape(states, actions).argmax(axis=1) + RIVER.first_choice[:-1]
        new = np.zeros(states * actions)
        while time < horizon and new[policy[state]] < floor[policy[state]]:
            choice = policy[state]
            state = int(np.searchsorted(sums[choice], rng.random(), side="right"))
            seen[choice, state] += 1
            new[choice] += 1
            time += 1
        visits += new
    return visits


def plain_q_learning(horizon, rng):
    """Optimistic Q-learning with theory's constants, step after step."""
    sums = np.asarray(RIVER.transition_matrix).cumsum(axis=1)
    lookahead, rewards = 16.0, RIVER.rewards.reshape(-1, 2)
    q = np.full((RIVER.states, 2), lookahead)
    optimistic, values, visits, state = q.copy(), q.max(axis=1), np.zeros((RIVER.states, 2)), 0
    size = 4 * SPAN * np.sqrt(lookahead * np.log(2 * horizon / DELTA))
    for _ in range(horizon):
        action = int(optimistic[state].argmax())
        following = int(np.searchsorted(sums[2 * state + action], rng.random(), side="right"))
        visits[state, action] += 1
        made = visits[state, action]
        target = rewards[state, action] + (1 - 1 / lookahead) * values[following] + size / np.sqrt(made)
        q[state, action] += (lookahead + 1) / (lookahead + made) * (target - q[state, action])
        optimistic[state, action] = min(optimistic[state, action], q[state, action])
        values[state] = optimistic[state].max()
        state = following
    return visits.ravel()


def planner_race(states: int = 100, actions: int = 10, precision: float = 1e-6, plans: int = 50) -> Race:
    """Plan some times in a row, as learners do: once alone is less than a millisecond, and begins with empty caches."""
    rng = stream(0, "bench", "extended value iteration")
    choices = states * actions
    laws, rewards = rng.dirichlet(np.full(states, 0.5), choices), rng.random(choices)
    radii = 0.1 * np.sqrt(14 * states * np.log(2 * actions * STEPS / DELTA) / rng.integers(10, 2000, choices))
    first_choice = np.arange(0, choices + 1, actions)
    sets = Plausible(first_choice, rewards, laws, radii, "l1")
    expected, *_ = numpy_planner(rewards, laws, radii, first_choice, precision)

    def ours():
        return [extended_value_iteration(sets, precision=precision).gain for _ in range(plans)]

    def numpy():
        return [numpy_planner(rewards, laws, radii, first_choice, precision)[0] for _ in range(plans)]

    return Race(
        f"extended value iteration, {states} states, {actions} actions, balls of the first norm",
        [
            Contender("rltheory", ours, lambda found: abs(found[-1] - expected) <= 1e-9, plans),
            Contender("NumPy", numpy, lambda found: found[-1] == expected, plans),
        ],
        Limit(1 / 20, "NumPy"),
    )


def everyone(horizon: int = STEPS):
    """Pseudo-regret of every learner, many times over."""
    data = replicates(learners(horizon), REPLICATES)
    data["pseudo-regret"] = (("algorithm", "replicate", "time"), pseudo_regret(RIVER, data["visits"]))
    return data


def races() -> Iterator[Race]:
    yield steps_race("UCRL2", STEPS, 1 / 10e6, plain_ucrl2)
    yield steps_race("optimistic Q-learning", STEPS, 1 / 15e6, plain_q_learning)
    yield steps_race("TSDE", STEPS, 1 / 0.8e6)
    yield planner_race()
    yield Race(
        f"{len(learners(1))} learners, {REPLICATES} times, {STEPS} steps on RiverSwim",
        [Contender("rltheory", everyone, lambda data: bool((data["visits"].sum("choice") == data["time"]).all()))],
        Limit(180.0),
        rounds=1,
    )


def main(file: str) -> None:
    """Draw the regret of every learner, and print it."""
    import matplotlib.pyplot as plt

    from rltheory.plots import bands

    data = everyone()
    final = data["pseudo-regret"].isel(time=-1)
    late = data["pseudo-regret"].sel(time=slice(STEPS // 10, None)).isel(time=[0, -1]).mean("replicate")
    print(f"{'learner':40}{'pseudo-regret':>15}{'10 %':>10}{'90 %':>10}{'epochs':>10}{'late exponent':>15}")
    for name in data["algorithm"].to_numpy():
        mean, low, high = final.sel(algorithm=name).mean(), *final.sel(algorithm=name).quantile([0.1, 0.9])
        epochs = data["epochs"].isel(time=-1).sel(algorithm=name).mean()
        exponent = np.diff(np.log(late.sel(algorithm=name)))[0] / np.diff(np.log(late["time"]))[0]
        print(f"{name:40}{mean:15.0f}{low:10.0f}{high:10.0f}{epochs:10.0f}{exponent:15.2f}")
    ax = bands(data["pseudo-regret"], quantity="pseudo-regret", slopes=[0.5])
    ax.set_xlim(left=100)
    ax.set_ylim(bottom=20)
    plt.savefig(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
