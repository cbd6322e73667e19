"""What programs ask of changes of subscriptions, and what they are told: amounts are integers in cents."""

import enum
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from billing_core.subscriptions.changes.listing import ChangeRow
from billing_core.subscriptions.changes.proposing import Proposal
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.web.api.billing.subscription_bodies import Seats
from billing_core.web.api.exact_json import Body
from billing_core.web.requests.values import IN_DIGITS

_WANTED: dict[str, Any] = {"plan_id": "plan_team_monthly", "when": "now"}
TOKEN: Final = "5a52d5cd0e1f1d63e31aaad2e9eb1ff30fb4dbae5d0ba3f7d39a5a2a0b1a2c3d"
_PREVIEW: dict[str, Any] = {
    "subscription_id": "sub_1234567890",
    "when": "now",
    "first_day": "2024-02-14",
    "currency": "USD",
    "lines": [
        {"description": "Team, Feb 14 – 27, 2024: 14/28 × 60.00 USD", "amount": 3000},
        {"description": "Not used: Feb 14 – 27, 2024", "amount": -1500},
    ],
    "tax": 0,
    "total": 3000,
    "credited": 1500,
    "credit_used": 1500,
    "to_pay": 1500,
    "next_invoice": {
        "day": "2024-02-28",
        "lines": [{"description": "Team, Feb 28 – Mar 27, 2024", "amount": 6000}],
        "tax": 0,
        "total": 6000,
    },
    "token": TOKEN,
}
_CHANGE: dict[str, Any] = {
    "id": 7,
    "subscription_id": "sub_1234567890",
    "status": "applied",
    "plan_id": "plan_team_monthly",
    "plan_version": None,
    "seats": None,
    "add_ons": None,
    "currency": "USD",
    "total": 3000,
    "credited": 1500,
    "credit_used": 1500,
    "to_pay": 1500,
    "created_at": "2024-02-14T10:30:00Z",
    "not_before": None,
    "begins_at": None,
    "effective_at": "2024-02-14T10:30:00Z",
    "ended_at": "2024-02-14T10:30:02Z",
    "outcome": "",
}


class ChangeStatus(enum.StrEnum):
    """`scheduled`: it begins with the next period, or with the first one from `not_before` on, at `begins_at`.
    `charging`: what it costs now is being charged.
    """

    CHARGING = "charging"
    SCHEDULED = "scheduled"
    APPLIED = "applied"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"


class WantedChange(Body):
    model_config = ConfigDict(json_schema_extra={"example": _WANTED})

    plan_id: str | None = Field(
        None, min_length=1, max_length=64, description="Another plan's code", examples=["plan_team_monthly"]
    )
    seats: Seats | None = Field(None, description="How many in all; as before where it is left out")
    add_ons: dict[str, Seats] | None = Field(None, description="All of them, by code; as before where it is left out")
    when: When | None = Field(
        None, description="Where it is left out, more money begins now, and less at the end of the period"
    )

    def wanted(self) -> Wanted:
        return Wanted(self.plan_id, self.seats, self.add_ons, self.when)


class AskedChange(WantedChange):
    token: str | None = Field(
        None, min_length=1, max_length=64, description="A preview's: exactly that is done, once, or nothing"
    )


class NewPaymentMethod(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"payment_method_id": "pm_1234567890"}})

    payment_method_id: str = Field(min_length=1, description="The gateway's `pm_…` id", examples=["pm_card_visa"])


class Line(TypedDict):
    """``amount`` is before tax, in cents; below 0 it is credited."""

    description: str
    amount: int


class NextInvoice(TypedDict):
    """The next period's, without usage. Credit may pay a part of its ``total``."""

    day: date
    lines: list[Line]
    tax: int
    total: int


@with_config(json_schema_extra={"example": _PREVIEW})
class ChangePreview(TypedDict):
    """What is charged and credited now. ``first_day`` of the new terms, as things stand; null where the subscription
    ends before. ``credited``, with its tax, is taken off what is due on earlier invoices, and is credit where that was
    paid. ``to_pay`` is due: ``total`` less ``credit_used``. ``token`` names all of this, for a change that comes to
    exactly it.
    """

    subscription_id: str
    when: When
    first_day: date | None
    currency: str
    lines: list[Line]
    tax: int
    total: int
    credited: int
    credit_used: int
    to_pay: int
    next_invoice: NextInvoice | None
    token: str


@with_config(json_schema_extra={"example": _CHANGE})
class Change(TypedDict):
    """What was asked for, null where it was to stay, and what that came to, in cents. ``outcome``: why it failed.

    ``plan_version``: we move subscriptions from older versions of their plan to this one. ``not_before``: that begins
    with the first period that does on this day or later. ``begins_at``: when a scheduled one begins as things stand;
    null where the subscription ends before.
    """

    id: int
    subscription_id: str
    status: ChangeStatus
    plan_id: str | None
    plan_version: int | None
    seats: int | None
    add_ons: Mapping[str, int] | None
    currency: str
    total: int
    credited: int
    credit_used: int
    to_pay: int
    created_at: datetime
    not_before: date | None
    begins_at: datetime | None
    effective_at: datetime | None
    ended_at: datetime | None
    outcome: str


@with_config(json_schema_extra={"example": {"changes": [_CHANGE], "count": 1}})
class ChangeList(TypedDict):
    """``count`` changes, the newest first; the ``Link`` header leads to the next page."""

    changes: list[Change]
    count: int


class ChangeConflict(TypedDict):
    """``preview`` is there where the token's is not what the change comes to now: it is that."""

    detail: str
    fields: NotRequired[dict[str, str]]
    reference: NotRequired[str]
    preview: NotRequired[ChangePreview]


ChangeId = Annotated[int, Field(ge=1, le=2**31 - 1), IN_DIGITS]


def preview(proposal: Proposal) -> ChangePreview:
    following = proposal.next_invoice
    return {
        "subscription_id": proposal.subscription,
        "when": proposal.when,
        "first_day": proposal.first_day,
        "currency": proposal.currency,
        "lines": [{"description": line.description, "amount": line.amount_minor} for line in proposal.lines],
        "tax": proposal.sums.tax_minor,
        "total": proposal.sums.total_minor,
        "credited": proposal.credited_minor,
        "credit_used": proposal.credit_used_minor,
        "to_pay": proposal.to_pay_minor,
        "next_invoice": None
        if following is None
        else {
            "day": following.day,
            "lines": [{"description": line.description, "amount": line.amount_minor} for line in following.sums.lines],
            "tax": following.sums.tax_minor,
            "total": following.sums.total_minor,
        },
        "token": proposal.token,
    }


def change(row: ChangeRow) -> Change:
    amounts = row.amounts
    return {
        "id": row.id,
        "subscription_id": row.subscription_id,
        "status": ChangeStatus(row.state),
        "plan_id": row.wanted.get("plan"),
        "plan_version": row.wanted.get("version"),
        "seats": row.wanted.get("seats"),
        "add_ons": row.wanted.get("add_ons"),
        "currency": row.currency,
        "total": amounts.get("total_minor", 0),
        "credited": amounts.get("credited_minor", 0),
        "credit_used": amounts.get("credit_used_minor", 0),
        "to_pay": amounts.get("to_pay_minor", 0),
        "created_at": row.asked_at,
        "not_before": row.not_before,
        "begins_at": row.begins_at,
        "effective_at": row.effective_at,
        "ended_at": row.ended_at,
        "outcome": row.outcome,
    }
