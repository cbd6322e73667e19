"""What is missing on an invoice, by the law of the seller's country and by usage."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing_core.customers.countries import country_code
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.legal_content.laws import EUROPEAN_UNION, USUAL, Law, Particular, Upto, Wanted, law_of
from billing_core.invoices.legal_content.wording import named
from billing_core.money import Money

# VAT numbers of most countries of the Union are its code with 8 to 12 letters and digits.
_VAT_IDS: Final = {"GR": r"EL\d{9}", "RO": r"RO\d{2,10}"}
_VAT_ID: Final = r"(?=[A-Z0-9+*]{0,4}\d{5})[A-Z0-9+*]{8,12}"
# How the reason for 0 % says that a business is too small for the tax.
_SMALL_BUSINESS: Final = re.compile(
    r"kleinunternehm|small (business|enterprise)|§ ?19\b|§ ?6 abs\. ?1 z(iffer|\.)? ?27|293 ?b|franchise en base"
    r"|kleineondernemers|forfettari|franquicia",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """What an invoice says, or would say. ``customer_country``: ISO code, empty where it is not known. ``rates``: the
    tax rates of its lines, in percent. ``total`` with tax; None: not known yet, and so no small one.
    ``says_when``: what it bills was supplied.
    """

    issuer: Issuer
    total: Money | None
    rates: frozenset[Decimal]
    customer_name: str
    customer_address: str
    customer_tax_id: str
    customer_country: str
    zero_tax_reason: str
    says_when: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """``words``: what it is, such as “our address”. ``law``: where it is wanted; empty where by usage alone."""

    particular: Particular
    words: str
    law: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is one of the seller's details."""
        return self.particular.startswith("seller_")


def in_words(found: Iterable[Missing]) -> str:
    """Such as “our address, the customer's name, by § 14 UStG (Germany)”."""
    found = list(found)
    laws = " and ".join(dict.fromkeys(one.law for one in found if one.law))
    return ", ".join(one.words for one in found) + (f", by {laws}" if laws else "")


def missing(said: Said) -> list[Missing]:
    """What the invoice does not say and should, the seller's first."""
    law = law_of(said.issuer.country)
    across = _across(said)
    full, by_law = _wanted(law, said, across=across)
    wanted = by_law | (USUAL if full else frozenset())
    return _lacking(wanted, by_law, said, law)


def of_issuer(issuer: Issuer) -> list[Missing]:
    """What our own details lack for a full invoice with tax: before there is one."""
    law = law_of(issuer.country)
    largest = law.sizes[-1]
    by_law = largest.always | largest.taxed
    lacking = _lacking(by_law | USUAL, by_law, Said(issuer, None, frozenset(), "", "", "", "", ""), law)
    return [one for one in lacking if one.is_ours]


def _lacking(wanted: Wanted, by_law: Wanted, said: Said, law: Law) -> list[Missing]:
    return [
        Missing(one, named(one, tax_number=law.tax_number), law.name if one in by_law else "")
        for one in Particular
        if one in wanted and not _is_said(one, said, law)
    ]


def _wanted(law: Law, said: Said, *, across: bool) -> tuple[bool, Wanted]:
    """Whether it is a full invoice, and what the law wants of it."""
    taxed, untaxed = any(said.rates), 0 in said.rates
    vat_ids: Wanted = frozenset({Particular.SELLER_VAT_ID, Particular.CUSTOMER_VAT_ID})
    # What is simpler for small amounts never is for a supply to another country of the Union.
    size = law.sizes[-1] if across else _size(law, said.total)
    large = size is law.sizes[-1]
    if large and not taxed and law.small_business is not None and _is_of_small_business(said):
        return False, law.small_business
    wanted = size.always
    if taxed:
        wanted |= size.taxed
    if untaxed:
        wanted |= size.untaxed
    if said.customer_country in ("", said.issuer.country):
        wanted |= size.domestic
    if across:
        wanted = (wanted | vat_ids) - {Particular.SELLER_TAX_NUMBER, Particular.CUSTOMER_TAX_NUMBER}
    return large, wanted


def _across(said: Said) -> bool:
    """Whether it bills something without tax to another country of the European Union, whose customer owes the tax."""
    theirs, ours = said.customer_country, said.issuer.country
    within = {theirs, ours} <= EUROPEAN_UNION and theirs != ours
    return within and 0 in said.rates and not _is_of_small_business(said)


def _is_of_small_business(said: Said) -> bool:
    return _SMALL_BUSINESS.search(said.zero_tax_reason) is not None


def _size(law: Law, total: Money | None) -> Upto:
    if total is None or total.currency != law.currency:
        return law.sizes[-1]
    return next(size for size in law.sizes if size.total is None or total.amount <= size.total)


def _is_said(one: Particular, said: Said, law: Law) -> bool:
    issuer = said.issuer
    match one:
        case Particular.SELLER_ADDRESS:
            return is_address(issuer.address)
        case Particular.SELLER_TAX_NUMBER:
            return bool(law.shape.search(_compact(issuer.tax_id)) if law.shape else issuer.tax_id.strip())
        case Particular.SELLER_VAT_ID:
            return is_vat_id(issuer.tax_id, issuer.country)
        case Particular.SELLER_REGISTER_NUMBER:
            return bool(issuer.register_number.strip())
        case Particular.CUSTOMER_NAME:
            return bool(said.customer_name.strip())
        case Particular.CUSTOMER_ADDRESS:
            return is_address(said.customer_address)
        case Particular.CUSTOMER_TAX_NUMBER:
            return bool(said.customer_tax_id.strip())
        case Particular.CUSTOMER_VAT_ID:
            return is_vat_id(said.customer_tax_id, said.customer_country)
        case Particular.SUPPLY_DATE:
            return said.says_when
        case Particular.ZERO_TAX_REASON:
            return bool(said.zero_tax_reason.strip())


def is_address(text: str) -> bool:
    """Whether there is more than a country's name in it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return any(any(map(str.isdigit, line)) or country_code(line) is None for line in lines)


def is_vat_id(text: str, country: str) -> bool:
    """Whether a VAT number of this country of the European Union is in it, perhaps beside another tax number."""
    return bool(re.search(vat_id_pattern(country), _compact(text)))


def vat_id_pattern(country: str) -> str:
    """The regular expression of a VAT number of this country of the European Union, in capitals and without blanks."""
    return _VAT_IDS.get(country, country + _VAT_ID)


def _compact(text: str) -> str:
    return re.sub(r"[^A-Z0-9+*]", "", text.upper())
