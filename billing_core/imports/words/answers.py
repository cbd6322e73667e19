"""What people have said that the words of a column stand for, and the words that they have yet to be asked about."""

import glob
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from billing_core.imports.words.spelling import same_word

# An answer: rows with this word are left out.
LEAVE_OUT: Final = "leave-out"
# A word for any date: whether a column such as “shipped on” is filled may say what an order is.
ANY_DATE: Final = "any date"
# The value of a cell whose row is left out.
LEFT_OUT: Final = object()

# Of a column. One with more has other things in it than words, and its rows are rejected one by one.
MOST_ASKED: Final = 200
LONGEST_WORD: Final = 120
# Of a column. With more different cells than are counted, none of it is told how they were read.
MOST_TOLD: Final = 50
_MOST_COUNTED: Final = 2_000

# ERPs write 1900-01-01, 0000-00-00 or 9999-12-31 for “never”.
_YEAR: Final = "(?:199[0-9]|20[0-9]{2})"
_DAY: Final = "(?:0?[1-9]|[12][0-9]|3[01])"
_DATED: Final = re.compile(
    rf"(?:{_YEAR}(?P<gap>[-/.]){_DAY}(?P=gap){_DAY}|{_DAY}(?P<sign>[-/.]){_DAY}(?P=sign){_YEAR}"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    rf"|{_DAY}[-. ]+[^\W\d_]{{3,10}}[-., ]+{_YEAR}|[^\W\d_]{{3,10}}\.? {_DAY},? {_YEAR})(?:[T ,].{{0,40}})?"
)


@dataclass(frozen=True, slots=True)
class WordAsked:
    """A word of a file that is not understood: of our ``field``, in a ``column`` of the file, on so many ``rows``."""

    field: str
    column: str
    word: str
    rows: int


@dataclass(frozen=True, slots=True)
class WordRead:
    """A word of a file, on so many ``rows``, and what it was read as."""

    field: str
    column: str
    word: str
    ours: str
    rows: int


@dataclass(slots=True)
class Tally:
    """Rows that were left out because of a word, and those that wait until it is said what a word stands for. ``keys``:
    of rows that were left out the values of the field ``key``, until somebody takes them.
    """

    left_out: int = 0
    waiting: int = 0
    key: str = ""
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WordsFound:
    """What became of the rows of a file because of their words: the words that must be asked about, and how the most
    frequent others were ``read``.
    """

    asked: tuple[WordAsked, ...] = ()
    left_out: int = 0
    waiting: int = 0
    read: tuple[WordRead, ...] = ()


NO_WORDS: Final = WordsFound()


class Answers:
    """What was said about the words of one column, as pairs of theirs and ours. An asterisk in theirs stands for
    anything.
    """

    def __init__(self, words: Sequence[tuple[str, str]]) -> None:
        self._ours = {same_word(theirs): ours for theirs, ours in words}
        self._dated = self._ours.get(ANY_DATE)
        self._patterns = [(theirs, ours) for theirs, ours in self._ours.items() if "*" in theirs]
        self.leave_out = LEAVE_OUT in self._ours.values()

    def __bool__(self) -> bool:
        return bool(self._ours)

    def ours(self, cell: str) -> str:
        """What the cell's word stands for; the cell itself where nothing was said about it."""
        answer = self._answer(cell)
        return cell if answer is None else answer

    def leaves_out(self, cell: str) -> bool:
        """Whether it was said that rows with this word are left out."""
        return self.leave_out and self._answer(cell) == LEAVE_OUT

    def _answer(self, cell: str) -> str | None:
        word = same_word(cell)
        if (answer := self._ours.get(word)) is not None:
            return answer
        if self._dated is not None and is_dated(cell):
            return self._dated
        return next((ours for theirs, ours in self._patterns if fnmatchcase(word, theirs)), None)


def literal(word: str) -> str:
    """A word whose asterisks stand for themselves."""
    return glob.escape(word) if "*" in word else word


class Questions:
    """The words of one column that are not understood, as they are first written, with the number of their rows."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._written: dict[str, str] = {}

    def add(self, cell: str) -> bool:
        """False where it is not counted: it is no word, or one too many."""
        if not _is_word(cell):
            return False
        word = ANY_DATE if is_dated(cell) else same_word(cell)
        if word not in self._written:
            if len(self._written) >= MOST_ASKED:
                return False
            self._written[word] = ANY_DATE if word == ANY_DATE else " ".join(cell.split())
        self._rows[word] += 1
        return True

    def asked(self, field: str, column: str) -> list[WordAsked]:
        """The most frequent first."""
        return [WordAsked(field, column, self._written[word], rows) for word, rows in self._rows.most_common()]


class Vocabulary:
    """How often each cell of a column comes, as long as they are few."""

    def __init__(self) -> None:
        self._cells: Counter[str] | None = Counter()

    def add(self, cells: Iterable[str]) -> None:
        if self._cells is None:
            return
        self._cells.update(cells)
        if len(self._cells) > _MOST_COUNTED:
            self._cells = None

    def told(self, field: str, column: str, value: Callable[[str], Any]) -> list[WordRead]:
        """The most frequent first, blank ones left out."""
        rows: Counter[str] = Counter()
        written: dict[str, str] = {}
        for cell, count in (self._cells or Counter()).items():
            if _is_word(cell) and (word := same_word(cell)):
                rows[word] += count
                written.setdefault(word, cell)
        return [
            WordRead(field, column, " ".join(written[word].split()), _told(value(written[word])), count)
            for word, count in rows.most_common(MOST_TOLD)
        ]


def _is_word(cell: str) -> bool:
    """Short, and of characters that people see and databases hold."""
    return len(cell) <= LONGEST_WORD and " ".join(cell.split()).isprintable()


def _told(value: Any) -> str:
    if value is LEFT_OUT:
        return LEAVE_OUT
    return "" if value is None else str(value)


def is_dated(cell: str) -> bool:
    """Whether it is some day, however written; not which."""
    return _DATED.fullmatch(cell.strip()) is not None
