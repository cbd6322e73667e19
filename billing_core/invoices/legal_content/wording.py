"""What an invoice has to say, in words for those who send it."""

from collections.abc import Iterable
from typing import Final

from billing_core.invoices.legal_content.laws import Particular

_NAMES: Final = {
    Particular.SELLER_ADDRESS: "our address",
    Particular.SELLER_TAX_NUMBER: "our tax number",
    Particular.SELLER_VAT_ID: "our VAT number for the European Union",
    Particular.SELLER_REGISTER_NUMBER: "our company register number",
    Particular.CUSTOMER_NAME: "the customer's name",
    Particular.CUSTOMER_ADDRESS: "the customer's address",
    Particular.CUSTOMER_TAX_NUMBER: "the customer's tax number",
    Particular.CUSTOMER_VAT_ID: "the customer's VAT number for the European Union",
    Particular.SUPPLY_DATE: "the date of supply (in its lines or notes)",
    Particular.ZERO_TAX_REASON: "the reason for 0 % tax (such as Reverse charge)",
}


def named(one: Particular, *, tax_number: str = "tax number") -> str:
    """Such as “our address”; ``tax_number``: what the seller's is called in its country."""
    return f"our {tax_number}" if one is Particular.SELLER_TAX_NUMBER else _NAMES[one]


def in_words(particulars: Iterable[Particular]) -> str:
    """Such as “our address, the customer's name”."""
    return ", ".join(map(named, particulars))
