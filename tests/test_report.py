"""The page is whole, safe and needs nothing else; the file says the same."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from rltheory import catalogue, find, verify
from rltheory.plots import convergence, local_rates, sides, simplex
from rltheory.report import write_report
from rltheory.report.page import _formula, _prose
from rltheory.theory import EveryStep, Status, Theorem
from tests.test_verify import HALVES, RATE_ONLY, RECALLED, slow_decay

VOID = {"meta", "br", "path", "use", "rect", "stop"}


class Checker(HTMLParser):
    """Collects tags, and fails where one is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets = [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if tag == "section" else []
        self.targets += [attributes[key] for key in ("href", "src", "xlink:href") if key in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.targets += [value for key, value in attributes if key in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def verdicts():
    chosen = find("nash-mp/kl") + find("nash-mp/span") + find("regularized-game/edge")
    return verify([*chosen, HALVES, replace(HALVES, name="test/slow", run=slow_decay)])


@pytest.fixture(scope="module")
def page(verdicts, tmp_path_factory):
    return write_report(verdicts, tmp_path_factory.mktemp("report") / "deep" / "folder")


def test_page_is_well_formed_and_has_every_theorem(page, verdicts):
    checker = Checker()
    checker.feed(page.read_text(encoding="utf-8"))
    assert checker.open == []
    assert checker.ids == list(dict.fromkeys(verdict.theorem for verdict in verdicts))
    inside = {target for target in checker.targets if target.startswith("#")}
    assert {f"#{name}" for name in checker.ids} <= inside


def test_page_loads_nothing(page):
    text = page.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    assert [target for target in checker.targets if not target.startswith("#")] == ["verdicts.json", "verdicts.npz"]
    assert not re.search(r"@import|url\((?!#)|<script|<link", text)


def test_page_shows_formulas_statuses_and_reasons(page, verdicts):
    text = page.read_text(encoding="utf-8")
    assert text.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') == 5
    assert "\\mathrm" not in text
    assert text.count("<svg") == 5
    (refuted,) = [
        verdict for verdict in verdicts if verdict.status is Status.REFUTED and verdict.setting == "factor 0.5"
    ]
    assert refuted.reason in text
    assert "the hypothesis factor at most a half fails" in text
    assert f"rltheory {refuted.versions['rltheory']}" in text


@pytest.mark.parametrize("theorem", catalogue().values(), ids=lambda theorem: theorem.name)
def test_all_formulas_are_understood(theorem):
    card = theorem.card
    for html in (_formula(card.statement), *map(_prose, (card.symbols, card.remark, *card.hypotheses))):
        assert "\\" not in html


@pytest.mark.parametrize(("clock", "axis"), [("round", ">round<"), ("draw", ">stated side<")])
def test_figures_follow_the_clock(clock, axis, tmp_path):
    """A course over time is drawn over time, whatever its unit is called; independent draws are not."""
    theorem = replace(HALVES, run=lambda s, rng: replace(HALVES.run(s, rng), clock=clock))
    assert axis in write_report(verify(theorem), tmp_path).read_text(encoding="utf-8")


def test_theorems_need_no_words(tmp_path):
    bare = Theorem(
        name="bare",
        statement="x \\le 1",
        kind=EveryStep(rounding=lambda s: 0.0),
        run=HALVES.run,
        measured=HALVES.measured,
        bound=lambda s, trace: 1.0,
        settings=HALVES.settings,
    )
    text = write_report(verify(bare), tmp_path).read_text(encoding="utf-8")
    assert "<h2>bare</h2>" in text
    assert "claimed by whoever wrote it down" in text


def test_verdicts_on_a_rate_are_marked_everywhere(tmp_path):
    """In the count at the top, the list of theorems, each row that was judged, and the figure."""
    verdicts = verify([RECALLED, replace(RECALLED, name="test/slow", run=slow_decay), HALVES])
    text = write_report(verdicts, tmp_path).read_text(encoding="utf-8")
    assert text.count(f"<small>{RATE_ONLY}</small>") == sum(bool(verdict.caveat) for verdict in verdicts) == 4
    marked = f'<small class="soft">{RATE_ONLY}</small>'
    for count in ("3 HOLDS", "2 HOLDS", "1 HOLDS"):  # of all theorems, of one that holds, of one that is refuted
        assert text.count(f'<span class="status HOLDS">{count}</span> {marked}') == 1
    assert text.count(f'<span class="status REFUTED">1 REFUTED</span> {marked}') == 2
    assert text.count('<span class="status HOLDS">2 HOLDS</span>') == 3  # one with the caveat, two of known constants
    assert text.count(f"stated bound: × 0.5 per iteration, {RATE_ONLY}") == 2
    stored = json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]
    assert [kept["scope"] for kept in stored] == [RATE_ONLY] * 6 + ["bound"] * 3


def test_text_of_theorems_is_escaped(tmp_path):
    nasty = replace(HALVES, title="<script>alert(1)</script>", symbols="$x < y$ & <b>")
    text = write_report(verify(nasty), tmp_path).read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "<b>" not in text


def test_same_verdicts_give_the_same_bytes(verdicts, page, tmp_path):
    again = write_report(verdicts, tmp_path)
    assert again.read_bytes() == page.read_bytes()
    for name in ("verdicts.json", "verdicts.npz"):
        assert (tmp_path / name).read_bytes() == (page.parent / name).read_bytes()


def test_file_holds_the_curves(page, verdicts):
    stored = json.loads((page.parent / "verdicts.json").read_text(encoding="utf-8"))
    assert len(stored["verdicts"]) == len(verdicts)
    for kept, verdict in zip(stored["verdicts"], verdicts, strict=True):
        assert kept["theorem"] in stored["theorems"]
        assert kept["status"] == verdict.status.value
        assert kept["measured"] == verdict.measured.tolist()
        assert kept["bound"] == verdict.bound.tolist()
    assert stored["versions"] == dict(verdicts[0].versions)


def test_nothing_to_report(tmp_path):
    with pytest.raises(ValueError, match="there is no verdict to report"):
        write_report([], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_convergence_draws_both_sides(verdicts):
    from matplotlib.figure import Figure

    verdict = next(verdict for verdict in verdicts if verdict.theorem == "nash-mp/kl")
    ax = convergence(verdict, Figure().subplots())
    by_label = {line.get_label().split(":")[0]: line for line in ax.lines}
    assert by_label["measured"].get_ydata().tolist() == verdict.measured.tolist()
    assert by_label["stated bound"].get_ydata().tolist() == verdict.bound.tolist()
    assert {"fitted", "rounding floor"} <= {text.get_text().split(":")[0] for text in ax.get_legend().get_texts()}
    assert ax.get_yscale() == "log"


@pytest.mark.parametrize(("name", "scale"), [("exp3/anytime", "log"), ("nash-mp/exploitability", "linear")])
def test_time_is_logarithmic_where_times_crowd_unless_a_curve_falls_by_many_decades(name, scale):
    from matplotlib.figure import Figure

    assert convergence(verify(find(name))[-1], Figure().subplots()).get_xscale() == scale


def test_local_rates_draw_the_fit_and_the_statement(verdicts):
    from matplotlib.figure import Figure

    verdict = next(verdict for verdict in verdicts if verdict.theorem == "nash-mp/kl")
    ax = local_rates(verdict, Figure().subplots())
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["local rates", f"fitted: {verdict.fit.describe('iteration')}", "spread of local slopes",
                      f"stated: {verdict.stated_rate}"]  # fmt: skip


def test_sides_draw_a_dot_for_each_time(verdicts):
    from matplotlib.figure import Figure

    chosen = [verdict for verdict in verdicts if verdict.theorem == "regularized-game/edge"]
    ax = sides(chosen, Figure().subplots())
    dots = ax.collections[0].get_offsets()
    assert 0.8 * sum(verdict.times.size for verdict in chosen) < len(dots)


def test_plots_say_what_they_can_not_draw(verdicts):
    outside = [verdict for verdict in verdicts if verdict.status is Status.NOT_APPLICABLE]
    with pytest.raises(ValueError, match=r"test/halves \[factor 0.9\] is NOT_APPLICABLE; there are no curves"):
        convergence(outside[0])
    with pytest.raises(ValueError, match=r"test/halves \[factor 0.9\] has no fitted rate"):
        local_rates(outside[0])
    with pytest.raises(ValueError, match="no verdict has curves to draw"):
        sides(outside)
    with pytest.raises(ValueError, match="path has 4 actions; a triangle shows three"):
        simplex({"path": [[0.25] * 4]})
