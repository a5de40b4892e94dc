r"""Regret matching+: play actions in proportion to what is regretted of them, which never falls below 0.

.. math:: z_{t+1} = [z_t + v_t]^+, \qquad x_{t+1} \propto \theta_{t+1} = [z_{t+1} + m_{t+1}]^+, \qquad
          v_t = S x_t, \quad z_0 = 0

The prediction :math:`m_{t+1}` of :math:`v_{t+1}` is 0, or :math:`v_t` in the predictive form; :math:`m_0 = 0`. A policy
earns :math:`\langle x_t, S x_t \rangle = 0` against itself, so that :math:`v_t` is what it regrets.

**Regrets grow slowly**: :math:`\|z_{t+1}\|^2 \le \|z_t\|^2 + \|v_t - m_t\|^2`. For let :math:`d = v_t - m_t`. Since
:math:`z_{t+1}` is the positive part of :math:`z_t + v_t` and :math:`\theta_t \ge z_t + m_t`,

.. math:: \|z_{t+1}\|^2 = \langle z_{t+1}, z_t + v_t \rangle \le \langle z_{t+1}, \theta_t + d \rangle
          \quad\Rightarrow\quad \|z_{t+1}\|^2 \le \|\theta_t\|^2 + 2 \langle \theta_t, d \rangle + \|d\|^2,

and :math:`\langle \theta_t, v_t \rangle = 0` gives :math:`\langle \theta_t, d \rangle = \langle \theta_t, z_t \rangle
- \|\theta_t\|^2`, so that the first two terms are :math:`\|z_t\|^2 - \|z_t - \theta_t\|^2`.

**Regrets bound the mean**: for weights :math:`0 \le w_0 \le w_1 \le \dots` and :math:`\bar x` the weighted mean of the
first T policies, :math:`\max_a (S \bar x)_a \le w_{T-1} \max_a z_T(a) / \sum_{t<T} w_t`, by summation by parts of
:math:`v_t \le z_{t+1} - z_t` with :math:`z_t \ge 0`.

Payoffs of at most 1/2 make :math:`\|z_T\|^2 \le n T / 4` without prediction, and :math:`\le n T` with it. Hence the
mean of the first T policies has exploitability at most :math:`\sqrt{n T} / (T + 1)` without prediction and with weights
:math:`t + 1`, and :math:`6 T \sqrt{n T} / ((T + 1) (2 T + 1)) \le 3 \sqrt{n / T}` with it and with weights
:math:`(t + 1)^2`.
"""

from rltheory.arrays import Vector
from rltheory.jit import kernel

__all__ = ["match_regrets", "newest_share"]


@kernel
def match_regrets(values: Vector, regrets: Vector, policy: Vector, predictive: bool) -> None:
    """Add `values`, the answer to `policy`, to `regrets`, and overwrite `policy` with the next one."""
    foresight = 1.0 if predictive else 0.0
    total = 0.0
    for a in range(policy.size):
        regrets[a] = max(regrets[a] + values[a], 0.0)
        total += max(regrets[a] + foresight * values[a], 0.0)
    if total > 0.0:  # else no action beats the policy, which stays
        for a in range(policy.size):
            policy[a] = max(regrets[a] + foresight * values[a], 0.0) / total


@kernel
def newest_share(t: int, predictive: bool) -> float:
    """Share of policy t in the mean of policies 0 to t, with weights t + 1, or (t + 1)^2 in the predictive form."""
    if predictive:
        return 6.0 * (t + 1.0) / ((t + 2.0) * (2.0 * t + 3.0))
    return 2.0 / (t + 2.0)
