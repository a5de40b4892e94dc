"""Every method of self-play against its paper's own formula, and against the methods that are the same map.

The formulas use plain probabilities, win rates instead of payoffs, and each paper's own step-size convention.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

import rltheory as rl
from rltheory import PreferenceGame
from rltheory.algorithms.games.optimistic import LARGEST_STEP
from rltheory.instances import cycle, random_game, weighted_rock_paper_scissors
from rltheory.measures import exploitability, kl, l1, regularized_exploitability
from rltheory.simulation import stream
from tests.strategies import betas, games, policies

ITERATIONS = 20

# Group C of the literature's acceptance tests asks for 1e-12; logarithms here reach 1 / beta = 50, whose rounding,
# once an iteration, adds up to less than that.
SAME = 1e-12


def orbit(update, first, iterations=ITERATIONS):
    """The first policy and what `iterations` updates make of it."""
    rows = [first]
    for t in range(iterations):
        rows.append(update(rows[-1], t))
    return np.array(rows)


def power(policy, reference, weight):
    """The normalised geometric mixture policy^(1 - weight) reference^weight."""
    product = policy ** (1 - weight) * reference**weight
    return product / product.sum()


def assert_plays(trace, expected, name="log_policy"):
    np.testing.assert_allclose(np.exp(trace[name]), expected[trace.times], atol=1e-12)


@given(game=games(), beta=betas, data=st.data())
def test_inpo_is_the_papers_update(game, beta, data):
    reference = data.draw(policies(game.n))
    etas = beta * np.arange(2, ITERATIONS + 3) / 2

    def update(x, t):
        logits = (1 - beta / etas[t]) * np.log(x) + beta / etas[t] * np.log(reference) + game.prefer @ x / etas[t]
        return softmax(logits)

    trace = rl.inpo(game, beta=beta, iterations=ITERATIONS, inverse_rate=etas, reference=reference)
    expected = orbit(update, reference, ITERATIONS + 1)
    assert_plays(trace, expected)
    np.testing.assert_allclose(np.exp(trace["log_next"]), expected[trace.times + 1], atol=1e-12)


@given(game=games(), beta=betas, ratio=st.floats(0.1, 20), data=st.data())
def test_magnetic_mirror_descent_maximises_its_objective(game, beta, ratio, data):
    """<v, x> - beta KL(x || mu) - KL(x || x_t) / gamma has gradient 0 along the simplex at the next iterate."""
    reference, start = data.draw(policies(game.n)), data.draw(policies(game.n))
    step = ratio * beta
    trace = rl.magnetic_mirror_descent(game, beta=beta, iterations=3, step=step, reference=reference, start=start)
    for now, after in zip(trace["log_policy"], trace["log_next"], strict=True):
        gradient = game.prefer @ np.exp(now) - beta * (after - np.log(reference)) - (after - now) / step
        assert np.ptp(gradient) <= 1e-11 * (1 + 1 / step)


@given(game=games(), rate=st.floats(0.01, 3), data=st.data())
def test_hedge_is_exponential_weights_of_the_sums(game, rate, data):
    start = data.draw(policies(game.n))
    rates = rate / np.sqrt(np.arange(1, ITERATIONS + 2))
    trace = rl.hedge(game, iterations=ITERATIONS, rate=rates, start=start)
    played, total = [start], np.zeros(game.n)
    for t in range(ITERATIONS):
        total += game.prefer @ played[-1]
        played.append(softmax(np.log(start) + rates[t] * total))
    played = np.array(played)
    assert_plays(trace, played)
    np.testing.assert_allclose(trace.last("mean"), played.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(trace.last("gains"), ((played @ game.prefer.T) - 0.5).sum(axis=0), atol=1e-12)


@given(game=games(), eta=st.floats(0.01, 3), data=st.data())
def test_spo_sppo_and_dno_are_hedge(game, eta, data):
    start = data.draw(policies(game.n))
    trace = rl.hedge(game, iterations=ITERATIONS, rate=eta, start=start)

    def spo(x, t):
        return softmax(np.log(x) + eta * (game.prefer @ x))

    def sppo(x, t):
        weights = x * np.exp(eta * (game.prefer @ x - 0.5))
        return weights / weights.sum()

    def dno(x, t):
        inverse_rate = 1 / eta
        return softmax(np.log(x) + game.prefer @ x / inverse_rate)

    for update in (spo, sppo, dno):
        assert_plays(trace, orbit(update, start))


@given(game=games(), beta=betas, fraction=st.floats(0.05, 1), data=st.data())
def test_nash_md_is_the_papers_update(game, beta, fraction, data):
    reference, start = data.draw(policies(game.n)), data.draw(policies(game.n))
    eta = fraction / beta

    def update(x, t):
        mixture = power(x, reference, eta * beta)
        return softmax(np.log(mixture) + eta * (game.prefer @ mixture))

    trace = rl.nash_md(game, beta=beta, iterations=ITERATIONS, rate=eta, reference=reference, start=start)
    expected = orbit(update, start)
    assert_plays(trace, expected)
    assert_plays(trace, np.array([power(x, reference, eta * beta) for x in expected]), "log_mixture")


def test_nash_md_forgets_its_start_under_the_papers_schedule():
    game = cycle(3)
    traces = [rl.nash_md(game, beta=0.1, iterations=50, start=start) for start in (None, [0.8, 0.1, 0.1])]
    np.testing.assert_allclose(traces[0].last("log_policy"), traces[1].last("log_policy"), atol=1e-12)
    assert not np.allclose(traces[0]["log_policy"][0], traces[1]["log_policy"][0])


@given(game=games(), beta=st.sampled_from([0.0, 0.02, 0.1, 0.5]), data=st.data())
def test_optimistic_steps_are_the_two_displayed_lines(game, beta, data):
    reference, start = data.draw(policies(game.n)), data.draw(policies(game.n))
    step = LARGEST_STEP
    q = 1 / (1 + step * beta)
    x = midpoint = start
    rows = [(x, midpoint)]
    for _ in range(ITERATIONS):
        anchor = q * np.log(x) + (1 - q) * np.log(reference)
        midpoint = softmax(anchor + q * step * (game.prefer @ midpoint))
        x = softmax(anchor + q * step * (game.prefer @ midpoint))
        rows.append((x, midpoint))
    xs, midpoints = (np.array(column) for column in zip(*rows, strict=True))
    trace = rl.optimistic_mirror_descent(
        game, beta=beta, iterations=ITERATIONS - 1, step=step, reference=reference, start=start
    )
    for name, expected in {"log_policy": xs, "log_midpoint": midpoints}.items():
        np.testing.assert_allclose(np.exp(trace[name]), expected[trace.times], atol=1e-12)
    for name, expected in {"log_next": xs, "log_next_midpoint": midpoints}.items():
        np.testing.assert_allclose(np.exp(trace[name]), expected[trace.times + 1], atol=1e-12)
    np.testing.assert_allclose(trace.last("mean"), midpoints[1:].mean(axis=0), atol=1e-13)
    np.testing.assert_array_equal(trace["queries"], [0, *range(2, ITERATIONS + 1)])


def test_optimistic_hedge_adds_the_last_answer_twice():
    """The textbook form: weights of the sum of all answers plus the last one."""
    game, eta = random_game(stream(0, "test", "optimistic"), 6), 0.5
    trace = rl.optimistic_mirror_descent(game, beta=0.0, iterations=ITERATIONS, step=eta)
    total, last = np.zeros(6), game.prefer @ np.full(6, 1 / 6)
    for log_played in trace["log_next_midpoint"]:
        played = softmax(eta * (total + last))
        np.testing.assert_allclose(np.exp(log_played), played, atol=1e-13)
        last = game.prefer @ played
        total += last


@given(game=games(), beta=betas, data=st.data())
def test_self_play_gradient_climbs_the_preference_over_its_opponent(game, beta, data):
    """The direction is the gradient in the logits, by central differences, of the regularised win rate."""
    reference, start = data.draw(policies(game.n)), data.draw(policies(game.n))
    weight = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    step = 1e-3
    trace = rl.self_play_gradient(
        game, beta=beta, iterations=0, step=step, weight=weight, reference=reference, start=start
    )
    moved = trace["log_next"][0] - trace["log_policy"][0]
    opponent = power(start, reference, weight)

    def win_rate(logits):
        x = softmax(logits)
        return x @ game.prefer @ opponent - beta * (x * (np.log(x) - np.log(reference))).sum()

    h, eye = 1e-5, np.eye(game.n)
    gradient = [(win_rate(np.log(start) + h * e) - win_rate(np.log(start) - h * e)) / (2 * h) for e in eye]
    np.testing.assert_allclose(moved - moved.mean(), step * (gradient - np.mean(gradient)), atol=1e-9)


# The same map under several names: iterates agree to 1e-12 in the logarithms.


@given(game=games(), beta=betas, eta=st.floats(0.05, 0.9), data=st.data())
def test_egpo_and_policy_extragradient_are_nash_mirror_prox(game, beta, eta, data):
    """log pi+ = (1 - eta beta) log pi + eta beta log mu + eta P h, with gamma = eta / (1 - eta beta)."""
    eta = eta / beta / 2
    reference = data.draw(policies(game.n))

    def extragradient(x, t):
        anchor = (1 - eta * beta) * np.log(x) + eta * beta * np.log(reference)
        half = softmax(anchor + eta * (game.prefer @ x))
        return softmax(anchor + eta * (game.prefer @ half))

    step = eta / (1 - eta * beta)
    trace = rl.nash_mirror_prox(game, beta=beta, iterations=ITERATIONS, step=step, reference=reference)
    assert_plays(trace, orbit(extragradient, reference))


@given(game=games(), beta=betas, ratio=st.floats(1.1, 30), data=st.data())
def test_inpo_is_magnetic_mirror_descent(game, beta, ratio, data):
    reference = data.draw(policies(game.n))
    eta = ratio * beta
    inpo = rl.inpo(game, beta=beta, iterations=ITERATIONS, inverse_rate=eta, reference=reference)
    magnetic = rl.magnetic_mirror_descent(
        game, beta=beta, iterations=ITERATIONS, step=1 / (eta - beta), reference=reference
    )
    np.testing.assert_allclose(inpo["log_policy"], magnetic["log_policy"], atol=SAME)


@given(game=games(), beta=betas, fraction=st.floats(0.05, 0.9), data=st.data())
def test_mixtures_of_nash_md_are_magnetic_mirror_descent_at_a_higher_temperature(game, beta, fraction, data):
    reference = data.draw(policies(game.n))
    eta = fraction / beta
    mixtures = rl.nash_md(game, beta=beta, iterations=ITERATIONS, rate=eta, reference=reference)["log_mixture"]
    hotter = rl.magnetic_mirror_descent(
        game, beta=beta / (1 - eta * beta), iterations=ITERATIONS, step=eta, reference=reference
    )
    np.testing.assert_allclose(mixtures, hotter["log_policy"], atol=SAME / (1 - fraction))


def test_two_sweeps_towards_the_proximal_point_are_nash_mirror_prox():
    game, beta, step = weighted_rock_paper_scissors(0.2, 0.5, 0.3), 0.2, 1.5
    trace = rl.nash_mirror_prox(game, beta=beta, iterations=5, step=step)
    for now, after in zip(trace["log_policy"], trace["log_next"], strict=True):
        inner = log_softmax((now + step * beta * -np.log(3)) / (1 + step * beta))
        opponent = now
        for _ in range(2):
            opponent = log_softmax(inner + step / (1 + step * beta) * (game.prefer @ np.exp(opponent)))
        np.testing.assert_allclose(after, opponent, atol=SAME)


def test_proximal_point_at_temperature_0_is_the_outer_loop_of_magnetic_preference_optimisation():
    game, beta = weighted_rock_paper_scissors(0.2, 0.5, 0.3), 0.2
    exact = rl.proximal_point(game, beta=0.0, iterations=8, step=1 / beta)
    inner = rl.magnetic_preference_optimization(game, beta=beta, rounds=8, iterations=600)
    np.testing.assert_allclose(exact["log_policy"], inner["log_policy"], atol=1e-11)


def test_uniform_online_ipo_descends_as_magnetic_mirror_descent():
    """One gradient step on the squared loss of uniformly drawn pairs, with the policy of the labels frozen."""
    game, beta, n = random_game(stream(0, "test", "online IPO"), 5), 0.2, 5
    reference = np.array([0.4, 0.3, 0.1, 0.1, 0.1])
    learning_rate = 0.05
    eta = 4 * learning_rate / (beta * n)

    def loss(logits, opponent):
        f = logits - np.log(reference)
        wins = game.prefer @ opponent
        return ((f[:, None] - f - (wins[:, None] - wins) / beta) ** 2).mean()

    def descend(x, t):
        h, eye, logits = 1e-4, np.eye(n), np.log(x)
        gradient = [(loss(logits + h * e, x) - loss(logits - h * e, x)) / (2 * h) for e in eye]
        return softmax(logits - learning_rate * np.array(gradient))

    trace = rl.magnetic_mirror_descent(
        game, beta=beta, iterations=ITERATIONS, step=eta / (1 - eta * beta), reference=reference
    )
    np.testing.assert_allclose(np.exp(trace["log_policy"]), orbit(descend, reference), atol=1e-9)


# Where the methods lead.


@given(game=games(), beta=st.sampled_from([0.1, 0.5]))
def test_regularised_methods_reach_the_equilibrium(game, beta):
    star = rl.regularized_equilibrium(game, beta).log_policy
    runs = {
        "magnetic mirror descent": rl.magnetic_mirror_descent(game, beta=beta, iterations=2000),
        "optimistic": rl.optimistic_mirror_descent(game, beta=beta, iterations=600),
        "proximal point": rl.proximal_point(game, beta=beta, iterations=40, step=10.0),
        "gradient": rl.self_play_gradient(game, beta=1.0, iterations=3000, step=2.0),
    }
    stars = dict.fromkeys(runs, star) | {"gradient": rl.regularized_equilibrium(game, 1.0).log_policy}
    for name, trace in runs.items():
        assert kl(stars[name], trace.last("log_policy")) < 1e-12, name


@given(game=games())
def test_outer_loop_reaches_a_minimax_winner(game):
    trace = rl.magnetic_preference_optimization(game, beta=0.2, rounds=400, iterations=60)
    assert exploitability(game, np.exp(trace.last("log_policy"))) < 0.02
    assert trace.clock == "round"
    assert trace.last("queries") == 400 * 60


def test_proximal_point_solves_each_inner_game():
    """The next iterate minimises the exploitability of the pulled game: no policy gains on it."""
    game, beta, step = random_game(stream(0, "test", "proximal"), 4), 0.1, 3.0
    trace = rl.proximal_point(game, beta=beta, iterations=3, step=step, start=[0.7, 0.1, 0.1, 0.1])
    for now, after in zip(trace["log_policy"], trace["log_next"], strict=True):

        def regret(logits, now=now, after=after):
            x = log_softmax(logits)
            gain = np.exp(x) @ game.payoff @ np.exp(after)
            cost = beta * (kl(x, np.full(4, -np.log(4))) - kl(after, np.full(4, -np.log(4))))
            return -(gain - cost - (kl(x, now) - kl(after, now)) / step)

        best = minimize(regret, np.zeros(4), tol=1e-12)
        assert best.fun > -1e-10


def test_deep_magnets_do_not_underflow():
    """Weight 1 on the winner is approached in the logarithms, beyond what a probability can say."""
    sure_winner = PreferenceGame([[0.5, 1.0], [0.0, 0.5]])
    for trace in (
        rl.proximal_point(sure_winner, beta=0.0, iterations=40, step=50.0),
        rl.magnetic_preference_optimization(sure_winner, beta=0.02, rounds=40, iterations=5000),
    ):
        assert trace.last("log_policy")[1] == pytest.approx(-40 * 25, rel=0.02)


def test_without_regularisation_the_last_policy_of_hedge_leaves_and_the_average_stays():
    game = weighted_rock_paper_scissors(0.5, 0.5, 0.5)
    trace = rl.hedge(game, iterations=4000, rate=0.5, start=[0.4, 0.3, 0.3])
    assert l1(trace.last("log_policy"), np.full(3, -np.log(3))) > 1
    assert exploitability(game, trace.last("mean")) < 0.02


# Sampled runs.


def test_sampled_win_rates_average_to_exact_steps():
    """Over many draws the first step's logits have the exact mean, and the variance of m Bernoulli comparisons."""
    game, m, draws = weighted_rock_paper_scissors(0.1, 0.3, 0.5), 3, 4000
    rate = 0.5
    logits = np.array(
        [
            rl.sampled_hedge(
                game, iterations=0, rate=rate, comparisons=m, rng=stream(0, "test", "sampled", i), start=[0.6, 0.3, 0.1]
            )["gains"][0]
            for i in range(draws)
        ]
    )
    wins = game.prefer @ [0.6, 0.3, 0.1]
    spread = np.sqrt(wins * (1 - wins) / m)
    np.testing.assert_allclose(logits.mean(axis=0), wins - 0.5, atol=5 * spread.max() / np.sqrt(draws))
    np.testing.assert_allclose(logits.std(axis=0), spread, rtol=0.08)


def test_many_comparisons_are_nearly_exact():
    game = random_game(stream(0, "test", "many"), 5)
    exact = rl.magnetic_mirror_descent(game, beta=0.3, iterations=50)
    sampled = rl.sampled_magnetic_mirror_descent(
        game, beta=0.3, iterations=50, comparisons=20_000, rng=stream(0, "test", "many comparisons")
    )
    # Each answer errs by 0.5 / sqrt(m) = 0.0035 at most in standard deviation, and the rate q gamma is below 0.9.
    assert l1(exact.last("log_policy"), sampled.last("log_policy")) < 0.02
    np.testing.assert_array_equal(sampled["comparisons"], 5 * 20_000 * sampled.times)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda g: rl.inpo(g, beta=0.1, iterations=5, inverse_rate=0.05), ValueError, "at least beta = 0.1"),
        (lambda g: rl.inpo(g, beta=0.1, iterations=5, inverse_rate=[1.0, 2.0]), ValueError, "2 entries; expected 6"),
        (lambda g: rl.nash_md(g, beta=0.1, iterations=5, rate=11.0), ValueError, "at most 1 / beta = 10"),
        (lambda g: rl.hedge(g, iterations=2, rate=[1.0, 0.0, 1.0]), ValueError, r"rate\[1\] is 0.0"),
        (lambda g: rl.hedge(g, iterations=-1, rate=1.0), ValueError, "iterations is -1"),
        (lambda g: rl.magnetic_mirror_descent(g, beta=0.0, iterations=5), ValueError, "beta is 0.0"),
        (lambda g: rl.magnetic_mirror_descent(g, beta="hot", iterations=5), TypeError, "beta is 'hot'"),
        (lambda g: rl.optimistic_mirror_descent(g, beta=-0.1, iterations=5), ValueError, "beta is -0.1"),
        (lambda g: rl.optimistic_mirror_descent(g, beta=np.inf, iterations=5), ValueError, "finite and >= 0"),
        (lambda g: rl.proximal_point(g, beta=0.1, iterations=5, step=0.0), ValueError, "step is 0.0"),
        (
            lambda g: rl.self_play_gradient(g, beta=0.1, iterations=5, step=1.0, weight=1.5),
            ValueError,
            r"weight is 1.5; it must lie in \[0, 1\]",
        ),
        (
            lambda g: rl.magnetic_mirror_descent(g, beta=0.1, iterations=5, reference=[1.0, 1e-400, 0.0]),
            ValueError,
            r"reference\[1\] is 0.0; .* underflows to 0",
        ),
        (
            lambda g: rl.sampled_hedge(g, iterations=5, rate=1.0, comparisons=0, rng=np.random.default_rng()),
            ValueError,
            "comparisons is 0; it must be >= 1",
        ),
        (
            lambda g: rl.sampled_magnetic_mirror_descent(
                g, beta=0.1, iterations=5, comparisons=0, rng=np.random.default_rng()
            ),
            ValueError,
            "comparisons is 0; it must be >= 1",
        ),
        (
            lambda g: rl.magnetic_preference_optimization(g, beta=0.1, rounds=5, iterations=0),
            ValueError,
            "iterations is 0; it must be >= 1",
        ),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(cycle(3))


def test_steps_beyond_the_proved_range_run():
    """They are allowed; on a long cycle they diverge, which the theorems' hypotheses name."""
    game = cycle(101)
    wave = (1 + 0.01 * np.cos(2 * np.pi * np.arange(101) / 101)) / 101
    trace = rl.magnetic_mirror_descent(game, beta=0.01, iterations=2000, step=0.4, start=wave)
    gaps = regularized_exploitability(game, trace["log_policy"], 0.01, np.full(101, -np.log(101)))
    assert gaps[-1] > 10 * gaps[0]
