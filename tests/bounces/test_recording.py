"""What a mail that came back changes, and what is forged changes nothing."""

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.bounces import recording, reports
from billing_core.bounces.models import Bounce
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import credit_notes, queries
from billing_core.invoices.models import EventKind
from billing_core.mailing import documents
from billing_core.outbox import delivery
from billing_core.outbox import service as outbox
from billing_core.outbox.delivery import InPart, Refused
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.recipients import Recipients
from tests.bounces.returned import QMAIL, returned
from tests.bounces.sent import a_mailed_invoice, taken
from tests.invoices.company import GRACE, LATER, NOW, TODAY
from tests.outbox.post_office import a_message

UNKNOWN = "550 5.1.1 <ap@acme.example>: Recipient address rejected: User unknown"


def record(session, mail: bytes) -> int:
    report = reports.read(mail)
    assert report is not None
    return recording.record(session, SYSTEM, report, now=LATER)


def bounces(session) -> list[tuple[str, bool, str]]:
    return [(one.address, one.final, one.status) for one in session.scalars(select(Bounce).order_by(Bounce.id))]


def told(session, invoice):
    event = queries.events(session, invoice.id)[0]
    return event.kind, event.data


def test_a_bounce_marks_the_mail_and_the_invoice_and_is_audited(session):
    invoice, message = a_mailed_invoice(session)
    assert record(session, returned(key=message.key)) == 1
    assert (message.state, message.bounced_at) == (MessageState.BOUNCED, LATER)
    assert bounces(session) == [("ap@acme.example", True, "5.1.1")]
    facts = {"to": "ap@acme.example", "reason": UNKNOWN, "topic": "invoice", "message_id": message.id}
    assert told(session, invoice) == (EventKind.BOUNCED, facts)
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (entry.action, entry.subject_kind, entry.subject_id) == ("outbox.bounce", "message", str(message.id))
    assert entry.after == {"address": "ap@acme.example", "status": "5.1.1", "reason": UNKNOWN}


@pytest.mark.parametrize("form", [None, QMAIL])
def test_a_report_told_again_changes_nothing(session, form):
    _, message = a_mailed_invoice(session)
    mail = returned(key=message.key) if form is None else returned(form, key=message.key)
    assert [record(session, mail), record(session, mail), record(session, returned(key=message.key))] == [1, 0, 0]
    assert len(bounces(session)) == 1
    assert session.scalar(select(func.count()).where(AuditEntry.action == "outbox.bounce")) == 1


def test_what_is_late_is_told_and_no_bounce_until_it_is_given_up(session):
    invoice, message = a_mailed_invoice(session)
    late = returned(key=message.key, action="delayed", status="4.4.1")
    assert [record(session, late), record(session, late)] == [1, 0]
    assert (message.state, message.bounced_at) == (MessageState.DELIVERED, None)
    assert told(session, invoice)[0] is EventKind.DELAYED
    assert bounces(session) == [("ap@acme.example", False, "4.4.1")]
    assert [record(session, returned(key=message.key, status="4.4.7")), record(session, late)] == [1, 0]
    assert message.state is MessageState.BOUNCED
    assert bounces(session) == [("ap@acme.example", True, "4.4.7")]


def test_one_of_several_comes_back_and_each_is_told_apart(session):
    to = Recipients(("ap@acme.example", "Ben@Acme.example"), ("cfo@straße.example",), ("books@ours.example",))
    invoice, message = a_mailed_invoice(session, to=to)
    for address in ("ben@ACME.example", "cfo@xn--strae-oqa.example", "books@ours.example"):
        assert record(session, returned(key=message.key, address=address)) == 1
    assert [address for address, _, _ in bounces(session)] == [
        "Ben@Acme.example",
        "cfo@straße.example",
        "books@ours.example",
    ]
    # Of a blind copy people of the customer read neither the address nor the reason, which names it.
    kind, data = told(session, invoice)
    assert (kind, data["bcc"], {"to", "reason"} & data.keys()) == (EventKind.BOUNCED, "books@ours.example", set())


@pytest.mark.parametrize(
    "mail",
    [
        returned(key="another mail"),
        returned(key="mail", address="eve@acme.example"),
        returned(key="mail", address="ap@acme.example.evil.example"),
        returned(key="mail", address="xap@acme.example"),
    ],
    ids=["unknown mail", "somebody else", "longer domain", "longer name"],
)
def test_a_forged_report_changes_nothing(session, mail):
    message_id = outbox.put(session, SYSTEM, a_message("mail", subject=("customer", 1)), now=NOW)
    taken(session, message_id)
    assert record(session, mail) == 0
    assert session.get_one(OutboxMessage, message_id).state is MessageState.DELIVERED
    assert bounces(session) == []


def test_a_mail_that_never_left_cannot_come_back(session):
    message_id = outbox.put(session, SYSTEM, a_message("mail", subject=("customer", 1)), now=NOW)
    assert record(session, returned(key="mail")) == 0
    assert session.get_one(OutboxMessage, message_id).state is MessageState.WAITING


def test_a_webhook_cannot_come_back(session):
    message = taken(session, outbox.put(session, SYSTEM, a_message("hook", channel="webhook"), now=NOW))
    assert record(session, returned(key="hook")) == 0
    assert message.mail_id is None


def test_whom_the_server_refused_at_once_is_not_told_of_twice(sessions):
    both = Recipients(("ap@acme.example", "ben@acme.example"))
    with sessions.begin() as session:
        message_id = outbox.put(session, SYSTEM, a_message("mail", subject=("customer", 1), receivers=both), now=NOW)

    def refuse_ben(_message):
        raise InPart({"ap@acme.example": "", "ben@acme.example": "550 no"}, final=True)

    delivery.deliver_due(sessions, {"mail": refuse_ben}, now_of=lambda: NOW)
    with sessions.begin() as session:
        assert record(session, returned(key="mail", address="ben@acme.example")) == 0
        assert record(session, returned(key="mail")) == 1
        # Somebody has to see to Ben first.
        assert session.get_one(OutboxMessage, message_id).state is MessageState.FAILED


def test_a_report_that_is_there_before_the_answer_is_written_down(sessions):
    with sessions.begin() as session:
        message_id = outbox.put(session, SYSTEM, a_message("mail", subject=("customer", 1)), now=NOW)

    def comes_back_at_once(_message):
        with sessions.begin() as session:
            assert record(session, returned(key="mail")) == 1

    delivery.deliver_due(sessions, {"mail": comes_back_at_once}, now_of=lambda: NOW)
    with sessions() as session:
        assert session.get_one(OutboxMessage, message_id).state is MessageState.BOUNCED


def test_a_mail_that_was_refused_at_once_stays_failed(sessions):
    with sessions.begin() as session:
        message_id = outbox.put(session, SYSTEM, a_message("mail", subject=("customer", 1)), now=NOW)

    def refuse(_message):
        raise Refused("550 no")

    delivery.deliver_due(sessions, {"mail": refuse}, now_of=lambda: NOW)
    with sessions.begin() as session:
        record(session, returned(key="mail"))
        assert session.get_one(OutboxMessage, message_id).state is MessageState.FAILED


def test_the_mail_of_a_credit_note_is_told_of_on_its_invoice(session):
    invoice, _ = a_mailed_invoice(session)
    note = credit_notes.issue(session, GRACE, invoice.id, reason="late", issued_on=TODAY, today=TODAY, now=NOW)
    message = taken(session, documents.send_credit_note(session, GRACE, note.id, now=NOW))
    assert record(session, returned(key=message.key)) == 1
    assert told(session, invoice)[1]["topic"] == "credit_note"


def test_nobody_tells_of_bounces_who_may_not_send(session):
    report = reports.read(returned())
    with pytest.raises(Forbidden):
        recording.record(session, actor_with(Role.FINANCE, user_id=1, name="Fin"), report, now=NOW)
