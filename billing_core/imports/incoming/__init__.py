"""Files that come in: what is said about them, and how they are read. What one holds of a kind goes into a table."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from billing_core.imports import Kind, Lines, Repeats, sources
from billing_core.imports.mapping import Origin, Words

Progress = Callable[[str, int, int], None]
READING: Final = "Reading the file"
COMPARING: Final = "Comparing with what is there"
WRITING: Final = "Writing"


def silent(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A seekable file to import. ``changes`` to the remembered or guessed mapping: see ``mapping.read_changes``.
    ``progress`` is called with (step, done, total); ``rejected_rows`` receives the rejected rows as CSV, to be
    repaired, ``gone_rows`` every line that goes, ``left_out_orders`` the numbers of the orders that are left out, a
    line each; ``left_out_before`` are those of files that were imported before, whose lines go with them. ``lines``:
    what becomes of the lines that the orders of a file of lines have; None: asks where it matters. ``repeats``: which
    of several rows of one key counts; None: asks where they differ. ``words``: what words of the file stand for, beside
    those that are remembered. ``may_set_aside``: import the others where at most so many rows are rejected.
    ``readings``: how fields are written, see ``mapping.read_readings``. ``layout``: how the file is read; None: it is
    found out. ``kinds``: all that the file is said to hold.
    """

    kind: Kind
    stream: BinaryIO
    file_name: str
    changes: AnyMapping[str, Origin | None] = field(default_factory=dict)
    progress: Progress = silent
    rejected_rows: BinaryIO | None = None
    gone_rows: BinaryIO | None = None
    left_out_orders: BinaryIO | None = None
    left_out_before: Sequence[Iterable[bytes]] = ()
    lines: Lines | None = None
    repeats: Repeats | None = None
    words: Words = field(default_factory=dict)
    may_set_aside: int = 0
    readings: AnyMapping[str, tuple[str, ...]] = field(default_factory=dict)
    layout: sources.Layout | None = None
    kinds: Sequence[Kind] = ()
