"""Plans from a file, whose other terms are the next version; and which customer is on which plan from when."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Select,
    String,
    and_,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from billing_core.customers.models import Customer
from billing_core.database.types import UnitPrice, UsagePrice, UtcDateTime
from billing_core.errors import Conflict
from billing_core.imports import Kind, cells, columns, merging
from billing_core.imports.kind import Definition, Derived, Field, Resolved, Staged, text_up_to, unknown, wrong
from billing_core.imports.kinds import amounts
from billing_core.imports.words import choices, readers
from billing_core.metering import alerts, periods
from billing_core.plans import parts, prices
from billing_core.plans.models import (
    BillingTiming,
    CustomerPlan,
    Plan,
    PlanAddOn,
    PlanAmount,
    PlanInterval,
    PlanVersion,
    TrialEnd,
)
from billing_core.plans.queries import latest_number

# The columns of a version that a file gives, and those that stay as they are, with what a new plan has.
_GIVEN = ("currency", "price_minor", "interval", "interval_count", "included_calls", "price_per_call")
_KEPT = {
    "timing": BillingTiming.ADVANCE,
    "seat_price_minor": None,
    "included_seats": 0,
    "trial_end": TrialEnd.CANCEL,
    "ends_after": None,
}
_OF_PLANS = ["code", "name", "created_at", "import_id"]
_LATEST = (
    select(
        Plan.id,
        Plan.code,
        Plan.name,
        Plan.created_at,
        PlanVersion.id.label("version_id"),
        *(getattr(PlanVersion, name) for name in (*_GIVEN, *_KEPT)),
    )
    .join(PlanVersion, and_(PlanVersion.plan_id == Plan.id, PlanVersion.number == latest_number()))
    .subquery("latest_terms")
)
_ASSIGNED = (
    select(
        CustomerPlan.id,
        CustomerPlan.customer_id,
        CustomerPlan.valid_from,
        Plan.code.label("plan_code"),
        CustomerPlan.created_at,
    )
    .outerjoin(PlanVersion, PlanVersion.id == CustomerPlan.plan_version_id)
    .outerjoin(Plan, Plan.id == PlanVersion.plan_id)
    .subquery("assigned")
)


def _resolve_plans(staged: Staged) -> Select[Any]:
    """A blank currency or interval stays as it is; of a new plan it is the business's own, and a month. Where both of
    usage are blank, there is none.
    """
    rows, currency = staged.table, _currency(staged)
    interval, interval_count = (staged.columns("interval") and [rows.c[name]] for name in ("unit", "interval_count"))
    return select(
        rows.c.line,
        rows.c.plan_code.label("code"),
        rows.c.name,
        currency.label("currency"),
        amounts.in_minor_units(rows.c.price, currency).label("price_minor"),
        func.coalesce(*interval, _LATEST.c.interval, literal(PlanInterval.MONTH.value, String)).label("interval"),
        func.coalesce(*interval_count, _LATEST.c.interval_count, 1).label("interval_count"),
        func.coalesce(rows.c.included_calls, 0).label("included_calls"),
        func.coalesce(rows.c.price_per_call, 0).label("price_per_call"),
        literal(staged.setting.now, UtcDateTime).label("created_at"),
    ).outerjoin_from(rows, _LATEST, _LATEST.c.code == rows.c.plan_code)


def _unit(interval: str | None) -> str | None:
    return interval and interval.split()[1]


def _interval_count(interval: str | None) -> int | None:
    return None if interval is None else int(interval.split()[0])


def _currency(staged: Staged) -> ColumnElement[str]:
    given = [staged.table.c.currency] if "currency" in staged.given else []
    return func.coalesce(*given, _LATEST.c.currency, literal(staged.setting.currency, String))


def _inexact_price(staged: Staged) -> Select[Any]:
    rows = staged.table
    statement = amounts.inexact(rows, "price", _currency(staged))
    return statement.outerjoin(_LATEST, _LATEST.c.code == rows.c.plan_code)


def _price_too_large(staged: Staged) -> Select[Any]:
    rows = staged.table
    statement = amounts.too_large(rows, "price", _currency(staged))
    return statement.outerjoin(_LATEST, _LATEST.c.code == rows.c.plan_code)


def _without_calls(staged: Staged) -> Select[Any]:
    return _half_of_usage(staged.table, "included_calls", "price_per_call")


def _without_price_per_call(staged: Staged) -> Select[Any]:
    return _half_of_usage(staged.table, "price_per_call", "included_calls")


def _half_of_usage(rows: FromClause, empty: str, given: str) -> Select[Any]:
    reason = f"is empty, and {given} is not: fill both in, or neither for a plan without usage"
    return wrong(rows, empty, literal("", String), reason).where(rows.c[empty].is_(None), rows.c[given].is_not(None))


def _write_plans(connection: Connection, resolved: Resolved) -> None:
    """New plans, other names, and a version wherever the terms are new."""
    rows = resolved.beside
    fresh = select(*(rows.c[name] for name in _OF_PLANS)).where(rows.c.existing_id.is_(None))
    connection.execute(insert(Plan).from_select(_OF_PLANS, fresh.order_by(rows.c.line)))
    named = (Plan.code == rows.c.code, Plan.name != rows.c.name)
    connection.execute(update(Plan).values(name=rows.c.name).where(*named))
    changed = (
        select(
            Plan.id,
            func.coalesce(latest_number(), 0) + 1,
            *(rows.c[name] for name in _GIVEN),
            *(_kept(name) for name in _KEPT),
            rows.c.created_at,
            rows.c.import_id,
        )
        .join_from(rows, Plan, Plan.code == rows.c.code)
        .outerjoin(_LATEST, _LATEST.c.id == Plan.id)
        .where(or_(_LATEST.c.id.is_(None), merging.differs(list(_GIVEN), rows, _LATEST)))
        .order_by(rows.c.line)
    )
    names = ["plan_id", "number", *_GIVEN, *_KEPT, "created_at", "import_id"]
    connection.execute(insert(PlanVersion).from_select(names, changed))
    _keep_the_rest(connection, rows)


def _kept(name: str) -> ColumnElement[Any]:
    column = _LATEST.c[name]
    return column if _KEPT[name] is None else func.coalesce(column, literal(_KEPT[name], column.type))


def _keep_the_rest(connection: Connection, rows: FromClause) -> None:
    """A file knows the plan's price and that of a call alone: the versions that it has just made keep all else of those
    before, and the prices of other meters unless these are in another currency.
    """
    former, made = aliased(PlanVersion), aliased(PlanVersion)
    renewed = (
        select(former.id.label("former_id"), made.id.label("version_id"))
        .join_from(rows, Plan, Plan.code == rows.c.code)
        .join(made, and_(made.plan_id == Plan.id, made.created_at == rows.c.created_at))
        .join(former, and_(former.plan_id == Plan.id, former.number == made.number - 1))
    )
    parts.carry_over(connection, renewed.subquery("renewed"))
    prices.carry_over(connection, renewed.where(former.currency == made.currency).subquery("renewed"))


def _bound_to_a_currency(rows: FromClause) -> Select[Any]:
    """What else a plan costs in its currency is not in the file, and would mean something else in another one."""
    latest = _LATEST.alias("terms")
    reason = "the plan is in " + latest.c.currency + " with seats, add-ons or further currencies: make a version of it"
    return (
        wrong(rows, "currency", rows.c.currency, reason)
        .join(latest, latest.c.code == rows.c.code)
        .where(
            latest.c.currency != rows.c.currency,
            or_(
                latest.c.seat_price_minor.is_not(None),
                _has(PlanAddOn.plan_version_id, latest),
                _has(PlanAmount.plan_version_id, latest),
            ),
        )
    )


def _usage_in_several_currencies(rows: FromClause) -> Select[Any]:
    latest = _LATEST.alias("terms")
    reason = "the plan can be had in several currencies: a call cannot have a price, which would be in one alone"
    return (
        wrong(rows, "plan_code", rows.c.code, reason)
        .join(latest, latest.c.code == rows.c.code)
        .where(rows.c.price_per_call > 0, _has(PlanAmount.plan_version_id, latest))
    )


def _has(version_id: InstrumentedAttribute[int], latest: FromClause) -> ColumnElement[bool]:
    return select(literal(1)).where(version_id == latest.c.version_id).exists()


PLANS = Definition(
    kind=Kind.PLANS,
    title="Plans",
    model=Plan,
    keys=("code",),
    labels=("plan_code",),
    fields=(
        columns.PLAN_CODE,
        Field("name", text_up_to(200), required=True, filled=True, synonyms=("plan name", "title", "description")),
        columns.CURRENCY,
        Field("price", cells.price, UnitPrice, required=True, filled=True, synonyms=("base price", "fee", "base fee")),
        Field(
            "interval",
            readers.interval,
            blank=None,
            synonyms=("billing interval", "billing period", "period", "every"),
            choices=choices.intervals,
        ),
        Field(
            "included_calls",
            cells.whole_number,
            PlanVersion.__table__.c.included_calls.type,
            required=True,
            blank=None,
            synonyms=("included", "included api calls", "allowance", "free calls"),
        ),
        Field(
            "price_per_call",
            cells.usage_price,
            UsagePrice,
            required=True,
            blank=None,
            synonyms=("price per extra call", "overage price", "price per api call", "call price"),
        ),
    ),
    resolve=_resolve_plans,
    checks=(_inexact_price, _price_too_large, _without_calls, _without_price_per_call),
    merge_checks=(_bound_to_a_currency, _usage_in_several_currencies),
    derived=(Derived("unit", "interval", _unit), Derived("interval_count", "interval", _interval_count, Integer())),
    insert_only=frozenset({"created_at"}),
    in_file_order=True,
    beside=_LATEST,
    write=_write_plans,
)


def _resolve_customer_plans(staged: Staged) -> Select[Any]:
    """Compared by the plan alone: whoever is on an older version of it keeps that."""
    rows = staged.table
    return (
        select(
            rows.c.line,
            Customer.id.label("customer_id"),
            rows.c.valid_from,
            rows.c.plan_code,
            literal(staged.setting.now, UtcDateTime).label("created_at"),
        )
        .join_from(rows, Customer, columns.customer_of(rows))
        .join(Plan, Plan.code == rows.c.plan_code)
    )


def _foreign_currency(rows: FromClause) -> Select[Any]:
    reason = "the plan is in " + PlanVersion.currency + ", the customer is billed in " + Customer.currency
    return (
        wrong(rows, "plan_code", rows.c.plan_code, reason)
        .join(Customer, Customer.id == rows.c.customer_id)
        .join(Plan, Plan.code == rows.c.plan_code)
        .join(PlanVersion, and_(PlanVersion.plan_id == Plan.id, PlanVersion.number == latest_number()))
        .where(rows.c.effect != "unchanged", PlanVersion.currency != Customer.currency)
    )


def billed(rows: FromClause) -> Select[Any]:
    """What was billed was billed by the plan of then. A row counts until the customer's next plan that we know."""
    standing = periods.standing().subquery("billed")
    following = (
        select(func.min(CustomerPlan.valid_from))
        .where(CustomerPlan.customer_id == rows.c.customer_id, CustomerPlan.valid_from > rows.c.valid_from)
        .correlate(rows)
        .scalar_subquery()
    )
    reason = "usage of these days is billed already: put the customer on another plan after them"
    return wrong(rows, "valid_from", cast(rows.c.valid_from, String), reason).where(
        rows.c.effect != "unchanged",
        select(literal(1))
        .where(
            standing.c.customer_id == rows.c.customer_id,
            standing.c.last_day >= rows.c.valid_from,
            or_(following.is_(None), standing.c.first_day < following),
        )
        .exists(),
    )


def subscribed(rows: FromClause) -> Select[Any]:
    """Only a subscription moves its customer off its plan."""
    theirs = select(literal(1)).where(
        CustomerPlan.customer_id == rows.c.customer_id, CustomerPlan.billed_with.is_not(None)
    )
    reason = "usage is billed with a subscription: change or cancel that instead"
    later = aliased(CustomerPlan)
    ended = select(later.id).where(
        later.customer_id == CustomerPlan.customer_id,
        later.valid_from > CustomerPlan.valid_from,
        later.valid_from <= rows.c.valid_from,
    )
    return wrong(rows, "valid_from", cast(rows.c.valid_from, String), reason).where(
        rows.c.effect != "unchanged", theirs.where(~ended.exists()).exists()
    )


def _write_customer_plans(connection: Connection, resolved: Resolved) -> None:
    """Everybody whose plan is new gets its latest version."""
    rows = resolved.beside
    # Nobody bills them meanwhile; who did just now was there first.
    theirs = select(Customer.id).where(Customer.id.in_(select(rows.c.customer_id)))
    connection.execute(theirs.order_by(Customer.id).with_for_update(read=True))
    if connection.execute(billed(rows).limit(1)).first() is not None:
        raise Conflict("Somebody has just billed usage of days that the file is about. Check it again.")
    version = (
        select(PlanVersion.id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(Plan.code == rows.c.plan_code, PlanVersion.number == latest_number())
        .scalar_subquery()
    )
    changed = (CustomerPlan.id == rows.c.existing_id, rows.c.effect == "changed")
    connection.execute(update(CustomerPlan).values(plan_version_id=version).where(*changed))
    fresh = select(rows.c.customer_id, version, rows.c.valid_from, rows.c.created_at, rows.c.import_id)
    names = ["customer_id", "plan_version_id", "valid_from", "created_at", "import_id"]
    connection.execute(insert(CustomerPlan).from_select(names, fresh.where(rows.c.existing_id.is_(None))))
    with Session(connection) as session:
        alerts.ask_where_watched(session, rows, now=resolved.now)


CUSTOMER_PLANS = Definition(
    kind=Kind.CUSTOMER_PLANS,
    title="Customers' plans",
    model=CustomerPlan,
    keys=("customer_id", "valid_from"),
    labels=("customer_ref", "valid_from"),
    fields=(
        columns.CUSTOMER_REF,
        columns.PLAN_CODE,
        Field(
            "valid_from",
            cells.day,
            Date(),
            required=True,
            filled=True,
            synonyms=("from", "start", "start date", "effective from", "effective date", "since"),
        ),
    ),
    resolve=_resolve_customer_plans,
    references=(
        columns.unknown_customer,
        columns.merged_customer,
        unknown("plan_code", Plan.code, "no plan has this code; import plans first"),
    ),
    merge_checks=(_foreign_currency, billed, subscribed),
    insert_only=frozenset({"created_at", "billed_with", "in_trial"}),
    beside=_ASSIGNED,
    write=_write_customer_plans,
)
