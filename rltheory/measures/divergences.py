"""Divergences between policies given as log-probabilities, accurate down to the smallest values."""

import numpy as np

from rltheory.arrays import Array

__all__ = ["kl", "kl_terms", "l1"]


def kl(log_p: Array, log_q: Array) -> Array:
    r"""Kullback-Leibler divergence :math:`\mathrm{KL}(p \| q)` along the last axis.

    It is summed as :math:`\sum_i p_i \phi(z_i)` with :math:`z = \log p - \log q` and
    :math:`\phi(z) = e^{-z} - 1 + z \ge 0`, which equals the usual sum because both distributions add up to 1.
    No terms cancel: where the usual sum stalls, or turns negative, near :math:`10^{-16}`, this one is
    good to :math:`10^{-29}`.

    Parameters
    ----------
    log_p, log_q : array, shapes (..., n) that broadcast
        Normalised log-probabilities; -inf where the probability is 0.

    Returns
    -------
    array, shape (...)
        Divergences in nats, >= 0; inf where p charges an action that q does not.

    Examples
    --------
    >>> p = np.array([0.5, 0.5])
    >>> print(f"{kl(np.log(p), np.log(p + [1e-12, -1e-12])):.1e}")
    2.0e-24
    """
    divergences: Array = kl_terms(log_p, log_q).sum(axis=-1)
    return divergences


def kl_terms(log_p: Array, log_q: Array) -> Array:
    r"""Terms :math:`p_i \phi(z_i) \ge 0` of :func:`kl`, shape (..., n), for sums over other groups of entries."""
    log_p, log_q = np.broadcast_arrays(log_p, log_q)
    p, q, z = np.exp(log_p), np.exp(log_q), _log_ratio(log_p, log_q)
    near = np.where(np.abs(z) < 1, z, 0.0)
    # Below 1e-2, the six terms of the series leave a relative error of z^5 / 2520, less than rounding leaves.
    series = near * near * (1 / 2 - near * (1 / 6 - near * (1 / 24 - near * (1 / 120 - near / 720))))
    phi = np.where(np.abs(near) < 1e-2, series, np.expm1(-near) + near)
    terms: Array = np.where(np.abs(z) < 1, p * phi, q - p + p * z)
    return terms


def l1(log_p: Array, log_q: Array) -> Array:
    r"""Distance :math:`\|p - q\|_1`, twice the total variation, along the last axis; shapes as in :func:`kl`."""
    log_p, log_q = np.broadcast_arrays(log_p, log_q)
    z = _log_ratio(log_p, log_q)
    near = np.where(np.abs(z) < 1, z, 0.0)
    terms = np.where(np.abs(z) < 1, np.exp(log_p) * np.abs(np.expm1(-near)), np.abs(np.exp(log_p) - np.exp(log_q)))
    distances: Array = terms.sum(axis=-1)
    return distances


def _log_ratio(log_p: Array, log_q: Array) -> Array:
    """Difference of the logarithms, -1 where p is 0: there, p times it is 0 and it counts as far from 0."""
    ratio: Array = np.subtract(log_p, log_q, where=log_p > -np.inf, out=np.full(log_p.shape, -1.0))
    return ratio
