"""Winners by the rules of social choice, against definitions in integers, and games from PrefLib's files."""

import json
import sys
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preflibtools.instances import OrdinalInstance
from preflibtools.properties.pairwisecomparisons import pairwise_scores

from rltheory import PreferenceGame, minimax_winner
from rltheory.instances import recorded_game, recorded_games
from rltheory.measures import exploitability
from rltheory.simulation import stream
from rltheory.solvers.social_choice import borda_scores, condorcet_winner, copeland_scores, smith_set
from tests.test_solvers import ABSENT, ELSEWHERE, FURTHER

RECORDED = json.loads((Path(__file__).parent / "data" / "social_choice.json").read_text(encoding="utf-8"))["games"]


def check_recorded(game, answers):
    assert condorcet_winner(game) == answers["condorcet_winner"]
    assert smith_set(game).tolist() == answers["smith_set"]
    copeland = copeland_scores(game)
    assert copeland.max() == answers["copeland_max"]
    assert np.flatnonzero(copeland == copeland.max()).tolist() == answers["copeland_winners"]
    borda = borda_scores(game)
    # Two means of n - 1 win rates, each rounded at most n times.
    assert borda.max() == pytest.approx(answers["borda_max"], abs=game.n * 2**-52)
    assert borda[answers["borda_winner"]] == pytest.approx(borda.max(), abs=game.n * 2**-52)


def test_every_recorded_game_has_answers():
    assert sorted(RECORDED) == recorded_games()


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_games(name):
    check_recorded(recorded_game(name), RECORDED[name])


@pytest.mark.parametrize("name", sorted(FURTHER) or [ABSENT])
def test_games_elsewhere(name):
    check_recorded(PreferenceGame.from_csv(ELSEWHERE / f"{name}.csv"), FURTHER[name])


@st.composite
def counts(draw, max_n=6):
    """Counts of wins with ties and pairs that never met; in one order of the actions, the first beat all the rest."""
    n = draw(st.integers(1, max_n))
    wins = np.array(draw(st.lists(st.integers(0, 2), min_size=n * n, max_size=n * n))).reshape(n, n)
    first = draw(st.integers(0, n - 1))
    wins[:first, first:] = wins[first:, :first].T + 1
    order = draw(st.permutations(range(n)))
    return wins[np.ix_(order, order)].tolist()


def share(wins, losses):
    return Fraction(wins, wins + losses) if wins + losses else Fraction(1, 2)


def game_of(wins):
    n = len(wins)
    return PreferenceGame([[float(share(wins[a][b], wins[b][a])) for b in range(n)] for a in range(n)])


def smallest_dominant_sets(beats):
    """All sets of the smallest possible size whose members beat every outsider, by trying all subsets."""
    actions = range(len(beats))
    for size in range(1, len(beats) + 1):
        found = [
            list(members)
            for members in combinations(actions, size)
            if all(beats[a][b] for a in members for b in actions if b not in members)
        ]
        if found:
            return found
    raise AssertionError("the set of all actions has no outsiders to beat")


@given(wins=counts())
def test_rules_are_their_definitions(wins):
    """In integers and fractions."""
    game, actions = game_of(wins), range(len(wins))
    beats = [[wins[a][b] > wins[b][a] for b in actions] for a in actions]
    others = [[b for b in actions if b != a] for a in actions]
    assert [smith_set(game).tolist()] == smallest_dominant_sets(beats)
    assert [condorcet_winner(game)] == ([a for a in actions if all(beats[a][b] for b in others[a])] or [None])
    copeland = [sum(Fraction(1 + beats[a][b] - beats[b][a], 2) for b in others[a]) for a in actions]
    assert copeland_scores(game).tolist() == copeland
    borda = [sum(share(wins[a][b], wins[b][a]) for b in others[a]) / max(len(others[a]), 1) for a in actions]
    if len(actions) > 1:
        # A mean of n - 1 win rates, rounded at most n times.
        np.testing.assert_allclose(borda_scores(game), np.array(borda, dtype=float), rtol=0, atol=game.n * 2**-52)


def test_one_action_wins_by_every_rule():
    game = PreferenceGame.indifferent(1)
    assert condorcet_winner(game) == 0
    assert smith_set(game).tolist() == [0]
    assert copeland_scores(game).tolist() == [0.0]
    assert borda_scores(game).tolist() == [0.5]


def test_weak_winner_is_no_condorcet_winner():
    game = PreferenceGame([[0.5, 0.5, 1.0], [0.5, 0.5, 0.9], [0.0, 0.1, 0.5]])
    assert condorcet_winner(game) is None
    assert smith_set(game).tolist() == [0, 1]


@given(votes=st.integers(1, 2**52 - 1))
def test_one_vote_among_2_to_the_53_decides(votes):
    """Action 0 beats 1 by a vote, 2 beats 0 by a vote, and 1 ties 2."""
    game = game_of([[0, votes + 1, votes], [votes, 0, votes], [votes + 1, votes, 0]])
    assert copeland_scores(game).tolist() == [1.0, 0.5, 1.5]


@given(wins=counts(), data=st.data())
def test_names_of_actions_do_not_matter(wins, data):
    game = game_of(wins)
    order = np.array(data.draw(st.permutations(range(game.n))))
    renamed = PreferenceGame(game.prefer[np.ix_(order, order)])
    assert sorted(order[smith_set(renamed)]) == smith_set(game).tolist()
    np.testing.assert_array_equal(copeland_scores(renamed), copeland_scores(game)[order])
    # Sums of n terms in another order.
    np.testing.assert_allclose(borda_scores(renamed), borda_scores(game)[order], rtol=0, atol=game.n * 2**-52)


@given(wins=counts(max_n=5), data=st.data())
def test_clones_enter_together(wins, data):
    """An action joined by a copy of itself: Smith set and maximal lottery choose both, or neither, and nothing else."""
    game = game_of(wins)
    original = np.append(np.arange(game.n), data.draw(st.integers(0, game.n - 1)))
    cloned = PreferenceGame(game.prefer[np.ix_(original, original)])
    assert smith_set(cloned).tolist() == np.flatnonzero(np.isin(original, smith_set(game))).tolist()
    lottery = np.bincount(original, weights=minimax_winner(cloned).policy)
    assert exploitability(game, lottery) <= 1e-12  # as the linear program's own answers


@given(wins=counts())
def test_maximal_lottery_lies_in_the_smith_set(wins):
    game = game_of(wins)
    outside = np.setdiff1d(np.arange(game.n), smith_set(game))
    # Members win against outsiders with 3/5 at least, three to two; the lottery is then exploitable by a tenth of its
    # weight outside. The linear program's answers are exploitable by less than 1e-12.
    assert minimax_winner(game).policy[outside].sum() <= 1e-11


def orders_file(folder, suffix, orders, *, names, voters=None, title=""):
    """Write orders, texts such as '2: 1,{3,4}', with the header of PrefLib."""
    if voters is None:
        voters = sum(int(order.split(":")[0]) for order in orders)
    alternatives = [f"# ALTERNATIVE NAME {i}: {name}" for i, name in enumerate(names, 1)]
    header = [
        "# FILE NAME: 00000-00000001" + suffix,
        "# TITLE: " + title,
        "# DATA TYPE: " + suffix[1:],
        f"# NUMBER ALTERNATIVES: {len(names)}",
        f"# NUMBER VOTERS: {voters}",
        f"# NUMBER UNIQUE ORDERS: {len(orders)}",
    ]
    path = folder / ("orders" + suffix)
    path.write_text("\n".join([*header, *alternatives, *orders, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("suffix", "names", "orders", "voters", "votes"),
    [
        (".soc", "abc", ["3: 1,2,3", "2: 2,3,1"], 5, [3, 3, 5]),
        (".toc", "abc", ["1: 2,{1,3}", "3: {1,2},3"], 4, [1.5, 3.5, 4]),
        (".soi", "abcd", ["2: 1", "1: 3,2", "1: 4,1,2"], 4, [3, 3, 2.5, 2, 2, 2]),
        (".toi", "abcd", ["2: {1,2},3", "1: {3,4}"], 3, [1.5, 2, 2, 2, 2, 2.5]),
        (".soc", "ab", ["1: 1,2", "0: 2,1", "1: 2,1", "2: 1,2"], 4, [3]),  # an order listed twice
        (".toc", "abc", ["3 : 2, { 1, 3 }", "", " 1:{1,2},3 "], 4, [0.5, 2.5, 4]),
    ],
)
def test_orders_counted_by_hand(tmp_path, suffix, names, orders, voters, votes):
    """Votes of a over b, a over c, ..., b over c, ..."""
    game = PreferenceGame.from_preflib(orders_file(tmp_path, suffix, orders, names=names, voters=voters))
    assert game.names == tuple(names)
    np.testing.assert_array_equal(game.prefer[np.triu_indices(game.n, 1)], np.array(votes) / voters)


def test_title_of_orders(tmp_path):
    order = ["1: 2,1"]
    assert PreferenceGame.from_preflib(orders_file(tmp_path, ".soc", order, names="ab")).title == "orders"
    named = orders_file(tmp_path, ".soc", order, names="ab", title="Elections")
    assert PreferenceGame.from_preflib(str(named)).title == "Elections"


def test_unranked_means_tied_at_the_bottom(tmp_path):
    left_out = orders_file(tmp_path, ".toi", ["2: 3", "3: {1,5},2", "1: 2,4,1,5"], names="abcde")
    spelt_out = orders_file(tmp_path, ".toc", ["2: 3,{1,2,4,5}", "3: {1,5},2,{3,4}", "1: 2,4,1,5,3"], names="abcde")
    assert PreferenceGame.from_preflib(left_out) == PreferenceGame.from_preflib(spelt_out)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_mcgarvey_orders_have_the_margins_that_they_were_made_for(tmp_path, n):
    """For a margin 2 m of a over b, m voters rank a, b, rest, and m the rest in reverse, a, b."""
    margins = np.triu(stream(0, "test mcgarvey", n).integers(-3, 4, (n, n)), 1)
    margins[0, 1] = 1  # not all zero
    orders, voters = [], 2 * np.abs(margins).sum()
    for i, j in np.argwhere(margins):
        a, b = (i, j) if margins[i, j] > 0 else (j, i)
        rest = [c for c in range(n) if c not in (a, b)]
        both = [[a, b, *rest], [*reversed(rest), a, b]]
        orders += [f"{abs(margins[i, j])}: " + ",".join(str(c + 1) for c in order) for order in both]
    game = PreferenceGame.from_preflib(orders_file(tmp_path, ".soc", orders, names="abcdefghi"[:n]))
    margins = 2 * (margins - margins.T)
    np.testing.assert_array_equal(game.prefer, (voters + margins) / (2 * voters))
    assert [smith_set(game).tolist()] == smallest_dominant_sets(margins > 0)
    assert condorcet_winner(game) == next((a for a in range(n) if (np.delete(margins[a], a) > 0).all()), None)


def test_orders_as_preflibtools_writes_and_counts_them(tmp_path):
    rng = stream(0, "test weak orders")
    n, voters = 6, 40
    places = rng.integers(0, 4, (voters, n))
    written = OrdinalInstance()
    written.append_order_list(
        [tuple(tuple(np.flatnonzero(row == place) + 1) for place in np.unique(row)) for row in places]
    )
    written.write(str(tmp_path / "orders.toc"))
    scores = pairwise_scores(written)
    game = PreferenceGame.from_preflib(tmp_path / "orders.toc")
    margins = [[scores[a + 1].get(b + 1, 0) - scores[b + 1].get(a + 1, 0) for b in range(n)] for a in range(n)]
    np.testing.assert_array_equal(game.prefer, (voters + np.array(margins)) / (2 * voters))


@pytest.mark.parametrize(
    ("suffix", "orders", "rule"),
    [
        (".csv", ["1: 1,2,3"], r"the suffix is '.csv'; files of orders end in .soc, .soi, .toc, .toi"),
        (".soi", [], "no voter gave an order; expected lines like"),
        (".soi", ["0: 1"], "no voter gave an order"),
        (".toi", ["1: {1,2"], r"line 10: '1: \{1,2' is not an order; expected a line like '3: 2,\{1,4\},5'"),
        (".toi", ["1: {1,{2,3}}"], "line 10: .* is not an order"),
        (".soi", ["1: 1 2"], "line 10: '1: 1 2' is not an order"),
        (".soi", ["1: 1,,2"], "line 10: .* is not an order"),
        (".soi", ["1: -1"], "line 10: .* is not an order"),
        (".soi", ["1: 1", "1,2"], "line 11: '1,2' is not an order"),
        (".soi", ["1:"], "line 10: '1:' is not an order"),
        (".soi", ["0.5: 1"], "line 10: '0.5: 1' is not an order"),
        (".soi", ["1: 1", "# the end"], "line 11: '# the end' is not an order"),
        (".soi", ["1: 1", "1: 3,1,3"], "line 11 ranks an alternative twice"),
        (".soi", ["1: 4"], "line 10 ranks an alternative that the header does not name"),
        (".soi", ["1: 0,1"], "line 10 ranks an alternative that the header does not name"),
        (".soc", ["1: 1,2,3", "1: 3,2"], "line 11 ranks 2 of 3; orders in .soc files are complete"),
    ],
)
def test_wrong_orders_are_named(tmp_path, suffix, orders, rule):
    path = orders_file(tmp_path, suffix, orders, names="abc", voters=len(orders))
    with pytest.raises(ValueError, match=rule) as caught:
        PreferenceGame.from_preflib(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("line", "replacement", "rule"),
    [
        ("NUMBER VOTERS: 2", "NUMBER VOTERS: 3", "the header declares 3 voters; the orders are of 2"),
        ("NUMBER VOTERS: 2", "NUMBER VOTERS: many", "'many'"),
        ("NAME 2: b", "NAME 1: b", "declares 2 alternatives and names 1; .* for each i from 1 to 2"),
        ("NAME 2: b", "NAME 3: b", "declares 2 alternatives and names 2; .* for each i from 1 to 2"),
        ("NAME 2: b", "NAME 2: ", "declares 2 alternatives and names 1"),
        ("NAME 2: b", "NAME 2: a", r"names\[1\] is 'a' again; names must be distinct"),
        ("# FILE", "\n# FILE", "line 2: '# FILE .*' is not an order"),
    ],
)
def test_wrong_headers_are_named(tmp_path, line, replacement, rule):
    path = orders_file(tmp_path, ".soc", ["2: 2,1"], names="ab")
    text = path.read_text(encoding="utf-8")
    assert line in text
    path.write_text(text.replace(line, replacement), encoding="utf-8")
    with pytest.raises(ValueError, match=rule) as caught:
        PreferenceGame.from_preflib(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_byte_order_mark_before_the_header(tmp_path):
    path = orders_file(tmp_path, ".soc", ["1: 2,1"], names="ab")
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert PreferenceGame.from_preflib(path).prefer[1, 0] == 1.0


def test_missing_orders_raise_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        PreferenceGame.from_preflib(tmp_path / "none.soc")


def test_remedy_for_missing_preflibtools(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "preflibtools.instances", None)
    with pytest.raises(ImportError, match=r"pip install 'rltheory\[preflib\]'"):
        PreferenceGame.from_preflib(orders_file(tmp_path, ".soc", ["1: 2,1"], names="ab"))
