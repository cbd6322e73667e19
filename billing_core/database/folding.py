"""Texts as they are compared where case and accents do not count: ``MÜLLER``, ``müller`` and ``Muller`` are the same.

By Unicode: the compatibility decomposition (NFKD) without its combining marks and without what is not seen, then case
folding. Letters that Unicode does not take apart, but whose mark its collation counts as an accent, lose it too. So
``ß`` is ``ss``, ``ς`` is ``σ``, ``İ`` and ``ı`` are ``i``, ``ё`` is ``е``, and ``１`` is ``1``.
"""

import unicodedata
from functools import lru_cache
from typing import Final

from sqlalchemy import ColumnElement, String, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

# What does not count around a text.
BLANKS: Final = " \t\r\n"
_LETTERS: Final = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe"})


def fold(text: str) -> str:
    """The text as it is compared. What would leave nothing stays as it is, so that no text is in every other."""
    if text.isascii():
        return text.lower()
    bare = "".join(filter(_counts, unicodedata.normalize("NFKD", text)))
    return bare.casefold().translate(_LETTERS) or text


@lru_cache(8_192)
def _counts(character: str) -> bool:
    return not unicodedata.combining(character) and unicodedata.category(character) != "Cf"


class folded(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """A text as ``fold`` has it. PostgreSQL's function of this name was made by a migration."""

    type = String()
    inherit_cache = True


@compiles(folded)
def _folded(element: folded, compiler: SQLCompiler, **options: object) -> str:
    return f"folded({compiler.process(element.clauses, **options)})"


class folded_word(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """A text as ``fold`` has it, without blanks around it. For columns that mostly hold codes, such as countries."""

    type = String()
    inherit_cache = True


def _inner(element: folded_word) -> ColumnElement[str]:
    (text,) = element.clauses
    return text


def _trimmed(element: folded_word) -> ColumnElement[str]:
    return folded(func.trim(_inner(element), BLANKS))


@compiles(folded_word)
def _folded_word(element: folded_word, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(_trimmed(element), **options)


@compiles(folded_word, "sqlite")
def _folded_word_on_sqlite(element: folded_word, compiler: SQLCompiler, **options: object) -> str:
    # A call of Python's function takes longer than all that SQLite does for a usual code itself.
    text, slowly = compiler.process(_inner(element), **options), compiler.process(_trimmed(element), **options)
    return f"CASE WHEN {text} GLOB '*[^!-~]*' THEN {slowly} ELSE lower({text}) END"
