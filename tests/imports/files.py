"""Files in memory, as imports take them."""

import io

from sqlalchemy import func, select

from billing_core.imports import Kind, Lines, Repeats, service
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import read_changes
from billing_core.imports.service import Outcome


def incoming(
    kind: str,
    content: str | bytes,
    *maps: str,
    file_name: str = "file.csv",
    lines: str | None = None,
    repeats: str | None = None,
) -> service.Incoming:
    raw = content.encode() if isinstance(content, str) else content
    changes = read_changes(DEFINITIONS[Kind(kind)], maps)
    chosen = None if lines is None else Lines(lines)
    which = None if repeats is None else Repeats(repeats)
    return service.Incoming(Kind(kind), io.BytesIO(raw), file_name, changes, lines=chosen, repeats=which)


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    """New, changed, unchanged, rejected."""
    return outcome.new, outcome.changed, outcome.unchanged, outcome.rejected


def rejections(outcome: Outcome) -> list[tuple[int, str, str, str]]:
    return [(row.line, row.column, row.value, row.reason) for row in outcome.rejections]


def row_count(sessions, model) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(model))
