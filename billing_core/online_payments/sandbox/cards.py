"""The sandbox's test cards, as documented; no other card is accepted, and none is stored."""

import calendar
import enum
import re
from datetime import date
from typing import Final

from billing_core.errors import Invalid


class Outcome(enum.StrEnum):
    """The outcome of a payment by card."""

    SUCCEEDS = "succeeds"
    DECLINED = "card_declined"
    EXPIRED = "expired_card"
    AUTHENTICATION = "authentication_required"


TEST_CARDS: Final = {
    "4242424242424242": Outcome.SUCCEEDS,
    "4000000000000002": Outcome.DECLINED,
    "4000000000000069": Outcome.EXPIRED,
    "4000002500003155": Outcome.AUTHENTICATION,
}
# The bank's reason in Stripe's words, which reach the invoice's page through the event.
FAILURES: Final = {
    Outcome.DECLINED: "Your card was declined.",
    Outcome.EXPIRED: "Your card has expired.",
    Outcome.AUTHENTICATION: "The cardholder did not authenticate the payment.",
}
_EXPIRY: Final = re.compile(r"(\d{1,2})\s*[/-]?\s*(?:20)?(\d{2})")


def outcome(number: str, expiry: str, cvc: str, *, today: date) -> Outcome:
    """The outcome of a payment with this card. Invalid names the fields (``number``, ``expiry``, ``cvc``), each with
    one word for what is wrong: incomplete, wrong, over or real.
    """
    problems = {}
    digits = re.sub(r"[\s-]", "", number)
    if problem := _number_problem(digits):
        problems["number"] = problem
    if problem := _expiry_problem(expiry, today):
        problems["expiry"] = problem
    if not re.fullmatch(r"[0-9]{3,4}", cvc.strip()):
        problems["cvc"] = "incomplete"
    if problems:
        raise Invalid("This card cannot be used", fields=problems)
    return TEST_CARDS[digits]


def _number_problem(digits: str) -> str:
    if not re.fullmatch(r"[0-9]{12,19}", digits):
        return "incomplete"
    if not _adds_up(digits):
        return "wrong"
    return "" if digits in TEST_CARDS else "real"


def _expiry_problem(expiry: str, today: date) -> str:
    match = _EXPIRY.fullmatch(expiry.strip())
    if match is None or not match.group().isascii() or not 1 <= int(match[1]) <= 12:
        return "incomplete"
    year, month = 2000 + int(match[2]), int(match[1])
    return "over" if date(year, month, calendar.monthrange(year, month)[1]) < today else ""


def _adds_up(digits: str) -> bool:
    """Luhn's check: every second digit from the right is doubled, and a two-digit result replaced by its digit sum."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0
