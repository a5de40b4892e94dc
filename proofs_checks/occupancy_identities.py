r"""Proofs on occupancies, differences of returns, and processes that are close.

Notation. :math:`P_\pi`, :math:`r_\pi` are the laws and rewards of a policy; :math:`N_\pi = (I - \gamma P_\pi)^{-1}`;
:math:`q_\alpha`, :math:`d_\alpha` the occupancies of :math:`\pi_\alpha = (1 - \alpha) \pi' + \alpha \pi`. Everything is
recomputed here with dense matrices in plain NumPy.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.discounted import occupancy_identities as theory
from rltheory.theorems.discounted.occupancy_identities import TwoEpisodicPolicies, TwoPolicies, TwoProcesses
from rltheory.theory import Claim, Proof, claim

ALPHA = np.linspace(0, 1, 11)


def dense(mdp):
    """Laws as rows of choices."""
    matrix = mdp.transition_matrix
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def by_state(mdp, of_choices):
    """Sums over the choices of each state, along the last axis."""
    return np.add.reduceat(of_choices, mdp.first_choice[:-1], axis=-1)


def of_policy(mdp, policy):
    """P_pi and r_pi."""
    return by_state(mdp, policy * dense(mdp).T).T, by_state(mdp, policy * mdp.rewards)


class Evaluated(NamedTuple):
    """A policy with all that belongs to it."""

    policy: np.ndarray  # (C,)
    laws: np.ndarray  # (S, S)
    v: np.ndarray  # (S,)
    q: np.ndarray  # (C,)
    visits: np.ndarray  # (S,), summing to 1

    def occupancy(self, mdp):
        """Of choices."""
        return self.policy * self.visits[mdp.state_of_choice]


def evaluated(mdp, discount, policy):
    """Solve for the values and the occupancy."""
    laws, rewards = of_policy(mdp, policy)
    system = np.eye(mdp.states) - discount * laws
    v = np.linalg.solve(system, rewards)
    visits = (1 - discount) * np.linalg.solve(system.T, mdp.initial)
    return Evaluated(policy, laws, v, mdp.rewards + discount * dense(mdp) @ v, visits)


@cache
def way(s: TwoPolicies) -> list[Evaluated]:
    """Policies from the other, alpha = 0, to the first, alpha = 1."""
    return [evaluated(s.mdp, s.discount, (1 - a) * s.other + a * s.policy) for a in ALPHA]


def column(s, part):
    """One part of all policies."""
    return np.array([getattr(x, part) for x in way(s)])


def returns(s):
    """J of all policies."""
    return column(s, "v") @ s.mdp.initial


def advantages(s, x):
    """A of a policy."""
    return x.q - x.v[s.mdp.state_of_choice]


def mean_advantage(s):
    """Of following the policy once, over the other."""
    return by_state(s.mdp, s.policy * advantages(s, way(s)[0]))


def allowance(s):
    """Sums over the horizon, twice."""
    return s.rounding / (1 - s.discount)


flows = Proof(of=[theory.FLOW, theory.RETURN_OF_OCCUPANCY], settings=theory.grid)


@flows.step("(1 - gamma) sum_t gamma^t mu P^t solves q = (1 - gamma) mu + gamma q P")
def series(s: TwoPolicies) -> Claim:
    """Of the policy, with the series summed until its rest is 1e-12."""
    x = way(s)[-1]
    total, term = np.zeros(s.mdp.states), (1 - s.discount) * s.mdp.initial
    while term.sum() > 1e-12 * (1 - s.discount):
        total, term = total + term, s.discount * term @ x.laws
    return claim(total, "==", x.visits, "shift the sum by one", rounding=1e-11)


@flows.step("Conclusion: sum_{c in s} d(c) = (1 - gamma) mu(s) + gamma sum_c d(c) p_c(s)", uses=[series])
def flow(s: TwoPolicies) -> Claim:
    """Of the policy."""
    d = way(s)[-1].occupancy(s.mdp)
    right = (1 - s.discount) * s.mdp.initial + s.discount * d @ dense(s.mdp)
    return claim(by_state(s.mdp, d), "==", right, "d(c) = pi(c) q(s)", rounding=1e-13 / (1 - s.discount))


@flows.step("Conclusion: J = <d, r> / (1 - gamma)", uses=[series])
def linear(s: TwoPolicies) -> Claim:
    """J = mu N r_pi, and q = (1 - gamma) mu N."""
    left = [x.occupancy(s.mdp) @ s.mdp.rewards / (1 - s.discount) for x in way(s)]
    return claim(left, "==", returns(s), "the transposed system", rounding=allowance(s))


# --------------------------------------------------------------------------------------------------

differences = Proof(of=[theory.DIFFERENCE, theory.DIFFERENCE_REVERSED], settings=theory.grid)


@differences.step("V_pi - V' = N_pi (T_pi V' - V')")
def telescope(s: TwoPolicies) -> Claim:
    """Of all policies on the way, and V' of the other."""
    other = way(s)[0]
    left = column(s, "v") - other.v
    right = [
        np.linalg.solve(np.eye(s.mdp.states) - s.discount * x.laws, by_state(s.mdp, x.policy * other.q) - other.v)
        for x in way(s)
    ]
    return claim(left, "==", right, "(I - gamma P_pi)(V_pi - V') = r_pi + gamma P_pi V' - V'", rounding=allowance(s))


@differences.step("Conclusion: the other's advantages, where the policy goes", uses=[telescope])
def forward(s: TwoPolicies) -> Claim:
    """T_pi V' - V' is the mean of the advantages, and mu N_pi the occupancy over 1 - gamma."""
    advantage = advantages(s, way(s)[0])
    left = [x.occupancy(s.mdp) @ advantage / (1 - s.discount) for x in way(s)]
    return claim(left, "==", returns(s) - returns(s)[0], "multiply by mu", rounding=allowance(s))


@differences.step("V_pi - V' = N' (V_pi - T' V_pi)")
def reversed_telescope(s: TwoPolicies) -> Claim:
    """The same with the roles exchanged."""
    other = way(s)[0]
    system = np.eye(s.mdp.states) - s.discount * other.laws
    right = [np.linalg.solve(system, x.v - by_state(s.mdp, other.policy * x.q)) for x in way(s)]
    return claim(column(s, "v") - other.v, "==", right, "telescope, exchanged, with minus", rounding=allowance(s))


@differences.step("Conclusion: the policy's own action values, where the other goes", uses=[reversed_telescope])
def backward(s: TwoPolicies) -> Claim:
    """V_pi = sum_c pi(c) Q(c)."""
    other = way(s)[0]
    left = [(other.visits[s.mdp.state_of_choice] * (x.policy - other.policy)) @ x.q / (1 - s.discount) for x in way(s)]
    return claim(left, "==", returns(s) - returns(s)[0], "multiply by mu", rounding=allowance(s))


# --------------------------------------------------------------------------------------------------

episodic = Proof(of=[theory.EPISODIC_DIFFERENCE], settings=theory.grid_of_episodes)


def backward_values(s, policy):
    """V_h and Q_h of a staged policy."""
    v, rows = np.zeros(s.problem.states), []
    for mdp, probabilities in zip(s.problem.stages[::-1], policy[::-1], strict=True):
        values = mdp.rewards + dense(mdp) @ v
        v = by_state(mdp, probabilities * values)
        rows.append((v, values))
    return [np.array(part) for part in zip(*rows[::-1], strict=True)]


def forward_visits(s, policy):
    """Probabilities of the states at each stage."""
    visits, rows = s.problem.initial, []
    for mdp, probabilities in zip(s.problem.stages, policy, strict=True):
        rows.append(visits)
        visits = (probabilities * visits[mdp.state_of_choice]) @ dense(mdp)
    return np.array(rows)


@episodic.step("E V'_h + E A'_h = E r_h + E V'_{h+1}, where the policy goes")
def one_stage(s: TwoEpisodicPolicies) -> Claim:
    """For each stage."""
    mdp = s.problem.stages[0]
    (v, values), visits = backward_values(s, s.other), forward_visits(s, s.policy)
    made = s.policy * visits[:, mdp.state_of_choice]
    rewards = np.array([stage.rewards for stage in s.problem.stages])
    after = np.append((visits[1:] * v[1:]).sum(1), 0.0)
    left = (visits * v).sum(1) + (made * (values - v[:, mdp.state_of_choice])).sum(1)
    return claim(left, "==", (made * rewards).sum(1) + after, "V' + A' = Q' = r + P V'", rounding=s.rounding)


@episodic.step("Conclusion: the sum over the stages", uses=[one_stage])
def all_stages(s: TwoEpisodicPolicies) -> Claim:
    """Of all policies on the way."""
    mdp = s.problem.stages[0]
    v, values = backward_values(s, s.other)
    advantage = values - v[:, mdp.state_of_choice]
    left, right = [], []
    for a in ALPHA:
        policy = (1 - a) * s.other + a * s.policy
        left.append((policy * forward_visits(s, policy)[:, mdp.state_of_choice] * advantage).sum())
        right.append((backward_values(s, policy)[0][0] - v[0]) @ s.problem.initial)
    return claim(left, "==", right, "the V' telescope; J is the sum of the E r_h", rounding=s.rounding)


# --------------------------------------------------------------------------------------------------

closeness = Proof(of=[theory.OCCUPANCY_DISTANCE, theory.MIXTURE], settings=theory.grid)


def apart(s):
    """Sum over the choices of a state of |pi_alpha - pi'|, for all alpha."""
    return by_state(s.mdp, np.abs(column(s, "policy") - s.other))


@closeness.step("q_alpha - q' = gamma q_alpha (P_alpha - P') N'")
def shift(s: TwoPolicies) -> Claim:
    """For all alpha."""
    other = way(s)[0]
    resolvent = np.linalg.inv(np.eye(s.mdp.states) - s.discount * other.laws)
    right = [s.discount * x.visits @ (x.laws - other.laws) @ resolvent for x in way(s)]
    why = "(q_alpha - q')(I - gamma P') = gamma q_alpha (P_alpha - P')"
    return claim(column(s, "visits") - other.visits, "==", right, why, rounding=1e-12 / (1 - s.discount) ** 2)


@closeness.step("The states: |q_alpha - q'| <= gamma / (1 - gamma) E |pi_alpha - pi'|", uses=[shift])
def states(s: TwoPolicies) -> Claim:
    """For all alpha."""
    left = np.abs(column(s, "visits") - way(s)[0].visits).sum(1)
    right = s.discount / (1 - s.discount) * (column(s, "visits") * apart(s)).sum(1)
    why = "laws of choices have sum 1, and rows of N' sum to 1 / (1 - gamma)"
    return claim(left, "<=", right, why, rounding=1e-12 / (1 - s.discount))


@closeness.step("Conclusion: |d_alpha - d'| <= 1 / (1 - gamma) E |pi_alpha - pi'|", uses=[states])
def choices(s: TwoPolicies) -> Claim:
    """1 + gamma / (1 - gamma) = 1 / (1 - gamma)."""
    left = [np.abs(x.occupancy(s.mdp) - way(s)[0].occupancy(s.mdp)).sum() for x in way(s)]
    right = (column(s, "visits") * apart(s)).sum(1) / (1 - s.discount)
    why = "d_alpha - d' = q_alpha (pi_alpha - pi') + (q_alpha - q') pi'"
    return claim(left, "<=", right, why, rounding=1e-12 / (1 - s.discount))


@closeness.step("Both occupancies hold the part of those that never follow pi")
def common(s: TwoPolicies) -> Claim:
    """The first row is the part less q', the second less q_alpha."""
    other, mu = way(s)[0], (1 - s.discount) * s.mdp.initial
    parts = [np.linalg.solve((np.eye(s.mdp.states) - s.discount * (1 - a) * other.laws).T, mu) for a in ALPHA]
    rest = [parts - other.visits, parts - column(s, "visits")]
    return claim(rest, "<=", 0.0, "P_alpha = (1 - alpha) P' + alpha P_pi, and P' >= (1 - alpha) P'", rounding=1e-12)


@closeness.step("Hence |q_alpha - q'| <= 2 gamma alpha / (1 - gamma (1 - alpha))", uses=[common])
def overlap(s: TwoPolicies) -> Claim:
    """The common part has the mass (1 - gamma) / (1 - gamma (1 - alpha))."""
    left = np.abs(column(s, "visits") - way(s)[0].visits).sum(1)
    right = 2 * s.discount * ALPHA / (1 - s.discount * (1 - ALPHA))
    return claim(left, "<=", right, "what is not common has the rest of the mass, twice", rounding=1e-12)


@closeness.step("J_alpha - J' = alpha / (1 - gamma) <q_alpha, A>")
def along(s: TwoPolicies) -> Claim:
    """By the performance difference; a policy has no advantage over itself."""
    left = returns(s) - returns(s)[0]
    right = ALPHA / (1 - s.discount) * (column(s, "visits") @ mean_advantage(s))
    return claim(left, "==", right, "pi_alpha follows pi with probability alpha", rounding=allowance(s))


@closeness.step("Conclusion: second order", uses=[overlap, along])
def second_order(s: TwoPolicies) -> Claim:
    """<q_alpha - q', A> <= |q_alpha - q'| sp(A) / 2."""
    mean = mean_advantage(s)
    first = ALPHA / (1 - s.discount) * (way(s)[0].visits @ mean)
    right = ALPHA**2 * s.discount * np.ptp(mean) / ((1 - s.discount) * (1 - s.discount * (1 - ALPHA)))
    why = "the difference sums to 0, so that A may be centred"
    return claim(np.abs(returns(s) - returns(s)[0] - first), "<=", right, why, rounding=allowance(s))


# --------------------------------------------------------------------------------------------------

simulation = Proof(
    of=[theory.SIMULATION, theory.SIMULATION_BOUND, theory.OPTIMAL_SIMULATION_BOUND], settings=theory.grid_of_processes
)


@cache
def twins(s: TwoProcesses) -> tuple[Evaluated, Evaluated]:
    """The policy in both processes."""
    return evaluated(s.mdp, s.discount, s.policy), evaluated(s.other, s.discount, s.policy)


@cache
def optimal(s: TwoProcesses) -> np.ndarray:
    """V* of both, by value iteration to 1e-13 of its size."""
    found = []
    for mdp in (s.mdp, s.other):
        v = np.zeros(mdp.states)
        for _ in range(int(30 / (1 - s.discount))):
            v = np.maximum.reduceat(mdp.rewards + s.discount * dense(mdp) @ v, mdp.first_choice[:-1])
        found.append(v)
    return np.array(found)


def changes(s, v):
    """What a choice is worth more in the first process."""
    return s.mdp.rewards - s.other.rewards + s.discount * (dense(s.mdp) - dense(s.other)) @ v


def largest_change(s, v):
    """||r - r'|| + gamma sp(v) max TV."""
    distance = np.abs(dense(s.mdp) - dense(s.other)).sum(1).max() / 2
    return np.abs(s.mdp.rewards - s.other.rewards).max() + s.discount * np.ptp(v) * distance


@simulation.step("Conclusion: V - V' = N' (r - r' + gamma (P - P') V)")
def identity(s: TwoProcesses) -> Claim:
    """In each state."""
    one, other = twins(s)
    system = np.eye(s.mdp.states) - s.discount * other.laws
    right = np.linalg.solve(system, by_state(s.mdp, s.policy * changes(s, one.v)))
    why = "(I - gamma P')(V - V') = r + gamma P V - gamma P' V - r'"
    return claim(one.v - other.v, "==", right, why, rounding=allowance(s))


@simulation.step("|(p - p') v| <= sp(v) TV(p, p') for each choice")
def dual(s: TwoProcesses) -> Claim:
    """Of V and of V*."""
    v = np.array([twins(s)[0].v, optimal(s)[0]])
    apart = np.abs(dense(s.mdp) - dense(s.other)).sum(1) / 2
    left = np.abs(v @ (dense(s.mdp) - dense(s.other)).T)
    right = np.ptp(v, axis=1)[:, None] * apart
    return claim(left, "<=", right, "p - p' sums to 0: v may be centred", rounding=s.rounding)


@simulation.step("Conclusion: ||V - V'|| <= (||r - r'|| + gamma sp(V) max TV) / (1 - gamma)", uses=[identity, dual])
def bound(s: TwoProcesses) -> Claim:
    """In the worst state."""
    one, other = twins(s)
    right = largest_change(s, one.v) / (1 - s.discount)
    return claim(np.abs(one.v - other.v).max(), "<=", right, "rows of N' sum to 1 / (1 - gamma)", rounding=s.rounding)


@simulation.step("||T V* - T' V*|| <= max_c |r - r' + gamma (p - p') V*|")
def one_backup(s: TwoProcesses) -> Claim:
    """In the worst state."""
    v, _ = optimal(s)
    backed_up = [
        np.maximum.reduceat(mdp.rewards + s.discount * dense(mdp) @ v, mdp.first_choice[:-1])
        for mdp in (s.mdp, s.other)
    ]
    left, right = np.abs(backed_up[0] - backed_up[1]).max(), np.abs(changes(s, v)).max()
    return claim(left, "<=", right, "|max a - max b| <= max |a - b|", rounding=s.rounding)


@simulation.step("Conclusion: the same for the optimal values", uses=[one_backup, dual])
def optimal_bound(s: TwoProcesses) -> Claim:
    """In the worst state."""
    v, other = optimal(s)
    why = "V* - V'* = (T V* - T' V*) + (T' V* - T' V'*), and T' contracts by gamma"
    right = largest_change(s, v) / (1 - s.discount)
    return claim(np.abs(v - other).max(), "<=", right, why, rounding=s.rounding)
