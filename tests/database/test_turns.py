"""Transactions that would rather fail than wait for another one."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from billing_core.businesses.models import Business
from billing_core.database import turns
from billing_core.database.sqlite import BUSY_TIMEOUT_MS

RENAME = update(Business).values(name="Renamed")


def test_what_need_not_be_written_fails_at_once_while_another_transaction_is_in_its_way(sessions):
    with sessions.begin() as session:
        session.execute(RENAME)
        with pytest.raises(OperationalError), turns.unless_busy(sessions.engine) as connection:
            connection.execute(RENAME)
    with turns.unless_busy(sessions.engine) as connection:
        connection.execute(update(Business).values(name="Renamed again"))
    with sessions() as session:
        assert session.scalars(select(Business.name)).all() == ["Renamed again"]


def test_whoever_has_the_connection_next_waits_as_ever(sessions):
    if sessions.engine.dialect.name == "postgresql":
        asked, usual = "SHOW lock_timeout", "0"
    else:
        asked, usual = "PRAGMA busy_timeout", BUSY_TIMEOUT_MS
    for fails in (False, True):
        with sessions.begin() as other:
            if fails:
                other.execute(RENAME)
                with pytest.raises(OperationalError), turns.unless_busy(sessions.engine) as connection:
                    connection.execute(RENAME)
        if not fails:
            with turns.unless_busy(sessions.engine) as connection:
                connection.execute(RENAME)
        with sessions.engine.connect() as one, sessions.engine.connect() as another:
            assert [each.exec_driver_sql(asked).scalar() for each in (one, another)] == [usual, usual]
