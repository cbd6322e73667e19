"""Prepaid credit of one organization for programs, /api/v1/usage/organizations/{org_id}/prepaid-credit."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import AfterValidator, ConfigDict, Field, StrictBool, WithJsonSchema, with_config
from sqlalchemy.orm import Session
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import LATEST_DAY, day_in, utc_now
from billing_core.identity import Actor
from billing_core.money import LARGEST_MINOR
from billing_core.payments.prepaid import granting, queries, top_ups
from billing_core.payments.prepaid.granting import MOST_DAYS
from billing_core.payments.prepaid.queries import GrantRow
from billing_core.payments.prepaid.top_ups import Wanted
from billing_core.text import LONGEST_REASON
from billing_core.usage import activity
from billing_core.usage.document import ID
from billing_core.web.api.access import CurrentCaller, Reading, Transaction
from billing_core.web.api.exact_json import Body, ExactJSON, Number, WholeNumber, WrittenNumber, money
from billing_core.web.api.invoices.requests import Day
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.api.usage import amounts
from billing_core.web.api.usage.requests import OrganizationName
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/api/v1/usage/organizations/{org_id}/prepaid-credit", tags=["Usage"])
MOST_AT_ONCE = 200
_LARGEST_ID = 2**31 - 1
_TOP_UP: dict[str, Any] = {"below": 20, "up_to": 100, "valid_days": 365, "sends": False}
_GRANT: dict[str, Any] = {
    "id": 12,
    "origin": "given",
    "amount": 50,
    "left": 12.5,
    "currency": "USD",
    "expires_on": "2024-12-31",
    "reason": "Welcome",
    "created_at": "2024-02-15T10:00:00Z",
    "created_by": "Ana",
}
_EXAMPLE: dict[str, Any] = {
    "organization_id": ID,
    "customer_ref": "EXAMPLE",
    "available": [{"amount": 12.5, "currency": "USD"}],
    "top_up": _TOP_UP,
    "grants": [_GRANT],
    "count": 1,
}
# In major units of a currency without smaller ones: the service says more precisely what is too much.
_MOST = LARGEST_MINOR
_Amount = Annotated[
    Number, Field(gt=0, le=_MOST), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _MOST})
]

_Days = Annotated[
    WholeNumber, Field(ge=1, le=MOST_DAYS), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_DAYS})
]


def _known(day: date) -> date:
    if day > LATEST_DAY:
        raise ValueError(f"must be at most {LATEST_DAY}")
    return day


_LastDay = Annotated[Day, AfterValidator(_known)]


# It may be absent from an address; null cannot be written there, and the description does not offer it.
_StartingAfter = Annotated[
    int | None,
    Query(ge=1, le=_LARGEST_ID, description="The grant's `id` that the page before ended with"),
    IN_DIGITS,
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _LARGEST_ID}),
]


class PrepaidAmount(TypedDict):
    amount: WrittenNumber
    currency: str


class PrepaidTopUp(TypedDict):
    """Once less than ``below`` is left, an invoice sells the gap to ``up_to``: mailed where it ``sends``, otherwise a
    draft. What it sells can be used for ``valid_days``; null: for ever.
    """

    below: WrittenNumber
    up_to: WrittenNumber
    valid_days: int | None
    sends: bool


@with_config(json_schema_extra={"example": _GRANT})
class PrepaidGrant(TypedDict):
    """``origin``: `given`, or `bought` by an invoice. Of ``amount`` there is ``left``, until ``expires_on``, that day
    included; null: for ever.
    """

    id: int
    origin: str
    amount: WrittenNumber
    left: WrittenNumber
    currency: str
    expires_on: str | None
    reason: str
    created_at: datetime
    created_by: str


@with_config(json_schema_extra={"example": _EXAMPLE})
class PrepaidCredit(TypedDict):
    """``available``: what pays invoices of usage as they are sent, by currency. ``top_up`` null: it is not topped up by
    itself. ``grants``: ``count`` of them, the latest first; the ``Link`` header leads to the next page.
    """

    organization_id: str
    customer_ref: str
    available: list[PrepaidAmount]
    top_up: PrepaidTopUp | None
    grants: list[PrepaidGrant]
    count: int


class NewGrant(Body):
    model_config = ConfigDict(
        json_schema_extra={"example": {"amount": 50, "expires_on": "2030-12-31", "reason": "Welcome"}}
    )

    amount: _Amount = Field(description="In the organization's currency", examples=[50])
    expires_on: _LastDay | None = Field(None, description="The last day on which it can be used; for ever without one")
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Why it is given", examples=["Welcome"])


class TopUp(Body):
    below: _Amount = Field(description="Too little: what is left is less than this", examples=[20])
    up_to: _Amount = Field(description="What is left once it is topped up; at least `below`", examples=[100])
    valid_days: _Days | None = Field(None, description="How long it can be used; for ever without")
    sends: StrictBool = Field(False, description="Mail the invoice; otherwise it stays a draft")


class CreditChanges(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"top_up": _TOP_UP}})

    top_up: TopUp | None = Field(description="How it is topped up by itself; null: no longer")


@router.get(
    "",
    response_model=PrepaidCredit,
    responses={200: {"headers": MORE}, 404: {"description": "There is no such organization"}},
    summary="Get prepaid credit",
)
def get_prepaid_credit(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    org_id: OrganizationName,
    limit: Annotated[
        int, Query(ge=1, le=MOST_AT_ONCE, description="How many grants at most"), IN_DIGITS
    ] = MOST_AT_ONCE,
    starting_after: _StartingAfter = None,
) -> Response:
    """What there is, how it is topped up, and each grant."""
    customer = customers.named(session, caller.actor, org_id)
    rows = queries.grants(session, caller.actor, customer.id, after=starting_after, limit=limit + 1)
    more = next_page(request, rows[limit - 1].id) if len(rows) > limit else None
    return ExactJSON(_shown(session, caller.actor, customer, rows[:limit]), headers=more)


@router.post(
    "",
    status_code=201,
    response_model=PrepaidGrant,
    responses={404: {"description": "There is no such organization"}},
    summary="Give prepaid credit",
)
def give_prepaid_credit(
    caller: CurrentCaller, session: Transaction, org_id: OrganizationName, given: NewGrant
) -> Response:
    """Nobody pays for it. It pays invoices of usage as they are sent, before credit that was bought."""
    customer, now = customers.named(session, caller.actor, org_id), utc_now()
    grant = granting.give(
        session,
        caller.actor,
        customer.id,
        amount_minor=amounts.minor(given.amount, customer.currency, "amount", greatest=LARGEST_MINOR),
        expires_on=given.expires_on,
        reason=given.reason,
        today=day_in(businesses.one(session, customer.business_id).time_zone, now),
        now=now,
    )
    return ExactJSON(_grant(queries.grant(session, caller.actor, grant.id)), 201)


@router.patch(
    "",
    response_model=PrepaidCredit,
    responses={404: {"description": "There is no such organization"}},
    summary="Change how prepaid credit is topped up",
)
def update_prepaid_credit(
    caller: CurrentCaller, session: Transaction, org_id: OrganizationName, changes: CreditChanges
) -> Response:
    """From now on. What was asked for before stays."""
    customer = customers.named(session, caller.actor, org_id)
    wanted = None if changes.top_up is None else _wanted(changes.top_up, customer.currency)
    if wanted != top_ups.of_customer(session, caller.actor, customer.id):
        top_ups.change(session, caller.actor, customer.id, wanted, now=utc_now())
    rows = queries.grants(session, caller.actor, customer.id, limit=MOST_AT_ONCE)
    return ExactJSON(_shown(session, caller.actor, customer, rows))


def _wanted(given: TopUp, currency: str) -> Wanted:
    below, up_to = (
        amounts.minor(amount, currency, f"top_up.{name}", greatest=LARGEST_MINOR)
        for name, amount in (("below", given.below), ("up_to", given.up_to))
    )
    return Wanted(below, up_to, given.valid_days, given.sends)


def _shown(session: Session, actor: Actor, customer: Customer, rows: list[GrantRow]) -> PrepaidCredit:
    day = day_in(activity.billing_zone(session, customer.id), utc_now())
    there = queries.available(session, actor, customer.id, today=day)
    wanted = top_ups.of_customer(session, actor, customer.id)
    return {
        "organization_id": customer.uuid,
        "customer_ref": customer.ref,
        "available": [{"amount": money(one.minor, one.currency), "currency": one.currency} for one in there],
        "top_up": None if wanted is None else _top_up(wanted, customer.currency),
        "grants": [_grant(row) for row in rows],
        "count": len(rows),
    }


def _top_up(wanted: Wanted, currency: str) -> PrepaidTopUp:
    return {
        "below": money(wanted.below_minor, currency),
        "up_to": money(wanted.up_to_minor, currency),
        "valid_days": wanted.valid_days,
        "sends": wanted.sends,
    }


def _grant(row: GrantRow) -> PrepaidGrant:
    return {
        "id": row.id,
        "origin": row.origin.value,
        "amount": money(row.amount_minor, row.currency),
        "left": money(row.remaining_minor, row.currency),
        "currency": row.currency,
        "expires_on": None if row.expires_on is None else row.expires_on.isoformat(),
        "reason": row.reason,
        "created_at": row.created_at,
        "created_by": row.created_by,
    }
