"""Sample complexity against its definition, on small cases and on runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.algorithms import nora
from rltheory.instances import diabolical_lock
from rltheory.measures import sample_complexity

LOSSES = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), min_size=1, max_size=8)


@given(losses=st.lists(LOSSES, min_size=1, max_size=3).filter(lambda rows: len({len(row) for row in rows}) == 1))
def test_all_later_losses_are_within_the_accuracy_and_the_one_before_is_not(losses):
    lost, accuracies = np.array(losses), [0.05, 0.1, 0.3, 2.0]
    times = 3 + 2 * np.arange(lost.shape[1])
    found = sample_complexity(times, lost, accuracies)
    assert found.shape == (len(lost), 4)
    for row, reached in zip(lost, found, strict=True):
        for accuracy, time in zip(accuracies, reached, strict=True):
            assert (row[times >= time] <= accuracy).all()
            assert time == times[0] or row[times < time][-1] > accuracy
            assert (time == np.inf) == (row[-1] > accuracy)


def test_a_run_is_good_once_its_regret_is_small_for_its_length():
    lock = diabolical_lock(np.random.default_rng(0), 3, 2)
    trace = nora(lock, episodes=3000, bonus=0.3, rng=np.random.default_rng(0))
    times, mixture = trace.times[1:], trace["regret"][1:] / trace.times[1:]
    early, late = sample_complexity(times, mixture, [0.3, 0.1])
    assert 1 < early < late < 3000
    assert trace["regret"][trace.times == late] <= 0.1 * late


@pytest.mark.parametrize(
    ("times", "losses", "accuracies", "message"),
    [
        ([1, 2], [0.1, 0.2, 0.3], [0.1], r"losses has shape \(3,\); the last axis must be that of 2 times"),
        ([1, 1], [0.1, 0.2], [0.1], r"times\[1\] is 1 after 1; times must increase"),
        ([1, 2], [0.1, np.nan], [0.1], r"losses\[1\] is nan; every entry must be finite"),
        ([1, 2], [0.1, 0.2], [0.1, 0.0], r"accuracies\[1\] is 0; it must be > 0"),
    ],
)
def test_bad_input(times, losses, accuracies, message):
    with pytest.raises(ValueError, match=message):
        sample_complexity(times, losses, accuracies)
