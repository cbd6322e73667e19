"""Reading payment terms from text: wholly, or not at all.

A text is turned into marks (see ``vocabulary``) by longest phrase first; ``14 Tage 2 % Skonto, 30 Tage netto`` becomes
14 days, 2 percent, 30 days. A word that nobody knows, or marks that can be taken in two ways, make it a text that is
not understood.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, lru_cache
from itertools import pairwise, product
from typing import Final

from billing_core.payment_terms.terms import LONGEST_DAYS, Basis, EarlyPayment, Terms
from billing_core.payment_terms.vocabulary import COUNTS_IN_WORDS, WORDS, Meaning

# Of 200 letters, which may be longer without accents.
_LONGEST_TEXT: Final = 400
_MOST_MARKS: Final = 24

# 2/10 net 30 is how accountants write 2 % within 10 days.
_SLASHED = re.compile(r"(?<![\d./,])(\d{1,2}(?:[.,]\d{1,2})?) ?%? ?/ ?(\d{1,3})(?![\d/]|[.,]\d)(?=.*\bn)")
_PIECE = re.compile(
    # A hyphen joins words and numbers, but at the beginning of a number it is a minus.
    r"(?P<minus>(?<![\w%)])[-–—](?=\d))"
    r"|(?P<percent>\d{1,2}(?:[.,]\d{1,2})?) ?(?:%|percent\b|per cent\b|prozent\b|pour cent\b|por ciento\b|v\.? ?h\b)"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<other>[^\s,;.:/()\-–—+&!'’])"
)
# What sets clauses apart; a comma within a number is part of it.
_BREAK = re.compile(r"[,;.:()–—]")
_ENDS: Final = frozenset({Meaning.MONTH_END, Meaning.TO_MONTH_END})
_RECEIPTS: Final = frozenset({Meaning.RECEIPT, Meaning.INVOICE_RECEIPT})
# A due date by itself, which is no number of days from the issue date.
_FIXED: Final = _ENDS | _RECEIPTS | {Meaning.DAY_OF_MONTH}


@dataclass(frozen=True, slots=True)
class _Mark:
    """``apart``: a comma or the like stands before it."""

    kind: Meaning
    value: Decimal = Decimal(0)
    months: int = 0
    apart: bool = False


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
        for kind in words.keys() - {Meaning.FROM}:
            for phrase in _listed(words, kind):
                # A word that one language only fills in with may say something in another.
                if phrases.get(phrase, Meaning.FILLER) == Meaning.FILLER:
                    phrases[phrase] = kind
        for before, end in product(_listed(words, Meaning.FROM), _listed(words, Meaning.TO_MONTH_END)):
            phrases[before + end] = Meaning.MONTH_END
    return phrases, max(map(len, phrases))


def _listed(words: dict[Meaning, str], kind: Meaning) -> list[tuple[str, ...]]:
    return [tuple(phrase.split()) for phrase in words[kind].split("|")] if kind in words else []


def _marks(plain: str, language: str) -> list[_Mark] | None:
    """What is said, in order, without words that only fill in; None where a word is unknown."""
    text = _SLASHED.sub(r"\1 % \2 ", plain)
    pieces = list(_PIECE.finditer(text))
    phrases, longest = _phrases(language)
    said: list[_Mark] = []
    at, read_to, apart = 0, 0, False
    while at < len(pieces):
        piece, count = pieces[at], 1
        if piece["word"]:
            words = _words_from(pieces, at, longest)
            while words and words not in phrases:
                words = words[:-1]
            if not words:
                return None
            mark, count = _Mark(phrases[words]), len(words)
        elif piece["percent"]:
            mark = _Mark(Meaning.PERCENT, Decimal(piece["percent"].replace(",", ".")))
        elif piece["number"] and piece["number"].isdecimal() and len(piece["number"]) <= len(str(LONGEST_DAYS)):
            mark = _Mark(Meaning.NUMBER, Decimal(piece["number"]))
        else:
            return None
        apart = apart or _BREAK.search(text, read_to, piece.start()) is not None
        if mark.kind is not Meaning.FILLER:
            said.append(replace(mark, apart=apart))
            apart = False
        at, read_to = at + count, pieces[at + count - 1].end()
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
    counted = _clauses(marks, bare=bare)
    clauses = None if counted is None else _with_month_ends(counted)
    if clauses is None or _early_by_a_date(clauses):
        return None
    found = {terms for terms in _ways(tuple(clauses), ()) if terms.make_sense}
    return found.pop() if len(found) == 1 else None


def _clauses(marks: list[_Mark], *, bare: bool) -> list[_Mark] | None:
    """Numbers with what they count: days, percents and days of a month. None where a number counts nothing; ``bare``:
    it may count days without saying so.
    """
    kinds = {at: mark.kind for at, mark in enumerate(marks)}
    clauses: list[_Mark] = []
    apart = False
    for at, mark in enumerate(marks):
        before, after, second = (kinds.get(place) for place in (at - 1, at + 1, at + 2))
        apart = apart or mark.apart
        last = clauses[-1].kind if clauses else None
        clause = mark
        if mark.kind is Meaning.NUMBER:
            counted = _counted(mark.value, before, after, second, bare=bare)
            if counted is None:
                return None
            clause = counted
        elif mark.kind is Meaning.NEXT_END:
            clause = _Mark(Meaning.DAY_OF_MONTH, Decimal(31), 1)
        elif mark.kind in (Meaning.DAY, Meaning.WEEK):
            if before is not Meaning.NUMBER and after is not Meaning.NUMBER:
                return None
            continue
        elif mark.kind in (Meaning.NEXT, Meaning.AFTER_NEXT):
            if before is not Meaning.NUMBER:
                return None
            continue
        elif mark.kind is Meaning.NET:
            # The net clause is another than that of a discount before it, with or without a comma.
            apart = True
            continue
        elif mark.kind in _RECEIPTS and last in _RECEIPTS:
            continue
        elif mark.kind is Meaning.INVOICE_RECEIPT and last is Meaning.DAY:
            # An invoice is received on its date, as far as anybody can say here.
            continue
        clauses.append(replace(clause, apart=apart))
        apart = False
    return clauses


def _with_month_ends(clauses: list[_Mark]) -> list[_Mark] | None:
    """The days beside the end of a month are counted from it, or lead to it; None where that may be either's."""
    bound = list(clauses)
    while (at := next((at for at, one in enumerate(bound) if one.kind in _ENDS and not one.months), None)) is not None:
        beside = [place for place in (at - 1, at + 1) if 0 <= place < len(bound) and bound[place].kind is Meaning.DAY]
        if len(beside) > 1:
            return None
        first, last = min([at, *beside]), max([at, *beside])
        days = bound[beside[0]].value if beside else Decimal(0)
        kind = Meaning.TO_MONTH_END if bound[at].kind is Meaning.TO_MONTH_END and first < at else Meaning.MONTH_END
        # A number of months tells that it is bound.
        bound[first : last + 1] = [_Mark(kind, days, 1, bound[first].apart)]
    return bound


def _early_by_a_date(clauses: list[_Mark]) -> bool:
    """Whether a percentage may belong to a date beside it, as in ``2% 10 EOM, net 30``: no terms say that."""
    return any(
        not after.apart and Meaning.PERCENT in (one.kind, after.kind) and {one.kind, after.kind} & _FIXED
        for one, after in pairwise(clauses)
    )


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
    beside = before in {Meaning.NET, Meaning.PERCENT, *_ENDS} or after in _ENDS
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
    # What stands between a discount and the due date is no choice of due dates.
    while clauses and clauses[0].kind is Meaning.OR:
        clauses = clauses[1:]
    while clauses and clauses[-1].kind is Meaning.OR:
        clauses = clauses[:-1]
    if len(clauses) != 1:
        return None
    clause = clauses[0]
    days = int(clause.value)
    match clause.kind:
        case Meaning.RECEIPT | Meaning.INVOICE_RECEIPT:
            return Terms(discounts=discounts)
        case Meaning.DAY:
            return Terms(days=days, discounts=discounts)
        case Meaning.MONTH_END:
            return Terms(Basis.MONTH_END, days=days, discounts=discounts)
        case Meaning.TO_MONTH_END:
            return Terms(Basis.TO_MONTH_END, days=days, discounts=discounts)
        case Meaning.DAY_OF_MONTH:
            return Terms(Basis.DAY_OF_MONTH, day=days, months=clause.months, discounts=discounts)
    return None
