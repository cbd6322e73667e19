"""Payment links on their page and on the invoice's: exactly what is asked for, handing it over, and ending it."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.online_payments.gateway import CreatedLink, Declined
from billing_core.online_payments.links import workflow
from billing_core.settings import settings
from tests.invoices.company import a_customer, a_draft, a_line, an_invoice
from tests.pages.as_read import as_read
from tests.pages.invoicing import shown

pytestmark = pytest.mark.slow

HOSTILE = "Acme :red[$5 *Corp*]"


@pytest.fixture
def database_url(sqlite_url):
    """What is read here is tested on both databases beside its queries."""
    return sqlite_url


class Collector:
    """A gateway that remembers what it was asked, and answers as it is told."""

    mode = Mode.SANDBOX

    def __init__(self):
        self.asked, self.answer = [], None

    def create_link(self, charge, way, *, key):
        self.asked.append((charge, key))
        if self.answer is not None:
            raise self.answer
        return CreatedLink(f"https://pay.example/{key}", f"plink_{len(self.asked)}")


@pytest.fixture
def collector(monkeypatch):
    found = Collector()
    monkeypatch.setattr("pages.ui.collection_mode.gateway", lambda: found)
    return found


@pytest.fixture
def invoice(sessions):
    """2 × 100.00 at 19 %: 238.00 USD is due."""
    with sessions.begin() as session:
        return an_invoice(session, a_customer(session), customer_name=HOSTILE).id


def created(sessions, invoice_id, collector):
    return workflow.create(sessions, SYSTEM, collector, invoice_id, now=utc_now())


def link_of(sessions, invoice_id):
    with sessions() as session:
        return session.scalars(
            select(PaymentLink).where(PaymentLink.invoice_id == invoice_id).order_by(PaymentLink.id.desc()).limit(1)
        ).one()


def test_two_clicks_create_a_link_for_exactly_what_is_due(page_as, sessions, invoice, collector):
    page = page_as("admin").visit("invoice_editor.py", invoice=str(invoice))
    page.button(key="do_Payment link").click().run()
    lines = next(table.value for table in page.dataframe if "What they see" in table.value)
    assert list(lines["What they see"]) == ["Consulting", "Tax 19%"]
    assert list(lines["Amount, USD"]) == ["200.00", "38.00"]
    assert "will be asked to pay exactly **238.00 USD**" in shown(page)
    page.button(key="do_create_link").click()
    page.button(key="do_Payment link").click().run()
    assert not page.exception
    (charge, key), link = collector.asked[0], link_of(sessions, invoice)
    assert (charge.amount_minor, charge.currency) == (23_800, "USD")
    assert (link.state, link.public_id, link.url) == (LinkState.ACTIVE, key, f"https://pay.example/{key}")
    # The customer gets our own address, which leads on; the gateway's is not shown.
    assert page.code[0].value.endswith(f"/pay/{link.token}")
    # The QR code and the PDF, as sharp as they were drawn.
    assert [Path(url).suffix for picture in page.image for url in picture.value] == [".png", ".png"]
    assert "Payment link for 238.00 USD created" in shown(page)
    assert "ledger = payment link = 238.00 USD ✓" in " ".join(one.value for one in page.success).replace("\xa0", " ")


def test_a_draft_says_what_creating_a_link_does_and_is_sent_by_it(page_as, sessions, collector):
    with sessions.begin() as session:
        draft = a_draft(session, a_customer(session)).id
    page = page_as("admin").visit("invoice_editor.py", invoice=str(draft))
    page.button(key="link_draft").click().run()
    assert "becomes an invoice with a number" in shown(page)
    page.button(key="link_draft").click()
    page.button(key="do_create_link").click().run()
    with sessions() as session:
        assert session.get_one(Invoice, draft).state is InvoiceState.OPEN


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (Declined("Your account cannot take EUR yet"), LinkState.FAILED, "Your account cannot take EUR yet"),
        (UpstreamFailed("Stripe did not answer in time"), LinkState.CREATING, "Stripe did not answer in time"),
    ],
)
def test_what_goes_wrong_is_said_where_it_was_asked_and_can_be_asked_again(
    page_as, sessions, invoice, collector, answer, state, said
):
    collector.answer = answer
    visitor = page_as("admin")
    page = visitor.visit("invoice_editor.py", invoice=str(invoice))
    page.button(key="do_Payment link").click().run()
    page.button(key="do_Payment link").click()
    page.button(key="do_create_link").click().run()
    assert said in [error.value for error in page.error]
    assert link_of(sessions, invoice).state is state
    collector.answer = None
    page = visitor.visit("invoice_editor.py", invoice=str(invoice))
    opener = "ask_again" if state is LinkState.CREATING else "do_Payment link"
    page.button(key=opener).click().run()
    page.button(key=opener).click()
    page.button(key="do_create_link").click().run()
    assert link_of(sessions, invoice).state is LinkState.ACTIVE
    keys = {key for _, key in collector.asked}
    assert len(keys) == (1 if state is LinkState.CREATING else 2)


def test_what_stripe_does_not_take_is_said_before_anybody_asks_for_it(page_as, sessions, collector):
    with sessions.begin() as session:
        little = a_draft(session, a_customer(session), a_line(unit_price="0.10", tax_rate="0")).id
    page = page_as("admin").visit("invoice_editor.py", invoice=str(little))
    page.button(key="link_draft").click().run()
    page.button(key="link_draft").click()
    page.run()
    assert "0.20 USD cannot be paid through Stripe, which takes no less than 0.50 USD at once" in shown(page)
    assert "do_create_link" not in {button.key for button in page.button}
    assert collector.asked == []


def test_a_link_is_deactivated_with_a_reason_and_replaced(page_as, sessions, invoice, collector):
    created(sessions, invoice, collector)
    visitor = page_as("admin")
    page = visitor.visit("invoice_editor.py", invoice=str(invoice))
    first = link_of(sessions, invoice)
    page.button(key="renew_link").click().run()
    page.button(key="renew_link").click()
    page.button(key="do_renew_link").click().run()
    second = link_of(sessions, invoice)
    assert second.id != first.id
    assert second.state is LinkState.ACTIVE
    page = visitor.visit("invoice_editor.py", invoice=str(invoice))
    page.button(key="deactivate_link").click().run()
    page.text_input(key=f"deactivate_reason_{second.id}").set_value("They *wire* it")
    page.button(key="deactivate_link").click()
    page.button(key="do_deactivate_link").click().run()
    assert link_of(sessions, invoice).state is LinkState.DEACTIVATED
    assert "Payment link deactivated: They *wire* it" in shown(page)
    assert not page.code


def test_what_the_customer_did_is_told(page_as, sessions, invoice, collector):
    link_id = created(sessions, invoice, collector)
    facts = {"clicks": 3, "last_clicked_at": utc_now(), "last_failed_at": utc_now(), "last_failure": "Card *declined*"}
    with sessions.begin() as session:
        session.execute(update(PaymentLink).where(PaymentLink.id == link_id).values(facts))
    visitor = page_as("finance")
    page = visitor.visit("invoice_editor.py", invoice=str(invoice))
    assert "opened 3 times" in shown(page)
    assert "Card *declined*" in as_read(page.warning[0].value)
    # Finance reads; only administrators act.
    buttons = {button.key for button in page.button}
    assert not buttons & {"renew_link", "deactivate_link", "do_Payment link"}


def test_a_link_of_the_sandbox_says_that_it_is_of_no_use_once_stripe_collects(
    page_as, sessions, invoice, collector, monkeypatch
):
    created(sessions, invoice, collector)
    monkeypatch.setattr(settings(), "stripe_secret_key", SecretStr("sk_live_0123456789"))
    page = page_as("admin").visit("invoice_editor.py", invoice=str(invoice))
    assert "it leads to the sandbox, where nobody can pay any more" in page.warning[0].value
    assert "renew_link" in {button.key for button in page.button}


def test_a_link_that_was_paid_after_it_had_ended_says_both(page_as, sessions, invoice, collector):
    link_id = created(sessions, invoice, collector)
    ended = {"ended_at": utc_now(), "ended_because": "What is due has changed", "last_paid_at": utc_now()}
    with sessions.begin() as session:
        session.execute(
            update(PaymentLink).where(PaymentLink.id == link_id).values(state=LinkState.PAID, url=None, **ended)
        )
    visitor = page_as("finance")
    on_the_invoice = shown(visitor.visit("invoice_editor.py", invoice=str(invoice)))
    assert "**Payment link**" in on_the_invoice
    assert "Paid after it ended" in on_the_invoice
    assert "ended earlier: What is due has changed; paid on" in on_the_invoice
    row = visitor.visit("payment_links.py").dataframe[0].value.iloc[0]
    assert list(row["State"]) == ["Paid after it ended"]
    assert row["What happened"] == "What is due has changed, then the customer paid"


def test_the_list_is_filtered_by_state_and_opens_a_link(page_as, sessions, collector):
    with sessions.begin() as session:
        acme, bolt = a_customer(session), a_customer(session, "BOLT", name="Bolt GmbH")
        one = an_invoice(session, acme, customer_name=HOSTILE).id
        other = an_invoice(session, bolt, customer_name="Bolt GmbH").id
    created(sessions, one, collector)
    active = created(sessions, other, collector)
    with sessions.begin() as session:
        session.execute(
            update(PaymentLink)
            .where(PaymentLink.invoice_id == one)
            .values(state=LinkState.EXPIRED, ended_at=utc_now(), ended_because="It ran out")
        )
        session.execute(
            update(PaymentLink).where(PaymentLink.id == active).values(activated_at=utc_now() - timedelta(days=3))
        )
    visitor = page_as("finance")
    page = visitor.visit("payment_links.py")
    assert not page.exception
    assert sorted(page.dataframe[0].value["Customer"]) == [HOSTILE, "Bolt GmbH"]
    visitor = page_as("finance")
    page = visitor.visit("payment_links.py", links_state="Active")
    table = page.dataframe[0].value
    assert (list(table["Customer"]), list(table["Amount"]), list(table["Age"])) == (
        ["Bolt GmbH"],
        ["238.00"],
        ["3 days"],
    )
    assert list(table["State"]) == [["Not opened"]]
    page = visitor.visit("payment_links.py", link=str(active))
    assert page.code[0].value.endswith(f"/pay/{link_of(sessions, other).token}")
    assert "create_link" not in {button.key for button in page.button}
    assert not page_as("finance").visit("payment_links.py", link="99").exception


def test_the_page_offers_the_invoices_that_can_get_a_link(page_as, sessions, invoice, collector):
    with sessions.begin() as session:
        paid, other = (an_invoice(session, a_customer(session, ref)).id for ref in ("BOLT", "CORAL"))
        session.execute(update(Invoice).where(Invoice.id == paid).values(paid_minor=23_800, state=InvoiceState.PAID))
    page = page_as("admin").visit("payment_links.py")
    page.button(key="create_link").click().run()
    both = page.selectbox(key="payable_invoice_")
    assert (len(both.options), both.value) == (2, None)
    # What is found alone is chosen.
    page.text_input(key="payable_text").set_value("2026-001")
    page.button(key="create_link").click().run()
    alone = page.selectbox(key=f"payable_invoice_{invoice}")
    assert alone.options == ["INV-2026-001 · Acme :red[$5 *Corp*] · 238.00\xa0USD"]
    assert other != invoice == alone.value
    page.button(key="do_create_link").click()
    page.button(key="create_link").click().run()
    link = link_of(sessions, invoice)
    assert page.query_params["link"] in (str(link.id), [str(link.id)])
    assert page.code[0].value.endswith(f"/pay/{link.token}")


def test_somebody_of_one_customer_sees_their_own_links_alone(page_as, sessions, invoice, collector):
    created(sessions, invoice, collector)
    with sessions.begin() as session:
        bolt = a_customer(session, "BOLT")
    link = link_of(sessions, invoice)
    visitor = page_as("admin", customer_id=bolt)
    page = visitor.visit("payment_links.py")
    assert not page.dataframe
    page = visitor.visit("payment_links.py", link=str(link.id))
    assert "There is no payment link" in page.error[0].value
    assert not page.code
