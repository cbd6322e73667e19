"""What programs ask of cancellations, and what they are told beforehand: amounts are integers in cents."""

from datetime import date
from typing import Any, NotRequired

from pydantic import ConfigDict, Field, StrictBool, with_config
from typing_extensions import TypedDict

from billing_core.subscriptions.changes.closing import Closing, Ending, OpenInvoices, Unused
from billing_core.web.api.billing.change_bodies import TOKEN, Line
from billing_core.web.api.exact_json import Body

_CANCELLATION: dict[str, Any] = {
    "subscription_id": "sub_1234567890",
    "at_period_end": False,
    "last_day": "2024-02-13",
    "currency": "USD",
    "lines": [{"description": "Not used: Feb 14 – 27, 2024", "amount": -1500}],
    "tax": 0,
    "credited": 1500,
    "off_invoices": 0,
    "refunded": 1500,
    "to_credit": 0,
    "to_prepaid": 0,
    "open_invoices": [
        {"id": "inv_1234567890", "number": "INV-2024-0017", "due": 900, "credited": 0, "voided": 0, "left": 900}
    ],
    "usage_to_bill": False,
    "unbilled_from": None,
    "token": TOKEN,
}


class Cancellation(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"at_period_end": False, "unused": "credit"}})

    at_period_end: StrictBool = Field(True, description="Else at once")
    unused: Unused = Field(
        Unused.CREDIT, description="What becomes of days that were charged and are not used; at once"
    )
    open_invoices: OpenInvoices = Field(OpenInvoices.KEEP, description="What becomes of unpaid invoices; at once")
    reason: str = Field("", max_length=500)

    def ending(self) -> Ending:
        return Ending(self.at_period_end, self.unused, self.open_invoices, self.reason)


class AskedCancellation(Cancellation):
    token: str | None = Field(
        None, min_length=1, max_length=64, description="A preview's: exactly that is done, once, or nothing"
    )


class OpenInvoice(TypedDict):
    """What becomes of ``due``: ``credited`` for days that are not used, ``voided``, and ``left``, still to pay."""

    id: str
    number: str | None
    due: int
    credited: int
    voided: int
    left: int


@with_config(json_schema_extra={"example": _CANCELLATION})
class CancelPreview(TypedDict):
    """``last_day``: of use. ``credited``, with its ``tax``, is what was charged for days after it: ``off_invoices`` is
    taken off what is due, ``refunded`` goes back to the card, ``to_credit`` becomes credit that pays later invoices,
    and ``to_prepaid`` goes back to the prepaid credit that paid it. ``usage_to_bill``: what was used up to the last day
    is billed once that is over. ``unbilled_from``: the first of the days whose bills wait for our decision, and are not
    made any more. ``token`` names all of this, for a cancellation that comes to exactly it.
    """

    subscription_id: str
    at_period_end: bool
    last_day: date
    currency: str
    lines: list[Line]
    tax: int
    credited: int
    off_invoices: int
    refunded: int
    to_credit: int
    to_prepaid: int
    open_invoices: list[OpenInvoice]
    usage_to_bill: bool
    unbilled_from: date | None
    token: str


class CancelConflict(TypedDict):
    """``preview`` is there where the token's is not what the cancellation comes to now: it is that."""

    detail: str
    fields: NotRequired[dict[str, str]]
    reference: NotRequired[str]
    preview: NotRequired[CancelPreview]


def preview(closing: Closing) -> CancelPreview:
    return {
        "subscription_id": closing.subscription,
        "at_period_end": closing.ending.at_period_end,
        "last_day": closing.last_day,
        "currency": closing.currency,
        "lines": [{"description": line.description, "amount": line.amount_minor} for line in closing.lines],
        "tax": closing.tax_minor,
        "credited": closing.credited_minor,
        "off_invoices": closing.off_invoices_minor,
        "refunded": closing.refunded_minor,
        "to_credit": closing.kept_minor,
        "to_prepaid": closing.prepaid_minor,
        "open_invoices": [
            {
                "id": one.public_id,
                "number": one.number,
                "due": one.due_minor,
                "credited": one.credited_minor,
                "voided": one.voided_minor,
                "left": one.left_minor,
            }
            for one in closing.invoices
        ],
        "usage_to_bill": closing.has_more,
        "unbilled_from": closing.unbilled_from,
        "token": closing.token,
    }
