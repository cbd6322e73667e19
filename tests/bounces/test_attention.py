"""Addresses that mails came back from need attention until they are changed, or somebody says that they are right."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core import figures
from billing_core.audit.models import AuditEntry
from billing_core.bounces import addresses, queries, recording, reports, service
from billing_core.bounces.figures import BOUNCED_MAILS
from billing_core.bounces.models import Bounce
from billing_core.customer_lifecycle import merging
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending
from billing_core.recipients import Recipients
from tests.bounces.returned import returned
from tests.bounces.sent import a_mailed_invoice
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer

READER = actor_with(Role.FINANCE, user_id=2, name="Fin")


def come_back(session, message, address="ap@acme.example", **facts):
    report = reports.read(returned(key=message.key, address=address, **facts))
    assert recording.record(session, SYSTEM, report, now=LATER) == 1


def open_ones(session) -> list[str]:
    rows = figures.page(session, READER, BOUNCED_MAILS, Scope())
    assert figures.count(session, READER, BOUNCED_MAILS, Scope()) == len(rows)
    unreached = queries.unreached(session, READER, limit=10)
    assert sum(one.mails for one in unreached) == len(rows)
    return [row.label.partition(":")[0] for row in rows]


def warned(session, *addresses: str) -> list[str]:
    return [row.address for row in queries.of_addresses(session, READER, addresses)]


def test_an_address_needs_attention_and_warns_in_any_spelling(session):
    invoice, message = a_mailed_invoice(session)
    come_back(session, message)
    assert open_ones(session) == ["ap@acme.example"]
    (one,) = queries.unreached(session, READER, limit=10)
    assert (one.customer_id, one.mails, one.message_id) == (invoice.customer_id, 1, message.id)
    assert [row.address for row in queries.of_customer(session, READER, invoice.customer_id)] == ["ap@acme.example"]
    assert warned(session, "ben@acme.example", "AP@Acme.Example") == ["ap@acme.example"]
    assert warned(session, "ap@acme.example.org", "xap@acme.example", "a_@acme.example") == []


def test_what_is_late_needs_nobodys_attention(session):
    _, message = a_mailed_invoice(session)
    come_back(session, message, action="delayed", status="4.4.1")
    assert (open_ones(session), warned(session, "ap@acme.example")) == ([], [])


@pytest.mark.parametrize("field", ["email", "further_emails", "cc_emails", "bcc_emails"])
def test_it_is_settled_once_the_address_is_changed_on_the_customer_and_on_the_open_invoice(session, field):
    lists = {"email": "ap@acme.example", "further_emails": "x@acme.example", "cc_emails": "y@acme.example"}
    lists |= {"bcc_emails": "z@ours.example"}
    invoice, message = a_mailed_invoice(session, **lists)
    address = lists[field]
    come_back(session, message, address=address)
    customer = session.get_one(Customer, invoice.customer_id)
    setattr(customer, field, f"not-{address}")
    session.flush()
    # The invoice's reminders would still go there.
    assert open_ones(session) == [address]
    of_invoice = "customer_email" if field == "email" else field
    setattr(invoice, of_invoice, f"not-{address}")
    session.flush()
    assert open_ones(session) == []
    # Whoever types it again is warned all the same.
    assert warned(session, address) == [address]
    setattr(customer, field, address.upper())
    session.flush()
    assert open_ones(session) == [address]


def test_a_closed_invoice_keeps_its_address_and_needs_no_attention(session):
    invoice, message = a_mailed_invoice(session)
    come_back(session, message)
    session.get_one(Customer, invoice.customer_id).email = "new@acme.example"
    after_sending.cancel(session, GRACE, invoice.id, now=NOW, today=TODAY)
    session.flush()
    assert open_ones(session) == []


def test_an_address_that_was_typed_for_one_mail_needs_attention_while_its_invoice_is_open(session):
    invoice, message = a_mailed_invoice(session, to=Recipients(("typed@acme.example",)))
    come_back(session, message, address="typed@acme.example")
    assert open_ones(session) == ["typed@acme.example"]
    after_sending.cancel(session, GRACE, invoice.id, now=NOW, today=TODAY)
    session.flush()
    assert open_ones(session) == []


def test_a_person_dismisses_an_address_for_all_mails_until_the_next_comes_back(session):
    for ref in ("ACME", "OTHER"):
        _, message = a_mailed_invoice(session, ref=ref)
        come_back(session, message)
    assert len(open_ones(session)) == 2
    with pytest.raises(Forbidden):
        service.dismiss(session, READER, "ap@acme.example", now=LATER)
    assert service.dismiss(session, GRACE, "AP@acme.example", now=LATER) == 2
    assert (open_ones(session), warned(session, "ap@acme.example")) == ([], [])
    dismissed = queries.of_message(session, READER, message.id)
    assert [(row.dismissed_by, row.dismissed_at) for row in dismissed] == [(GRACE.name, LATER)]
    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "outbox.dismiss_bounce").order_by(AuditEntry.id)
    ).all()
    assert [(entry.actor_name, entry.subject_label) for entry in entries] == [(GRACE.name, "ap@acme.example")] * 2
    with pytest.raises(Conflict, match="nothing to dismiss"):
        service.dismiss(session, GRACE, "ap@acme.example", now=LATER)
    # The same report again is no other bounce.
    again = reports.read(returned(key=message.key))
    assert (recording.record(session, SYSTEM, again, now=LATER), open_ones(session)) == (0, [])
    _, later = a_mailed_invoice(session, ref="THIRD")
    come_back(session, later)
    assert open_ones(session) == ["ap@acme.example"]


def test_the_marks_go_with_a_customer_that_is_merged_into_another(session):
    invoice, message = a_mailed_invoice(session, ref="OLD")
    come_back(session, message)
    kept = a_customer(session, ref="NEW")
    merging.merge(session, GRACE, invoice.customer_id, into_id=kept, now=LATER)
    assert [row.address for row in queries.of_customer(session, READER, kept)] == ["ap@acme.example"]
    assert queries.of_customer(session, READER, invoice.customer_id) == []


def test_whoever_is_bound_to_a_customer_reads_nothing_of_it(session):
    invoice, message = a_mailed_invoice(session)
    bound = actor_with(Role.ADMIN, user_id=3, name="Theirs", customer_id=invoice.customer_id)
    for read in (
        lambda: queries.of_message(session, bound, message.id),
        lambda: queries.of_customer(session, bound, invoice.customer_id),
        lambda: queries.of_addresses(session, bound, ["ap@acme.example"]),
        lambda: queries.unreached(session, bound, limit=1),
    ):
        with pytest.raises(Forbidden):
            read()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_open_is_found_without_reading_all_that_ever_came_back(session):
    statement = select(Bounce.id).where(Bounce.address_key.in_(["a@b.example"]), addresses.UNDISMISSED)
    written = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {written}").all()
    assert [row[3] for row in plan] == ["SEARCH mail_bounces USING INDEX ix_mail_bounces_open (address_key=?)"]


def test_of_very_many_the_last_are_told_in_the_order_in_which_they_came(session):
    _, message = a_mailed_invoice(session)
    facts = {"message_id": message.id, "final": True, "status": "5.1.1", "reason": "User unknown"}
    for place in range(101):
        address = f"{place:03}@acme.example"
        told_at = NOW + timedelta(seconds=place)
        session.add(Bounce(address=address, address_key=address, told_at=told_at, **facts))
    session.flush()
    told = [row.address[:3] for row in queries.of_message(session, READER, message.id)]
    assert (len(told), told[0], told[-1], told == sorted(told)) == (100, "001", "100", True)
