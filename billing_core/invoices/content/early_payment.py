"""What an invoice costs whoever pays it early, as its payment terms say."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from billing_core.invoices.content.totals import WHOLE
from billing_core.languages.formats import Writing
from billing_core.money import PERCENT_PLACES, nearest, scaled
from billing_core.payment_terms.reading import understood


@dataclass(frozen=True, slots=True)
class Offer:
    """``percent`` off the invoice, for a payment up to and including that day. Amounts in minor units."""

    percent: Decimal
    until: date
    discount_minor: int
    to_pay_minor: int


class Owed(Protocol):
    """An invoice or its document."""

    @property
    def issued_on(self) -> date: ...
    @property
    def payment_terms(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def paid_minor(self) -> int: ...
    @property
    def credited_minor(self) -> int: ...
    @property
    def written_off_minor(self) -> int: ...
    @property
    def due_minor(self) -> int: ...


def offers(owed: Owed, due_minor: int | None = None) -> list[Offer]:
    """The offers on the whole invoice, in the order of their days; none once a part is paid, credited or given up, so
    that no discount is taken twice.

    ``due_minor``: of a draft, what will be due.
    """
    terms = understood(owed.payment_terms)
    due = owed.due_minor if due_minor is None else due_minor
    if terms is None or due <= 0 or owed.paid_minor or owed.credited_minor or owed.written_off_minor:
        return []
    return [
        Offer(one.percent, one.until(owed.issued_on), off, due - off)
        for one in terms.discounts
        if (off := nearest(due * scaled(one.percent, PERCENT_PLACES), WHOLE))
    ]


def taken_by(offered: Iterable[Offer], amount_minor: int, paid_on: date | None) -> Offer | None:
    """The offer that a payment of exactly this amount on that day takes; ``paid_on`` None: it was asked for so much
    while the offer held.
    """
    of_amount = (one for one in offered if one.to_pay_minor == amount_minor)
    return next((one for one in of_amount if paid_on is None or paid_on <= one.until), None)


def best_on(owed: Owed, day: date) -> Offer | None:
    """The offer that asks for least of those that hold on that day."""
    holding = (one for one in offers(owed) if day <= one.until)
    return min(holding, key=lambda one: one.to_pay_minor, default=None)


def in_words(
    offered: Iterable[Offer], currency: str, words: Writing, *, today: date | None = None, in_sentences: bool = False
) -> list[str]:
    """A line for each offer, for customers. ``today``: only those that still hold; ``in_sentences``: with days as
    letters write them.
    """
    day = words.long_day if in_sentences else words.day
    return [
        words.gettext("If paid by {day}: {amount} ({percent} discount, {discount})").format(
            day=day(one.until),
            amount=words.money(one.to_pay_minor, currency),
            percent=words.percent(one.percent),
            discount=words.money(one.discount_minor, currency),
        )
        for one in offered
        if today is None or today <= one.until
    ]
