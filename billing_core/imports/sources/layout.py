"""How a file is read, and what is read of it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's column names and separator. ``header_line`` counts from 1."""

    header: tuple[str, ...]
    delimiter: str
    header_line: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records and the physical line on which each begins."""

    lines: Sequence[int]
    rows: list[list[str]]
