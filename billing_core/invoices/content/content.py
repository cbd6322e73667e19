"""The content of an invoice, and what is refused before anything is saved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final, Self

import pycountry
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.town_lines import town_lines
from billing_core.dates import Day, day_of
from billing_core.errors import BillingError, Invalid
from billing_core.identity import Actor
from billing_core.invoices.content import field_checks as check
from billing_core.invoices.content.field_checks import Reasons
from billing_core.invoices.content.totals import Line, Totals, exact, exact_unit, rounded, totals
from billing_core.invoices.models import Invoice, LineType
from billing_core.languages.available import SOURCE_LANGUAGE, is_known, languages
from billing_core.languages.formats import writing
from billing_core.money import LARGEST_MINOR, LARGEST_PRICE, Money, currency_code
from billing_core.payment_terms.reading import understood
from billing_core.payment_terms.terms import LONGEST_TEXT
from billing_core.payment_terms.wording import in_language
from billing_core.recipients import LISTS

LINE_TYPES: Final = tuple(one.value for one in LineType)
MOST_LINES: Final = 5_000
LONGEST_DESCRIPTION: Final = 2_000
LONGEST: Final = {
    "customer_name": 200,
    "customer_address": 1_000,
    "customer_tax_id": 64,
    "zero_tax_reason": 200,
    "payment_terms": LONGEST_TEXT,
    "notes": 5_000,
    "reference": 120,
}
_BLOCKS = {"customer_address", "notes"}


@dataclass(frozen=True, slots=True)
class DraftLine:
    """``unit_price`` in major units; ``discount_minor`` in minor units, at most one of the discounts. What takes
    something off, such as a voucher or a deposit, has a negative quantity or a negative price.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    type: LineType = LineType.SERVICE
    tax_rate: Decimal = Decimal(0)
    discount_percent: Decimal | None = None
    discount_minor: int | None = None
    service_id: int | None = None
    report_id: int | None = None
    order_id: int | None = None
    usage_line_id: int | None = None

    @classmethod
    def of_amount(cls, description: str, amount: Money, **facts: Any) -> Self:
        """A line of a whole amount: one of it, or a thousand of its thousandth where it is more than a price can be."""
        price, quantity = amount.amount, Decimal(1)
        if abs(price) > LARGEST_PRICE:
            price, quantity = price / 1000, Decimal(1000)
        return cls(description, quantity, price, **facts)

    @property
    def computed(self) -> Line:
        return Line(
            self.quantity, self.unit_price, self.tax_rate, self.type, self.discount_percent, self.discount_minor
        )


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that people choose about an invoice. ``due_on`` None: by the payment terms. ``zero_tax_reason``:
    why lines have 0 % tax, as it is printed. ``prices_include_tax``: prices and discounts
    do. ``lines_rounded``: how it is summed up, which nobody chooses; see ``totals``.
    """

    business_id: int
    customer_id: int
    currency: str
    issued_on: date
    due_on: date | None = None
    customer_name: str = ""
    customer_email: str = ""
    further_emails: str = ""
    cc_emails: str = ""
    bcc_emails: str = ""
    customer_address: str = ""
    customer_tax_id: str = ""
    zero_tax_reason: str = ""
    language: str = SOURCE_LANGUAGE
    payment_terms: str = ""
    notes: str = ""
    reference: str = ""
    discount_percent: Decimal | None = None
    discount_minor: int | None = None
    prices_include_tax: bool = False
    lines_rounded: bool = True
    lines: tuple[DraftLine, ...] = ()

    def totals(self) -> Totals:
        """The totals of content that was ``checked``."""
        return totals(
            [line.computed for line in self.lines],
            self.currency,
            discount_percent=self.discount_percent,
            discount_minor=self.discount_minor,
            lines_rounded=self.lines_rounded,
            prices_include_tax=self.prices_include_tax,
        )


def blank(session: Session, actor: Actor, customer_id: int, *, today: Day, business_id: int | None = None) -> Content:
    """An invoice without lines, filled in with the data of the customer and our business, and dated by its day. Its
    prices include tax where those of the customer's last invoice of this business do.
    """
    customer = customers.one(session, actor, customer_id)
    business = session.get(Business, business_id or customer.business_id)
    if business is None:
        raise Invalid("There is no such business", fields={"business_id": "is not one of our businesses"})
    of_both = (Invoice.customer_id == customer.id, Invoice.business_id == business.id)
    latest = select(Invoice.prices_include_tax).where(*of_both).order_by(Invoice.issued_on.desc(), Invoice.id.desc())
    return replace(blank_for(customer, business, today), prices_include_tax=bool(session.scalar(latest.limit(1))))


def blank_for(customer: Customer, business: Business, today: Day) -> Content:
    """``blank`` from rows that were already read. The customer's own terms, else the business's, in the customer's
    language; ``due_on`` None where they do not say when it is due.
    """
    payment_terms = agreed_terms(customer, business, customer.locale)
    agreed = understood(payment_terms)
    issued_on = day_of(today, business.id)
    return Content(
        business_id=business.id,
        customer_id=customer.id,
        currency=customer.currency,
        issued_on=issued_on,
        due_on=agreed.due_on(issued_on) if agreed else None,
        customer_name=customer.name,
        customer_email=customer.email,
        further_emails=customer.further_emails,
        cc_emails=customer.cc_emails,
        bcc_emails=customer.bcc_emails,
        customer_address=postal_address(customer),
        customer_tax_id=customer.tax_id,
        zero_tax_reason=customer.zero_tax_reason or business.zero_tax_reason,
        language=customer.locale,
        payment_terms=payment_terms,
    )


def agreed_terms(customer: Customer, business: Business, language: str) -> str:
    """The customer's own payment terms, else the business's, as an invoice in this language has them."""
    return in_language(customer.payment_terms or business.payment_terms, language)


def due_by(content: Content, due_on: date | None) -> Content:
    """``blank`` content with this due date, None for that of its terms; without terms that say another day."""
    if due_on is None:
        return content
    contradicted = content.due_on is not None and content.due_on != due_on
    return replace(content, due_on=due_on, payment_terms="" if contradicted else content.payment_terms)


def postal_address(customer: Customer) -> str:
    """The customer's address as on a letter, with the country's name in the customer's language."""
    town = town_lines(customer.country, city=customer.city, state=customer.state, postal_code=customer.postal_code)
    parts = (customer.address, *town, _country(customer))
    return "\n".join(part for part in parts if part)


def _country(customer: Customer) -> str:
    if not customer.country:
        return ""
    named: str | None = writing(customer.locale).locale.territories.get(customer.country)
    if named is None:
        known = pycountry.countries.get(alpha_2=customer.country)
        return known.name if known else customer.country
    return named


def checked(content: Content) -> Content:
    """The content as it is stored; Invalid names every field at fault, lines counted from 1 (``lines.3.quantity``)."""
    reasons: Reasons = {}
    texts: dict[str, Any] = {
        field: (check.text_block if field in _BLOCKS else check.line_of_text)(
            reasons, field, getattr(content, field), longest
        )
        for field, longest in LONGEST.items()
    }
    email = check.email(reasons, "customer_email", content.customer_email)
    texts |= check.email_lists(reasons, email, {name: getattr(content, name) for name in LISTS})
    percent, minor = check.discount(reasons, "discount", content.discount_percent, content.discount_minor)
    issued_on, due_on = _days(reasons, content, texts["payment_terms"])
    currency = _currency(reasons, content.currency)
    if not is_known(content.language):
        reasons["language"] = f"is none of {', '.join(languages())}"
    cleaned = replace(
        content,
        **texts,
        customer_email=email,
        currency=currency,
        issued_on=issued_on,
        due_on=due_on,
        discount_percent=percent,
        discount_minor=minor,
        lines=_checked_lines(reasons, content.lines, currency),
    )
    if not reasons:
        _check_amounts(reasons, cleaned)
    if reasons:
        raise Invalid(_in_words(reasons), fields=reasons)
    return cleaned


def _days(reasons: Reasons, content: Content, payment_terms: str) -> tuple[date, date]:
    issued_on = check.day(reasons, "issued_on", content.issued_on)
    due_on = content.due_on
    if due_on is None:
        agreed = understood(payment_terms)
        if agreed is None:
            reasons["due_on"] = (
                f"is needed: the payment terms “{payment_terms}” are not understood, so that no day follows from them; "
                "choose one, or change the payment terms of the customer or of the business"
                if payment_terms
                else "is needed where there are no payment terms: choose one, or give the customer or the business some"
            )
        if agreed is None or "issued_on" in reasons:
            return issued_on, issued_on
        due_on = agreed.due_on(issued_on)
    due_on = check.day(reasons, "due_on", due_on)
    if due_on < issued_on:
        reasons["due_on"] = f"lies before the issue date, {issued_on}"
    return issued_on, due_on


def _currency(reasons: Reasons, text: str) -> str:
    try:
        return currency_code(text)
    except BillingError as unknown:
        reasons["currency"] = str(unknown)
        return "USD"


def _checked_lines(reasons: Reasons, lines: Sequence[DraftLine], currency: str) -> tuple[DraftLine, ...]:
    if not lines:
        reasons["lines"] = "are needed: an invoice has at least one line"
    elif len(lines) > MOST_LINES:
        reasons["lines"] = f"are too many: {len(lines):,}, where an invoice may have {MOST_LINES:,}"
    else:
        return tuple(_checked_line(reasons, f"lines.{at}", line, currency) for at, line in enumerate(lines, start=1))
    return ()


def _checked_line(reasons: Reasons, at: str, line: DraftLine, currency: str) -> DraftLine:
    description = check.text_block(reasons, f"{at}.description", line.description, LONGEST_DESCRIPTION)
    if not description:
        reasons[f"{at}.description"] = "is needed"
    quantity = check.quantity(reasons, f"{at}.quantity", line.quantity)
    unit_price = check.unit_price(reasons, f"{at}.unit_price", line.unit_price)
    percent, minor = check.discount(reasons, f"{at}.discount", line.discount_percent, line.discount_minor)
    amount = quantity * unit_price
    if quantity < 0 and unit_price < 0:
        reasons[f"{at}.unit_price"] = "must not be negative where the quantity is: a negative line has one of them"
    elif abs(Money.rounded(amount, currency).minor) > LARGEST_MINOR:
        reasons[f"{at}.unit_price"] = f"makes the line come to more than {Money(LARGEST_MINOR, currency)}"
    elif minor and Money(minor, currency).amount > amount and f"{at}.unit_price" not in reasons:
        reasons[f"{at}.discount_minor"] = "is more than the line comes to"
    if line.type not in LINE_TYPES:
        reasons[f"{at}.type"] = f"is none of {', '.join(LINE_TYPES)}"
    return replace(
        line,
        description=description,
        quantity=quantity,
        unit_price=unit_price,
        type=line.type if f"{at}.type" in reasons else LineType(line.type),
        tax_rate=check.percentage(reasons, f"{at}.tax_rate", line.tax_rate),
        discount_percent=percent,
        discount_minor=minor,
    )


def _check_amounts(reasons: Reasons, content: Content) -> None:
    currency, unit = content.currency, exact_unit(content.currency)
    # Against what it is taken from: the printed lines, so that no amount is discounted that rounding has cut off.
    if content.lines_rounded:
        amounts = [rounded(line.computed, currency) * unit for line in content.lines]
    else:
        amounts = [exact(line.computed, currency) for line in content.lines]
    whole, size, most = sum(amounts), sum(map(abs, amounts)), LARGEST_MINOR * unit
    if size > most:
        reasons["lines"] = f"come to more than {Money(LARGEST_MINOR, currency)}"
    elif (content.discount_minor or 0) * unit > max(whole, 0):
        reasons["discount_minor"] = "is more than the lines come to"
    elif content.discount_percent and whole < 0:
        reasons["discount_percent"] = "has nothing to be taken off: the lines come to less than 0"
    # A tax is at most as much as what it is of.
    elif min(amounts) < 0 or 2 * size > most:
        _check_total(reasons, content)


def _check_total(reasons: Reasons, content: Content) -> None:
    total = content.totals().total_minor
    if total < 0:
        reasons["lines"] = (
            f"come to {Money(total, content.currency)} with tax, and an invoice asks for 0 at least: take less off, or "
            "give the rest back by a credit note"
        )
    elif total > LARGEST_MINOR:
        reasons["lines"] = f"come with their tax to more than {Money(LARGEST_MINOR, content.currency)}"


def _in_words(reasons: Reasons) -> str:
    field, reason = next(iter(reasons.items()))
    match field.split("."):
        case ["lines", at, name]:
            named = f"line {at}: {_spoken(name)}"
        case _:
            named = _spoken(field)
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"The invoice was not saved: {named} {reason}{more}"


def _spoken(field: str) -> str:
    return field.removesuffix("_minor").replace("_on", " date").replace("issued", "issue").replace("_", " ")
