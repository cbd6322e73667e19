"""Rows that are handed to the database as one parameter come back as they were given, on both databases."""

from datetime import UTC, date, datetime, timedelta, timezone

from sqlalchemy import Date, Integer, String, func, select

from billing_core.database.functions import as_rows
from billing_core.database.types import UtcDateTime

COLUMNS = {"place": Integer(), "name": String(), "day": Date(), "at": UtcDateTime()}


def test_each_value_comes_back_with_its_type(session):
    instant = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC)
    elsewhere = datetime(2026, 3, 29, 3, tzinfo=timezone(timedelta(hours=2)))
    given = [
        (1, "O’Brien's “:name” %(x)s \\ 10", date(2024, 2, 29), instant),
        (-(2**31), "", date(1900, 1, 1), elsewhere),
    ]
    rows = as_rows(session, "given", COLUMNS, given)
    assert [tuple(row) for row in session.execute(select(rows).order_by(rows.c.place.desc()))] == given


def test_there_may_be_none_or_more_than_a_driver_takes_parameters(session):
    for many in (0, 40_000):
        rows = as_rows(session, "given", {"place": Integer()}, ((place,) for place in range(many)))
        counted = select(func.count(), func.coalesce(func.sum(rows.c.place), 0)).select_from(rows)
        assert tuple(session.execute(counted).one()) == (many, many * (many - 1) // 2)


def test_two_of_them_stand_in_one_statement(session):
    left = as_rows(session, "one", {"place": Integer()}, [(1,), (2,)])
    right = as_rows(session, "other", {"place": Integer()}, [(2,), (3,)]).prefix_with("MATERIALIZED")
    assert session.scalars(select(left.c.place).join(right, right.c.place == left.c.place)).all() == [2]
