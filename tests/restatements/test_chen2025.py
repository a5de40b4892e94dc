"""What is measured of optimistic play without regularisation, in plain probabilities and written out.

Of the library, only the theorem object under test computes anything here.
"""

import numpy as np
import pytest

from rltheory import PreferenceGame
from rltheory.instances import cycle, efron_dice
from rltheory.simulation import stream
from rltheory.theorems.games import chen2025 as paper
from rltheory.theorems.games.chen2025 import LAST_ITERATE, Setting
from rltheory.theory import Existence, Theorem
from tests.restatements.test_tiapkin2025 import normalised

UNEVEN = PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 1.0], [0.8, 0.0, 0.5]])
SETTINGS = {
    "cycle of three": Setting(cycle(3), [0.6, 0.3, 0.1], 1000),
    "uneven cycle": Setting(UNEVEN, [0.2, 0.7, 0.1], 3000, step=0.5),
    "many winners": Setting(efron_dice(), [0.1, 0.2, 0.3, 0.4], 12_000),
}


def gaps(s, *, optimistic=True):
    """Largest edge over each policy of the run; without optimism, the midpoint is the policy itself."""
    x = midpoint = np.array(s.start)
    found = []
    for _ in range(s.iterations + 1):
        found.append((s.game.prefer @ x).max() - 0.5)
        midpoint = normalised(x * np.exp(s.step * (s.game.prefer @ midpoint))) if optimistic else x
        x = normalised(x * np.exp(s.step * (s.game.prefer @ midpoint)))
    return np.array(found)


def passes(gaps, times):
    """The claim at every recorded time: no later gap is above a tenth of the largest one since half the time."""
    flags = []
    for t in times:
        earlier = max(time for time in times if time <= t // 2)
        now, then = (max(gaps[time] for time in times if time >= since) for since in (t, earlier))
        flags.append(t < times[-1] // 4 or now <= max(then / 10, 1e-13))
    return flags


def test_it_is_the_only_theorem():
    assert [theorem for theorem in vars(paper).values() if isinstance(theorem, Theorem)] == [LAST_ITERATE]
    assert isinstance(LAST_ITERATE.kind, Existence)


@pytest.mark.parametrize("place", SETTINGS)
def test_gaps_shrink_as_claimed(place):
    s = SETTINGS[place]
    trace = LAST_ITERATE.run(s, stream(0, "restatement", place))
    expected = passes(gaps(s), trace.times)
    assert LAST_ITERATE.measured(s, trace).tolist() == expected == [True] * trace.times.size


def test_without_optimism_they_do_not():
    s = SETTINGS["cycle of three"]
    trace = LAST_ITERATE.controls["no optimism"](s, stream(0, "restatement"))
    expected = passes(gaps(s, optimistic=False), trace.times)
    assert LAST_ITERATE.measured(s, trace).tolist() == expected
    assert not all(expected)


def test_a_decline_as_a_power_of_time_does_not_pass():
    times = np.arange(257)
    assert not all(passes((times + 1.0) ** -3, times))
    assert all(passes(0.9**times, times))
