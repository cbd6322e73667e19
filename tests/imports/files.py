"""Files in memory, as imports take them."""

import io
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import func, select

from billing_core.imports import Kind, Lines, Repeats
from billing_core.imports.incoming import Incoming
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import read_changes, read_words
from billing_core.imports.outcome import Outcome


def incoming(
    kind: str,
    content: str | bytes,
    *maps: str,
    file_name: str = "file.csv",
    lines: str | None = None,
    repeats: str | None = None,
    words: Sequence[str] = (),
) -> Incoming:
    raw = content.encode() if isinstance(content, str) else content
    definition = DEFINITIONS[Kind(kind)]
    return Incoming(
        definition.kind,
        io.BytesIO(raw),
        file_name,
        read_changes(definition, maps),
        lines=None if lines is None else Lines(lines),
        repeats=None if repeats is None else Repeats(repeats),
        words=read_words(definition, words),
    )


def case(name: str) -> bytes:
    """A small file that once came out wrong."""
    return (Path(__file__).parent / "cases" / name).read_bytes()


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    """New, changed, unchanged, rejected."""
    return outcome.new, outcome.changed, outcome.unchanged, outcome.rejected


def rejections(outcome: Outcome) -> list[tuple[int, str, str, str]]:
    return [(row.line, row.column, row.value, row.reason) for row in outcome.rejections]


def row_count(sessions, model) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(model))
