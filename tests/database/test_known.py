"""What a session holds is not read again, and nothing that could have gone counts as held."""

from datetime import UTC, datetime

from billing_core.database.known import known
from billing_core.plans.models import Plan


def test_what_was_read_is_known_until_it_may_have_changed(session):
    read, other = (Plan(code=code, name=code, created_at=datetime(2026, 1, 1, tzinfo=UTC)) for code in ("a", "b"))
    session.add_all([read, other])
    session.flush()
    assert known(session, Plan, [read.id, other.id, 999]) == {read.id: read, other.id: other}

    session.delete(other)
    session.flush()
    assert known(session, Plan, [read.id, other.id]) == {read.id: read}
    plan_id = read.id
    session.expire_all()
    assert known(session, Plan, [plan_id]) == {}
