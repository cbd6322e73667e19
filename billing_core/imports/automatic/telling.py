"""What files hold, would do and did, in the words of programs: the same by the command and by the HTTP API."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from billing_core.imports import Kind, mapping, received, sources
from billing_core.imports.automatic.deciding import FoundFile, FoundPart
from billing_core.imports.automatic.doubts import About, Doubt
from billing_core.imports.kind import Setting
from billing_core.imports.layouts import preview
from billing_core.imports.mapping import FromColumns, Origin
from billing_core.imports.next_steps.counting import Step
from billing_core.imports.outcome import Outcome

# They are the same for each part of a file, and told once.
_OF_THE_FILE: Final = (About.READ_AS, About.LINES_LEFT_OUT)


def file_told(found: FoundFile, parts: Sequence[dict[str, Any]], doubts: Iterable[Doubt]) -> dict[str, Any]:
    """A file with its parts, as ``part_told`` tells them."""
    layout = found.layout
    return {
        "file": found.file_name,
        "source": found.source,
        "kinds": [part.kind.value for part in found.parts],
        "read_as": None if layout is None else _read_as(layout),
        "parts": list(parts),
        "unsure": [doubt_told(doubt) for doubt in once(doubts)],
    }


def part_told(found: FoundFile, part: FoundPart, setting: Setting, outcome: Outcome | None) -> dict[str, Any]:
    """What a file holds of one kind: where its values are, its first rows as they would be stored, and what becomes of
    its rows, where that is known.
    """
    assert found.layout is not None  # noqa: S101  # a file with parts could be read
    layout = found.layout
    rows = (
        [] if part.missing else preview.first_rows(found.first, layout, part.kind, part.mapping, setting, found.kinds)
    )
    told: dict[str, Any] = {
        "kind": part.kind.value,
        "mapping": {name: origin_text(origin) for name, origin in sorted(part.mapping.items())},
        "guessed": part.guessed,
        "unused_columns": mapping.unused(layout, part.mapping),
        "first_rows": [{"values": row.values, "reasons": row.reasons} for row in rows],
        "import": None if outcome is None else outcome.run_id,
        "result": None if outcome is None else outcome_told(outcome),
    }
    return told


def outcome_told(outcome: Outcome) -> dict[str, Any]:
    """Counts, what is rejected and why, and what else is to be known; what there is none of is left out."""
    data: dict[str, Any] = {
        "new": outcome.new,
        "changed": outcome.changed,
        "unchanged": outcome.unchanged,
        "rejected": outcome.rejected,
        "set_aside": outcome.set_aside,
        "reasons": [asdict(group) for group in outcome.groups],
        "notes": outcome.notes,
        "rejections": [asdict(rejected) for rejected in outcome.rejections],
    }
    if outcome.questions:
        data["questions"] = [asdict(question) for question in outcome.questions]
    if outcome.kind in (Kind.ORDERS, Kind.ORDER_ITEMS):
        data["billed_orders"] = outcome.billed
    if outcome.kind is Kind.ORDER_ITEMS:
        data |= {"removed": outcome.gone, "removed_lines": [asdict(line) for line in outcome.gone_lines]}
        data |= {"orders_in_question": outcome.undecided}
    if outcome.repeated or outcome.passed_over:
        data |= {"repeated": outcome.repeated, "passed_over": outcome.passed_over}
    if outcome.asked:
        data |= {"asked": [asdict(word) for word in outcome.asked], "waiting": outcome.waiting}
    if outcome.read:
        data |= {"words": [asdict(word) for word in outcome.read]}
    if outcome.left_out:
        data |= {"left_out": outcome.left_out}
    if outcome.unsaid:
        data |= {"without_status": outcome.unsaid, "columns_that_may_tell": outcome.telling}
    noticed = {"no_rows": outcome.no_rows, "odd_lines": [asdict(line) for line in outcome.odd_lines]}
    return data | {name: value for name, value in noticed.items() if value}


def changes_told(outcome: Outcome) -> list[dict[str, Any]]:
    """The first cells that change, before and after."""
    return list(received.outcome_json(outcome)["changes"])


def doubt_told(doubt: Doubt) -> dict[str, Any]:
    return {
        "about": doubt.about.value,
        "kind": None if doubt.kind is None else doubt.kind.value,
        "must_be_answered": doubt.must,
        "text": doubt.text,
        "answers": [asdict(answer) for answer in doubt.answers],
    }


def steps_told(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """What is to be done next, with counts."""
    return [
        {
            "task": step.task.value,
            "count": step.count,
            "months": {f"{month:%Y-%m}": orders for month, orders in step.months},
        }
        for step in steps
    ]


def once(doubts: Iterable[Doubt]) -> list[Doubt]:
    """Without what was said of another part of the same file already."""
    seen: dict[object, Doubt] = {}
    for doubt in doubts:
        seen.setdefault(doubt.text if doubt.about in _OF_THE_FILE else doubt, doubt)
    return list(seen.values())


def origin_text(origin: Origin) -> str:
    """As ``--map`` takes it after the field and the sign “=”."""
    return origin.named if isinstance(origin, FromColumns) else f"={origin.value}"


def _read_as(layout: sources.Layout) -> dict[str, Any]:
    """How the file is read; what says nothing about its form is null."""
    text = layout.form is sources.Form.TEXT
    return {
        "form": layout.form.value,
        "encoding": layout.encoding if text else None,
        "separator": layout.delimiter if text else None,
        "sheet": layout.sheet or None,
        "header_line": layout.header_line,
        "columns": list(layout.header),
    }
