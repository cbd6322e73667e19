"""Promo codes for programs, /v1/billing/promo-codes: amounts are integers in cents, as everywhere in this API."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Path, Query, Request
from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from sqlalchemy.orm import Session
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core.businesses.queries import today
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.money import LARGEST_MINOR, decimal_places
from billing_core.plans import queries as plans
from billing_core.promotions import listing, service
from billing_core.promotions.listing import CodeFilter, CodeRow, CodeStatus
from billing_core.promotions.models import LONGEST_CODE, PromoDuration
from billing_core.promotions.new_codes import MAX_LIMIT, MAX_PERIODS, NewCode
from billing_core.web.api.access import CurrentCaller, Reading, Transaction
from billing_core.web.api.exact_json import Body, ExactJSON, Number, WholeNumber, WrittenNumber, number
from billing_core.web.api.invoices.requests import Day, with_documented_fields
from billing_core.web.api.paging import MORE, next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/v1/billing/promo-codes", tags=["Billing"])

DEFAULT_LIMIT: Final = 20
MOST_AT_ONCE: Final = 100
_Percent = Annotated[
    Number, Field(gt=0, le=100), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100})
]
# In minor units: the service says more precisely what is too much.
_Amount = Annotated[
    WholeNumber,
    Field(ge=1, le=LARGEST_MINOR),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST_MINOR}),
]
_Periods = Annotated[
    WholeNumber, Field(ge=1, le=MAX_PERIODS), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_PERIODS})
]
_Limit = Annotated[
    WholeNumber, Field(ge=1, le=MAX_LIMIT), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT})
]
_Code = Annotated[str, Path(description="The code, whatever the case of its letters", examples=["WELCOME20"])]
_NEW: dict[str, Any] = {
    "code": "WELCOME20",
    "plan_id": "plan_pro_monthly",
    "percent": 20,
    "duration": "periods",
    "periods": 3,
    "limit": 100,
    "limit_per_customer": 1,
    "valid_to": "2024-12-31",
}
_SHOWN: dict[str, Any] = {
    "code": "WELCOME20",
    "plan_id": "plan_pro_monthly",
    "percent": 20,
    "amount": None,
    "currency": None,
    "duration": "periods",
    "periods": 3,
    "limit": 100,
    "limit_per_customer": 1,
    "valid_to": "2024-12-31",
    "status": "active",
    "redeemed": 7,
    "created_at": "2024-01-15T10:30:00Z",
    "ended_at": None,
}
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"description": "The code's own address", "schema": {"type": "string"}}}},
    409: {"description": "There is such a code already, or this Idempotency-Key is being used"},
}


class NewPromoCode(Body):
    model_config = ConfigDict(json_schema_extra={"example": _NEW})

    code: str = Field(
        min_length=1,
        max_length=LONGEST_CODE,
        description="What customers type: without spaces and slashes; the case of its letters does not matter",
        examples=["WELCOME20"],
    )
    plan_id: str | None = Field(
        None, min_length=1, max_length=64, description="The plan's code; every plan where it is left out"
    )
    percent: _Percent | None = Field(None, description="Of the plan's price; this or `amount`", examples=[20])
    amount: _Amount | None = Field(None, description="Off the plan's price, in cents of `currency`")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$", description="Of `amount`, and only with it")
    duration: PromoDuration = Field(
        PromoDuration.ONCE, description="The first billing period with a price, `periods` of them, or all"
    )
    periods: _Periods | None = Field(None, description="Of the duration `periods`, and only of it")
    limit: _Limit | None = Field(None, description="How often it can be redeemed in all")
    limit_per_customer: _Limit | None = Field(None, description="How often one customer can redeem it")
    valid_to: Day | None = Field(None, description="The last day on which it can be redeemed")

    def wanted(self) -> NewCode:
        """As the service takes it: amounts in major units."""
        amount = None if self.amount is None else Decimal(self.amount).scaleb(-decimal_places(self.currency or ""))
        return NewCode(
            code=self.code,
            plan_code=self.plan_id or "",
            percent=self.percent,
            amount=amount,
            currency=self.currency or "",
            duration=self.duration,
            periods=self.periods,
            limit=self.limit,
            limit_per_customer=self.limit_per_customer,
            valid_to=self.valid_to,
        )


@with_config(json_schema_extra={"example": _SHOWN})
class PromoCode(TypedDict):
    """``plan_id`` is the plan's code; null: every plan. It takes ``percent`` off the plan's price, or ``amount``, in
    cents of ``currency``. ``limit`` null: without one. ``status``: `active`, `used_up`, `expired` (after ``valid_to``)
    or `ended`. ``redeemed`` is how often.
    """

    code: str
    plan_id: str | None
    percent: WrittenNumber | None
    amount: int | None
    currency: str | None
    duration: PromoDuration
    periods: int | None
    limit: int | None
    limit_per_customer: int | None
    valid_to: date | None
    status: CodeStatus
    redeemed: int
    created_at: datetime
    ended_at: datetime | None


@with_config(json_schema_extra={"example": {"promo_codes": [_SHOWN], "count": 1}})
class PromoCodeList(TypedDict):
    """``count`` codes, the newest first; the ``Link`` header leads to the next page."""

    promo_codes: list[PromoCode]
    count: int


@router.get("", response_model=PromoCodeList, responses={200: {"headers": MORE}}, summary="List promo codes")
def list_promo_codes(
    request: Request,
    caller: CurrentCaller,
    session: Reading,
    status: Annotated[CodeStatus | None, Query(description="Only those of this status")] = None,
    plan_id: Annotated[
        str | None, Query(max_length=64, description="Only those that can be redeemed for the plan of this code")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = DEFAULT_LIMIT,
    starting_after: Annotated[
        str | None, Query(max_length=LONGEST_CODE, description="The `code` that the page before ended with")
    ] = None,
) -> Response:
    """The newest first."""
    # Before the plan: whoever may not read codes learns nothing of plans either.
    caller.actor.require(Permission.PROMO_READ)
    plans.must_be_one(session, caller.actor, plan_id or "", "plan_id")
    filters = CodeFilter(status=status, plan_code=plan_id or "")
    rows = listing.codes(
        session,
        caller.actor,
        filters,
        today=today(session, now=utc_now()),
        after=starting_after or "",
        limit=limit + 1,
    )
    shown = rows[:limit]
    answer: PromoCodeList = {"promo_codes": [_shown(row) for row in shown], "count": len(shown)}
    return ExactJSON(answer, headers=next_page(request, shown[-1].code) if len(rows) > limit else None)


@router.post("", status_code=201, response_model=PromoCode, responses=_CREATED, summary="Create a promo code")
def create_promo_code(caller: CurrentCaller, session: Transaction, given: NewPromoCode) -> Response:
    """It can be redeemed from now on. Its terms do not change any more; other terms are another code."""
    try:
        made = service.create(session, caller.actor, given.wanted(), now=utc_now())
    except Invalid as refusal:
        raise with_documented_fields(refusal, documented_field) from None
    return ExactJSON(
        _one(session, caller.actor, made.code), 201, {"Location": f"/v1/billing/promo-codes/{quote(made.code)}"}
    )


@router.get(
    "/{code}",
    response_model=PromoCode,
    responses={404: {"description": "There is no such promo code"}},
    summary="Get a promo code",
)
def get_promo_code(caller: CurrentCaller, session: Reading, code: _Code) -> Response:
    return ExactJSON(_one(session, caller.actor, code))


@router.post(
    "/{code}/end",
    response_model=PromoCode,
    responses={
        404: {"description": "There is no such promo code"},
        409: {"description": "It has ended already, or this Idempotency-Key is being used"},
    },
    summary="End a promo code early",
)
def end_promo_code(caller: CurrentCaller, session: Transaction, code: _Code) -> Response:
    """Nobody can redeem it any more. Whoever has keeps what it promised."""
    ended = service.end(session, caller.actor, code, now=utc_now())
    return ExactJSON(_one(session, caller.actor, ended.code))


def documented_field(name: str) -> str:
    return "plan_id" if name == "plan_code" else name


def _one(session: Session, actor: Actor, code: str) -> PromoCode:
    return _shown(listing.one(session, actor, code, today=today(session, now=utc_now())))


def _shown(row: CodeRow) -> PromoCode:
    return {
        "code": row.code,
        "plan_id": row.plan_code,
        "percent": None if row.percent is None else number(row.percent),
        "amount": row.amount_minor,
        "currency": row.currency,
        "duration": row.duration,
        "periods": row.periods,
        "limit": row.limit,
        "limit_per_customer": row.limit_per_customer,
        "valid_to": row.valid_to,
        "status": row.status,
        "redeemed": row.redeemed,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }
