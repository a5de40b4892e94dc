"""Learners in episodes, in steps that are simulated, beside rlberry, NumPy and a bare loop.

On tables the limits are 4 million steps a second for UCBVI, 0.8 for PSRL, 10 for UCRL2 and 15 for Q-learning; NORA and
DOUHUA may take twice the time of UCBVI. rlberry's UCBVI has a bonus of its own; with that bonus ours has to lose no
more, in the mean over seeds. On a linear process LSVI-UCB, with rare switching, and NORA have to be 15, 80 and 30 times
as quick as LSVI-UCB in NumPy. All but the bare loop keep the exact regret, which says whether they have learnt.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numba
import numpy as np

from benchmarks.harness import Contender, Limit, Race, peer
from rltheory.algorithms import (
    douhua,
    episodic_q_learning,
    episodic_ucrl2,
    linear_nora,
    lsvi_ucb,
    nora,
    psrl,
    ucbvi_bernstein,
    ucbvi_hoeffding,
)
from rltheory.algorithms.episodes.play import back_up, empty_path, loss_of_plan, play_plan, unknown, world
from rltheory.algorithms.episodes.ridge import theorem_bonus
from rltheory.instances import chain, diabolical_lock, random_linear_mdp, river_swim
from rltheory.measures import finite_horizon_regret, finite_horizon_suboptimality
from rltheory.problems import FiniteHorizonMDP
from rltheory.simulation import Workers, stream
from rltheory.solvers import backward_induction

LOCK = diabolical_lock(stream(0, "bench", "lock"), 5, 3)
LINEAR, LINEAR_HORIZON = random_linear_mdp(stream(0, "bench", "linear"), 20, 4, 4), 4
RIVER = FiniteHorizonMDP.stationary(river_swim(), 20)
CHAIN = FiniteHorizonMDP.stationary(chain().with_rewards(chain().rewards / 10), 10)


def learner(name, run, problem, episodes, highest_regret, **options) -> Contender:
    """One of ours; its regret has to stay below that of other code, which ran as long, with a margin."""
    return Contender(
        name,
        lambda: run(problem, episodes=episodes, rng=stream(0, "bench", "runs"), **options),
        lambda trace: 0 < trace.last("regret") < highest_regret,
        units=episodes * problem.horizon,
    )


def plain_ucbvi(problem, episodes, bonus, delta=0.05):
    """UCBVI after Hoeffding in NumPy, for processes whose states have equally many actions; the regret."""
    horizon, states, choices = problem.horizon, problem.states, problem.choices
    actions, rng = choices // states, stream(0, "bench", "plain")
    stages = range(horizon)
    rewards = np.array([mdp.rewards for mdp in problem.stages])
    laws = np.array([mdp.as_sparse().transition_matrix.toarray() for mdp in problem.stages])
    pooled = problem.stride == 0
    moves = np.zeros((1 if pooled else horizon, choices, states))
    scale = bonus * 7 * horizon * np.log(5 * choices * horizon * episodes / delta)
    q, plans = np.full((horizon, choices), float(horizon)), []
    for _ in range(episodes):
        visits = moves.sum(axis=-1)
        with np.errstate(divide="ignore"):
            bonuses = scale / np.sqrt(visits)
        believed = moves / np.maximum(visits, 1)[..., None]
        v, made = np.zeros(states), np.empty((horizon, states), int)
        for h in reversed(stages):
            known = 0 if pooled else h
            q[h] = np.minimum(q[h], rewards[h] + believed[known] @ v + bonuses[known])
            table = q[h].reshape(states, actions)
            made[h] = np.arange(states) * actions + table.argmax(axis=1)
            v = table.max(axis=1)
        plans.append(made)
        state = rng.choice(states, p=problem.initial)
        for h in stages:
            choice = made[h, state]
            state = rng.choice(states, p=laws[h, choice])
            moves[0 if pooled else h, choice, state] += 1
    return finite_horizon_regret(problem, as_policies(problem, plans))[-1]


def plain_lsvi_ucb(problem, horizon, episodes, bonus):
    """LSVI-UCB in NumPy, with features summed by the states that came after them; the regret."""
    rng, mdp = stream(0, "bench", "plain"), problem.tabular
    states, actions, dimension = problem.features.shape
    features, laws = problem.features.reshape(-1, dimension), mdp.transition_matrix
    beta = bonus * theorem_bonus(dimension, horizon=horizon, episodes=episodes)
    inverses, sums = np.tile(np.eye(dimension), (horizon - 1, 1, 1)), np.zeros((horizon - 1, states, dimension))
    policies = np.zeros((episodes, horizon, mdp.choices))
    for episode in range(episodes):
        values, made = np.zeros(states), np.empty((horizon, states), int)
        for h in reversed(range(horizon)):
            f = mdp.rewards
            if h < horizon - 1:
                squares = ((features @ inverses[h]) * features).sum(axis=1)
                ahead = features @ (inverses[h] @ (values @ sums[h])) + beta * np.sqrt(squares)
                f = f + np.clip(ahead, 0, horizon - 1 - h)
            table = f.reshape(states, actions)
            made[h] = np.arange(states) * actions + table.argmax(axis=1)
            values = table.max(axis=1)
        policies[episode, np.arange(horizon)[:, None], made] = 1
        state = rng.choice(states, p=mdp.initial)
        for h in range(horizon):
            choice = made[h, state]
            state = rng.choice(states, p=laws[choice])
            if h < horizon - 1:
                pulled = inverses[h] @ features[choice]
                inverses[h] -= np.outer(pulled, pulled) / (1 + features[choice] @ pulled)
                sums[h, state] += features[choice]
    return finite_horizon_regret(FiniteHorizonMDP.stationary(mdp, horizon), policies)[-1]


@numba.njit(nogil=True)
def bare_play(starts, sums, made, episodes, rng):
    """Nothing but the draws of a plan's episodes, from rows of cumulative sums over all states."""
    arrivals = np.zeros(starts.size, np.int64)
    for _ in range(episodes):
        state, level = 0, rng.random()
        while starts[state] <= level:
            state += 1
        for h in range(made.shape[0]):
            row, level, following = made[h, state], rng.random(), 0
            while sums[h, row, following] <= level:
                following += 1
            state = following
        arrivals[state] += 1
    return arrivals


def cumulative(problem):
    """Cumulative sums of the law of the first state, and of those of all choices."""
    sums = np.cumsum([mdp.as_sparse().transition_matrix.toarray() for mdp in problem.stages], axis=2)
    starts = np.cumsum(problem.initial)
    sums[..., -1] = starts[-1] = 1.0
    return starts, sums


def bare(problem, episodes) -> Contender:
    sums, made = cumulative(problem), backward_induction(problem).made
    return Contender(
        "draws alone",
        lambda: bare_play(*sums, made, episodes, stream(0, "bench", "bare")),
        lambda arrivals: arrivals.sum() == episodes,
        units=episodes * problem.horizon,
    )


def agent_of_rlberry(name, problem, seed, **options):
    """An agent of the peer for a process without stages, whose states have equally many actions."""
    import gymnasium

    if not hasattr(gymnasium.logger, "set_level"):  # the peer calls it when it is imported
        gymnasium.logger.set_level = lambda level: None
    module = peer(f"rlberry.agents.{name.lower()}")
    if module is None:
        return None
    import rlberry
    from rlberry.envs.finite import FiniteMDP

    rlberry.logger.setLevel("ERROR")
    mdp, states = problem.stages[0], problem.states
    laws = mdp.as_sparse().transition_matrix.toarray().reshape(states, -1, states)
    process = FiniteMDP(mdp.rewards.reshape(states, -1), laws, np.array(problem.initial))
    process.reward_range = (0.0, 1.0)
    return getattr(module, f"{name}Agent")(process, horizon=problem.horizon, seeder=seed, **options)


def plan_of(agent):
    """The choices, as we count them, that an agent of the peer would make."""
    return np.arange(agent.Q.shape[1]) * agent.Q.shape[2] + agent.Q.argmax(axis=2)


def as_policies(problem, plans):
    policies = np.zeros((len(plans), problem.horizon, problem.choices))
    np.put_along_axis(policies, np.array(plans), 1.0, axis=2)
    return policies


def of_rlberry(name, problem, episodes, **options) -> list[Contender]:
    """The peer in a race, if it is here; in the end it has to lose less than a fifth of what there is."""
    if agent_of_rlberry(name, problem, 0) is None:
        return []

    def run():
        agent = agent_of_rlberry(name, problem, 0, **options)
        agent.fit(episodes)
        return agent

    def learnt(agent):
        (policy,) = as_policies(problem, [plan_of(agent)])
        best = backward_induction(problem).values[0] @ problem.initial
        return finite_horizon_suboptimality(problem, policy) < best / 5

    return [Contender("rlberry", run, learnt, units=episodes * problem.horizon)]


def regret_of_rlberry(problem, episodes, seed, **options):
    """What the plans lose, exactly, that the peer's UCBVI follows."""
    agent, plans = agent_of_rlberry("UCBVI", problem, seed, **options), []
    for _ in range(episodes):
        plans.append(plan_of(agent))
        agent.fit(1)
    return finite_horizon_regret(problem, as_policies(problem, plans))[-1]


@numba.njit
def play_optimistically(
    world, belief, visits, moves, bonuses, values, action_values, made, path, losses, episodes, apart, rng
):
    """UCBVI with the bonus of the peer; the regret. If stages are not apart, each learns from all."""
    regret, horizon, entries = 0.0, path.choices.size, moves.size // path.choices.size
    first_entry, probabilities = belief.first_entry, belief.probabilities
    for _ in range(episodes):
        back_up(belief, bonuses, action_values, values, action_values, made)
        regret += loss_of_plan(world, made, losses)
        play_plan(world, made, path, rng)
        for stage in range(horizon):
            first, end = (stage, stage + 1) if apart else (0, horizon)
            for other in range(first, end):
                row, to_go = other * belief.stride + path.choices[stage], horizon - other
                visits[row] += 1
                moves[path.entries[stage] + (other - stage) * entries] += 1
                bonuses[row] = min(1 / math.sqrt(visits[row]) + to_go / visits[row], to_go)
                for entry in range(first_entry[row], first_entry[row + 1]):
                    probabilities[entry] = moves[entry] / visits[row]
    return regret


def regret_with_bonus_of_rlberry(problem, episodes, seed, *, apart):
    """What our UCBVI loses with the peer's bonus."""
    horizon, states = problem.horizon, problem.states
    rows, process = horizon * problem.choices, world(problem)
    return play_optimistically(
        process,
        unknown(process.truth),
        np.zeros(rows, np.int64),
        np.zeros(process.truth.successors.size, np.int64),
        np.full(rows, np.inf),
        np.zeros((horizon + 1, states)),
        np.full((horizon, problem.choices), float(horizon)),
        np.full((horizon, states), -1),
        empty_path(problem),
        np.zeros((horizon + 1, states)),
        episodes,
        apart,
        stream(0, "bench", "bonus of the peer", seed),
    )


@dataclass
class NoWorse(Race):
    """A race for the least regret, in which each round has another seed."""

    margin: float = 0.05  # of the mean of the others

    def verdict(self) -> str:
        """Compare the means, with an interval of confidence 95 % for their difference."""
        from scipy.stats import ttest_ind

        ours, theirs = (np.array(self.costs[contender.name]) for contender in self.contenders[:2])
        between = ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
        low, high = between.low / theirs.mean(), between.high / theirs.mean()
        met = "met" if high <= self.margin else "MISSED"
        return f"mean {low:+.1%} to {high:+.1%}, <= {self.margin:+.0%}: {met}"


def regrets(name, problem, episodes) -> Iterator[Race]:
    if agent_of_rlberry("UCBVI", problem, 0) is None:
        return
    for apart in (True, False):
        rounds: Counter[str] = Counter()

        def regret(contender, rounds=rounds):
            rounds[contender.name] += 1
            return contender.run(rounds[contender.name])

        ours = partial(regret_with_bonus_of_rlberry, problem, episodes, apart=apart)
        theirs = partial(regret_of_rlberry, problem, episodes, stage_dependent=apart)
        yield NoWorse(
            f"UCBVI, {name}, rlberry's bonus, stages {'apart' if apart else 'alike'}: regret of {episodes} episodes",
            [
                Contender("rltheory", lambda seed=0, run=ours: run(seed), math.isfinite),
                Contender("rlberry", lambda seed=0, run=theirs: run(seed), math.isfinite),
            ],
            rounds=30,
            cost=regret,
            shown=lambda cost: f"{cost:.0f}",
        )


def model_based(name, problem, episodes, highest_regret) -> Race:
    ours = partial(learner, problem=problem, episodes=episodes)
    few = 300
    return Race(
        f"UCBVI, {name}: a step",
        [
            ours("rltheory", ucbvi_hoeffding, highest_regret=highest_regret, bonus=0.003),
            Contender(
                "NumPy",
                lambda: plain_ucbvi(problem, few, 0.003),
                lambda regret: 0 < regret < highest_regret,
                units=few * problem.horizon,
            ),
            bare(problem, episodes),
            ours("rltheory, Bernstein", ucbvi_bernstein, highest_regret=highest_regret, bonus=0.01),
            *(of_rlberry("UCBVI", problem, few, bonus_scale_factor=0.3) if problem.stride == 0 else []),
        ],
        Limit(1 / 4e6),
    )


def actor_critic(name, run, highest_regret, **options) -> Race:
    episodes = 20_000
    return Race(
        f"{name}, lock: a step",
        [
            learner("rltheory", run, LOCK, episodes, highest_regret, bonus=0.3, **options),
            learner("UCBVI", ucbvi_hoeffding, LOCK, episodes, 1000, bonus=0.003),
        ],
        Limit(2, of="UCBVI"),
    )


def linear_learner(name, run, quicker, **options) -> Race:
    """One of ours on a linear process, beside LSVI-UCB in NumPy."""
    episodes, few = 10_000, 300
    return Race(
        f"{name}: a step",
        [
            Contender(
                "rltheory",
                lambda: run(
                    LINEAR,
                    horizon=LINEAR_HORIZON,
                    episodes=episodes,
                    bonus=0.05,
                    rng=stream(0, "bench", "runs"),
                    **options,
                ),
                lambda trace: 0 < trace.last("regret") < 200,
                units=episodes * LINEAR_HORIZON,
            ),
            Contender(
                "NumPy, LSVI-UCB",
                lambda: plain_lsvi_ucb(LINEAR, LINEAR_HORIZON, few, 0.05),
                lambda regret: 0 < regret < 200,
                units=few * LINEAR_HORIZON,
            ),
        ],
        Limit(1 / quicker, of="NumPy, LSVI-UCB"),
    )


def scaling(name, once) -> Race:
    """Replicates on two threads, beside one: the limit is a gain of 1.8."""
    number = 32  # enough for the end of the last one to matter little

    def run(threads):
        with Workers(threads) as workers:
            return workers.map(lambda place: once(stream(0, "bench", place)), range(number))

    alone = run(1)
    return Race(
        f"{name}, lock: {number} replicates",
        [
            Contender(f"{threads} thread{'s'[: threads - 1]}", lambda n=threads: run(n), lambda found: found == alone)
            for threads in (2, 1)
        ],
        Limit(1 / 1.8, of="1 thread"),
    )


def scalings() -> Iterator[Race]:
    """What two threads of a bare loop gain now, and what learners gain."""
    plan, sums = backward_induction(LOCK).made, cumulative(LOCK)
    yield scaling("draws alone", lambda rng: bare_play(*sums, plan, 1_000_000, rng).tolist())
    yield scaling("NORA", lambda rng: nora(LOCK, episodes=50_000, rng=rng).last("regret"))
    yield scaling("UCBVI", lambda rng: ucbvi_hoeffding(LOCK, episodes=50_000, bonus=0.003, rng=rng).last("regret"))
    yield scaling("PSRL", lambda rng: psrl(LOCK, episodes=10_000, rng=rng).last("regret"))


def races() -> Iterator[Race]:
    yield model_based("lock", LOCK, 20_000, 1000)
    yield model_based("RiverSwim", RIVER, 5000, 3000)
    yield actor_critic("NORA", nora, 800, eta=1.0)
    yield actor_critic("DOUHUA", douhua, 800, eta=0.03)
    for name, problem, episodes in (("lock", LOCK, 50_000), ("RiverSwim", RIVER, 20_000)):
        yield Race(
            f"UCRL2, {name}: a step",
            [learner("rltheory", episodic_ucrl2, problem, episodes, 5000, bonus=0.1)],
            Limit(1 / 10e6),
        )
    yield Race("PSRL, lock: a step", [learner("rltheory", psrl, LOCK, 20_000, 200)], Limit(1 / 0.8e6))
    yield Race(
        "PSRL, RiverSwim: a step",
        [learner("rltheory", psrl, RIVER, 5000, 200), *of_rlberry("PSRL", RIVER, 300)],
        Limit(1 / 0.8e6),
    )
    yield Race(
        "Q-learning, lock: a step",
        [learner("rltheory", episodic_q_learning, LOCK, 100_000, 2500, bonus=0.03)],
        Limit(1 / 15e6),
    )
    yield linear_learner("LSVI-UCB", lsvi_ucb, 15)
    yield linear_learner("LSVI-UCB, rare switching", lsvi_ucb, 80, rare_switching=True)
    yield linear_learner("linear NORA", linear_nora, 30, eta=100.0)
    yield Race(
        "Q-learning, chain: a step",
        [
            learner("rltheory", episodic_q_learning, CHAIN, 50_000, 5000, bonus=0.03),
            *of_rlberry("OptQL", CHAIN, 1000, bonus_scale_factor=0.1),
        ],
        Limit(1 / 15e6),
    )
    yield from scalings()
    yield from regrets("RiverSwim", RIVER, 1000)
    yield from regrets("chain", CHAIN, 1000)
