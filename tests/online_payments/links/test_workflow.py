"""Creating a payment link: one at a time, whatever fails in between, for those who may."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing_core import runtime
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, NotFound, UpstreamFailed
from billing_core.identity import Role, actor_with
from billing_core.invoices import after_sending, queries, service
from billing_core.invoices.content.content import Content
from billing_core.invoices.documents import document
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.jobs.schedules import link_expiry
from billing_core.online_payments.gateway import ChargeLine, Declined
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links import workflow
from billing_core.online_payments.links.queries import LinkFilter
from billing_core.outbox.models import OutboxMessage
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_line, an_invoice, kinds
from tests.online_payments.created_links import create, deliver, newest, pay_by_hand, seen, the_invoice, wrong
from tests.online_payments.linked import tell
from tests.online_payments.stripe.events import NOON, Paying

pytestmark = pytest.mark.usefixtures("proven")


def test_a_link_asks_for_what_is_due_and_opens_the_draft(sessions, gateway, draft_id):
    with sessions() as session:
        shown = workflow.preview(session, GRACE, draft_id, today=TODAY)

    link = create(sessions, gateway, draft_id)

    assert shown.lines == (ChargeLine("Consulting", 100_00, 2), ChargeLine("Tax 19%", 38_00))
    ((asked, _),) = gateway.places.values()
    assert (asked.lines, asked.amount_minor, asked.customer_email) == (shown.lines, 238_00, "ap@acme.example")
    assert (link.state, link.amount_minor, link.mode, link.clicks) == (LinkState.ACTIVE, 238_00, Mode.TEST, 0)
    # 30 days after 1 April is 1 May, and its last day counts in full.
    assert link.expires_at == datetime(2026, 5, 2, tzinfo=UTC)
    invoice = the_invoice(sessions, draft_id)
    assert (invoice.state, invoice.number, invoice.due_minor) == (InvoiceState.OPEN, "INV-2026-001", 238_00)
    assert invoice.payment_url == link.url == f"https://pay.example/{link.public_id}"
    with sessions() as session:
        assert kinds(session, draft_id) == ["created", "sent", "link_issued"]
        assert session.scalars(select(OutboxMessage)).all() == []
        said = document.of_invoice(session, draft_id, address="https://b.example")
        assert said.payment_url == f"https://b.example/pay/{link.token}"


def test_the_last_day_of_a_link_ends_where_the_business_is(sessions, gateway, open_id):
    with sessions.begin() as session:
        default_business(session).time_zone = "Europe/Amsterdam"
    # The first of May in the Netherlands, which are two hours ahead then.
    assert create(sessions, gateway, open_id).expires_at == datetime(2026, 5, 1, 22, tzinfo=UTC)


def test_while_a_discount_runs_the_link_asks_for_less_and_ends_with_it(sessions, gateway, monkeypatch):
    """2 % of 238.00 are 4.76, until 16 March: 233.24. Afterwards a link for 238.00 takes its place, once."""
    with sessions.begin() as session:
        invoice_id = an_invoice(session, a_customer(session), payment_terms="2% 14 days, net 30").id
    link = create(sessions, gateway, invoice_id)
    ((asked, _),) = gateway.places.values()
    assert (link.amount_minor, asked.amount_minor, link.expires_at) == (
        233_24,
        233_24,
        datetime(2026, 3, 17, tzinfo=UTC),
    )
    assert [(line.name.partition(", ")[2], line.unit_minor) for line in asked.lines] == [
        ("amount due (Early-payment discount of 2%)", 233_24)
    ]
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr("billing_core.online_payments.configured.gateway", lambda *_: gateway)
    monkeypatch.setattr("billing_core.online_payments.configured.mode", lambda *_: Mode.TEST)
    assert (link_expiry.end_due(link.expires_at - timedelta(seconds=1)), link_expiry.renew(link.expires_at)) == (0, 0)

    assert (link_expiry.end_due(link.expires_at), link_expiry.renew(link.expires_at)) == (1, 1)

    renewed = newest(sessions, invoice_id)
    assert (renewed.state, renewed.amount_minor) == (LinkState.ACTIVE, 238_00)
    assert link_expiry.renew(link.expires_at) == 0


def test_what_a_link_asked_for_while_a_discount_ran_settles_the_invoice(sessions, gateway):
    with sessions.begin() as session:
        invoice_id = an_invoice(session, a_customer(session), payment_terms="2% 14 days, net 30").id
    link = create(sessions, gateway, invoice_id)
    metadata = {"link_id": link.public_id, "invoice_id": the_invoice(sessions, invoice_id).public_id}
    # A direct debit, which took until 20 March.
    debit = Paying(amount=233_24, currency="usd", metadata=metadata, link=link.gateway_id, paid_at=NOON + 10 * 86_400)
    tell(sessions, debit.succeeded(), now=datetime(2026, 3, 21, tzinfo=UTC))
    paid = the_invoice(sessions, invoice_id)
    assert (paid.state, paid.paid_minor, paid.credited_minor) == (InvoiceState.PAID, 233_24, 4_76)


def test_a_hosted_invoice_has_its_id_at_once(sessions, gateway, open_id):
    with sessions.begin() as session:
        default_business(session).collects_by = "hosted_invoice"

    link = create(sessions, gateway, open_id)

    assert link.stripe_invoice_id == the_invoice(sessions, open_id).stripe_invoice_id == f"in_{link.public_id}"


def test_a_second_link_is_refused_until_the_first_has_ended(sessions, gateway, open_id):
    first = create(sessions, gateway, open_id)

    with pytest.raises(Conflict, match="has a payment link already"):
        create(sessions, gateway, open_id)
    with sessions.begin() as session:
        workflow.deactivate(session, GRACE, first.id, reason="Wrong address", now=LATER)
    second = create(sessions, gateway, open_id, now=LATER)

    assert second.id != first.id
    assert (seen(sessions, first.id).state, seen(sessions, first.id).ended_because) == (
        LinkState.DEACTIVATED,
        "Wrong address",
    )
    with pytest.raises(Conflict, match="is deactivated already"), sessions.begin() as session:
        workflow.deactivate(session, GRACE, first.id, reason="Again", now=LATER)


@pytest.mark.parametrize("becomes", ["paid", "cancelled", "nothing"])
def test_there_is_no_link_where_nothing_can_be_paid(sessions, gateway, becomes):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session), a_line(unit_price="0" if becomes == "nothing" else "100"))
        if becomes == "cancelled":
            after_sending.cancel(session, GRACE, invoice.id, now=NOW, today=TODAY)
        invoice_id, due = invoice.id, invoice.due_minor
    if becomes == "paid":
        pay_by_hand(sessions, invoice_id, due)

    with pytest.raises(Conflict):
        create(sessions, gateway, invoice_id)
    with pytest.raises(Conflict), sessions() as session:
        workflow.preview(session, GRACE, invoice_id, today=TODAY)
    assert gateway.places == {}


def test_a_refusal_leaves_the_invoice_as_it_is_and_says_why(sessions, gateway, draft_id):
    gateway.fails = ["refuse"]

    with pytest.raises(Declined, match="cannot take this currency"):
        create(sessions, gateway, draft_id)

    failed = newest(sessions, draft_id)
    assert (failed.state, failed.ended_because) == (LinkState.FAILED, "The account cannot take this currency")
    invoice = the_invoice(sessions, draft_id)
    assert (invoice.state, invoice.number, invoice.payment_url) == (InvoiceState.DRAFT, None, None)
    assert create(sessions, gateway, draft_id).state is LinkState.ACTIVE


def test_the_same_again_after_a_lost_answer_makes_no_second_link(sessions, gateway, draft_id):
    gateway.fails = ["lost", "down"]
    for _ in gateway.fails[:]:
        with pytest.raises(UpstreamFailed):
            create(sessions, gateway, draft_id)
        assert the_invoice(sessions, draft_id).state is InvoiceState.DRAFT

    link = create(sessions, gateway, draft_id, now=LATER)

    assert set(gateway.places) == {link.public_id}
    with sessions() as session:
        assert len(links.of_invoice(session, GRACE, draft_id)) == 1


def test_a_process_that_ends_between_the_answer_and_its_record_leaves_nothing_behind(sessions, gateway, draft_id):
    """The link is there, and we do not know it. Whoever asks again gets that one."""
    with sessions.begin() as session:
        asked = workflow._ask(session, GRACE, Mode.TEST, draft_id, now=NOW)
    gateway.create_link(asked.charge, asked.way, key=asked.key)

    assert create(sessions, gateway, draft_id, now=LATER).public_id == asked.key
    assert len(gateway.places) == 1


def test_an_invoice_that_changed_since_gets_another_link_and_the_lost_one_is_found_and_ended(
    sessions, gateway, draft_id, monkeypatch
):
    gateway.fails = ["lost"]
    with pytest.raises(UpstreamFailed):
        create(sessions, gateway, draft_id)
    edit_draft(sessions, draft_id, a_line(quantity="3"))

    link = create(sessions, gateway, draft_id, now=LATER)
    deliver(sessions, gateway, monkeypatch)

    assert link.amount_minor == 357_00
    assert gateway.payable == {link.public_id}


def edit_draft(sessions, draft_id, *lines):
    with sessions.begin() as session:
        invoice = session.get_one(Invoice, draft_id)
        content: Content = queries.content(session, invoice)
        changed = Content(**{**{name: getattr(content, name) for name in content.__slots__}, "lines": lines})
        service.edit(session, GRACE, draft_id, changed, drawn_from=invoice.version, now=LATER)


def test_a_draft_that_changes_while_the_gateway_is_asked_gets_no_link(sessions, gateway, draft_id, monkeypatch):
    gateway.meanwhile = lambda: edit_draft(sessions, draft_id, a_line(quantity="1"))

    with pytest.raises(Conflict, match="changed while the link was being created"):
        create(sessions, gateway, draft_id)

    gateway.meanwhile = lambda: None
    assert the_invoice(sessions, draft_id).state is InvoiceState.DRAFT
    assert newest(sessions, draft_id).state is LinkState.DEACTIVATED
    deliver(sessions, gateway, monkeypatch)
    assert gateway.payable == set()


def test_an_invoice_that_is_paid_while_the_gateway_is_asked_gets_no_link(sessions, gateway, open_id, monkeypatch):
    gateway.meanwhile = lambda: pay_by_hand(sessions, open_id, 238_00)

    with pytest.raises(Conflict):
        create(sessions, gateway, open_id)

    gateway.meanwhile = lambda: None
    deliver(sessions, gateway, monkeypatch)
    assert gateway.payable == set()
    assert the_invoice(sessions, open_id).payment_url is None


def test_two_who_ask_at_the_same_time_get_the_same_link(sessions, gateway, draft_id):
    found = []

    def the_other_one():
        gateway.meanwhile = lambda: None
        found.append(workflow.create(sessions, GRACE, gateway, draft_id, now=NOW))

    gateway.meanwhile = the_other_one
    found.append(workflow.create(sessions, GRACE, gateway, draft_id, now=NOW))

    assert len(set(found)) == len(gateway.places) == 1
    with sessions() as session:
        assert kinds(session, draft_id).count("link_issued") == 1


def test_who_may_create_and_see_links(sessions, gateway, open_id):
    link = create(sessions, gateway, open_id)
    with sessions() as session:
        customer_id = session.get_one(Invoice, open_id).customer_id
        theirs = actor_with(Role.ADMIN, user_id=None, name="Theo", customer_id=customer_id)
        another = actor_with(Role.ADMIN, user_id=None, name="Ann", customer_id=customer_id + 1)

        assert links.one(session, READER, link.id) == links.one(session, theirs, link.id)
        with pytest.raises(NotFound):
            links.one(session, another, link.id)
        assert links.page(session, another, LinkFilter()) == links.of_invoice(session, another, open_id) == []
        assert links.counts(session, another) == []
        with pytest.raises(Forbidden):
            workflow.deactivate(session, READER, link.id, reason="No", now=NOW)
    for actor in (READER, theirs):
        with pytest.raises(Forbidden):
            workflow.create(sessions, actor, gateway, open_id, now=NOW)


def test_links_are_listed_by_state_text_and_order(sessions, gateway):
    with sessions.begin() as session:
        acme, zoom = a_customer(session), a_customer(session, "ZOOM", name="Zoom Ltd")
        first = an_invoice(session, acme).id
        second = an_invoice(session, zoom, a_line(quantity="1"), customer_name="Zoom Ltd").id
        assert session.get_one(Customer, zoom).name == "Zoom Ltd"
    one, other = create(sessions, gateway, first), create(sessions, gateway, second)
    with sessions.begin() as session:
        workflow.deactivate(session, GRACE, one.id, reason="Old", now=LATER)

    with sessions() as session:

        def found(**wanted):
            return [row.id for row in links.page(session, GRACE, LinkFilter(**wanted))]

        assert found() == [other.id, one.id]
        assert found(order_by="-amount") == [one.id, other.id]
        assert found(state=(LinkState.ACTIVE,)) == found(text="zoom") == [other.id]
        assert links.count(session, GRACE, LinkFilter(text="INV-2026")) == 2
        assert links.counts(session, GRACE, LinkFilter(state=(LinkState.ACTIVE,))) == [
            links.StateCount(LinkState.ACTIVE, "USD", 1, 119_00),
            links.StateCount(LinkState.DEACTIVATED, "USD", 1, 238_00),
        ]


def test_verify_finds_a_link_that_asks_for_something_else(sessions, gateway, open_id):
    link = create(sessions, gateway, open_id)

    def put(row, identity, **facts):
        with sessions.begin() as session:
            session.execute(update(row).where(row.id == identity).values(**facts))

    for facts in ({"amount_minor": 1}, {"currency": "EUR"}, {"url": "https://elsewhere.example"}):
        put(PaymentLink, link.id, **facts)
        assert wrong(sessions) == [f"payment link id {link.id} of INV-2026-001"]
        put(PaymentLink, link.id, amount_minor=link.amount_minor, currency="USD", url=link.url)
    put(PaymentLink, link.id, state=LinkState.PAID)
    assert wrong(sessions) == [f"invoice id {open_id}, INV-2026-001, leads to no active link"]
    put(Invoice, open_id, payment_url=None)
