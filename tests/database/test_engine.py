"""Sessions: reads see committed data, changes commit or vanish whole."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import String, delete, event, func, insert, literal, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from billing_core.audit.models import AuditEntry
from billing_core.businesses.models import Business
from billing_core.businesses.number_series import NumberSeries, SeriesKind
from billing_core.database import Base, ReadOnly, Sessions, connect, for_changes
from billing_core.database.copying import reading, writing
from billing_core.database.engine import change_from_now_on, may_idle, read_at_one_moment
from billing_core.database.functions import as_rows
from billing_core.database.pool import close_idle
from billing_core.database.types import Scaled, UtcDateTime
from billing_core.errors import Invalid


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


def _add(session):
    session.add(an_entry())


def _change(session):
    session.scalars(select(Business)).one().name = "Changed"


def _delete(session):
    session.delete(session.scalars(select(Business)).one())


@pytest.mark.parametrize("change", [_add, _change, _delete])
@pytest.mark.parametrize(
    "then",
    [lambda _: None, lambda session: session.flush(), lambda session: session.commit()],
    ids=["leave", "flush", "commit"],
)
def test_a_session_that_reads_refuses_changed_objects(sessions, change, then):
    def read_only():
        with sessions() as session:
            change(session)
            then(session)

    with pytest.raises(ReadOnly, match="A session that only reads cannot"):
        read_only()


@pytest.mark.parametrize(
    "statement",
    [
        insert(NumberSeries).values(business_id=1, kind=SeriesKind.INVOICE, series="S", last=1),
        update(Business).values(name="Changed"),
        delete(NumberSeries),
        text("UPDATE businesses SET name = 'Changed'"),
    ],
    ids=["insert", "update", "delete", "text"],
)
def test_the_database_refuses_statements_that_change_where_it_is_read(sessions, statement):
    with sessions() as session:
        session.scalar(select(Business.name))
        with pytest.raises(DBAPIError, match=r"read-?only"):
            session.execute(statement)
    with sessions.reading() as connection:
        assert connection.scalar(select(Business.name))
        with pytest.raises(DBAPIError, match=r"read-?only"):
            connection.execute(statement)


@pytest.mark.parametrize("reads", [Sessions.__call__, Sessions.reading], ids=["session", "connection"])
def test_what_is_read_at_one_moment_shows_nothing_that_came_later(sessions, reads):
    counted = select(func.count(AuditEntry.id))
    with reads(sessions) as reading:
        read_at_one_moment(reading)
        assert reading.scalar(counted) == 0
        with sessions.begin() as writing:
            writing.add(an_entry())
        assert reading.scalar(counted) == 0
    with reads(sessions) as reading:
        assert reading.scalar(counted) == 1


def test_a_session_that_reads_has_one_connection_until_its_transaction_ends(sessions):
    with sessions() as session:
        first = session.connection()
        assert session.connection() is first
        session.rollback()
        again = session.connection()
        assert again is not first
        assert again.scalar(select(Business.name)) == session.scalar(select(Business.name))


@pytest.mark.parametrize(
    "lock",
    [
        lambda session: session.scalars(select(Business).with_for_update()),
        lambda session: session.get(Business, 1, with_for_update=True),
        lambda session: session.refresh(session.scalars(select(Business)).one(), with_for_update=True),
    ],
    ids=["select", "get", "refresh"],
)
def test_a_session_that_reads_refuses_to_lock_rows(sessions, lock):
    with sessions() as session, pytest.raises(ReadOnly, match="cannot lock rows"):
        lock(session)
    with sessions.begin() as session:
        lock(session)


def test_a_connection_that_was_read_by_can_be_changed_by_and_read_by_again(database_url):
    engine = connect(database_url, poolclass=StaticPool) if "sqlite" in database_url else connect(database_url)
    sessions = Sessions(engine)
    for name in ("One", "Other"):
        with sessions() as session:
            session.scalar(select(Business.name))
        with sessions.begin() as session:
            session.execute(update(Business).values(name=name))
        with sessions() as session:
            assert session.scalar(select(Business.name)) == name
            with pytest.raises(DBAPIError, match=r"read-?only"):
                session.execute(update(Business).values(name="Lost"))
    engine.dispose()


def test_a_connection_that_was_changed_by_takes_no_lock_for_whoever_only_reads_by_it_next(sqlite_url):
    engine = connect(sqlite_url, poolclass=StaticPool)
    somebody = sqlite3.connect(engine.url.database, isolation_level=None, timeout=0)
    with for_changes(engine).begin() as connection:
        connection.execute(update(Business).values(name="One"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            somebody.execute("BEGIN IMMEDIATE")
    with engine.begin() as connection:
        assert connection.scalar(select(Business.name)) == "One"
        somebody.execute("BEGIN IMMEDIATE")
        somebody.execute("UPDATE businesses SET name = 'Other'")
        somebody.execute("COMMIT")
        # Of the moment at which it began to read.
        assert connection.scalar(select(Business.name)) == "One"
    somebody.close()
    engine.dispose()


def test_a_connection_takes_the_lock_at_once_from_when_it_is_to_change_something(sqlite_url):
    engine = connect(sqlite_url, poolclass=StaticPool)
    with engine.connect() as connection:
        assert connection.scalar(select(Business.name))
        connection.rollback()
        change_from_now_on(connection)
        somebody = sqlite3.connect(engine.url.database, isolation_level=None, timeout=0)
        with connection.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
            somebody.execute("BEGIN IMMEDIATE")
        somebody.close()
    engine.dispose()


def test_reading_asks_the_database_nothing_more_than_what_is_read(sessions):
    with sessions() as session:
        session.scalar(select(Business.name))
    asked = []
    event.listen(sessions.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    with sessions() as session:
        session.scalar(select(Business.name))
    assert [statement.split()[0] for statement in asked] == ["SELECT"]


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


def test_connections_that_a_burst_has_opened_are_closed_again(postgres_url):
    engine = connect(postgres_url)
    opened = [engine.connect() for _ in range(6)]
    for connection in opened:
        connection.close()
    close_idle(engine, keep=6)
    assert engine.pool.checkedin() == 6
    close_idle(engine, keep=5)
    assert engine.pool.checkedin() == 0
    engine.dispose()


def test_a_connection_in_use_while_the_pool_ends_is_closed_when_it_comes_back(postgres_url):
    engine = connect(postgres_url)
    used = engine.connect()
    behind = used.connection.driver_connection
    former = engine.pool
    engine.dispose()
    assert used.scalar(text("SELECT 1")) == 1
    used.close()
    assert behind.closed
    assert former.checkedin() == 0
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert engine.pool.checkedin() == 1
    engine.dispose()


def test_a_connection_that_is_opened_by_a_pool_after_its_end_is_closed_when_it_comes_back(postgres_url):
    engine = connect(postgres_url)
    engine.pool.dispose()
    with engine.connect() as connection:
        late = connection.connection.driver_connection
        assert connection.scalar(text("SELECT 1")) == 1
    assert late.closed
    assert engine.pool.checkedin() == 0


def idle_limit(session) -> str:
    return session.scalar(text("SHOW idle_in_transaction_session_timeout"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_server_ends_a_transaction_that_stands_still_unless_it_may(sessions):
    with sessions.begin() as session:
        assert idle_limit(session) == "1min"
    with sessions() as session:
        may_idle(session.connection())
        assert idle_limit(session) == "0"
    with sessions() as session:
        assert idle_limit(session) == "1min"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_copies_wait_for_each_other(sessions):
    with reading(sessions.engine, Base.metadata) as connection:
        assert idle_limit(connection) == "0"
    with writing(sessions.engine, Base.metadata) as connection:
        assert idle_limit(connection) == "0"


@pytest.mark.parametrize("torn", ["\ud800", "Acme \udc00 GmbH", "a\udfff"], ids=ascii)
def test_half_a_character_is_refused_wherever_it_comes_to_the_database(sessions, torn):
    coming = (
        lambda session: session.scalar(select(literal(torn))),
        lambda session: session.scalar(select(AuditEntry.id).where(AuditEntry.action == torn)),
        lambda session: session.add(an_entry(torn)),
        lambda session: session.execute(insert(NumberSeries), [a_series("A"), a_series(torn)]),
        lambda session: session.execute(update(AuditEntry).values(action=torn)),
        lambda session: session.execute(text("SELECT :given"), {"given": torn}),
        lambda session: session.execute(select(as_rows(session, "given", {"name": String()}, [(torn,)]))),
    )
    for comes in coming:
        with pytest.raises(Invalid, match=r"cannot be kept \(U\+D[8-F]"), sessions.begin() as session:
            comes(session)
    with sessions() as session:
        assert session.scalar(select(func.count(AuditEntry.id))) == 0


def test_what_postgresql_alone_refuses_in_a_text_is_refused_in_words(sessions):
    if sessions.engine.dialect.name == "sqlite":
        pytest.skip("it takes them")
    for statement, given in (("SELECT :given", "a\0b"), ("SELECT CAST(:given AS jsonb)", '"\\u0000"')):
        with pytest.raises(Invalid, match=r"cannot be kept"), sessions() as session:
            session.execute(text(statement), {"given": given})


def a_series(name):
    return {"business_id": 1, "kind": SeriesKind.INVOICE, "series": name, "last": 1}
