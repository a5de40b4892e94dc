"""Markov chains and average rewards in rational arithmetic, straight from the definitions, for small processes.

A row of float64 means the law in proportion to it, exactly, so that certificates are judged without any tolerance.
"""

from fractions import Fraction
from itertools import product

import numpy as np
from hypothesis import strategies as st

from rltheory.problems import TabularMDP


def laws(matrix):
    """Exact laws of rows of floats."""
    rows = [[Fraction(float(x)) for x in row] for row in np.asarray(matrix)]
    return [[x / sum(row) for x in row] for row in rows]


def fractions(vector):
    return [Fraction(float(x)) for x in vector]


def dot(xs, ys):
    return sum((x * y for x, y in zip(xs, ys, strict=True)), Fraction(0))


def solve(matrix, columns):
    """Gauss-Jordan elimination; `columns` has one row for each equation."""
    n = len(matrix)
    rows = [list(row) + list(right) for row, right in zip(matrix, columns, strict=True)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k] != 0)
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k and rows[i][k] != 0:
                factor = rows[i][k]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[n:] for row in rows]


def reachable(chain):
    """Warshall's closure: entry [i][j] tells whether i = j or j can be reached from i."""
    n = len(chain)
    reach = [[i == j or chain[i][j] > 0 for j in range(n)] for i in range(n)]
    for k, i, j in product(range(n), repeat=3):
        reach[i][j] = reach[i][j] or (reach[i][k] and reach[k][j])
    return reach


def recurrent_classes(chain):
    reach = reachable(chain)
    n = len(chain)
    recurrent = [i for i in range(n) if all(reach[j][i] for j in range(n) if reach[i][j])]
    return sorted({tuple(j for j in range(n) if reach[i][j]) for i in recurrent})


def limiting(chain):
    """The limiting matrix: stationary laws in the classes, mixed by the probabilities of absorption."""
    n = len(chain)
    result = [[Fraction(0)] * n for _ in range(n)]
    classes = recurrent_classes(chain)
    transient = [i for i in range(n) if not any(i in states for states in classes)]
    for states in classes:
        # p (I - P) = 0, the last equation replaced by sum p = 1
        equations = [[Fraction(int(i == j)) - chain[i][j] for i in states] for j in states[:-1]]
        equations.append([Fraction(1)] * len(states))
        law = solve(equations, [[Fraction(int(k == len(states) - 1))] for k in range(len(states))])
        absorbed = solve(
            [[Fraction(int(i == j)) - chain[i][j] for j in transient] for i in transient],
            [[sum(chain[i][j] for j in states)] for i in transient],
        )
        for j, (p,) in zip(states, law, strict=True):
            for i in states:
                result[i][j] = p
            for i, (a,) in zip(transient, absorbed, strict=True):
                result[i][j] = a * p
    return result


def deviation(chain):
    n = len(chain)
    limit = limiting(chain)
    identity = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
    left = [[identity[i][j] - chain[i][j] + limit[i][j] for j in range(n)] for i in range(n)]
    return solve(left, [[identity[i][j] - limit[i][j] for j in range(n)] for i in range(n)])


def gain_and_bias(chain, rewards):
    gain, bias = ([dot(row, rewards) for row in matrix] for matrix in (limiting(chain), deviation(chain)))
    return gain, bias


def hitting_times(chain, target):
    """Expected steps to a set of states; None where it is missed with positive probability."""
    n = len(chain)
    stopped = [[Fraction(int(i == j)) for j in range(n)] if i in target else list(chain[i]) for i in range(n)]
    missing = [dot(row, [0 if j in target else 1 for j in range(n)]) > 0 for row in limiting(stopped)]
    inside = [i for i in range(n) if not missing[i] and i not in target]
    times = solve(
        [[Fraction(int(i == j)) - chain[i][j] for j in inside] for i in inside], [[Fraction(1)] for _ in inside]
    )
    found = {i: x for i, (x,) in zip(inside, times, strict=True)}
    return [None if missing[i] else found.get(i, Fraction(0)) for i in range(n)]


def deterministic_policies(mdp):
    """Every deterministic policy: the numbers of its choices."""
    return product(*(range(a, b) for a, b in zip(mdp.first_choice[:-1], mdp.first_choice[1:], strict=True)))


def exact_chain(mdp, policy):
    every = laws(mdp.transition_matrix)
    return [every[choice] for choice in policy], [Fraction(float(mdp.rewards[choice])) for choice in policy]


def gains_and_biases(mdp):
    """Of every deterministic policy."""
    return {policy: gain_and_bias(*exact_chain(mdp, policy)) for policy in deterministic_policies(mdp)}


@st.composite
def weights(draw, states, total=None):
    """A law over the states: small integers over their sum; or quarters, which float64 holds exactly."""
    if total is not None:
        ends = sorted(draw(st.lists(st.integers(0, total), min_size=states - 1, max_size=states - 1)))
        parts = np.diff([0, *ends, total])
    else:
        parts = np.array(draw(st.lists(st.integers(0, 3), min_size=states, max_size=states).filter(any)))
    return parts / parts.sum()


@st.composite
def chains(draw, max_states=5):
    states = draw(st.integers(1, max_states))
    return np.array([draw(weights(states)) for _ in range(states)])


@st.composite
def processes(draw, *, quarters=False, max_states=4):
    """Processes with at most 24 deterministic policies; their state-dependent actions have rewards with many ties."""
    states = draw(st.integers(1, max_states))
    actions = 2 if states > 2 else 3
    transitions = [[draw(weights(states, 4 if quarters else None)) for _ in range(actions)] for _ in range(states)]
    rewards = [[draw(st.integers(-2, 2)) for _ in range(actions)] for _ in range(states)]
    allowed = np.array([[a == 0 or draw(st.booleans()) for a in range(actions)] for _ in range(states)])
    return TabularMDP(transitions, rewards, allowed=allowed)
