"""What invoices have to say in each country, as data. Only what is sure; ``docs/complete-invoices.md`` has the sources.

Number, issue date, what was done, the rates and the amounts of tax are on every invoice, and so are not asked for.
"""

import enum
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final


class Particular(enum.StrEnum):
    """What an invoice says of the two parties and the tax. SELLER_VAT_ID and CUSTOMER_VAT_ID: of a supply to another
    country of the European Union for which the customer owes the tax. Stored with what was sent without it.
    """

    SELLER_ADDRESS = "seller_address"
    SELLER_TAX_NUMBER = "seller_tax_number"
    SELLER_VAT_ID = "seller_vat_id"
    SELLER_REGISTER_NUMBER = "seller_register_number"
    CUSTOMER_NAME = "customer_name"
    CUSTOMER_ADDRESS = "customer_address"
    CUSTOMER_TAX_NUMBER = "customer_tax_number"
    CUSTOMER_VAT_ID = "customer_vat_id"
    SUPPLY_DATE = "supply_date"
    ZERO_TAX_REASON = "zero_tax_reason"


P = Particular
Wanted = frozenset[Particular]
_NOTHING: Final[Wanted] = frozenset()


@dataclass(frozen=True, slots=True)
class Upto:
    """What is wanted of invoices of at most ``total`` in major units, tax included; None: of all larger ones. ``taxed``
    is wanted besides where tax is charged, ``untaxed`` where there are lines with 0 %, ``domestic`` of customers in the
    same country, or in one that is not known.
    """

    total: Decimal | None
    always: Wanted = _NOTHING
    taxed: Wanted = _NOTHING
    untaxed: Wanted = _NOTHING
    domestic: Wanted = _NOTHING


@dataclass(frozen=True, slots=True)
class Law:
    """``name``: where it stands. ``tax_number``: what the seller's is called, ``shape`` what it holds without blanks
    and signs. The limits of ``sizes``, the smallest first, are in ``currency``: an invoice in another one is a large
    one. ``small_business``: what is wanted where nothing is taxed for that reason.
    """

    name: str
    sizes: tuple[Upto, ...]
    currency: str = ""
    tax_number: str = "tax number"
    shape: re.Pattern[str] | None = None
    small_business: Wanted | None = None


def _upto(total: str | None, **wanted: Wanted) -> Upto:
    return Upto(None if total is None else Decimal(total), **wanted)


_PARTIES: Final = frozenset({P.SELLER_ADDRESS, P.CUSTOMER_NAME, P.CUSTOMER_ADDRESS})
_SELLER: Final = frozenset({P.SELLER_ADDRESS})
_NUMBER: Final = frozenset({P.SELLER_TAX_NUMBER})
_THEIR_NUMBER: Final = frozenset({P.CUSTOMER_TAX_NUMBER})
_REGISTER: Final = frozenset({P.SELLER_REGISTER_NUMBER})
_WHEN: Final = frozenset({P.SUPPLY_DATE})
_REASON: Final = frozenset({P.ZERO_TAX_REASON})
_NAMED: Final = frozenset({P.CUSTOMER_NAME})

# What every full invoice says besides, by usage where not by law.
USUAL: Final = _SELLER | _NAMED

EUROPEAN_UNION: Final = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
)

_DIRECTIVE: Final = Law(
    "Directive 2006/112/EC, art. 226",
    (
        _upto("100", always=_SELLER),
        _upto(None, always=_PARTIES, taxed=_NUMBER, untaxed=_REASON),
    ),
    currency="EUR",
    tax_number="VAT number",
    small_business=_SELLER,
)

LAWS: Final = {
    **dict.fromkeys(EUROPEAN_UNION, _DIRECTIVE),
    "AT": Law(
        "§ 11 UStG (Austria)",
        (
            _upto("400", always=_SELLER | _WHEN),
            _upto("10000", always=_PARTIES | _WHEN, taxed=_NUMBER, untaxed=_REASON),
            _upto(None, always=_PARTIES | _WHEN, taxed=_NUMBER, untaxed=_REASON, domestic=_THEIR_NUMBER),
        ),
        currency="EUR",
        tax_number="UID (ATU and 8 digits)",
        shape=re.compile(r"ATU\d{8}"),
        small_business=_SELLER | _WHEN,
    ),
    "DE": Law(
        "§ 14 UStG (Germany)",
        (
            _upto("250", always=_SELLER, untaxed=_REASON),
            _upto(None, always=_PARTIES | _NUMBER | _WHEN, untaxed=_REASON),
        ),
        currency="EUR",
        tax_number="Steuernummer or USt-IdNr.",
        small_business=_PARTIES | _NUMBER,
    ),
    "ES": Law(
        "Real Decreto 1619/2012, art. 6 (Spain)",
        (
            _upto("400", always=_NUMBER),
            _upto(None, always=_PARTIES | _NUMBER, untaxed=_REASON, domestic=_THEIR_NUMBER),
        ),
        currency="EUR",
        tax_number="NIF (9 letters and digits)",
        shape=re.compile(r"[A-Z0-9]\d{7}[A-Z0-9]"),
    ),
    "FR": Law(
        "CGI, annexe II, art. 242 nonies A, and Code de commerce, art. R. 123-237 (France)",
        (_upto(None, always=_PARTIES | _REGISTER, taxed=_NUMBER, untaxed=_REASON),),
        tax_number="numéro de TVA (FR and 11 signs)",
        shape=re.compile(r"FR[A-Z0-9]{2}\d{9}"),
    ),
    "IT": Law(
        "D.P.R. 633/1972, art. 21 (Italy)",
        (
            _upto("400", always=_SELLER | _NUMBER, domestic=_THEIR_NUMBER),
            _upto(None, always=_PARTIES | _NUMBER, untaxed=_REASON, domestic=_THEIR_NUMBER),
        ),
        currency="EUR",
        tax_number="partita IVA (11 digits)",
        shape=re.compile(r"\d{11}"),
    ),
    "NL": Law(
        "Wet op de omzetbelasting 1968, art. 35a, and Handelsregisterwet 2007, art. 27 (Netherlands)",
        (
            _upto("100", always=_SELLER | _REGISTER),
            _upto(None, always=_PARTIES | _REGISTER, taxed=_NUMBER, untaxed=_REASON),
        ),
        currency="EUR",
        tax_number="btw-id (NL, 9 digits, B, 2 digits)",
        shape=re.compile(r"NL\d{9}B\d{2}"),
        small_business=_SELLER | _REGISTER,
    ),
    "AU": Law(
        "A New Tax System (Goods and Services Tax) Act 1999, s 29-70 (Australia)",
        (
            _upto("82.50"),
            _upto("999.99", taxed=_NUMBER),
            _upto(None, taxed=_NUMBER | _NAMED),
        ),
        currency="AUD",
        tax_number="ABN (11 digits)",
        shape=re.compile(r"\d{11}"),
    ),
    "CA": Law(
        "Input Tax Credit Information (GST/HST) Regulations, s 3 (Canada)",
        (
            _upto("99.99"),
            _upto("499.99", taxed=_NUMBER),
            _upto(None, taxed=_NUMBER | _NAMED),
        ),
        currency="CAD",
        tax_number="GST/HST number (9 digits)",
        shape=re.compile(r"\d{9}"),
    ),
    "CH": Law(
        "MWSTG, art. 26 (Switzerland)",
        (
            _upto("400", taxed=_SELLER | _NUMBER),
            _upto(None, taxed=_PARTIES | _NUMBER),
        ),
        currency="CHF",
        tax_number="UID (CHE and 9 digits)",
        shape=re.compile(r"CHE\d{9}"),
    ),
    "GB": Law(
        "Value Added Tax Regulations 1995, reg. 14 (United Kingdom)",
        (
            _upto("250", taxed=_SELLER | _NUMBER),
            _upto(None, taxed=_PARTIES | _NUMBER),
        ),
        currency="GBP",
        tax_number="VAT number (9 digits)",
        shape=re.compile(r"\d{9}|GD\d{3}|HA\d{3}"),
    ),
    "IN": Law(
        "CGST Rules 2017, rule 46 (India)",
        (
            _upto("49999.99", always=_SELLER | _NUMBER),
            _upto(None, always=_PARTIES | _NUMBER),
        ),
        currency="INR",
        tax_number="GSTIN (15 letters and digits)",
        shape=re.compile(r"\d{2}[A-Z]{5}\d{4}[A-Z][A-Z0-9]{3}"),
    ),
    "JP": Law(
        "Consumption Tax Act, art. 57-4 (Japan)",
        (_upto(None, taxed=_NUMBER | _NAMED | _WHEN),),
        tax_number="registration number (T and 13 digits)",
        shape=re.compile(r"T\d{13}"),
    ),
    "NZ": Law(
        "Goods and Services Tax Act 1985, s 19E (New Zealand)",
        (
            _upto("200"),
            _upto("1000", taxed=_NUMBER),
            _upto(None, taxed=_NUMBER | _NAMED),
        ),
        currency="NZD",
        tax_number="GST number",
    ),
    "SG": Law(
        "Goods and Services Tax (General) Regulations, reg. 11 (Singapore)",
        (
            _upto("1000", taxed=_SELLER | _NUMBER),
            _upto(None, taxed=_PARTIES | _NUMBER),
        ),
        currency="SGD",
        tax_number="GST registration number",
    ),
    # No federal law says what an invoice has to hold.
    "US": Law("", (_upto(None, always=_PARTIES),)),
}

# Of every other country: what invoices say all over the world.
ELSEWHERE: Final = Law("", (_upto(None, always=_PARTIES, taxed=_NUMBER),))


def law_of(country: str) -> Law:
    """By the seller's country, an ISO 3166 two-letter code or empty."""
    return LAWS.get(country, ELSEWHERE)
