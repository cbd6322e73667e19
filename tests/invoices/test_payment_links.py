"""What ends a payment link, what the invoice shows then, and what the gateway is told."""

from datetime import date, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.businesses.models import Business
from billing_core.dates import start_of_day
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, lifecycle, payment_links, queries, service
from billing_core.invoices.models import EventKind, Invoice
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.invoices.service import Details
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import Settings
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, an_invoice, kinds


def a_link(session, invoice, *, state=LinkState.ACTIVE, mode=Mode.TEST) -> PaymentLink:
    link = PaymentLink(
        invoice_id=invoice.id,
        mode=mode,
        way=payment_links.CollectionWay.PAYMENT_LINK,
        state=state,
        currency=invoice.currency,
        amount_minor=invoice.due_minor,
        charge={},
        url="https://pay.example/1",
        stripe_invoice_id="in_1",
        expires_at=NOW + timedelta(days=60),
        created_at=NOW,
        created_by="Grace Hopper",
    )
    session.add(link)
    session.flush()
    if state is LinkState.ACTIVE:
        payment_links.show(session, link, invoice)
    return link


@pytest.fixture
def invoice(session) -> Invoice:
    return an_invoice(session, a_customer(session))


def told(session) -> list[OutboxMessage]:
    return list(session.scalars(select(OutboxMessage).where(OutboxMessage.channel == "gateway")))


def end(session, invoice, **facts):
    known = {"state": LinkState.DEACTIVATED, "because": "It is not needed", "now": LATER}
    return payment_links.end(session, GRACE, invoice, **known | facts)


def test_an_invoice_shows_its_active_link_without_a_new_version(session, invoice):
    version = invoice.version
    a_link(session, invoice)
    assert (invoice.payment_url, invoice.stripe_invoice_id) == ("https://pay.example/1", "in_1")
    session.expire_all()
    shown = queries.one(session, GRACE, invoice.id)
    assert (shown.payment_url, shown.version) == ("https://pay.example/1", version)


def test_the_token_is_that_of_the_active_link(session, invoice):
    for state in LinkState:
        if state not in payment_links.LIVING:
            a_link(session, invoice, state=state)
    assert payment_links.active_token(session, invoice.id) is None
    link = a_link(session, invoice)
    other = an_invoice(session, invoice.customer_id)
    assert payment_links.active_token(session, invoice.id) == link.token
    assert payment_links.active_token(session, other.id) is None


@pytest.mark.parametrize(
    ("mode", "key", "payable"),
    [
        (Mode.SANDBOX, None, True),
        (Mode.SANDBOX, "sk_test_x", False),
        (Mode.TEST, "sk_test_x", True),
        (Mode.TEST, None, True),
    ],
)
def test_nobody_pays_in_the_sandbox_once_stripe_collects(session, invoice, monkeypatch, mode, key, payable):
    a_link(session, invoice, mode=mode)
    collecting = Settings(stripe_secret_key=key and SecretStr(key), stripe_webhook_secret=key and SecretStr("whsec_x"))
    monkeypatch.setattr(payment_links, "settings", lambda: collecting)
    assert (payment_links.active_token(session, invoice.id) is not None) is payable


def test_a_link_that_ends_is_withdrawn_at_the_gateway(session, invoice):
    link = a_link(session, invoice)
    ended = end(session, invoice, because="x" * 501)
    assert ended is link
    assert (link.state, link.ended_at, link.ended_because) == (LinkState.DEACTIVATED, LATER, "x" * 500)
    assert queries.one(session, GRACE, invoice.id).payment_url is None
    (message,) = told(session)
    assert (message.topic, message.recipient, message.key) == (
        "deactivate_link",
        "test",
        f"deactivate_link:{link.public_id}",
    )
    assert (message.title, message.content) == ("Deactivate the payment link of INV-2026-001", {"link_id": link.id})
    assert (message.subject_kind, message.subject_id) == ("payment_link", str(link.id))
    assert message.customer_id == invoice.customer_id
    assert end(session, invoice) is None
    assert len(told(session)) == 1


@pytest.mark.parametrize("facts", [{"state": LinkState.PAID}, {"tell_gateway": False}])
def test_what_the_gateway_knows_already_it_is_not_told(session, invoice, facts):
    a_link(session, invoice)
    assert end(session, invoice, **facts).ended_at == LATER
    assert told(session) == []


@pytest.mark.parametrize("state", [state for state in LinkState if state is not LinkState.ACTIVE])
def test_only_an_active_link_ends(session, invoice, state):
    link = a_link(session, invoice, state=state)
    assert end(session, invoice) is None
    assert (link.state, link.ended_at) == (state, None)
    assert not lifecycle.end_link(session, GRACE, invoice, state=LinkState.EXPIRED, because="Too old", now=LATER)
    assert kinds(session, invoice.id) == ["created", "sent"]


def test_a_link_of_another_invoice_stays(session, invoice):
    a_link(session, invoice)
    assert end(session, an_invoice(session, invoice.customer_id)) is None


def test_a_creation_that_was_never_answered_is_withdrawn_in_any_case(session, invoice):
    link = a_link(session, invoice, state=LinkState.CREATING)
    payment_links.abandon(session, GRACE, link, invoice, because="x" * 501, now=LATER)
    assert (link.state, link.ended_at, link.ended_because) == (LinkState.FAILED, LATER, "x" * 500)
    assert [message.content for message in told(session)] == [{"link_id": link.id}]


def test_an_end_is_in_the_timeline_and_audited(session, invoice):
    link = a_link(session, invoice)
    facts = {"state": LinkState.EXPIRED, "because": "Too old", "now": LATER}
    assert lifecycle.end_link(session, GRACE, invoice, **facts)
    event = queries.events(session, invoice.id)[0]
    assert (event.kind, event.data) == (
        EventKind.LINK_ENDED,
        {"link_id": link.id, "state": "expired", "reason": "Too old"},
    )
    (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "payment_link.write"))
    assert (entry.subject_label, entry.before, entry.after) == (
        "INV-2026-001",
        {"state": "active"},
        {"state": "expired", "reason": "Too old"},
    )
    assert len(told(session)) == 1


def test_a_new_link_is_in_the_timeline(session, invoice):
    link = a_link(session, invoice)
    lifecycle.note_link(session, GRACE, invoice, link.id, {"amount_minor": 23_800}, now=LATER)
    event = queries.events(session, invoice.id)[0]
    assert (event.kind, event.data) == (EventKind.LINK_CREATED, {"link_id": link.id, "amount_minor": 23_800})


def pay(amount):
    def change(session, invoice):
        lifecycle.settle(session, SYSTEM, invoice, paid=amount, event=EventKind.PAYMENT, now=LATER)

    return change


def credit(session, invoice):
    facts = {"reason": "Returned", "issued_on": TODAY, "today": TODAY, "now": LATER}
    credit_notes.issue(session, GRACE, invoice.id, amount_minor=3_800, **facts)


def write_off(session, invoice):
    lifecycle.settle(session, SYSTEM, invoice, written_off=23_800, event=EventKind.WRITTEN_OFF, now=LATER)


def cancel(session, invoice):
    after_sending.cancel(session, GRACE, invoice.id, now=LATER, today=TODAY)


def edit(**details):
    def change(session, invoice):
        service.update_details(session, GRACE, invoice.id, Details(**details), now=LATER, today=TODAY)

    return change


def view(session, invoice):
    after_sending.set_viewed(session, GRACE, invoice.id, now=LATER)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (pay(23_800), "The invoice was paid"),
        (pay(100), "What is due has changed"),
        (credit, "What is due has changed"),
        (write_off, "The invoice was written off"),
        (cancel, "The invoice was cancelled"),
        (edit(customer_name="Acme Inc"), "The customer's name or e-mail address has changed"),
        (edit(customer_email="new@acme.example"), "The customer's name or e-mail address has changed"),
        (edit(payment_terms="2/10 net 30"), "What early payment takes off has changed"),
        (edit(notes="Order 4711, please"), None),
        (edit(payment_terms="As agreed by telephone"), None),
        (edit(due_on=TODAY + timedelta(days=90)), None),
        (edit(due_on=TODAY + timedelta(days=1)), None),
        (view, None),
    ],
)
def test_a_link_ends_with_the_change_that_makes_it_wrong(session, invoice, change, because):
    link = a_link(session, invoice)
    change(session, invoice)
    if because is None:
        assert (link.state, invoice.payment_url) == (LinkState.ACTIVE, "https://pay.example/1")
        return
    assert (link.state, link.ended_because) == (LinkState.DEACTIVATED, because)
    assert invoice.payment_url is None
    assert len(told(session)) == 1


@pytest.mark.parametrize(("days", "longer"), [(60, 60), (1, 0)])
def test_a_link_that_was_mailed_is_valid_for_as_much_longer_as_the_invoice_may_be_paid(session, invoice, days, longer):
    """Due on 1 April; the link ends with the day after whose end it was valid, also across the change of the clocks."""
    link = a_link(session, invoice)
    link.expires_at = start_of_day("Europe/Berlin", date(2026, 5, 2))
    session.get_one(Business, invoice.business_id).time_zone = "Europe/Berlin"
    due_on = date(2026, 4, 1) + timedelta(days=days) if longer else TODAY + timedelta(days=1)

    edit(due_on=due_on)(session, invoice)

    assert link.expires_at == start_of_day("Europe/Berlin", date(2026, 5, 2) + timedelta(days=longer))
    trace = select(AuditEntry).where(AuditEntry.subject_kind == "payment_link")
    assert len(session.scalars(trace).all()) == (1 if longer else 0)


def test_terms_whose_discount_is_over_may_be_written_anew(session):
    """2 % until 12 March: a link of the day after asks for all, whatever the terms said before."""
    invoice = an_invoice(session, a_customer(session), payment_terms="2/10 net 30")
    link = a_link(session, invoice)
    for day, state in ((14, LinkState.ACTIVE), (12, LinkState.DEACTIVATED)):
        now = NOW.replace(day=day)
        details = Details(payment_terms=f"By transfer, {day}")
        service.update_details(session, GRACE, invoice.id, details, now=now, today=now.date())
        assert link.state is state
        service.update_details(
            session, GRACE, invoice.id, Details(payment_terms="2/10 net 30"), now=NOW.replace(day=14), today=now.date()
        )


def test_a_link_that_asks_for_less_still_ends_with_the_discount(session, invoice):
    link = a_link(session, invoice)
    link.amount_minor -= 1
    before = link.expires_at
    edit(due_on=date(2026, 9, 1))(session, invoice)
    assert (link.state, link.expires_at) == (LinkState.ACTIVE, before)
