"""Measures of learning: how long it takes until what is lost is small."""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, float_array

__all__ = ["sample_complexity"]


def sample_complexity(times: ArrayLike, losses: ArrayLike, accuracies: ArrayLike) -> Array:
    r"""Find the first recorded time from which on a loss stays within each of several accuracies.

    Parameters
    ----------
    times : array_like, shape (m,)
        Increasing recorded times, such as numbers of episodes.
    losses : array_like, shape (..., m)
        What is lost at these times: the suboptimality of the policy played, or :math:`\mathrm{Reg}_t / t`, that of the
        mixture of all policies so far.
    accuracies : array_like, shape (k,)
        Numbers :math:`\varepsilon > 0`.

    Returns
    -------
    array, shape (..., k)
        Times; infinite where the last loss still exceeds the accuracy. They are as fine as the recorded ones.

    Raises
    ------
    ValueError
        If shapes disagree, times do not increase, a number is not finite, or an accuracy is not positive.

    Examples
    --------
    >>> sample_complexity([1, 2, 4, 8], [0.5, 0.05, 0.2, 0.01], [0.3, 0.1, 0.001])
    array([ 2.,  8., inf])
    """
    clock, lost = float_array(times, "times", ndim=1), float_array(losses, "losses", ndim=np.ndim(losses))
    wanted = float_array(accuracies, "accuracies", ndim=1)
    if lost.shape[-1:] != clock.shape:
        raise ValueError(f"losses has shape {lost.shape}; the last axis must be that of {clock.size} times")
    if (np.diff(clock) <= 0).any():
        place = int(np.argmax(np.diff(clock) <= 0))
        raise ValueError(f"times[{place + 1}] is {clock[place + 1]:g} after {clock[place]:g}; times must increase")
    if (wanted <= 0).any():
        place = int(np.argmax(wanted <= 0))
        raise ValueError(f"accuracies[{place}] is {wanted[place]:g}; it must be > 0")
    from_here_on = np.maximum.accumulate(lost[..., ::-1], axis=-1)[..., ::-1]
    good = from_here_on[..., None, :] <= wanted[:, None]
    return np.where(good.any(axis=-1), clock[good.argmax(axis=-1)], np.inf)
