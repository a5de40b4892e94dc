"""Processes to and from Gymnasium's tables."""

from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given

from rltheory.instances import inventory, recorded_mdp, river_swim
from rltheory.problems import FiniteHorizonMDP, from_gymnasium, to_gymnasium
from rltheory.solvers import backward_induction
from tests.exact_mdps import mdps


@pytest.mark.parametrize(
    ("name", "env", "actions"),
    [("frozen_lake_4x4", "FrozenLake-v1", 4), ("cliff_walking", "CliffWalking-v1", 4), ("taxi", "Taxi-v4", 6)],
)
def test_toy_text_is_the_recorded_process(name, env, actions):
    """The recorded tables were made elsewhere; their last state has as many choices as any, ours has one."""
    ours, recorded = from_gymnasium(gymnasium.make(env)), recorded_mdp(name)
    assert ours.choices == recorded.choices - actions + 1
    np.testing.assert_array_equal(ours.first_choice[:-1], recorded.first_choice[:-1])
    laws, recorded_laws = ours.transition_matrix.toarray(), recorded.transition_matrix.toarray()[: ours.choices]
    np.testing.assert_allclose(laws, recorded_laws, atol=1e-15)
    np.testing.assert_allclose(ours.rewards, recorded.rewards[: ours.choices], atol=1e-14)
    np.testing.assert_array_equal(ours.initial, recorded.initial)
    assert ours.title == env


@given(mdp=mdps())
def test_there_and_back(mdp):
    """An end of an episode becomes one more state, which changes no value."""
    back = from_gymnasium(to_gymnasium(mdp))
    assert back.states in (mdp.states, mdp.states + 1)
    values, values_back = (backward_induction(FiniteHorizonMDP.stationary(m, 5)).values for m in (mdp, back))
    np.testing.assert_allclose(values_back[:, : mdp.states], values, atol=1e-14)


def test_environment_keeps_the_rules_of_gymnasium():
    check_env(to_gymnasium(river_swim()), skip_render_check=True)


def test_episodes_follow_the_laws():
    env, mdp = to_gymnasium(recorded_mdp("frozen_lake_4x4")), recorded_mdp("frozen_lake_4x4")
    state, _ = env.reset(seed=1)
    assert state == 0
    env.action_space.seed(1)
    for _ in range(300):
        before, action = state, int(env.action_space.sample())
        state, reward, terminated, truncated, _ = env.step(action)
        choice = mdp.first_choice[before] + action
        assert mdp.transition_matrix[[choice]].toarray()[0, state] > 0
        assert reward == mdp.rewards[choice]
        assert terminated == (state == 16)
        assert not truncated
        if terminated:
            state, _ = env.reset()


def test_draws_have_the_right_frequencies():
    env = to_gymnasium(river_swim(3))
    env.reset(seed=0)
    counts = np.zeros(3)
    for _ in range(2_000):
        env.unwrapped.state = 1
        counts[env.step(1)[0]] += 1
    # Deviations of at most 22 in 2000 draws; five of them are met once in a million seeds.
    np.testing.assert_allclose(counts, np.array([0.05, 0.6, 0.35]) * 2_000, atol=5 * 22)


def test_actions_that_do_not_exist():
    env = to_gymnasium(inventory())
    env.reset(seed=0)
    env.unwrapped.state = 2
    _, _, _, _, info = env.step(1)
    env.unwrapped.state = 2
    np.testing.assert_array_equal(env.unwrapped._info()["action_mask"], [1, 1, 0, 0])
    with pytest.raises(ValueError, match="action is 2; state 2 has actions 0 to 1"):
        env.step(2)
    assert info["action_mask"].sum() >= 1


def table_env(table, initial=(1.0,)):
    env = SimpleNamespace(P=table, initial_state_distrib=np.array(initial), spec=None)
    env.unwrapped = env
    return env


@pytest.mark.parametrize(
    ("env", "error", "message"),
    [
        (table_env(None), TypeError, "has no P"),
        (SimpleNamespace(unwrapped=SimpleNamespace(P={})), TypeError, "has no initial_state_distrib"),
        (table_env({1: {0: [(1.0, 1, 0.0, False)]}}), ValueError, "P has the states"),
        (table_env({0: {0: [(0.9, 0, 0.0, False)]}}), ValueError, r"choice 0 \(number 0 of state 0\) sum to 0.9"),
        (table_env({0: {0: [(1.0, 3, 0.0, False)]}}), ValueError, r"successors\[0\] is 3; there are states 0 to 0"),
        (table_env({0: {}}), ValueError, "one at least"),
    ],
)
def test_wrong_environments_are_named(env, error, message):
    with pytest.raises(error, match=message):
        from_gymnasium(env)
