"""Markov decision processes of the literature, random families, and recorded tables."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Vector, count, float_array, fraction, not_negative
from rltheory.instances.recorded import FOLDER
from rltheory.problems import LinearMDP, SparseMDP, TabularMDP
from rltheory.problems.mdp import Indices

__all__ = [
    "MOVES",
    "chain",
    "combination_lock",
    "garnet",
    "grid_cells",
    "grid_world",
    "inventory",
    "machine_replacement",
    "random_linear_mdp",
    "recorded_mdp",
    "recorded_mdps",
    "river_swim",
]


def river_swim(n: int = 6) -> TabularMDP:
    """RiverSwim :cite:`strehl2008`: swimming right, against the current, pays best but only at the far end.

    Left always succeeds and pays 0.005 in the first state. Right advances with probability 0.35, stays with 0.6 and
    drifts back with 0.05; at the ends it stays with 0.4 (first) and 0.6 (last), and it pays 1 in the last, the
    parameters of :cite:`osband2013`. The first state is the start. The optimal gain with 6 states is 7203/16805.

    Examples
    --------
    >>> river_swim().transition_matrix[3]
    array([0.05, 0.6 , 0.35, 0.  , 0.  , 0.  ])
    """
    n = count(n, "n", at_least=2)
    transitions, rewards = np.zeros((n, 2, n)), np.zeros((n, 2))
    inner, states = np.arange(1, n - 1), np.arange(n)
    transitions[states, 0, np.maximum(states - 1, 0)] = 1
    transitions[0, 1, :2] = [0.4, 0.6]
    for step, probability in ((-1, 0.05), (0, 0.6), (1, 0.35)):
        transitions[inner, 1, inner + step] = probability
    transitions[-1, 1, -2:] = [0.4, 0.6]
    rewards[0, 0], rewards[-1, 1] = 0.005, 1
    return TabularMDP(
        transitions, rewards, initial=np.eye(n)[0], action_names=("left", "right"), title=f"RiverSwim, {n} states"
    )


def chain(n: int = 5, slip: float = 0.2) -> TabularMDP:
    """Chain of :cite:`dearden1998`: forward pays 10 at the end only, back pays 2 and returns to the first state.

    Either action slips, with probability `slip`, and has the effect and the reward of the other. Forward at the end
    stays there. The first state is the start.

    Examples
    --------
    >>> chain().transition_matrix[2]
    array([0.2, 0. , 0.8, 0. , 0. ])
    """
    n, slip = count(n, "n", at_least=2), fraction(slip, "slip")
    forward, back = np.eye(n, k=1), np.zeros((n, n))
    forward[-1, -1] = back[:, 0] = 1
    pays_forward = np.where(np.arange(n) == n - 1, 10.0, 0.0)
    transitions = np.stack([(1 - slip) * forward + slip * back, (1 - slip) * back + slip * forward], axis=1)
    rewards = np.stack([(1 - slip) * pays_forward + slip * 2, (1 - slip) * 2 + slip * pays_forward], axis=1)
    return TabularMDP(
        transitions, rewards, initial=np.eye(n)[0], action_names=("forward", "back"), title=f"chain, {n} states"
    )


def combination_lock(code: Sequence[int], actions: int = 2) -> TabularMDP:
    """Lock that opens after the actions of `code` in order; a wrong action returns to the first state.

    The last right action pays 1 and returns to the first state too, which is the start. Uniform play needs on the order
    of `actions` to the power of the length of the code to be paid once; the optimal gain is 1 over that length.

    Examples
    --------
    >>> combination_lock([1, 0]).rewards
    array([0., 0., 1., 0.])
    """
    actions = count(actions, "actions", at_least=1)
    if len(code) == 0:
        raise ValueError("code is empty; it must hold one action at least")
    for place, action in enumerate(code):
        if count(action, f"code[{place}]") >= actions:
            raise ValueError(f"code[{place}] is {action}; there are actions 0 to {actions - 1}")
    n = len(code)
    states, right = np.arange(n), np.asarray(code)
    transitions, rewards = np.zeros((n, actions, n)), np.zeros((n, actions))
    transitions[:, :, 0] = 1
    transitions[states, right] = np.eye(n)[(states + 1) % n]
    rewards[-1, right[-1]] = 1
    return TabularMDP(transitions, rewards, initial=np.eye(n)[0], title=f"combination lock, {n} digits")


MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}


def grid_world(
    layout: Sequence[str], *, slip: float = 0.0, step_reward: float = 0.0, exits: Mapping[str, float] | None = None
) -> SparseMDP:
    """Grid with walls, slippery moves and exits.

    A move goes up, right, down or left; with probability `slip` it goes to one of its two sides instead, each half the
    time. A move into a wall or off the grid stays. In an exit the only choice is to leave, which leads to an absorbing
    last state without rewards.

    Parameters
    ----------
    layout : sequence of str
        Rows of equal length: ``#`` is a wall, ``S`` a start, ``.`` any other free cell, further symbols are exits. The
        first state is uniform over the starts, or over all free cells if there is none.
    slip
        Probability in [0, 1] of a move to a side.
    step_reward
        Reward of each move.
    exits : mapping of str to float, optional
        What it pays to leave the exits of each symbol; ``{"G": 1}`` by default.

    Raises
    ------
    ValueError
        If rows differ in length, a symbol is unknown, or there is no free cell.

    References
    ----------
    The rules are those of :cite:`russell2021`, section 17.1, whose example is the one below.

    Examples
    --------
    >>> grid = grid_world(["...+", ".#.-", "S..."], slip=0.2, step_reward=-0.04, exits={"+": 1, "-": -1})
    >>> grid
    <SparseMDP grid of 3 x 4: 12 states, 39 choices>
    """
    slip = fraction(slip, "slip")
    pays = {"G": 1.0} if exits is None else dict(exits)
    layout_symbols, cells = _symbols(layout), grid_cells(layout)
    for row, column in np.argwhere(~np.isin(layout_symbols, ["#", "S", ".", *pays])):
        symbol = str(layout_symbols[row, column])
        raise ValueError(f"layout[{row}][{column}] is {symbol!r}; it must be '#', 'S', '.' or an exit")
    places, symbols = np.argwhere(cells >= 0), layout_symbols[cells >= 0]
    free = np.isin(symbols, ["S", "."])
    if not free.any():
        raise ValueError("layout has no free cell, 'S' or '.'")
    end = len(places)
    reached = np.stack([_moved(cells, places[free], step) for step in MOVES.values()])  # (4, free cells)

    # For each move of each free cell: straight on, to one side, to the other.
    successors = np.stack([reached, np.roll(reached, 1, axis=0), np.roll(reached, -1, axis=0)], axis=-1)
    choices = np.where(free, len(MOVES), 1)
    first_choice = np.append(0, np.cumsum(np.append(choices, 1)))
    moves = (first_choice[:-2][free] + np.arange(len(MOVES))[:, None])[..., None]
    leaves = np.append(first_choice[:-2][~free], first_choice[-2])
    rewards = np.full(first_choice[-1], float(step_reward))
    rewards[leaves] = [*(pays[str(symbol)] for symbol in symbols[~free]), 0.0]
    first_entry, columns, probabilities = _merged(
        np.append(np.broadcast_to(moves, successors.shape), leaves),
        np.append(successors, np.full(leaves.size, end)),
        np.append(np.broadcast_to([1 - slip, slip / 2, slip / 2], successors.shape), np.ones(leaves.size)),
    )
    starts = symbols == "S" if (symbols == "S").any() else free
    return SparseMDP(
        first_choice,
        first_entry,
        columns,
        probabilities,
        rewards,
        initial=np.append(starts / starts.sum(), 0.0),
        state_names=[*(f"{row},{column}" for row, column in places), "end"],
        choice_names=[name for cell in free for name in (MOVES if cell else ["leave"])] + ["stay"],
        title=f"grid of {cells.shape[0]} x {cells.shape[1]}",
    )


def grid_cells(layout: Sequence[str]) -> Indices:
    """Number of the state of :func:`grid_world` in each cell of its layout, -1 in walls; shape (rows, columns).

    Figures learn from it where states lie.

    Examples
    --------
    >>> grid_cells(["...+", ".#.-", "S..."])
    array([[ 0,  1,  2,  3],
           [ 4, -1,  5,  6],
           [ 7,  8,  9, 10]])
    """
    inside = _symbols(layout) != "#"
    cells = np.full(inside.shape, -1)
    cells[inside] = np.arange(np.count_nonzero(inside))
    return cells


def _symbols(layout: Sequence[str]) -> NDArray[np.str_]:
    if not layout or any(len(row) != len(layout[0]) for row in layout):
        raise ValueError(
            f"layout has rows of lengths {[len(row) for row in layout]}; they must be equal, and one at least"
        )
    return np.array([list(row) for row in layout])


def _moved(cells: Indices, places: Indices, step: tuple[int, int]) -> Indices:
    """Numbers of the cells one step away, or of the same cells where a wall or the edge is in the way."""
    walled = np.pad(cells, 1, constant_values=-1)
    ahead, here = (walled[tuple((places + 1 + shift).T)] for shift in (np.array(step), 0))
    reached: Indices = np.where(ahead >= 0, ahead, here)
    return reached


def _merged(choices: Indices, successors: Indices, probabilities: Vector) -> tuple[Indices, Indices, Vector]:
    """Compressed rows of entries in any order; entries of the same choice and successor are added, zeros dropped."""
    order = np.lexsort((successors, choices))
    order = order[probabilities[order] > 0]
    rows, columns = choices[order], successors[order]
    fresh = np.append(True, (np.diff(rows) != 0) | (np.diff(columns) != 0))
    first_entry = np.searchsorted(rows[fresh], np.arange(rows[-1] + 2))
    return first_entry, columns[fresh], np.add.reduceat(probabilities[order], np.flatnonzero(fresh))


def inventory(
    capacity: int = 3,
    demand: ArrayLike = (0.25, 0.5, 0.25),
    *,
    price: float = 8.0,
    order_cost: float = 4.0,
    unit_cost: float = 2.0,
    holding_cost: float = 1.0,
) -> TabularMDP:
    """Stock of a single product, of :cite:`puterman2005`, section 3.2.2; the defaults are the book's example.

    In the state s = 0, ..., `capacity` of the stock, a = 0, ..., `capacity` - s units are ordered and arrive at once.
    Demand beyond the stock is lost.

    Parameters
    ----------
    capacity
        Largest stock, >= 1.
    demand : array_like, shape (D,)
        Probabilities of a demand of 0, ..., D - 1 units.
    price, order_cost, unit_cost, holding_cost
        Revenue for each unit sold, cost of an order, cost of each unit ordered, cost of each unit in stock before
        demand, at each stage; all >= 0.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range or the demand is no distribution.

    Examples
    --------
    >>> inventory().rewards
    array([ 0., -1., -2., -5.,  5.,  0., -3.,  6., -1.,  5.])
    """
    capacity = count(capacity, "capacity", at_least=1)
    laws = float_array(demand, "demand", ndim=1)
    price, order_cost = not_negative(price, "price"), not_negative(order_cost, "order_cost")
    unit_cost, holding_cost = not_negative(unit_cost, "unit_cost"), not_negative(holding_cost, "holding_cost")
    levels = np.arange(capacity + 1)
    # What a stock of `level` sells and leaves. A demand that is no distribution makes laws that are refused below.
    left = np.maximum(levels[:, None] - np.arange(laws.size), 0)
    sold = (levels[:, None] - left) @ laws
    after = np.stack([np.bincount(states, laws, minlength=capacity + 1) for states in left])
    transitions, rewards = np.zeros((capacity + 1, capacity + 1, capacity + 1)), np.zeros((capacity + 1, capacity + 1))
    for stock in levels:
        for ordered in range(capacity + 1 - stock):
            level = stock + ordered
            cost = holding_cost * level + (order_cost + unit_cost * ordered) * (ordered > 0)
            transitions[stock, ordered] = after[level]
            rewards[stock, ordered] = price * sold[level] - cost
    return TabularMDP(
        transitions,
        rewards,
        allowed=np.add.outer(levels, levels) <= capacity,
        action_names=[f"order {ordered}" for ordered in levels],
        title=f"inventory, capacity {capacity}",
    )


def machine_replacement(
    n: int = 10, wear: float = 0.5, *, operating_cost: float = 1.0, replacement_cost: float = 5.0
) -> TabularMDP:
    """Machine that wears out, of :cite:`derman1963`: the optimal policy replaces from some state on.

    In state s = 0, ..., n - 1 keeping the machine costs `operating_cost` times s, and it goes on to the next state with
    probability `wear`. Replacing it costs `replacement_cost` and starts anew. A new machine is the start.

    Examples
    --------
    >>> machine_replacement(3).rewards
    array([ 0., -5., -1., -5., -2., -5.])
    """
    n, wear = count(n, "n", at_least=2), fraction(wear, "wear")
    operating_cost = not_negative(operating_cost, "operating_cost")
    replacement_cost = not_negative(replacement_cost, "replacement_cost")
    keep = (1 - wear) * np.eye(n) + wear * np.eye(n, k=1)
    keep[-1, -1] = 1
    transitions = np.stack([keep, np.tile(np.eye(n)[0], (n, 1))], axis=1)
    rewards = 0.0 - np.stack([operating_cost * np.arange(n), np.full(n, replacement_cost)], axis=1)
    return TabularMDP(
        transitions,
        rewards,
        initial=np.eye(n)[0],
        action_names=("keep", "replace"),
        title=f"machine replacement, {n} states",
    )


def garnet(rng: np.random.Generator, states: int, actions: int, branching: int) -> SparseMDP:
    """Random process of :cite:`archibald1995`: each choice has `branching` successors.

    They form a uniformly random subset of the states. Their probabilities are the gaps between sorted uniform numbers,
    the rewards uniform on [0, 1].

    Examples
    --------
    >>> garnet(np.random.default_rng(0), 1000, 4, 8)
    <SparseMDP Garnet(1000, 4, 8): 1000 states, 4000 choices>
    """
    states, actions = count(states, "states", at_least=1), count(actions, "actions", at_least=1)
    branching = count(branching, "branching", at_least=1)
    if branching > states:
        raise ValueError(f"branching is {branching}; there are only {states} states")
    choices = states * actions
    cuts = np.sort(rng.random((choices, branching - 1)), axis=1)
    probabilities = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    return SparseMDP(
        np.arange(0, choices + 1, actions),
        np.arange(0, choices * branching + 1, branching),
        _subsets(rng, choices, states, branching).ravel(),
        probabilities.ravel(),
        rng.random(choices),
        title=f"Garnet({states}, {actions}, {branching})",
    )


def _subsets(rng: np.random.Generator, rows: int, states: int, size: int) -> NDArray[np.int64]:
    """Sorted, uniformly random subsets of the states, one in each row, by Floyd's algorithm."""
    drawn = np.empty((rows, size), dtype=np.int64)
    for k, largest in enumerate(range(states - size, states)):
        fresh = rng.integers(0, largest + 1, rows)
        again = (drawn[:, :k] == fresh[:, None]).any(axis=1)
        drawn[:, k] = np.where(again, largest, fresh)
    return np.sort(drawn, axis=1)


def random_linear_mdp(rng: np.random.Generator, states: int, actions: int, dimension: int) -> LinearMDP:
    """Random process that is linear in features from the simplex.

    Features and measures are uniform on their simplices, the weights of the rewards uniform on [0, 1]. Hence a choice
    mixes `dimension` laws, and rewards lie in [0, 1].

    Examples
    --------
    >>> random_linear_mdp(np.random.default_rng(0), 50, 4, 5)
    <LinearMDP random linear: dimension 5, 50 states, 200 choices>
    """
    states, actions = count(states, "states", at_least=1), count(actions, "actions", at_least=1)
    dimension = count(dimension, "dimension", at_least=1)
    features = rng.dirichlet(np.ones(dimension), (states, actions))
    measures = rng.dirichlet(np.ones(states), dimension)
    return LinearMDP(features, measures, rng.random(dimension), title="random linear")


ACTION_NAMES = {
    "cliff_walking": ("up", "right", "down", "left"),
    "frozen_lake_4x4": ("left", "down", "right", "up"),
    "taxi": ("down", "up", "right", "left", "pick-up", "drop-off"),
}


def recorded_mdps() -> list[str]:
    """Names of the processes that :func:`recorded_mdp` loads.

    Examples
    --------
    >>> recorded_mdps()
    ['cliff_walking', 'frozen_lake_4x4', 'taxi']
    """
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def recorded_mdp(name: str) -> SparseMDP:
    """Load a process that is known by its table.

    Episodes that end lead to an absorbing last state without rewards. The others are cells, numbered row by row; in
    Taxi each cell has 20 states, for five places of the passenger, the last of them in the taxi, and four destinations.

    Parameters
    ----------
    name
        One of :func:`recorded_mdps`.

    Raises
    ------
    ValueError
        If no process has this name.

    References
    ----------
    :cite:`towers2024`

    Examples
    --------
    >>> recorded_mdp("taxi")
    <SparseMDP taxi: 501 states, 3006 choices>
    """
    if name not in recorded_mdps():
        raise ValueError(f"no recorded process is called {name!r}; there are: {', '.join(recorded_mdps())}")
    with np.load(FOLDER / f"{name}.npz") as table:
        return SparseMDP(
            table["choice_ptr"],
            table["row_ptr"],
            table["col"],
            table["prob"],
            table["reward"],
            initial=table["initial_distribution"],
            choice_names=ACTION_NAMES[name] * (table["choice_ptr"].size - 1),
            title=name,
        )
