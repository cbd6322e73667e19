"""Alerts on usage for programs, /api/v1/usage/alerts: which thresholds are watched for, and who is told."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import ConfigDict, Field, StrictBool, WithJsonSchema, with_config
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.metering.alerts import AlertMeasure
from billing_core.usage import alerts
from billing_core.usage.alerts import GREATEST, MOST_RECIPIENTS, AlertRow, Threshold, Told
from billing_core.usage.document import ID
from billing_core.web.api.access import CurrentCaller, Reading, Transaction
from billing_core.web.api.exact_json import Body, ExactJSON, Number, WholeNumber, WrittenNumber, money, number
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.api.usage import amounts
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/api/v1/usage/alerts", tags=["Usage"])
MOST_AT_ONCE = 200
_LARGEST_ID = 2**31 - 1
_SENT: dict[str, Any] = {
    "organization_id": ID,
    "measure": "allowance",
    "threshold": 80,
    "recipients": ["ana@example.com"],
    "to_customer": True,
}
_EXAMPLE: dict[str, Any] = {
    "id": 7,
    "organization_id": ID,
    "customer_ref": "EXAMPLE",
    "measure": "allowance",
    "threshold": 80,
    "currency": None,
    "recipients": ["ana@example.com"],
    "to_customer": True,
    "set_at": "2023-10-01T09:00:00Z",
    "version": 1,
}
_ABOUT = "Percent of the included calls, calls, or an amount of `currency`; whole unless it is an amount"
_MOST = 10**15
_Threshold = Annotated[
    Number, Field(gt=0, le=_MOST), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _MOST})
]
_Address = Annotated[str, Field(max_length=254), WithJsonSchema({"type": "string", "format": "email"})]
AlertId = Annotated[int, Path(alias="alert_id", ge=1, le=_LARGEST_ID, description="The alert's id", examples=[7])]


@with_config(json_schema_extra={"example": _EXAMPLE})
class UsageAlert(TypedDict):
    """``organization_id`` and ``customer_ref`` null: it watches every organization. ``threshold`` is percent of the
    included calls, calls, or an amount of ``currency``, which only a `cost` has. ``set_at``: since when it watches for
    this threshold.
    """

    id: int
    organization_id: str | None
    customer_ref: str | None
    measure: str
    threshold: WrittenNumber
    currency: str | None
    recipients: list[str]
    to_customer: bool
    set_at: datetime
    version: int


@with_config(json_schema_extra={"example": {"alerts": [_EXAMPLE], "count": 1}})
class UsageAlertList(TypedDict):
    """``count`` alerts; the ``Link`` header leads to the next page."""

    alerts: list[UsageAlert]
    count: int


@with_config(json_schema_extra={"example": {"message": "Alert removed", "id": 7}})
class UsageAlertRemoved(TypedDict):
    message: str
    id: int


class NewAlert(Body):
    model_config = ConfigDict(json_schema_extra={"example": _SENT})

    organization_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Its UUID, `cus_…` or our key of it; every organization where it is left out",
    )
    measure: AlertMeasure
    threshold: _Threshold = Field(description=_ABOUT, examples=[80])
    currency: str | None = Field(
        None,
        pattern=r"^[A-Z]{3}$",
        description="Of a `cost` alone. One organization's is its own, and may be left out",
        examples=["USD"],
    )
    recipients: list[_Address] = Field(
        default_factory=list, max_length=MOST_RECIPIENTS, description="Who of you is mailed"
    )
    to_customer: StrictBool = Field(False, description="Mail the organization too")


class AlertChanges(Body):
    """A field that is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"threshold": 90, "recipients": ["ana@example.com"], "version": 1}}
    )

    # Default factories instead of values, so that the description offers no default to send.
    threshold: _Threshold = Field(default_factory=Decimal, description=_ABOUT, examples=[90])
    recipients: list[_Address] = Field(default_factory=list, max_length=MOST_RECIPIENTS)
    to_customer: StrictBool = Field(default_factory=bool)
    version: WholeNumber = Field(
        default_factory=int, ge=1, le=_LARGEST_ID, description="Only while the alert's `version` is this one"
    )


@router.get(
    "",
    response_model=UsageAlertList,
    responses={200: {"headers": MORE}, 404: {"description": "There is no such organization"}},
    summary="List the alerts on usage",
)
def list_usage_alerts(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    organization_id: Annotated[
        str | None, Query(max_length=64, description="Those that concern it: its UUID, `cus_…` or our key of it")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = MOST_AT_ONCE,
    starting_after: Annotated[
        int | None, Query(ge=1, le=_LARGEST_ID, description="The `id` that the page before ended with"), IN_DIGITS
    ] = None,
) -> Response:
    """In the order of their creation. A caller of one organization sees those that watch it alone."""
    named = None if organization_id is None else customers.named(session, caller.actor, organization_id).id
    rows = alerts.alerts(session, caller.actor, customer_id=named, after_id=starting_after, limit=limit + 1)
    shown = rows[:limit]
    answer: UsageAlertList = {"alerts": [_shown(row) for row in shown], "count": len(shown)}
    return ExactJSON(answer, headers=next_page(request, shown[-1].id) if len(rows) > limit else None)


@router.post(
    "",
    status_code=201,
    response_model=UsageAlert,
    responses={
        404: {"description": "There is no such organization"},
        409: {"description": "There is an alert at this threshold already, or this Idempotency-Key is being used"},
    },
    summary="Create an alert on usage",
)
def create_usage_alert(caller: CurrentCaller, session: Transaction, given: NewAlert) -> Response:
    """Watch one organization's usage, or that of all. Who has reached the threshold in this month is told too."""
    customer = None if given.organization_id is None else customers.named(session, caller.actor, given.organization_id)
    currency = given.currency or ""
    if given.measure is AlertMeasure.COST and not currency:
        currency = _currency(customer)
    threshold = Threshold(given.measure, _value(given.measure, given.threshold, currency), currency)
    told = Told(tuple(given.recipients), given.to_customer)
    made = alerts.create(session, caller.actor, customer.id if customer else None, threshold, told, now=utc_now())
    return ExactJSON(_shown(alerts.one(session, caller.actor, made.id)), 201)


@router.patch(
    "/{alert_id}",
    response_model=UsageAlert,
    responses={
        404: {"description": "There is no such alert"},
        409: {"description": "It has another `version` by now, or there is an alert at this threshold already"},
    },
    summary="Change an alert on usage",
)
def update_usage_alert(
    caller: CurrentCaller, session: Transaction, alert_id: AlertId, changes: AlertChanges
) -> Response:
    """Move the threshold, or tell others. Who reaches the new one is told, whether or not the former was reached."""
    row = alerts.one(session, caller.actor, alert_id)
    given = changes.model_fields_set
    value = _value(row.measure, changes.threshold, row.currency) if "threshold" in given else row.threshold
    told = Told(
        tuple(changes.recipients if "recipients" in given else row.recipients),
        changes.to_customer if "to_customer" in given else row.to_customer,
    )
    version = changes.version if "version" in given else row.version
    as_it_is = (row.threshold, Told(tuple(row.recipients), row.to_customer), row.version)
    if (value, told, version) != as_it_is:
        alerts.change(session, caller.actor, alert_id, value, told, drawn_from=version, now=utc_now())
    return ExactJSON(_shown(alerts.one(session, caller.actor, alert_id)))


@router.delete(
    "/{alert_id}",
    response_model=UsageAlertRemoved,
    responses={404: {"description": "There is no such alert"}},
    summary="Remove an alert on usage",
)
def remove_usage_alert(caller: CurrentCaller, session: Transaction, alert_id: AlertId) -> Response:
    """Watch no longer. What it has told stays told."""
    alerts.remove(session, caller.actor, alert_id, now=utc_now())
    answer: UsageAlertRemoved = {"message": "Alert removed", "id": alert_id}
    return ExactJSON(answer)


def _value(measure: AlertMeasure, threshold: Decimal, currency: str) -> int:
    """As the service takes it."""
    if measure is AlertMeasure.COST:
        return amounts.minor(threshold, currency, "threshold", greatest=GREATEST[measure])
    if not 0 < threshold <= GREATEST[measure] or threshold != int(threshold):
        reason = f"must be a whole number from 1 to {GREATEST[measure]:,}"
        raise Invalid(f"threshold {reason}", fields={"threshold": reason})
    return int(threshold)


def _currency(customer: Customer | None) -> str:
    """Of a cost without one."""
    if customer is None:
        raise Invalid("currency is needed for a cost of every organization", fields={"currency": "is needed"})
    return customer.currency


def _shown(row: AlertRow) -> UsageAlert:
    of_cost = row.measure is AlertMeasure.COST
    return {
        "id": row.id,
        "organization_id": row.customer_uuid,
        "customer_ref": row.customer_ref,
        "measure": row.measure.value,
        "threshold": money(row.threshold, row.currency) if of_cost else number(Decimal(row.threshold)),
        "currency": row.currency or None,
        "recipients": row.recipients,
        "to_customer": row.to_customer,
        "set_at": row.set_at,
        "version": row.version,
    }
