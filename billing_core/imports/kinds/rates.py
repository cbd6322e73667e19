"""Rates from a file: one per customer, service and day, in the customer's currency."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Date,
    FromClause,
    Select,
    String,
    Table,
    and_,
    exists,
    func,
    literal,
    select,
)
from sqlalchemy import cast as sql_cast

from billing_core.customers.models import Customer
from billing_core.database.types import UnitPrice, UtcDateTime
from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.imports import Kind, cells, columns
from billing_core.imports.kind import Definition, Derived, Field, Staged, code_up_to, unknown, wrong
from billing_core.imports.kinds import amounts
from billing_core.imports.kinds.corrections import keeping_what_reports_used
from billing_core.rating.models import Rate, Service

_ALWAYS = EARLIEST_DAY


def _resolve(staged: Staged) -> Select[Any]:
    rows, given = staged.table, staged.given
    start = rows.c.valid_from if "valid_from" in given else literal(_ALWAYS, Date)
    bounds = [
        amounts.in_minor_units(rows.c[name], _currency(staged)).label(f"{name}_minor")
        for name in ("minimum", "maximum")
        if name in given
    ]
    tiers = [rows.c.tier_mode, rows.c.tier_rows.label("tiers")] if "tiers" in given else []
    return (
        select(
            rows.c.line,
            Customer.id.label("customer_id"),
            Service.id.label("service_id"),
            rows.c.unit_price,
            _currency(staged).label("currency"),
            start.label("valid_from"),
            *staged.columns("valid_to"),
            *bounds,
            *staged.columns("skus"),
            *tiers,
            *staged.columns("conditions"),
            literal(staged.setting.now, UtcDateTime).label("created_at"),
        )
        .join_from(rows, Customer, _whose(staged))
        .join(Service, Service.code == rows.c.service_code)
    )


def _whose(staged: Staged) -> ColumnElement[bool]:
    """In SQL: the customer of a row. One for every customer is for those who are billed in its currency."""
    if not staged.every_customer:
        return columns.customer_of(staged.table)
    return and_(Customer.currency == _currency(staged), Customer.merged_into_id.is_(None))


def _currency(staged: Staged) -> ColumnElement[str]:
    """Blank: the customer's, or the business's where the rate is for every customer."""
    usual = literal(staged.setting.currency, String) if staged.every_customer else Customer.currency.expression
    return func.coalesce(staged.table.c.currency, usual) if "currency" in staged.given else usual


def _unknown_customer(staged: Staged) -> Select[Any]:
    if not staged.every_customer:
        return columns.unknown_customer(staged)
    currency = _currency(staged)
    reason = "no customer is billed in this currency; import customers first"
    found = exists().where(_whose(staged)).correlate(staged.table)
    return wrong(staged.table, "currency", currency, reason).where(~found)


def _merged_customer(staged: Staged) -> Select[Any]:
    return _nothing_wrong(staged.table) if staged.every_customer else columns.merged_customer(staged)


def _foreign_currency(staged: Staged) -> Select[Any]:
    rows = staged.table
    if staged.every_customer:
        return _nothing_wrong(rows)
    reason = "the customer is billed in " + Customer.currency
    statement = wrong(rows, "currency", _currency(staged), reason).join(Customer, Customer.ref == rows.c.customer_ref)
    return statement.where(_currency(staged) != Customer.currency)


def _fault(find: Callable[[Table, str, ColumnElement[str]], Select[Any]], name: str) -> Any:
    """What ``find`` finds in the column of this name, in the currency of each row."""

    def check(staged: Staged) -> Select[Any]:
        rows = staged.table
        if name not in staged.given:
            return _nothing_wrong(rows)
        found = find(rows, name, _currency(staged))
        return found if staged.every_customer else found.join(Customer, Customer.ref == rows.c.customer_ref)

    return check


def _backwards(staged: Staged) -> Select[Any]:
    rows = staged.table
    if not {"valid_from", "valid_to"} <= staged.given:
        return _nothing_wrong(rows)
    reason = "lies before valid_from " + _day(rows.c.valid_from)
    return wrong(rows, "valid_to", _day(rows.c.valid_to), reason).where(rows.c.valid_to < rows.c.valid_from)


def _maximum_below_minimum(staged: Staged) -> Select[Any]:
    rows = staged.table
    if not {"minimum", "maximum"} <= staged.given:
        return _nothing_wrong(rows)
    statement = wrong(rows, "maximum", amounts.written(rows.c.maximum), "is below the minimum")
    return statement.where(rows.c.maximum < rows.c.minimum)


def _nothing_wrong(rows: Table) -> Select[Any]:
    return wrong(rows, "", literal("", String), "").where(literal(1) == 0)


def _overlap_in_file(rows: FromClause) -> Select[Any]:
    earlier = rows.alias("earlier")
    reason = "the rate" + _span(rows) + " overlaps the one on line " + sql_cast(earlier.c.line, String) + _span(earlier)
    return wrong(rows, "valid_from", _day(rows.c.valid_from), reason).join(
        earlier, and_(earlier.c.line < rows.c.line, _overlapping(rows, earlier))
    )


def _overlap_in_database(rows: FromClause) -> Select[Any]:
    """A rate that the file changes counts with the file's values."""
    kept = Rate.__table__.alias("kept")
    replaced = select(rows.c.existing_id).where(rows.c.existing_id.is_not(None))
    reason = "the rate of " + Customer.ref + " for " + Service.code + _span(rows) + " overlaps its rate" + _span(kept)
    return (
        wrong(rows, "valid_from", _day(rows.c.valid_from), reason)
        .join(kept, _overlapping(rows, kept))
        .join(Customer, Customer.id == rows.c.customer_id)
        .join(Service, Service.id == rows.c.service_id)
        .where(kept.c.withdrawn_at.is_(None), kept.c.id.not_in(replaced))
    )


def _overlapping(one: Any, other: Any) -> ColumnElement[bool]:
    """Two rates of the same customer and service that share a day. The same first day is the same rate."""
    return and_(
        one.c.customer_id == other.c.customer_id,
        one.c.service_id == other.c.service_id,
        one.c.valid_from != other.c.valid_from,
        one.c.valid_from <= _last_day(other),
        other.c.valid_from <= _last_day(one),
    )


def _last_day(rates: Any) -> ColumnElement[Any]:
    forever = literal(LATEST_DAY, Date)
    return func.coalesce(rates.c.valid_to, forever) if "valid_to" in rates.c else forever


def _span(rates: Any) -> ColumnElement[str]:
    end = func.coalesce(" to " + _day(rates.c.valid_to), " on") if "valid_to" in rates.c else literal(" on", String)
    return " from " + _day(rates.c.valid_from) + end


def _day(column: ColumnElement[Any]) -> ColumnElement[str]:
    return sql_cast(column, String)


DEFINITION = Definition(
    kind=Kind.RATES,
    title="Rates",
    model=Rate,
    keys=("customer_id", "service_id", "valid_from"),
    labels=("customer_ref", "service_code", "valid_from"),
    fields=(
        columns.CUSTOMER_REF,
        Field(
            "service_code",
            code_up_to(64),
            required=True,
            filled=True,
            synonyms=("service", "code", "service id", "service number"),
        ),
        Field(
            "unit_price", cells.price, UnitPrice, required=True, filled=True, synonyms=("price", "rate", "unit rate")
        ),
        columns.CURRENCY,
        Field(
            "valid_from",
            cells.day,
            Date(),
            blank=_ALWAYS.isoformat(),
            synonyms=("from", "start", "start date", "effective from", "effective date"),
        ),
        Field(
            "valid_to",
            cells.day,
            Date(),
            blank=None,
            synonyms=("to", "until", "end", "end date", "effective to"),
        ),
        Field("minimum", cells.price, UnitPrice, blank=None, synonyms=("min", "minimum charge", "minimum per order")),
        Field("maximum", cells.price, UnitPrice, blank=None, synonyms=("max", "maximum charge", "maximum per order")),
        Field("skus", cells.sku_list, JSON(none_as_null=True), blank=None, synonyms=("sku", "only skus")),
        Field("tiers", cells.tier_list, blank=None, synonyms=("tier", "price tiers", "scale")),
        Field("conditions", cells.condition, JSON(none_as_null=True), blank=None, synonyms=("condition", "when")),
    ),
    resolve=_resolve,
    checks=(
        _unknown_customer,
        _merged_customer,
        unknown("service_code", Service.code, "no service has this code; import services first"),
        _foreign_currency,
        _fault(amounts.inexact, "minimum"),
        _fault(amounts.inexact, "maximum"),
        *(_fault(amounts.too_large, name) for name in ("unit_price", "minimum", "maximum")),
        _backwards,
        _maximum_below_minimum,
    ),
    merge_checks=(_overlap_in_file, _overlap_in_database),
    derived=(
        Derived("tier_mode", "tiers", lambda text: text and json.loads(text)["mode"]),
        Derived(
            "tier_rows", "tiers", lambda text: text and json.dumps(json.loads(text)["tiers"]), JSON(none_as_null=True)
        ),
    ),
    insert_only=frozenset({"created_at"}),
    around=keeping_what_reports_used,
    for_everyone=True,
)
