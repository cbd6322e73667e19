"""Reading payment terms from text: wholly, or not at all.

A text is turned into marks (see ``vocabulary``) by longest phrase first; ``14 Tage 2 % Skonto, 30 Tage netto`` becomes
14 days, 2 percent, 30 days. A word that nobody knows, or marks that can be taken in two ways, make it a text that is
not understood.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from billing_core.payment_terms.terms import LONGEST_DAYS, Basis, EarlyPayment, Terms
from billing_core.payment_terms.vocabulary import COUNTS_IN_WORDS, WORDS, Meaning

# Of 200 letters, which may be longer without accents.
_LONGEST_TEXT: Final = 400
_MOST_MARKS: Final = 24

# 2/10 net 30 is how accountants write 2 % within 10 days.
_SLASHED = re.compile(r"(?<![\d./,])(\d{1,2}(?:[.,]\d{1,2})?) ?%? ?/ ?(\d{1,3})(?![\d/]|[.,]\d)(?=.*\bn)")
_PIECE = re.compile(
    r"(?P<percent>\d{1,2}(?:[.,]\d{1,2})?) ?(?:%|percent\b|per cent\b|prozent\b|pour cent\b|por ciento\b|v\.? ?h\b)"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<other>[^\s,;.:/()\-–—+&!'’])"
)


@dataclass(frozen=True, slots=True)
class _Mark:
    kind: Meaning
    value: Decimal = Decimal(0)
    months: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """``languages``: those in which the text says it, none where it mixes them."""

    terms: Terms
    languages: frozenset[str]


@lru_cache(maxsize=1024)
def read(text: str) -> Reading | None:
    """What the text says; None where it is empty or not understood."""
    plain = _plain(text)
    if not plain or len(plain) > _LONGEST_TEXT:
        return None
    found = {language: terms for language in WORDS if (terms := _said(plain, language))}
    if not found and (terms := _said(plain, "")):
        return Reading(terms, frozenset())
    if len(set(found.values())) != 1:
        return None
    return Reading(next(iter(found.values())), frozenset(found))


def understood(text: str) -> Terms | None:
    """The terms that the text says; None where it is empty or not understood."""
    reading = read(text)
    return reading.terms if reading else None


def _said(plain: str, language: str) -> Terms | None:
    marks = _marks(plain, language)
    return _terms(marks, bare=language not in COUNTS_IN_WORDS) if marks else None


def _plain(text: str) -> str:
    """In lower case and without accents, so that ``fällig`` is found as it was typed on any keyboard."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(one for one in spread if not unicodedata.combining(one)).split())


@cache
def _phrases(language: str) -> tuple[dict[tuple[str, ...], Meaning], int]:
    """The phrases of a language, or with "" those of all of them; and the number of words in the longest."""
    spoken = [WORDS[language]] if language else list(WORDS.values())
    phrases: dict[tuple[str, ...], Meaning] = {}
    for words in spoken:
        for kind, listed in words.items():
            for phrase in listed.split("|"):
                # A word that one language only fills in with may say something in another.
                if phrases.get(tuple(phrase.split()), Meaning.FILLER) == Meaning.FILLER:
                    phrases[tuple(phrase.split())] = kind
    return phrases, max(map(len, phrases))


def _marks(plain: str, language: str) -> list[_Mark] | None:
    """What is said, in order, without words that only fill in; None where a word is unknown."""
    pieces = list(_PIECE.finditer(_SLASHED.sub(r"\1 % \2 ", plain)))
    phrases, longest = _phrases(language)
    marks: list[_Mark] = []
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        if piece["word"]:
            words = _words_from(pieces, at, longest)
            while words and words not in phrases:
                words = words[:-1]
            if not words:
                return None
            marks.append(_Mark(phrases[words]))
            at += len(words)
            continue
        if piece["percent"]:
            marks.append(_Mark(Meaning.PERCENT, Decimal(piece["percent"].replace(",", "."))))
        elif piece["number"] and piece["number"].isdecimal() and len(piece["number"]) <= len(str(LONGEST_DAYS)):
            marks.append(_Mark(Meaning.NUMBER, Decimal(piece["number"])))
        else:
            return None
        at += 1
    said = [mark for mark in marks if mark.kind is not Meaning.FILLER]
    return said if len(said) <= _MOST_MARKS else None


def _words_from(pieces: list[re.Match[str]], at: int, longest: int) -> tuple[str, ...]:
    words = []
    for piece in pieces[at : at + longest]:
        if not piece["word"]:
            break
        words.append(piece["word"])
    return tuple(words)


def _terms(marks: list[_Mark], *, bare: bool) -> Terms | None:
    """The one way in which the marks make sense."""
    clauses = _clauses(marks, bare=bare)
    if clauses is None:
        return None
    found = {terms for terms in _ways(tuple(clauses), ()) if terms.make_sense}
    return found.pop() if len(found) == 1 else None


def _clauses(marks: list[_Mark], *, bare: bool) -> list[_Mark] | None:
    """Numbers with what they count: days, percents and days of a month. None where a number counts nothing; ``bare``:
    it may count days without saying so.
    """
    kinds = {at: mark.kind for at, mark in enumerate(marks)}
    clauses: list[_Mark] = []
    for at, mark in enumerate(marks):
        before, after, second = (kinds.get(place) for place in (at - 1, at + 1, at + 2))
        if mark.kind is Meaning.NUMBER:
            counted = _counted(mark.value, before, after, second, bare=bare)
            if counted is None:
                return None
            clauses.append(counted)
        elif mark.kind is Meaning.NEXT_END:
            clauses.append(_Mark(Meaning.DAY_OF_MONTH, Decimal(31), 1))
        elif mark.kind in (Meaning.DAY, Meaning.WEEK):
            if before is not Meaning.NUMBER and after is not Meaning.NUMBER:
                return None
        elif mark.kind in (Meaning.NEXT, Meaning.AFTER_NEXT):
            if before is not Meaning.NUMBER:
                return None
        elif mark.kind is Meaning.RECEIPT and clauses and clauses[-1].kind is Meaning.RECEIPT:
            continue
        elif mark.kind is not Meaning.NET:
            clauses.append(mark)
    return clauses


def _counted(
    number: Decimal, before: Meaning | None, after: Meaning | None, second: Meaning | None, *, bare: bool
) -> _Mark | None:
    if after in (Meaning.NEXT, Meaning.AFTER_NEXT):
        months = 1 if after is Meaning.NEXT else 2
        return _Mark(Meaning.DAY_OF_MONTH, number, months) if 1 <= number <= 31 else None
    if after is Meaning.DAY:
        return _Mark(Meaning.DAY, number)
    if after is Meaning.WEEK:
        return _Mark(Meaning.DAY, 7 * number)
    # Net 30, 30 net, 2 % 10, 30 EOM, EOM + 30. "Net" belongs to the number behind it, where there is one.
    beside = before in (Meaning.NET, Meaning.PERCENT, Meaning.MONTH_END) or after is Meaning.MONTH_END
    if bare and (beside or (after is Meaning.NET and second is not Meaning.NUMBER)):
        return _Mark(Meaning.DAY, number)
    return None


def _ways(clauses: tuple[_Mark, ...], discounts: tuple[EarlyPayment, ...]) -> Iterator[Terms]:
    """Every way to take a percentage together with the days beside it, and the rest as the due date."""
    at = next((at for at, mark in enumerate(clauses) if mark.kind is Meaning.PERCENT), None)
    if at is None:
        due = _due(clauses, tuple(sorted(discounts, key=lambda one: one.days)))
        if due is not None:
            yield due
        return
    for beside in (at - 1, at + 1):
        if 0 <= beside < len(clauses) and clauses[beside].kind is Meaning.DAY:
            first = min(at, beside)
            discount = EarlyPayment(clauses[at].value.normalize(), int(clauses[beside].value))
            yield from _ways(clauses[:first] + clauses[first + 2 :], (*discounts, discount))


def _due(clauses: tuple[_Mark, ...], discounts: tuple[EarlyPayment, ...]) -> Terms | None:
    match [mark.kind for mark in clauses]:
        case [Meaning.RECEIPT]:
            return Terms(discounts=discounts)
        case [Meaning.DAY]:
            return Terms(days=int(clauses[0].value), discounts=discounts)
        case [Meaning.MONTH_END]:
            return Terms(Basis.MONTH_END, discounts=discounts)
        case [Meaning.DAY, Meaning.MONTH_END] | [Meaning.MONTH_END, Meaning.DAY]:
            days = next(int(mark.value) for mark in clauses if mark.kind is Meaning.DAY)
            return Terms(Basis.MONTH_END, days=days, discounts=discounts)
        case [Meaning.DAY_OF_MONTH]:
            day = clauses[0]
            return Terms(Basis.DAY_OF_MONTH, day=int(day.value), months=day.months, discounts=discounts)
    return None
