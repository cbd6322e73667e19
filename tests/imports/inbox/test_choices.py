"""What people choose for a dropped file, and when they may."""

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict, NotFound
from billing_core.imports import Kind, inbox, sources, steps
from billing_core.imports.mapping import Fixed, from_column
from billing_core.imports.models import FileState
from tests.imports.inbox.dropped import ADA, CUSTOMERS, EVE


def test_a_choice_is_kept_and_discards_an_earlier_check(receive, requested, files, sessions):
    token = receive("customers.csv", b"customer_ref,name,note\nACME,Acme Inc,hello\n").token
    steps.work_off(sessions, requested(inbox.check))
    with sessions.begin() as session:
        inbox.choose_origins(session, ADA, token, {"name": from_column("name")})
    assert files()[0].state is FileState.READY, "nothing has changed"
    with sessions.begin() as session:
        inbox.choose_origins(
            session, ADA, token, {"name": from_column("note"), "currency": Fixed("EUR"), "email": None}
        )
    (received,) = files()
    assert (received.state, received.outcome) == (FileState.NEW, None)
    steps.work_off(sessions, requested(inbox.import_))
    with sessions() as session:
        assert session.execute(select(Customer.name, Customer.currency)).one() == ("hello", "EUR")


def test_another_kind_begins_with_its_own_mapping(receive, files, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    with sessions.begin() as session:
        inbox.choose_kind(session, ADA, token, Kind.ORDERS)
    (received,) = files()
    assert (received.kind, received.missing) == (Kind.ORDERS, ["order_number", "order_date"])


def test_what_is_being_worked_on_is_not_changed_and_not_begun_twice(receive, requested, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    job = requested(inbox.check)
    with pytest.raises(Conflict, match="being worked on"):
        requested(inbox.import_, token)
    with pytest.raises(Conflict, match="being worked on"), sessions.begin() as session:
        inbox.choose_kind(session, ADA, token, Kind.ORDERS)
    steps.work_off(sessions, job)
    steps.work_off(sessions, requested(inbox.import_, token))
    with pytest.raises(Conflict, match="it is imported"):
        requested(inbox.import_, token)


def test_how_a_file_is_read_can_be_chosen(receive, requested, files, sessions):
    token = receive("customers.csv", "customer_ref;name\nC1;Łódź\nTotal;\n".encode("iso8859-2")).token
    steps.work_off(sessions, requested(inbox.check))
    assert [line.line for line in files()[0].outcome.odd_lines] == [3]
    inbox.choose_reading(sessions, ADA, token, sources.Chosen(encoding="iso8859-2", kept=(3,)))
    (one,) = files()
    assert (one.state, one.outcome, one.preview) == (FileState.NEW, None, [["C1", "Łódź"], ["Total", ""]])
    steps.work_off(sessions, requested(inbox.check))
    assert [(row.line, row.reason) for row in files()[0].outcome.rejections] == [(3, "is empty")]
    with pytest.raises(NotFound):
        inbox.choose_reading(sessions, EVE, token, sources.NOTHING_CHOSEN)


def test_a_text_that_was_read_wrongly_can_be_read_otherwise(receive, files, sessions):
    token = receive("customers.csv", "customer_ref,name\nC1,Müller\n".encode("latin-1")).token
    inbox.choose_reading(sessions, ADA, token, sources.Chosen(encoding="utf-8-sig"))
    assert (files()[0].state, files()[0].layout) == (FileState.REFUSED, None)
    inbox.choose_reading(sessions, ADA, token, sources.NOTHING_CHOSEN)
    assert (files()[0].problem, files()[0].preview, files()[0].kind) == ("", [["C1", "Müller"]], Kind.CUSTOMERS)
