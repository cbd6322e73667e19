"""The sandbox's test cards, as documented; no other card is accepted, and none is stored."""

import calendar
import enum
import re
from collections.abc import Collection
from datetime import date
from typing import Final

from billing_core.dates import add_months, first_of_month
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
# The same where the customer is not there to be asked.
OFF_SESSION_FAILURES: Final = {
    Outcome.DECLINED: "Your card was declined.",
    Outcome.AUTHENTICATION: "Your card was declined. This transaction requires authentication.",
}
# The documented test methods that are kept or charged otherwise than any other ``pm_…``, which is a good card.
REFUSED_METHOD: Final = "pm_card_visa_chargeDeclined"
# The cardholder is asked once, when it is put on file; then it is charged without them.
CONFIRMED_METHOD: Final = "pm_card_authenticationRequiredOnSetup"
# Stripe has no such method: a good card whose last day is that of the next month. Others are good for years.
EXPIRING_METHOD: Final = "pm_sandbox_expiresNextMonth"
_YEARS: Final = 4
_WHEN_CHARGED: Final = {
    "pm_card_chargeCustomerFail": Outcome.DECLINED,
    "pm_card_authenticationRequired": Outcome.AUTHENTICATION,
}
# The numbers by which customers enter them.
CARDS_TO_KEEP: Final = {
    "4242424242424242": "pm_card_visa",
    "4000000000000002": REFUSED_METHOD,
    "4000000000000341": "pm_card_chargeCustomerFail",
    "4000002500003155": CONFIRMED_METHOD,
    "4000002760003184": "pm_card_authenticationRequired",
}
_LAST_FOUR: Final = {
    "pm_card_chargeCustomerFail": "0341",
    "pm_card_authenticationRequired": "3184",
    CONFIRMED_METHOD: "3155",
    "pm_card_mastercard": "4444",
}
_EXPIRY: Final = re.compile(r"(\d{1,2})\s*[/-]?\s*(?:20)?(\d{2})")


def outcome(number: str, expiry: str, cvc: str, *, today: date) -> Outcome:
    """The outcome of a payment with this card. Invalid names the fields (``number``, ``expiry``, ``cvc``), each with
    one word for what is wrong: incomplete, wrong, over or real.
    """
    return TEST_CARDS[_checked(number, expiry, cvc, among=TEST_CARDS, today=today)]


def method_of(number: str, expiry: str, cvc: str, *, today: date) -> str:
    """The test method that this card makes when it is put on file. Invalid as in ``outcome``."""
    return CARDS_TO_KEEP[_checked(number, expiry, cvc, among=CARDS_TO_KEEP, today=today)]


def _checked(number: str, expiry: str, cvc: str, *, among: Collection[str], today: date) -> str:
    problems = {}
    digits = re.sub(r"[\s-]", "", number)
    if problem := _number_problem(digits, among):
        problems["number"] = problem
    if problem := _expiry_problem(expiry, today):
        problems["expiry"] = problem
    if not re.fullmatch(r"[0-9]{3,4}", cvc.strip()):
        problems["cvc"] = "incomplete"
    if problems:
        raise Invalid("This card cannot be used", fields=problems)
    return digits


def of_method(method_id: str) -> tuple[str, str]:
    """(brand, last four digits) of a card that this test method makes."""
    return "mastercard" if method_id == "pm_card_mastercard" else "visa", _LAST_FOUR.get(method_id, "4242")


def last_month(method_id: str, *, today: date) -> date:
    """The first day of the last month in which a card is good that this test method makes today."""
    if method_id == EXPIRING_METHOD:
        return add_months(first_of_month(today), 1)
    return date(today.year + _YEARS, 12, 1)


def when_charged(method_id: str) -> Outcome:
    """The outcome of charging a card that this test method made."""
    return _WHEN_CHARGED.get(method_id, Outcome.SUCCEEDS)


def codes(failure: str) -> tuple[str, str]:
    """(Stripe's error code, the bank's code) of a charge without the customer that failed for this reason."""
    if failure == OFF_SESSION_FAILURES[Outcome.AUTHENTICATION]:
        return Outcome.AUTHENTICATION.value, Outcome.AUTHENTICATION.value
    return Outcome.DECLINED.value, "generic_decline"


def _number_problem(digits: str, among: Collection[str]) -> str:
    if not re.fullmatch(r"[0-9]{12,19}", digits):
        return "incomplete"
    if not _adds_up(digits):
        return "wrong"
    return "" if digits in among else "real"


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
