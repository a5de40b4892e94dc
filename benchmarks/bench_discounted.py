"""Discounted processes beside QuantEcon.py, pymdptoolbox, MDPSolver and Storm: random graphs, grid worlds, dense laws.

The peers' answers are held to the accuracy that they were asked for, by the values certified here.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness import Contender, Limit, Race, peer
from rltheory.problems import MDP, ExplicitModel, SparseMDP, TabularMDP, write_drn
from rltheory.simulation import stream
from rltheory.solvers import solve

ACCURACY = 1e-6


def random_graph(states: int, actions: int = 4, successors: int = 8) -> SparseMDP:
    """Choices that lead to successors drawn from all states, with random probabilities and rewards in [0, 1]."""
    rng = stream(0, "bench", "random graph", states)
    choices = states * actions
    # Steps of less than S / successors round a circle: no successor comes twice.
    steps = np.cumsum(rng.integers(1, states // successors, (choices, successors)), axis=1)
    columns = np.sort((rng.integers(0, states, (choices, 1)) + steps) % states, axis=1)
    laws = rng.random((choices, successors))
    laws /= laws.sum(axis=1, keepdims=True)
    return SparseMDP(
        np.arange(states + 1) * actions,
        np.arange(choices + 1) * successors,
        columns.ravel(),
        laws.ravel(),
        rng.random(choices),
    )


def grid_world(side: int) -> SparseMDP:
    """Steps in four directions, each slipping to either side with probability 0.1; walls; random rewards in [0, 1]."""
    from scipy.sparse import csr_array

    states = side * side
    x, y = np.divmod(np.arange(states), side)
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    moved = np.array([np.clip(x + dx, 0, side - 1) * side + np.clip(y + dy, 0, side - 1) for dx, dy in steps])
    targets = np.stack([moved, np.roll(moved, -1, axis=0), np.roll(moved, 1, axis=0)], axis=-1).swapaxes(0, 1)
    rows = np.repeat(np.arange(4 * states), 3)
    laws = csr_array((np.tile([0.8, 0.1, 0.1], 4 * states), (rows, targets.ravel())), shape=(4 * states, states))
    laws.sum_duplicates()
    rewards = stream(0, "bench", "grid", side).random(4 * states)
    return SparseMDP(np.arange(states + 1) * 4, laws.indptr, laws.indices, laws.data, rewards)


def dense(states: int, actions: int = 10) -> TabularMDP:
    """Random laws with all successors."""
    rng = stream(0, "bench", "dense", states)
    laws = rng.random((states, actions, states))
    laws /= laws.sum(axis=-1, keepdims=True)
    return TabularMDP(laws, rng.random((states, actions)))


def as_quantecon(mdp: MDP, discount: float):
    """The same process as the peer takes it."""
    quantecon = peer("quantecon.markov")
    actions = mdp.choices // mdp.states
    if isinstance(mdp, TabularMDP):
        laws = mdp.transition_matrix.reshape(mdp.states, actions, -1)
        return quantecon.DiscreteDP(mdp.rewards.reshape(-1, actions), laws, discount)
    from scipy.sparse import csr_matrix

    # Its kernels take indices of 32 bits only.
    laws = csr_matrix(mdp.transition_matrix)
    laws.indices, laws.indptr = laws.indices.astype(np.int32), laws.indptr.astype(np.int32)
    return quantecon.DiscreteDP(mdp.rewards, laws, discount, mdp.state_of_choice, np.arange(mdp.choices) % actions)


def storm_values(mdp: MDP, discount: float):
    """Storm's way to the values, on a model that it has read; or None if Storm is not here."""
    storm = peer("stormpy")
    if not storm:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / "process.drn"
        write_drn(ExplicitModel(mdp, rewards={"reward": mdp.rewards}), path)
        model = storm.build_model_from_drn(str(path))
    (formula,) = storm.parse_properties(f'R{{"reward"}}max=? [Cdiscount={discount}]')
    environment = storm.Environment()
    stopping = environment.solver().min_max()
    stopping.precision, stopping.relative_termination_criterion = storm.Rational(str(ACCURACY)), False

    def values():
        found = storm.model_checking(model, formula, only_initial_states=False, environment=environment)
        return np.array([found.get_value(state) for state in range(mdp.states)])

    return values


def race(
    work: str,
    mdp: MDP,
    discount: float,
    limit: Limit | None,
    methods: tuple[str, ...],
    rounds: int,
    *,
    with_storm: bool = False,
) -> Race:
    truth = solve(mdp, discount, accuracy=ACCURACY)

    def close(values):
        return np.abs(values - truth.values).max() <= ACCURACY + truth.error

    contenders = [
        Contender(
            f"rltheory: {truth.method}, {truth.sweeps} sweeps",
            lambda: solve(mdp, discount, accuracy=ACCURACY).values,
            close,
        )
    ]
    if peer("quantecon.markov"):
        process = as_quantecon(mdp, discount)
        contenders += [
            Contender(
                f"QuantEcon {method}",
                # It promises half of epsilon.
                lambda method=method: process.solve(method=method, epsilon=2 * ACCURACY, max_iter=100_000).v,
                close,
            )
            for method in methods
        ]
    storm = storm_values(mdp, discount) if with_storm else None
    if storm:
        contenders.append(Contender("Storm", storm, close))
    return Race(work, contenders, limit, rounds=rounds)


def small_race() -> Race:
    """With the peers that are too slow for large processes.

    Value iteration and modified policy iteration of pymdptoolbox stop at values that are off by 46 to 65 here.
    """
    small = race(
        "random graph, 2000 states, discount .99", random_graph(2_000), 0.99, None, ("mpi", "pi"), 9, with_storm=True
    )
    check, process = small.ours.check, random_graph(2_000)
    rewards = process.rewards.reshape(-1, 4)
    toolbox, solver = peer("mdptoolbox.mdp"), peer("mdpsolver")
    if toolbox:
        laws = [process.transition_matrix[action::4] for action in range(4)]

        def toolbox_values():
            found = toolbox.PolicyIteration(laws, rewards, 0.99)
            found.run()
            return np.array(found.V)

        small.contenders.append(Contender("pymdptoolbox pi", toolbox_values, check))
    if solver:
        model = solver.model()
        shape = (process.states, 4, -1)
        model.mdp(
            discount=0.99,
            rewards=rewards.tolist(),
            tranMatProbs=process.arrays.probabilities.reshape(shape).tolist(),
            tranMatColumns=process.arrays.successors.reshape(shape).tolist(),
        )

        def solver_values():
            model.solve(algorithm="vi", tolerance=ACCURACY)
            return np.array(model.getValueVector())

        small.contenders.append(Contender("MDPSolver vi", solver_values, check))
    return small


def races() -> Iterator[Race]:
    mpi, both = ("mpi",), ("mpi", "pi")
    yield small_race()
    yield race("random graph, 1e5 states, discount .99", random_graph(100_000), 0.99, Limit(0.06), mpi, 5)
    yield race("random graph, 1e6 states, discount .99", random_graph(1_000_000), 0.99, Limit(1.6), mpi, 1)
    yield race("grid world, 1e4 states, discount .999", grid_world(100), 0.999, Limit(0.18), both, 3, with_storm=True)
    yield race("grid world, 1e5 states, discount .99", grid_world(316), 0.99, Limit(0.45), mpi, 3)
    yield race("grid world, 1e5 states, discount .999", grid_world(316), 0.999, Limit(4.5), mpi, 1)
    yield race("grid world, 1e6 states, discount .99", grid_world(1_000), 0.99, Limit(6), mpi, 1)
    yield race("dense, 3000 states, 10 actions, discount .99", dense(3_000), 0.99, Limit(0.19), mpi, 5)
