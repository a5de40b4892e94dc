"""The vectorised exponential against the correctly rounded one."""

import numpy as np

from rltheory.exponential import exponential
from rltheory.jit import kernel
from rltheory.simplex import prox


@kernel
def fill(x, out):
    for i in range(x.size):
        out[i] = exponential(x[i])


def exponentials(x):
    out = np.empty_like(x)
    fill(x, out)
    return out


def test_error_is_a_unit_in_the_last_place():
    x = -np.concatenate([np.geomspace(1e-300, 708, 100_000), np.linspace(0, 708, 100_001)])
    exact = np.exp(x.astype(np.longdouble))
    error = np.abs(exponentials(x) - exact) / np.spacing(exact.astype(np.float64))
    assert error.max() < 1.1


def test_special_values():
    np.testing.assert_array_equal(exponentials(np.array([0.0, -0.0])), [1.0, 1.0])
    lowest = exponentials(np.array([-708.0, -1e4, -np.inf]))
    np.testing.assert_allclose(lowest, np.exp(-708.0), rtol=1e-15)


def test_proximal_map_is_the_softmax():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 4, 5, 8, 13, 100):
        anchor, values = rng.normal(0, 30, n), rng.normal(0, 1, n)
        log_policy, policy = np.empty(n), np.empty(n)
        prox(anchor, values, 0.7, log_policy, policy)
        logits = anchor + 0.7 * values
        expected = logits - np.logaddexp.reduce(logits)
        np.testing.assert_allclose(log_policy, expected, atol=1e-13)
        np.testing.assert_allclose(policy, np.exp(expected), rtol=1e-13)
        assert abs(policy.sum() - 1) < 1e-15
