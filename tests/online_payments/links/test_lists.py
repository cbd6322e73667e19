"""Lists of payment links, and what the holder of one sees."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import service
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.invoices.service import Details
from billing_core.online_payments import verification
from billing_core.online_payments.links import checkout, expiry, link_candidates
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links.checkout import Step
from billing_core.online_payments.links.queries import LinkFilter, StateCount
from billing_core.online_payments.models import SandboxCharge
from tests.invoices.company import GRACE, READER
from tests.online_payments.linked import a_link
from tests.payments.books import NOW, a_customer, a_draft, an_open_invoice

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def change(session, link, **facts):
    session.execute(update(PaymentLink).where(PaymentLink.id == link.id).values(**facts))
    session.refresh(link)
    return link


@pytest.fixture
def three(session):
    """100.00 EUR active, 200.00 EUR paid of another customer, 300.00 USD expired in the sandbox."""
    carla, other = a_customer(session), a_customer(session, "D2")
    first = a_link(session, an_open_invoice(session, carla, "100"))
    second = a_link(session, an_open_invoice(session, other, "200"))
    third = a_link(session, an_open_invoice(session, carla, "300", currency="USD"))
    change(session, second, state=LinkState.PAID, clicks=2, expires_at=first.expires_at - HOUR)
    change(session, third, state=LinkState.EXPIRED, mode=Mode.SANDBOX, clicks=1, expires_at=first.expires_at + HOUR)
    return first, second, third


def found(session, actor=READER, **facts):
    assert links.count(session, actor, LinkFilter(**facts)) == len(links.page(session, actor, LinkFilter(**facts)))
    return [row.id for row in links.page(session, actor, LinkFilter(**facts))]


def test_each_filter_limits_alone_and_together(session, three):
    first, second, third = (link.id for link in three)
    invoices = [session.get_one(Invoice, link.invoice_id) for link in three]
    carla, other = invoices[0].customer_id, invoices[1].customer_id
    assert found(session) == [third, second, first]
    assert found(session, state=(LinkState.ACTIVE,)) == [first]
    assert found(session, state=(LinkState.ACTIVE, LinkState.PAID)) == [second, first]
    assert found(session, mode=(Mode.SANDBOX,)) == [third]
    assert found(session, customer_id=carla) == [third, first]
    assert found(session, customer_id=carla, mode=(Mode.TEST,)) == [first]
    assert found(session, business_id=invoices[0].business_id) == [third, second, first]
    assert found(session, business_id=99) == []
    assert found(session, text=f" {invoices[1].number} ") == [second]
    assert found(session, text=" ") == [third, second, first]
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=other)
    assert found(session, bound) == [second]
    assert found(session, bound, customer_id=carla) == []


@pytest.mark.parametrize(
    ("order_by", "places"),
    [("created_at", [0, 1, 2]), ("amount", [0, 1, 2]), ("expires_at", [1, 0, 2]), ("clicks", [0, 2, 1])],
)
def test_each_order_goes_both_ways(session, three, order_by, places):
    in_order = [three[place].id for place in places]
    assert found(session, order_by=order_by) == in_order
    assert found(session, order_by=f"-{order_by}") == in_order[::-1]
    session.execute(update(PaymentLink).values(amount_minor=1, clicks=0, expires_at=NOW))
    if order_by != "created_at":
        assert found(session, order_by=f"-{order_by}") == [link.id for link in reversed(three)]


def test_links_are_counted_by_state_and_currency_whatever_state_is_shown(session, three):
    carla = session.get_one(Invoice, three[0].invoice_id).customer_id
    expected = [
        StateCount(LinkState.ACTIVE, "EUR", 1, 100_00),
        StateCount(LinkState.EXPIRED, "USD", 1, 300_00),
        StateCount(LinkState.PAID, "EUR", 1, 200_00),
    ]
    assert links.counts(session, READER) == expected
    assert links.counts(session, READER, LinkFilter(state=(LinkState.PAID,))) == expected
    assert links.counts(session, READER, LinkFilter(customer_id=carla)) == expected[:2]
    assert links.counts(session, READER, LinkFilter(mode=(Mode.SANDBOX,))) == expected[1:2]


def test_one_link_and_those_of_an_invoice(session, three):
    first, second, _ = three
    carla = session.get_one(Invoice, first.invoice_id).customer_id
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=carla)
    row = links.one(session, bound, first.id)
    assert (row.public_id, row.amount_minor, row.customer_id, row.state) == (first.public_id, 100_00, carla, "active")
    assert links.address_of(row.token, "https://b.example") == f"https://b.example/pay/{first.token}"
    for actor, hidden in ((bound, second.id), (READER, 99)):
        with pytest.raises(NotFound):
            links.one(session, actor, hidden)
    assert links.of_invoice(session, bound, second.invoice_id) == []
    assert links.count(session, READER, LinkFilter(text="nobody")) == 0


def test_as_many_are_on_a_page_as_anybody_reads(session):
    invoice = an_open_invoice(session, a_customer(session), "100")
    ids = [change(session, a_link(session, invoice), state=LinkState.EXPIRED).id for _ in range(51)]
    assert [row.id for row in links.page(session, READER, LinkFilter())] == ids[:0:-1]
    assert [row.id for row in links.page(session, READER, LinkFilter(), offset=50)] == ids[:1]
    assert [row.id for row in links.of_invoice(session, READER, invoice.id)] == ids[:30:-1]


def step(session, link, *, mode=Mode.TEST, now=NOW):
    return checkout.by_token(session, link.token, mode=mode, now=now).step


def charged(session, link):
    session.add(
        SandboxCharge(
            intent_id="pi_1",
            charge_id="ch_1",
            link_id=link.id,
            succeeded=True,
            failure="",
            currency="EUR",
            amount_minor=1,
            fee_minor=0,
            refunded_minor=0,
            created_at=NOW,
        )
    )
    session.flush()


@pytest.fixture
def link(session):
    made = a_link(session, an_open_invoice(session, a_customer(session), "100"))
    charge = {"link_id": made.public_id, "invoice_id": "inv_1", "invoice_number": "1", "currency": "EUR"}
    charge |= {"amount_minor": 100_00, "lines": [], "customer_email": "", "customer_name": "C", "due_on": "2026-04-01"}
    return change(session, made, charge=charge | {"description": "", "return_url": ""})


def test_a_link_can_be_paid_until_its_last_instant(session, link):
    assert step(session, link, now=link.expires_at - SECOND) is Step.PAYABLE
    assert step(session, link, now=link.expires_at) is Step.ENDED


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (LinkState.PAID, Step.PAID),
        (LinkState.EXPIRED, Step.ENDED),
        (LinkState.DEACTIVATED, Step.ENDED),
        (LinkState.ACTIVE, Step.PAYABLE),
    ],
)
def test_its_state_says_what_can_be_done(session, link, state, expected):
    assert step(session, change(session, link, state=state)) is expected


def test_in_the_sandbox_a_payment_is_confirmed_first_and_none_is_taken_once_stripe_collects(session, link):
    change(session, link, mode=Mode.SANDBOX)
    assert step(session, link, mode=Mode.SANDBOX) is Step.PAYABLE
    assert step(session, link, mode=Mode.TEST) is Step.ENDED
    charged(session, link)
    assert step(session, link, mode=Mode.SANDBOX) is Step.CONFIRMING
    change(session, link, mode=Mode.TEST)
    assert step(session, link, mode=Mode.LIVE) is Step.PAYABLE


def test_who_opens_a_link_sees_what_it_asks_for(session, link):
    seen = checkout.by_token(session, f"{link.token}\0", mode=Mode.TEST, now=NOW)
    invoice = session.get_one(Invoice, link.invoice_id)
    assert (seen.link_id, seen.sandbox, seen.url) == (link.id, False, "https://pay.example/1")
    assert (seen.number, seen.invoice_token, seen.charge.amount_minor) == (invoice.number, invoice.token, 100_00)
    assert checkout.by_token(session, link.token, mode=Mode.TEST, now=NOW).issuer
    other = a_link(session, an_open_invoice(session, a_customer(session, "D2"), "1"))
    checkout.note_click(session, link.id, now=NOW)
    checkout.note_click(session, link.id, now=NOW + HOUR)
    session.expire_all()
    assert (link.clicks, link.last_clicked_at, other.clicks) == (2, NOW + HOUR, 0)
    change(session, link, activated_at=None)
    for token in (link.token, "x"):
        with pytest.raises(NotFound):
            checkout.by_token(session, token, mode=Mode.TEST, now=NOW)


def over(session, *, mode=Mode.TEST, now=NOW, **options):
    return expiry.end_due(session, GRACE, mode=mode, now=now, **options)


def test_a_link_expires_at_its_instant(session, link):
    assert over(session, now=link.expires_at - SECOND) == 0
    assert over(session, now=link.expires_at) == 1
    session.refresh(link)
    assert (link.state, link.ended_because) == (LinkState.EXPIRED, "Its last day is over")
    assert over(session, now=link.expires_at) == 0


@pytest.mark.parametrize(("after", "abandoned"), [(HOUR - SECOND, 0), (HOUR, 1)])
def test_a_creation_is_abandoned_after_an_hour(session, link, after, abandoned):
    change(session, link, state=LinkState.CREATING)
    assert over(session, now=link.created_at + after) == abandoned
    session.refresh(link)
    assert link.state is (LinkState.FAILED if abandoned else LinkState.CREATING)


def test_what_was_known_of_a_link_is_read_again_before_it_ends(session, link):
    known = {"state": LinkState.CREATING}
    session.execute(update(PaymentLink).values(known).execution_options(synchronize_session=False))
    assert link.state is LinkState.ACTIVE
    assert over(session, now=link.created_at + HOUR) == 1
    assert (link.state, link.ended_because) == (LinkState.FAILED, "The gateway never answered")


@pytest.mark.parametrize("made_in", Mode)
@pytest.mark.parametrize("now_in", Mode)
def test_a_link_of_a_trial_ends_when_the_next_mode_begins(session, link, made_in, now_in):
    change(session, link, mode=made_in)
    ends = (made_in, now_in) in {(Mode.SANDBOX, Mode.TEST), (Mode.SANDBOX, Mode.LIVE), (Mode.TEST, Mode.LIVE)}
    assert over(session, mode=now_in) == ends
    session.refresh(link)
    assert link.state is (LinkState.DEACTIVATED if ends else LinkState.ACTIVE)
    assert (
        link.ended_because == f"It was created in {made_in} mode, and the product collects in {now_in} mode now"
    ) is ends


def test_as_many_end_in_one_turn_as_were_asked_for(session):
    carla = a_customer(session)
    made = [a_link(session, an_open_invoice(session, carla, "1")) for _ in range(3)]
    now = made[0].expires_at
    assert [over(session, now=now, limit=2) for _ in range(3)] == [2, 1, 0]
    with pytest.raises(Forbidden):
        expiry.end_due(session, READER, mode=Mode.TEST, now=now)


def test_candidates_are_what_can_be_paid_fifty_at_a_time(session):
    carla = a_customer(session)
    nothing, draft = a_draft(session, carla, "0").id, a_draft(session, carla, "5").id
    ids = [an_open_invoice(session, carla, "1").id for _ in range(50)]
    listed = link_candidates.search(session, GRACE, "")
    assert [row.id for row in listed] == ids[::-1]
    every = link_candidates.search(session, GRACE, "", limit=99)
    assert [row.id for row in every] == [*ids[::-1], draft]
    assert nothing not in {row.id for row in every}
    assert (every[-1].due_minor, every[0].due_minor) == (5_00, 1_00)


def test_links_stand_by_the_names_on_their_invoices_also_once_these_are_changed(session):
    """Öl stands before Zebra; the link of an invoice that is made out to Apfel then comes first, though it ended."""
    invoices = []
    for ref, name in (("Z", "Zebra"), ("O", "Öl 10"), ("P", "Öl 9")):
        customer = a_customer(session, ref)
        customer.name = name
        invoices.append(an_open_invoice(session, customer, "100"))
    zebra, ten, nine = (a_link(session, invoice) for invoice in invoices)
    assert found(session, order_by="customer_name") == [nine.id, ten.id, zebra.id]

    service.update_details(session, SYSTEM, invoices[0].id, Details(customer_name="Apfel"), now=NOW, today=NOW.date())
    assert found(session, order_by="customer_name") == [zebra.id, nine.id, ten.id]
    assert found(session, order_by="-customer_name") == [ten.id, nine.id, zebra.id]
    assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []


@pytest.mark.parametrize("order", ["expires_at", "clicks", "amount", "created_at", "customer_name"])
def test_a_page_in_each_order_is_read_without_sorting_them_all(session, order):
    """Both ways. PostgreSQL would sort few of them."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    if not on_sqlite:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
    for order_by in (order, f"-{order}"):
        statement = select(PaymentLink.id).order_by(*links._ordering(order_by)).limit(50)
        bare = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
        plan = "\n".join(str(row[-1]) for row in session.connection().exec_driver_sql(f"{explain} {bare}"))
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan
