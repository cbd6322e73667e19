"""The append-only record, and how it is searched."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from billing_core.audit import queries, service
from billing_core.audit.models import AuditEntry
from billing_core.audit.queries import SYSTEM_ID, AuditFilter, FieldChange
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.people import service as people

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ANA = actor_with(Role.ADMIN, user_id=7, name="Ana Lima")


@pytest.fixture
def history(session):
    for hours, (actor, action, kind, label, before, after) in enumerate(
        [
            (SYSTEM, "import.run", "import", "orders.csv", None, {"rows": 5}),
            (ANA, "customer.change", "customer", "Müller 50%", {"name": "Alt"}, {"name": "Größe"}),
            (ANA, "customer.change", "customer", "Smith", {"active": True}, {"active": False}),
        ]
    ):
        now = NOW + timedelta(hours=hours)
        service.record(session, actor, action, (kind, hours), label=label, before=before, after=after, now=now)
    session.flush()


def labels(session, **wanted):
    return [row.subject_label for row in queries.page(session, SYSTEM, AuditFilter(**wanted))]


@pytest.mark.parametrize(
    "statement",
    [
        update(AuditEntry).values(action="nothing happened"),
        delete(AuditEntry),
        text("UPDATE audit_entries SET actor_name = 'somebody else'"),
        text("DELETE FROM audit_entries WHERE id = (SELECT max(id) FROM audit_entries)"),
    ],
    ids=["update", "delete", "raw update", "raw delete"],
)
def test_the_database_itself_refuses_to_change_the_log(session, history, statement):
    with pytest.raises(DBAPIError, match="the audit log is append-only"):
        session.execute(statement)


def test_newest_first(session, history):
    assert labels(session) == ["Smith", "Müller 50%", "orders.csv"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"actor_id": 7}, ["Smith", "Müller 50%"]),
        ({"actor_id": SYSTEM_ID}, ["orders.csv"]),
        ({"action": "import.run"}, ["orders.csv"]),
        ({"subject_kind": "customer", "subject_id": "2"}, ["Smith"]),
        ({"text": "smith"}, ["Smith"]),
        ({"text": "ana lima"}, ["Smith", "Müller 50%"]),
        ({"text": "50%"}, ["Müller 50%"]),
        ({"text": "%"}, ["Müller 50%"]),
        ({"text": "Größe"}, ["Müller 50%"]),
        ({"text": "Alt"}, ["Müller 50%"]),
        ({"text": "MULLER"}, ["Müller 50%"]),
        ({"text": "ana LÏMA"}, ["Smith", "Müller 50%"]),
        ({"text": "grösse"}, ["Müller 50%"]),
        ({"text": "\x00smith"}, ["Smith"]),
        ({"text": "no such thing"}, []),
        ({"since": NOW + timedelta(hours=1)}, ["Smith", "Müller 50%"]),
        ({"until": NOW + timedelta(hours=1)}, ["orders.csv"]),
        ({"since": NOW, "until": NOW}, []),
    ],
)
def test_each_filter_limits(session, history, wanted, found):
    assert labels(session, **wanted) == found
    assert queries.count(session, SYSTEM, AuditFilter(**wanted)) == len(found)


def test_pages_follow_one_another(session, history):
    everything = AuditFilter()
    pages = [queries.page(session, SYSTEM, everything, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [[row.subject_label for row in page] for page in pages] == [["Smith", "Müller 50%"], ["orders.csv"], []]


def test_one_entry_shows_each_field_before_and_after(session, history):
    entry = queries.page(session, SYSTEM, AuditFilter(text="Smith"))[0]
    row, changes = queries.one(session, SYSTEM, entry.id)
    assert row == entry
    assert changes == [FieldChange("active", "yes", "no")]
    with pytest.raises(NotFound):
        queries.one(session, SYSTEM, 999)


def test_half_a_character_in_what_was_changed_hides_nothing_from_a_search(session, history):
    subject, torn = ("import", 9), {"name": "\ud800 \u00eb"}
    service.record(session, SYSTEM, "import.run", subject, label="torn.csv", before=None, after=torn, now=NOW)
    session.flush()
    assert (labels(session, text="Größe"), labels(session, text="\ud800")) == (["Müller 50%"], [])


def test_added_and_removed_fields_have_only_one_side():
    assert queries.changes({"a": 1}, {"b": ["x", "é"]}) == [
        FieldChange("a", "1", None),
        FieldChange("b", None, '["x", "é"]'),
    ]
    assert queries.changes(None, None) == []


def test_decimals_and_days_are_kept_as_people_read_them(session):
    facts = {"price": Decimal("0.10"), "from": date(2026, 1, 2)}
    service.record(session, ANA, "rate.add", ("rate", 1), after=facts, now=NOW)
    session.flush()
    assert session.scalars(select(AuditEntry.after)).one() == {"price": "0.10", "from": "2026-01-02"}


def test_what_can_be_chosen(session, history):
    assert queries.actions(session, SYSTEM) == ["customer.change", "import.run"]
    assert queries.subject_kinds(session, SYSTEM) == ["customer", "import"]
    assert queries.actors(session, SYSTEM) == {SYSTEM_ID: "The system"}
    assert queries.happened(session, "import.run")
    assert not queries.happened(session, "demo.fill")


def test_the_log_is_for_those_who_may_read_it(session):
    nobody = Actor(1, "nobody", frozenset(Permission) - {Permission.AUDIT_READ})
    for ask in (
        lambda: queries.page(session, nobody, AuditFilter()),
        lambda: queries.count(session, nobody, AuditFilter()),
        lambda: queries.one(session, nobody, 1),
        lambda: queries.actors(session, nobody),
        lambda: queries.actions(session, nobody),
        lambda: queries.subject_kinds(session, nobody),
    ):
        with pytest.raises(Forbidden):
            ask()


def test_a_person_is_found_by_their_address_in_what_they_did_and_what_was_done_to_them(session):
    bea = people.add_person(
        session, SYSTEM, email="bea@example.com", name="Bea", role=Role.ADMIN, password_hash="x", now=NOW
    )
    cora = people.add_person(session, SYSTEM, email="cora@example.com", name="Cora", role=Role.FINANCE, now=NOW)
    acting = actor_with(Role.ADMIN, user_id=bea.id, name="Bea")
    people.change_role(session, acting, cora.id, role=Role.MANAGER, now=NOW + timedelta(hours=1))
    service.record(session, SYSTEM, "import.run", ("import", cora.id), label="orders.csv", now=NOW)

    def found(address):
        return [(row.action, row.subject_label) for row in queries.page(session, SYSTEM, AuditFilter(text=address))]

    assert found("CORA@example") == [("user.change_role", "Cora"), ("user.invite", "Cora")]
    assert found("bea@example.com") == [("user.change_role", "Cora"), ("user.invite", "Bea")]


@pytest.mark.parametrize("field", ["action", "subject_kind", "subject_id", "text"])
def test_nul_in_an_address_finds_nothing_and_fails_nowhere(session, history, field):
    assert labels(session, **{field: "no\0where"}) == []
