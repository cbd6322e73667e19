"""Staged amounts in major units, as the minor units that our tables keep."""

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, String, case, cast, func, literal, type_coerce

from billing_core.imports.kind import wrong
from billing_core.money import LARGEST_MINOR, PRICE_PLACES, currencies, decimal_places

_ONE = 10**PRICE_PLACES


def in_minor_units(amount: ColumnElement[object], currency: ColumnElement[str]) -> ColumnElement[int]:
    """``amount`` is a staged UnitPrice that ``inexact`` and ``too_large`` do not find."""
    return type_coerce(amount, BigInteger) // _parts_of_a_minor_unit(currency)


def inexact(rows: FromClause, column: str, currency: ColumnElement[str]) -> Select[tuple[object, ...]]:
    """A check: amounts that have more decimals than their currency."""
    reason = "has more decimals than " + currency + " is paid in"
    statement = wrong(rows, column, written(rows.c[column]), reason)
    return statement.where(type_coerce(rows.c[column], BigInteger) % _parts_of_a_minor_unit(currency) != 0)


def too_large(rows: FromClause, column: str, currency: ColumnElement[str]) -> Select[tuple[object, ...]]:
    """A check: prices and amounts that are more than the largest amount of their currency."""
    reason = "is more than the largest amount in " + currency
    statement = wrong(rows, column, written(rows.c[column]), reason)
    return statement.where(in_minor_units(rows.c[column], currency) > LARGEST_MINOR)


def written(amount: ColumnElement[object]) -> ColumnElement[str]:
    """A staged UnitPrice as a text, without needless zeros."""
    whole, parts = type_coerce(amount, BigInteger) // _ONE, type_coerce(amount, BigInteger) % _ONE
    # Behind a one, which keeps the zeros in front.
    decimals = func.rtrim(func.substr(cast(parts + _ONE, String), 2), "0")
    return cast(whole, String) + case((decimals == "", ""), else_=literal(".", String) + decimals)


def _parts_of_a_minor_unit(currency: ColumnElement[str]) -> ColumnElement[int]:
    """How many of the staged millionths make one minor unit of the currency."""
    unusual = {places: [code for code in currencies() if decimal_places(code) == places] for places in (0, 3)}
    return case(
        *((currency.in_(codes), 10 ** (PRICE_PLACES - places)) for places, codes in unusual.items()),
        else_=10 ** (PRICE_PLACES - 2),
    )
