"""A theorem: something measured, something stated, and the runs on which to compare the two."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rltheory.theory.claims import EveryStep, Kind, Scope, Standing
from rltheory.theory.rates import Logarithmic, Rate
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Card", "Paper", "Theorem"]

S = TypeVar("S")


@dataclass(frozen=True)
class Paper:
    """Where a statement comes from.

    Parameters
    ----------
    key
        Key in the bibliography.
    place
        Number of the theorem, or where to look in the paper.
    """

    key: str
    place: str


@dataclass(frozen=True)
class Card:
    """The text of a theorem: what a table, a page or a file needs to know of it."""

    name: str
    title: str
    statement: str
    symbols: str
    hypotheses: tuple[str, ...]
    kind: str
    standing: str
    paper: Paper | None
    remark: str
    controls: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Theorem(Generic[S]):
    r"""A statement about runs of an algorithm, in a form that can be checked on any setting.

    Parameters
    ----------
    name
        Address such as ``"nash-mp/kl"``: the group, a slash, the statement.
    statement
        LaTeX of the formula.
    kind
        What the statement claims of the two curves, and the allowance for rounding.
    run
        ``run(setting, rng) -> Trace``. Theorems that share it share the work.
    measured, bound
        The two sides: ``side(setting, trace)`` returns an array over the recorded times. The bound of an inequality is
        >= 0. A bound may use the trace, as one-step statements do, unless chance has a part in the claim.
    settings
        Function that yields the default settings: frozen dataclasses, for example.
    title
        The statement in words, one line.
    symbols
        What the letters of the statement mean; text with inline ``$...$``.
    paper
        Source.
    standing
        Whether the constants are the paper's, derived here, recalled, or merely claimed. Of a statement whose constants
        are recalled only the rate is judged.
    hypotheses
        For each hypothesis, as text with inline ``$...$``, a test of the setting, or `BY_CONSTRUCTION`. The test
        returns True or False, or, in place of False, a text that says where the setting fails.
    controls
        Wrong runs, by name; each must be refuted in some default setting.
    since
        First time of which the statement speaks; earlier points of the curves are left out.
    rate
        The stated rate, if there is one; required where the constants are recalled.
    trivial
        Bound known without the theorem, as a function of the setting; where the stated bound is no smaller the verdict
        says that it is vacuous.
    remark
        What a reader should know besides; text with inline ``$...$``.
    strategy
        Function that returns a Hypothesis strategy over settings that satisfy the hypotheses, for `falsify`.

    Raises
    ------
    ValueError
        If the constants are recalled, and there is no rate to judge: the claim is of another kind than `EveryStep`, or
        states no rate, or one whose only number is a constant. The message names the theorem and the remedy.
    """

    name: str
    statement: str
    kind: Kind
    run: Callable[[S, np.random.Generator], Trace]
    measured: Callable[[S, Trace], ArrayLike]
    bound: Callable[[S, Trace], ArrayLike]
    settings: Callable[[], Iterable[S]]
    title: str = ""
    symbols: str = ""
    paper: Paper | None = None
    standing: Standing = Standing.CLAIMED
    hypotheses: Mapping[str, Callable[[S], bool | str] | str] = field(default_factory=dict)
    controls: Mapping[str, Callable[[S, np.random.Generator], Trace]] = field(default_factory=dict)
    since: int = 0
    rate: Rate | None = None
    trivial: Callable[[S], float] | None = None
    remark: str = ""
    strategy: Callable[[], "SearchStrategy[S]"] | None = None

    def __post_init__(self) -> None:
        if self.scope is Scope.BOUND:
            return
        if not isinstance(self.kind, EveryStep):
            raise ValueError(
                f"{self.name}: its constants are recalled and its kind is {self.kind.name!r}; only claims of kind "
                f"{EveryStep.name!r} can be judged by their rate, others need constants that are known"
            )
        if self.rate is None:
            raise ValueError(f"{self.name}: its constants are recalled; state its rate, the part that can be judged")
        if isinstance(self.rate, Logarithmic):
            raise ValueError(
                f"{self.name}: its constants are recalled, and the only number of a logarithmic rate is a constant; "
                f"state that it grows as t^0 log t, PowerLog(lambda setting: 0.0, log_power=1)"
            )

    @property
    def scope(self) -> Scope:
        """What a verdict on the theorem decides."""
        return Scope.RATE if self.standing is Standing.RECALLED else Scope.BOUND

    @property
    def group(self) -> str:
        """First part of the name."""
        return self.name.partition("/")[0]

    @property
    def setting_type(self) -> type[S]:
        """Type of the settings of which the theorem speaks."""
        return type(next(iter(self.settings())))

    @property
    def card(self) -> Card:
        """The text of the theorem."""
        return Card(
            name=self.name,
            title=self.title or self.name,
            statement=self.statement,
            symbols=self.symbols,
            hypotheses=tuple(self.hypotheses),
            kind=self.kind.name,
            standing=self.standing.value,
            paper=self.paper,
            remark=self.remark,
            controls=tuple(self.controls),
        )

    def failed_hypothesis(self, setting: Any) -> str | None:
        """Text of the first hypothesis that the setting violates, with the place if the test tells it, or None."""
        for text, test in self.hypotheses.items():
            if callable(test):
                fulfilled = test(setting)
                if isinstance(fulfilled, str):
                    return f"{text} ({fulfilled})"
                if not isinstance(fulfilled, (bool, np.bool_)):
                    raise TypeError(
                        f"the hypothesis {text} returned {fulfilled!r}; it must return True, False, or why it fails"
                    )
                if not fulfilled:
                    return text
        return None

    def __repr__(self) -> str:
        return f"<Theorem {self.name}: {self.title or self.statement}>"
