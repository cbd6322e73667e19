"""What a file would do, or did."""

from dataclasses import dataclass, field
from typing import Any, Final

from billing_core.imports import Kind, Lines, Repeats, merging
from billing_core.imports.kinds.line_modes import BilledOrderRow, GoneLine
from billing_core.imports.mapping import Mapping
from billing_core.imports.rejections import Group, Rejected
from billing_core.imports.sources import OddLine
from billing_core.imports.words.answers import WordAsked, WordRead
from billing_core.imports.writing.questions import Question

AUDITED_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a file does, or did when ``applied``. Counts are rows of our tables; ``rejected`` are rows of the file.
    ``rejections`` and ``changes`` are the first of them.

    Of order lines ``gone`` are those that a file removes, since it replaces all lines of its orders; with ``undecided``
    orders nothing is imported until it is said what becomes of their lines. ``billed`` orders that the file changes
    stand on an invoice. ``gone_lines`` and ``billed_orders`` are the first of them.

    ``repeated`` rows are rejected, as they differ from one of the same key above them and it is not said which counts;
    ``passed_over`` ones differ from the one that was said to.

    ``asked`` are words that are not understood, for which ``waiting`` rows wait; ``left_out`` rows have a word that was
    said to leave them out, or are lines of an order that has one. ``read`` is how the other words were read, of columns
    that have few. Of the new orders, ``unsaid`` have no status in the file and count as submitted; columns whose names
    say that they may tell are ``telling``.

    ``groups`` are what the rejections have in common. At most ``may_set_aside`` rejected rows are set aside, and the
    others imported. ``notes`` are what else must be known.

    With ``questions`` about how a column is written nothing is imported until they are answered: what is said of the
    rows is how they would be as they were read.

    ``no_rows`` lines of the file are none, such as totals; ``odd_lines`` are the first of them, and of those that are
    rows but do not look so. ``run_id`` is the import's number in the history, once it is applied.
    """

    kind: Kind
    file_name: str
    mapping: Mapping
    new: int
    changed: int
    unchanged: int
    rejected: int
    rejections: list[Rejected] = field(default_factory=list)
    changes: list[merging.Change] = field(default_factory=list)
    applied: bool = False
    gone: int = 0
    gone_lines: list[GoneLine] = field(default_factory=list)
    undecided: int = 0
    billed: int = 0
    billed_orders: list[BilledOrderRow] = field(default_factory=list)
    repeated: int = 0
    passed_over: int = 0
    asked: list[WordAsked] = field(default_factory=list)
    waiting: int = 0
    left_out: int = 0
    unsaid: int = 0
    read: list[WordRead] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    may_set_aside: int = 0
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    no_rows: int = 0
    odd_lines: list[OddLine] = field(default_factory=list)
    telling: list[str] = field(default_factory=list)
    run_id: int | None = None

    @property
    def refused(self) -> bool:
        return bool(self.rejected > self.set_aside or self.undecided or self.asked or self.questions)

    @property
    def set_aside(self) -> int:
        """How many rejected rows are not imported although the others are. Where there are no others, none is."""
        agreed = self.rejected <= self.may_set_aside and self.new + self.changed + self.unchanged
        return self.rejected if agreed else 0

    @property
    def question(self) -> str:
        """What must be said before the file is imported; empty where nothing must."""
        if self.asked:
            if len(self.asked) == 1:
                return f"The file has a word that is not understood, {_on_rows(self.waiting)}: say what it stands for"
            words = f"{len(self.asked):,} words that are not understood, {_on_rows(self.waiting)}"
            return f"The file has {words}: say what they stand for"
        if self.repeated:
            rows = "One row differs" if self.repeated == 1 else f"{self.repeated:,} rows differ"
            return f"{rows} from one of the same key above: say whether the first or the last row of a key counts"
        if self.undecided:
            orders = (
                "One order of this file has" if self.undecided == 1 else f"{self.undecided:,} orders of this file have"
            )
            return f"{orders} other lines already: say whether to add to them, replace all, or change what is named"
        columns = dict.fromkeys(f"“{asked.column}”" for asked in self.questions)
        return f"It can be read in several ways: say how {' and '.join(columns)} is written" if columns else ""

    @property
    def counts(self) -> merging.Counts:
        return merging.Counts(self.new, self.changed, self.unchanged)


def _on_rows(count: int) -> str:
    return "on one row" if count == 1 else f"on {count:,} rows"


def of_everyone(reached: int, there_are: int) -> list[str]:
    """Whom a file for every customer does not reach."""
    whom = "1 customer" if reached == 1 else f"{reached:,} customers"
    others = f", of {there_are:,}: the others are billed in other currencies" if reached < there_are else ""
    return [f"It is for {whom}{others}. Customers who come later get nothing of it by themselves."]


def audited(
    outcome: Outcome, lines: Lines | None, repeats: Repeats | None
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Before and after: small changes are audited cell by cell, large ones by their counts."""
    counts: dict[str, Any] = {"new": outcome.new, "changed": outcome.changed, "unchanged": outcome.unchanged}
    counts |= {"set_aside": outcome.set_aside} if outcome.set_aside else {}
    counts |= {"gone": outcome.gone, "lines": lines.value} if lines else {}
    counts |= {"left out": outcome.left_out} if outcome.left_out else {}
    counts |= {"passed over": outcome.passed_over, "counts": repeats} if outcome.passed_over else {}
    if not (outcome.changed or outcome.gone) or outcome.changed + outcome.gone > AUDITED_ROWS:
        return None, counts
    removed = enumerate(outcome.gone_lines, start=1)
    gone = {f"{line.order_number} · {line.sku}: removed, {at}": line.quantity for at, line in removed}
    return (
        {f"{change.row}: {change.column}": str(change.old) for change in outcome.changes} | gone,
        counts | {f"{change.row}: {change.column}": str(change.new) for change in outcome.changes},
    )
