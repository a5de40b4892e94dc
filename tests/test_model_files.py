"""Files of processes: what is read is what was written, and what is wrong is refused with file, line and rule."""

from pathlib import Path

import numpy as np
import pytest

from rltheory.problems import ExplicitModel, SparseMDP, TabularMDP, read_drn, read_npz, read_prism, write_drn
from rltheory.solvers import reach_probability, reward_until
from tests.elsewhere import elsewhere

BENCHMARKS = sorted((Path(__file__).parent / "data" / "qvbs").glob("*.npz"))
ELSEWHERE = elsewhere()
ABSENT = pytest.param("", marks=pytest.mark.skip(reason="RLTHEORY_DATA names no folder with further archives"))
FURTHER = sorted([*ELSEWHERE.glob("qvbs/*.npz"), *ELSEWHERE.glob("mdp/*.npz")]) if ELSEWHERE else [ABSENT]

# A fair coin is thrown until it shows heads; a bent one shows heads with probability 1/4, for less.
DRN = """\
// Two coins
@type: MDP
@value_type: double
@parameters

@reward_models
throws cost
@nr_states
2
@nr_choices
3
@model
state 0 [1,0] init
\taction fair [0, 3]
\t\t0 : 0.5
\t\t1 : 1/2
\taction bent [0, 1]
\t\t0 : 7.5e-1
\t\t1 : 0.25
state 1 [0, 0] heads "all done"
\taction __NOLABEL__ [0, 0]
\t\t1 : 1
"""

PRISM = {
    "transitions": "2 3 5\n0 0 0 0.5 fair\n0 0 1 0.5 fair\n0 1 0 0.75 bent\n0 1 1 0.25 bent\n1 0 1 1\n",
    "labels": '0="init" 1="deadlock" 2="heads"\n0: 0\n1: 2\n',
    "state_rewards": '# Reward structure "cost"\n# State rewards\n2 1\n0 1\n',
    "transition_rewards": '# Reward structure "cost"\n# Transition rewards\n2 3 3\n0 0 0 2\n0 0 1 2\n0 1 1 4\n',
}


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def prism_files(write, **changes):
    texts = PRISM | changes
    return read_prism(
        write("coins.tra", texts["transitions"]),
        **{name: write(name, text) for name, text in texts.items() if name != "transitions" and text is not None},
    )


def check_same(ours, theirs):
    np.testing.assert_array_equal(ours.mdp.first_choice, theirs.mdp.first_choice)
    assert (ours.mdp.transition_matrix != theirs.mdp.transition_matrix).nnz == 0
    np.testing.assert_array_equal(ours.mdp.initial, theirs.mdp.initial)
    assert ours.rewards.keys() == theirs.rewards.keys()
    for name in theirs.rewards:
        np.testing.assert_array_equal(ours.rewards[name], theirs.rewards[name])
    for name in theirs.labels:
        # A label that no state carries leaves no trace in DRN.
        np.testing.assert_array_equal(ours.labels.get(name, False), theirs.labels[name])


def test_drn_is_read(write):
    model = read_drn(write("coins.drn", DRN))
    assert str(model.mdp) == "coins"
    assert model.mdp.choice_names == ("fair", "bent", "0")
    np.testing.assert_array_equal(model.mdp.transition_matrix.toarray(), [[0.5, 0.5], [0.75, 0.25], [0, 1]])
    np.testing.assert_array_equal(model.mdp.initial, [1, 0])
    np.testing.assert_array_equal(model.mdp.rewards, [0, 0, 0])
    np.testing.assert_array_equal(model.rewards["throws"], [1, 1, 0])
    np.testing.assert_array_equal(model.rewards["cost"], [3, 1, 0])
    assert {name: mask.tolist() for name, mask in model.labels.items()} == {
        "init": [True, False],
        "heads": [False, True],
        "all done": [False, True],
    }
    cheapest = reward_until(model.mdp, model.labels["heads"], rewards=model.rewards["cost"], minimise=True)
    assert cheapest.values[0] == pytest.approx(4, abs=1e-12)


def test_a_chain_without_rewards_is_read(write):
    model = read_drn(write("chain.drn", "@type: DTMC\n@nr_states\n1\n@model\nstate 0 init\naction 0\n0 : 1\n"))
    assert (model.mdp.states, model.mdp.choices, model.rewards) == (1, 1, {})


def test_prism_is_read(write):
    model = prism_files(write)
    assert model.mdp.choice_names == ("fair", "bent", "0")
    np.testing.assert_array_equal(model.mdp.transition_matrix.toarray(), [[0.5, 0.5], [0.75, 0.25], [0, 1]])
    np.testing.assert_array_equal(model.mdp.initial, [1, 0])
    # The state's 1, and 2 on both ways of the fair coin; 4 on one in four throws of the bent one.
    np.testing.assert_array_equal(model.mdp.rewards, [3, 2, 0])
    np.testing.assert_array_equal(model.rewards["cost"], [3, 2, 0])
    assert {name: mask.tolist() for name, mask in model.labels.items()} == {
        "init": [True, False],
        "deadlock": [False, False],
        "heads": [False, True],
    }


def test_prism_transitions_suffice(write):
    model = prism_files(write, labels=None, state_rewards=None, transition_rewards=None)
    np.testing.assert_array_equal(model.mdp.initial, [0.5, 0.5])
    assert (model.labels, model.rewards) == ({}, {})


@pytest.mark.parametrize("path", BENCHMARKS + FURTHER, ids=lambda path: getattr(path, "stem", ""))
def test_archives_and_their_copies_in_drn_are_one_process(path, tmp_path):
    model = read_npz(path)
    assert model.mdp.initial.sum() == pytest.approx(1, abs=1e-12)
    write_drn(model, tmp_path / "copy.drn")
    check_same(read_drn(tmp_path / "copy.drn"), model)


def test_archive_of_a_benchmark_has_its_answer():
    model = read_npz(next(path for path in BENCHMARKS if path.stem == "pacman_5"))
    found = reach_probability(model.mdp, model.labels["goal_crash"], minimise=True)
    assert model.mdp.initial @ found.values == pytest.approx(0.5511, abs=1e-6)


def test_dense_processes_are_written(tmp_path):
    dense = TabularMDP([[[0.5, 0.5]], [[0, 1]]], [[1], [0]], initial=[0, 1])
    model = ExplicitModel(dense, {"a b": np.array([True, False])}, {"steps": np.array([1 / 3, 0])})
    write_drn(model, tmp_path / "dense.drn")
    sparse = ExplicitModel(SparseMDP.from_tabular(dense), model.labels, model.rewards)
    check_same(read_drn(tmp_path / "dense.drn"), sparse)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial": [0.2, 0.8]}, "the initial distribution is not uniform"),
        ({"action_names": ["to heads"]}, "'to heads' is no name in DRN"),
    ],
)
def test_what_drn_cannot_hold_is_not_written(change, message, tmp_path):
    dense = TabularMDP([[[0.5, 0.5]], [[0, 1]]], [[1], [0]], **change)
    with pytest.raises(ValueError, match=message):
        write_drn(ExplicitModel(dense), tmp_path / "never.drn")
    assert not (tmp_path / "never.drn").exists()


def test_labels_that_drn_cannot_hold_are_not_written(tmp_path):
    dense = TabularMDP([[[1.0]]], [[1.0]])
    with pytest.raises(ValueError, match="no label in DRN"):
        write_drn(ExplicitModel(dense, {'"': np.array([True])}), tmp_path / "never.drn")


def test_every_truncated_drn_is_refused(write):
    for cut in range(len(DRN) - 1):
        with pytest.raises(ValueError, match=r"cut\.drn"):
            read_drn(write("cut.drn", DRN[:cut]))


@pytest.mark.parametrize("part", PRISM)
def test_every_truncated_prism_file_is_refused(part, write):
    text = PRISM[part]
    # A row of labels cut short is a shorter row, and a state may have no label: nothing tells.
    for cut in range(text.index("\n") if part == "labels" else len(text) - 1):
        with pytest.raises(ValueError, match=r"coins\.tra|labels|rewards"):
            prism_files(write, **{part: text[:cut]})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MDP", "CTMC", "line 2: the type is 'CTMC'; only MDP and DTMC"),
        ("MDP", "Markov Automaton", "line 2: the type is 'Markov Automaton'"),
        ("MDP", "POMDP", "line 2: the type is 'POMDP'"),
        ("double", "double-interval", "line 3: values are of type 'double-interval'"),
        ("@parameters\n\n", "@parameters\np q\n", "line 5: 'p q' in section @parameters"),
        ("@parameters\n", "@placeholders\n$0 : 1\n", "line 4: section @placeholders is not supported"),
        ("@parameters", "@type: MDP", "line 4: @type is declared twice"),
        ("throws cost", "cost cost", "have one name"),
        ("@nr_states\n2\n", "", "@nr_states is not declared before @model"),
        ("@nr_states\n2", "@nr_states\n3", "3 states are declared, but there are 2"),
        ("@nr_states\n2", "@nr_states\ntwo", "'two' is no whole number"),
        ("@nr_choices\n3", "@nr_choices\n4", "4 choices are declared, but there are 3"),
        ("state 1", "state 2", "line 20: 2 is out of range; there are 2 states"),
        ("state 1", "state 0", "line 20: state 0 is out of order; expected state 1"),
        ("state 1 [0, 0]", "state 1 [0]", "line 20: there are rewards of 1 structures; the header names 2"),
        ("init", "start", "no state has the label 'init'"),
        ("1 : 0.25", "5 : 0.25", "line 19: 5 is out of range"),
        ("1 : 0.25", "0 : 0.25", "line 17: the choice leads to a state twice"),
        ("1 : 0.25", "1 : 0.2", r"line 17: the probabilities of the choice sum to 0.95; expected 1"),
        ("1 : 0.25", "1 : [0.2, 0.3]", r"line 19: '\[0.2, 0.3\]' is no number; intervals, parameters"),
        ("1 : 0.25", "1 : 1-p", "line 19: '1-p' is no number"),
        ("1 : 0.25", "1 : $0", "is no number"),
        ("1 : 0.25", "1 : nan", "'nan' is no number"),
        ("1 : 0.25", "1 : -0.25", r"the probability is -0.25; it must lie in \[0, 1\]"),
        ("1 : 0.25", "-1 : 0.25", "line 19: '-1 : 0.25' is neither a state, nor an action, nor a transition"),
        ("fair [0, 3]", "fair [0, 1e999]", "1e999 is too large"),
        ("\taction fair [0, 3]\n", "", "line 14: a transition comes before the first action"),
        ("state 0 [1,0] init\n", "", "line 13: an action comes before the first state"),
        ("\taction __NOLABEL__ [0, 0]\n\t\t1 : 1\n", "", "line 20: state 1 has no choice"),
        ("\t\t1 : 1\n", "", "line 21: the probabilities of the choice sum to 0"),
        ("state 0 [1,0]", "state 0 !5 [1,0]", "is neither a state"),
    ],
)
def test_wrong_drn_is_named(old, new, message, write):
    assert old in DRN
    with pytest.raises(ValueError, match=rf"wrong\.drn.*{message}"):
        read_drn(write("wrong.drn", DRN.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("part", "old", "new", "message"),
    [
        (
            "transitions",
            "2 3 5",
            "2 5",
            "coins.tra, line 1: the first line is '2 5'; expected numbers of states, choices",
        ),
        ("transitions", "2 3 5", "2 4 5", "coins.tra: 4 choices are declared, but there are 3"),
        ("transitions", "2 3 5", "2 3 6", "coins.tra: 6 transitions are declared, but there are 5"),
        ("transitions", "0 0 1", "0 0 2", "coins.tra, line 3: 2 is out of range; there are 2 states"),
        ("transitions", "0 1 0 0.75", "0 2 0 0.75", "coins.tra, line 4: choice 2 of state 0 is out of order"),
        ("transitions", "0 0 0", "1 0 0", "coins.tra, line 2: state 1 is out of order; expected state 0"),
        ("transitions", "0.5 fair\n0 1", "0.5 foul\n0 1", "line 3: the choice has the actions 'fair' and 'foul'"),
        ("transitions", "1 0 1 1", "1 0 1", "line 6: '1 0 1' is not of the form"),
        ("transitions", "0.75", "0.7", "line 4: the probabilities of the choice sum to 0.95"),
        ("transitions", "0.75", "3/4a", "line 4: '3/4a' is no number"),
        ("labels", '0="init"', "init", "line 1: .* declares no labels"),
        ("labels", "1: 2", "1: 3", "line 3: label 3 is not declared"),
        ("labels", "1: 2", "2: 2", "line 3: 2 is out of range"),
        ("labels", "0: 0", "0: 1", "labels: no state has the label 'init'"),
        ("state_rewards", "2 1", "3 1", "3 states are declared, but there are 2"),
        ("state_rewards", "2 1", "2 2", "2 lines of rewards are declared, but there are 1"),
        ("state_rewards", "0 1", "0 1\n0 1", "line 5: state 0 has a reward already"),
        ("state_rewards", "0 1", "0", "line 4: '0' is not of the form 'state reward'"),
        ("transition_rewards", "2 3 3", "2 2 3", "2 choices are declared, but there are 3"),
        ("transition_rewards", "0 1 1", "0 2 1", "line 6: 2 is out of range; there are 2 choices in state 0"),
        ("transition_rewards", "0 1 1", "1 0 0", "line 6: choice 0 of state 1 never leads to 0"),
        ("transition_rewards", "0 1 1", "0 0 0", "line 6: the transition from state 0 to 0 has a reward already"),
        ("transition_rewards", "0 1 1 4", "0 1 1", "line 6: '0 1 1' is not of the form"),
    ],
)
def test_wrong_prism_files_are_named(part, old, new, message, write):
    assert old in PRISM[part]
    with pytest.raises(ValueError, match=message):
        prism_files(write, **{part: PRISM[part].replace(old, new, 1)})


def test_binary_files_are_no_text(tmp_path):
    (tmp_path / "wrong.drn").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"wrong\.drn: not a text file"):
        read_drn(tmp_path / "wrong.drn")


ARRAYS = {
    "choice_ptr": [0, 1, 2],
    "row_ptr": [0, 2, 3],
    "col": [0, 1, 1],
    "prob": [0.5, 0.5, 1],
    "reward_a": [1, 0],
    "reward_b": [0, 1],
    "initial_state": 1,
    "goal": [False, True],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prob": None}, "there is no array 'prob'"),
        ({"prob": [0.5, 0.4, 1]}, "the probabilities of choice 0 .* sum to 0.9"),
        ({"col": [0, 2, 1]}, r"successors\[1\] is 2; there are states 0 to 1"),
        ({"goal": [True]}, r"label 'goal' has type bool and shape \(1,\)"),
        ({"reward_b": [0, 1, 2]}, "rewards of 'b' has 3 entries for 2 choices"),
        ({"reward_b": [0, np.nan]}, r"rewards of 'b'\[1\] is nan"),
        ({"initial_state": 2}, "initial_state is 2; it must be a state, 0 to 1"),
        ({"initial_distribution": [0.5, 0.5]}, "has an initial_state and an initial_distribution"),
        ({"probability": [1.0]}, "'probability' is no part of a process"),
    ],
)
def test_wrong_archives_are_named(change, message, tmp_path):
    arrays = {name: array for name, array in (ARRAYS | change).items() if array is not None}
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(ValueError, match=rf"wrong\.npz: {message}"):
        read_npz(tmp_path / "wrong.npz")


def test_archives_are_read_whole_or_not(tmp_path):
    np.savez(tmp_path / "whole.npz", **ARRAYS)
    model = read_npz(tmp_path / "whole.npz")
    np.testing.assert_array_equal(model.mdp.initial, [0, 1])
    np.testing.assert_array_equal(model.rewards["b"], [0, 1])
    np.testing.assert_array_equal(model.mdp.rewards, [0, 0])
    content = (tmp_path / "whole.npz").read_bytes()
    for cut in range(0, len(content), 97):
        (tmp_path / "cut.npz").write_bytes(content[:cut])
        with pytest.raises(ValueError, match=r"cut\.npz: not a complete NumPy archive"):
            read_npz(tmp_path / "cut.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(ValueError, match="not a complete NumPy archive"):
        read_npz(tmp_path / "one.npy")
