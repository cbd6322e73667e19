"""SQLite plans by what is counted at times; the table of its counts is the one that it documents."""

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.sqlite import dialect

from billing_core.database import Sessions, connect, sqlite
from billing_core.figures import Scope
from billing_core.receivables import attention

_TABLE = (
    "CREATE TABLE {0} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {1}) SELECT i FROM n"
)


@pytest.fixture
def company(sqlite_url) -> Sessions:
    return Sessions(connect(sqlite_url))


def test_large_tables_are_counted_and_small_ones_are_planned_as_if_they_might_become_large(company):
    with company.begin() as session:
        for name, rows in (("large", 20_000), ("small", 5_000)):
            session.execute(text(_TABLE.format(name, rows)))
            session.execute(text(f"CREATE INDEX ix_{name} ON {name} (i)"))

    sqlite.refresh_statistics(company.engine)

    with company() as session:
        assert session.execute(text("SELECT tbl, idx FROM sqlite_stat1")).all() == [("large", "ix_large")]


def test_connections_that_stand_open_do_not_go_on_with_what_they_knew(company):
    with company() as session:
        before = session.connection().connection.dbapi_connection
    sqlite.refresh_statistics(company.engine)
    with company() as session:
        assert session.connection().connection.dbapi_connection is not before


def test_a_count_that_is_impossible_leaves_everything_as_it_is(company, monkeypatch):
    monkeypatch.setattr("billing_core.database.sqlite.BUSY_TIMEOUT_MS", 1)
    with company.begin() as writer:
        writer.execute(text("CREATE TABLE waits (i)"))
        sqlite.refresh_statistics(company.engine)
    with company() as session:
        assert session.scalar(text("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'")) == 0


@pytest.mark.parametrize(
    ("figure", "index"),
    [
        (attention.FAILED_PAYMENTS, "ix_invoices_payment_failed_at"),
        (attention.UNDONE_DISCOUNTS, "ix_credit_notes_early_payment"),
    ],
)
def test_what_is_rare_is_found_without_counts_from_its_own_index_not_among_all_open_invoices(company, figure, index):
    statement = figure.rows(Scope(today=date(2026, 3, 1)))
    compiled = statement.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
    with company() as session:
        steps = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert any(index in step for step in steps), steps
    assert not any("ix_invoices_state" in step for step in steps), steps
