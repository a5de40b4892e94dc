"""Any algorithm in every context at once."""

from collections.abc import Callable

import numpy as np

from rltheory.problems import ContextualGame, PreferenceGame
from rltheory.trace import Trace

__all__ = ["play_contexts"]


def play_contexts(game: ContextualGame, play: Callable[[PreferenceGame], Trace]) -> Trace:
    """Run an algorithm on each prompt's game, and put the runs side by side.

    On a table the prompts do not interact: this is the algorithm on the whole game.

    Parameters
    ----------
    game
        The games of c prompts.
    play
        Runs the algorithm on one of them.

    Returns
    -------
    Trace
        The arrays of the single runs with a dimension ``prompt`` of size c after the time; average them with
        :meth:`~rltheory.problems.ContextualGame.average`.

    Raises
    ------
    ValueError
        If the runs record different times.

    Examples
    --------
    >>> from rltheory.algorithms import nash_mirror_prox
    >>> prompts = ContextualGame([PreferenceGame([[0.5, 0.8], [0.2, 0.5]]), PreferenceGame.indifferent(2)])
    >>> trace = play_contexts(prompts, lambda game: nash_mirror_prox(game, beta=0.1, iterations=100))
    >>> np.exp(trace.last("log_policy")).round(2)
    array([[0.95, 0.05],
           [0.5 , 0.5 ]])
    """
    traces = game.each(play)
    first = traces[0]
    if any(not np.array_equal(trace.times, first.times) for trace in traces):
        raise ValueError("the runs record different times; give all of them the same horizon")
    values = {
        name: (("time", "prompt", *dims[1:]), np.stack([trace[name] for trace in traces], axis=1))
        for name, (dims, _) in first.values.items()
    }
    return Trace(f"{first.algorithm}, {len(traces)} prompts", first.times, values, first.clock)
