"""Mutants that no test can notice, because nothing that anybody could see differs: each with its reason.

``equivalents.toml`` names them by file, function, the line's text and the change, so that they stay known when lines
move. An entry that names no mutant any longer is refused: its line has changed, and what was thought of it may not
hold.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutants.mutations import Mutant

LIST: Final = Path(__file__).with_name("equivalents.toml")


@dataclass(frozen=True, slots=True)
class Equivalent:
    file: str
    function: str
    line: str
    change: str
    reason: str


def read(place: Path = LIST) -> list[Equivalent]:
    return [Equivalent(**entry) for entry in tomllib.loads(place.read_text()).get("equivalent", [])]


def without(mutants: Iterable[Mutant], equivalents: Iterable[Equivalent]) -> list[Mutant]:
    known = {(one.file, one.function, one.line, one.change) for one in equivalents}
    return [one for one in mutants if (one.file, one.function, one.text, one.change) not in known]


def unknown(mutants: Iterable[Mutant], equivalents: Iterable[Equivalent]) -> list[Equivalent]:
    """Entries that name none of these mutants, or give no reason."""
    there = {(one.file, one.function, one.text, one.change) for one in mutants}
    return [
        one
        for one in equivalents
        if not one.reason.strip() or (one.file, one.function, one.line, one.change) not in there
    ]
