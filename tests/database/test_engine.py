"""Sessions: reads see committed data, changes commit or vanish whole."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.database.types import Scaled, UtcDateTime


def an_entry(label="", at=datetime(2026, 1, 1, tzinfo=UTC)):
    return AuditEntry(
        at=at,
        actor_id=None,
        actor_name="system",
        action="test",
        subject_kind="test",
        subject_id="1",
        subject_label=label,
    )


def test_a_change_is_seen_only_after_its_commit(sessions):
    with sessions.begin() as writing:
        writing.add(an_entry())
        writing.flush()
        with sessions() as reading:
            assert reading.scalar(select(func.count(AuditEntry.id))) == 0
    with sessions() as reading:
        assert reading.scalar(select(func.count(AuditEntry.id))) == 1


def test_a_failed_change_leaves_nothing(sessions):
    def fails():
        with sessions.begin() as session:
            session.add(an_entry())
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with sessions() as session:
        assert session.scalar(select(func.count(AuditEntry.id))) == 0


def test_writers_at_the_same_moment_wait_for_each_other(sessions):
    def read_then_write(number):
        with sessions.begin() as session:
            session.scalar(select(func.count(AuditEntry.id)))
            session.add(an_entry(str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_then_write, range(40)))
    with sessions() as session:
        assert session.scalar(select(func.count(AuditEntry.id))) == 40


def test_an_instant_comes_back_in_utc(sessions):
    tokyo = datetime(2026, 5, 1, 8, 30, tzinfo=timezone(timedelta(hours=9)))
    with sessions.begin() as session:
        session.add(an_entry(at=tokyo))
    with sessions() as session:
        assert session.scalar(select(AuditEntry.at)) == datetime(2026, 4, 30, 23, 30, tzinfo=UTC)
        assert session.scalar(select(AuditEntry.at)).tzinfo is UTC


def test_a_datetime_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001


def test_a_decimal_with_too_many_digits_is_refused_not_rounded():
    assert Scaled(3).process_bind_param(Decimal("1.250"), None) == 1250
    assert Scaled(3).process_result_value(1250, None) == Decimal("1.250")
    with pytest.raises(ValueError, match="more than 3 decimals"):
        Scaled(3).process_bind_param(Decimal("0.0001"), None)
