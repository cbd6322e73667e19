from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Invalid, NotFound
from billing_core.identity import Role, actor_with
from billing_core.identity.models import User
from billing_core.views import queries, service

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


@pytest.fixture
def people(session):
    users = [
        User(email=f"{name}@example.com", name=name, role=Role.FINANCE, active=True, created_at=NOW)
        for name in ("ada", "grace")
    ]
    session.add_all(users)
    session.flush()
    return [actor_with(Role.FINANCE, user_id=user.id, name=user.name) for user in users]


def test_a_view_is_kept_for_its_owner_and_its_page(session, people):
    ada, grace = people
    service.save(session, ada, "reports", name=" Late ones ", query="sort=-created_at", now=NOW)
    service.save(session, ada, "customers", name="Late ones", query="q=a", now=NOW)

    assert [(view.name, view.query) for view in queries.of_page(session, ada, "reports")] == [
        ("Late ones", "sort=-created_at")
    ]
    assert queries.of_page(session, grace, "reports") == []


def test_the_same_name_again_replaces_the_filters_and_leaves_both_in_the_log(session, people):
    ada, _ = people
    first = service.save(session, ada, "reports", name="Mine", query="sort=id", now=NOW)
    again = service.save(session, ada, "reports", name="Mine", query="sort=-id", now=NOW)
    session.flush()

    assert again.id == first.id
    assert [view.query for view in queries.of_page(session, ada, "reports")] == ["sort=-id"]
    entries = session.execute(select(AuditEntry.before, AuditEntry.after).order_by(AuditEntry.id)).all()
    assert entries == [(None, {"query": "sort=id"}), ({"query": "sort=id"}, {"query": "sort=-id"})]


def test_nobody_removes_the_view_of_another(session, people):
    ada, grace = people
    view = service.save(session, ada, "reports", name="Mine", query="", now=NOW)
    with pytest.raises(NotFound):
        service.remove(session, grace, view.id, now=NOW)

    service.remove(session, ada, view.id, now=NOW)
    assert queries.of_page(session, ada, "reports") == []


@pytest.mark.parametrize(("name", "query"), [("   ", "a=b"), ("n" * 81, "a=b"), ("fits", "q" * 2001)])
def test_names_and_filters_that_do_not_fit_are_refused(session, people, name, query):
    with pytest.raises(Invalid):
        service.save(session, people[0], "reports", name=name, query=query, now=NOW)
