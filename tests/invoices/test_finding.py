"""Finding invoices: every filter at its edge, every order both ways, one by any of its names."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, update

from billing_core.businesses.models import Business
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Role, actor_with
from billing_core.invoices import lifecycle, queries
from billing_core.invoices.models import EventKind, Invoice
from billing_core.invoices.queries import ORDERINGS, InvoiceFilter
from tests.invoices.company import LATER, NOW, TODAY, a_customer, a_draft, a_line, an_invoice

DAY = timedelta(days=1)
D = Decimal


def found(session, actor=SYSTEM, **facts) -> list[int]:
    return [row.id for row in queries.page(session, actor, InvoiceFilter(**facts), today=TODAY)]


def priced(session, customer, price, currency="USD", **facts) -> int:
    return an_invoice(session, customer, a_line("A", "1", price, "0"), currency=currency, **facts).id


@pytest.mark.parametrize(
    ("facts", "places"),
    [
        ({"smallest": D("100.00")}, [0, 1, 2]),
        ({"smallest": D("100.001")}, [1, 2]),
        ({"smallest": D("100.01")}, [1, 2]),
        ({"largest": D("100.00")}, [0]),
        ({"largest": D("100.009")}, [0]),
        ({"largest": D("100.01")}, [0, 1]),
        ({"smallest": D("100.01"), "largest": D("100.01")}, [1]),
        ({"smallest": D("100.02"), "currency": "USD"}, [2]),
        ({"smallest": D(0)}, [0, 1, 2]),
        ({"largest": D(0)}, []),
        ({"largest": D("-1E+40")}, []),
        ({"largest": D("1E+40")}, [0, 1, 2]),
        ({"smallest": D("1E+40")}, []),
    ],
)
def test_amounts_from_and_up_to(session, facts, places):
    acme = a_customer(session)
    ids = [priced(session, acme, price) for price in ("100", "100.01", "100.02")]
    assert found(session, order_by="id", **facts) == [ids[place] for place in places]


def test_a_bound_that_no_invoice_reaches_finds_all_or_none(session):
    dear = priced(session, a_customer(session), "1000000000000")
    for beyond in (D(10) ** 13, D("1E+40")):
        assert (found(session, largest=beyond), found(session, smallest=beyond)) == ([dear], [])
        assert (found(session, largest=-beyond), found(session, smallest=-beyond)) == ([], [dear])


def test_an_amount_is_meant_in_each_invoices_own_currency(session):
    acme = a_customer(session)
    jpy, usd, kwd = (priced(session, acme, "7", currency) for currency in ("JPY", "USD", "KWD"))
    assert found(session, order_by="id", smallest=D(7), largest=D(7)) == [jpy, usd, kwd]
    assert found(session, smallest=D("7.001")) == []
    assert found(session, largest=D("6.999")) == []
    for code, invoice_id in (("JPY", jpy), ("USD", usd), ("KWD", kwd)):
        assert found(session, smallest=D(7), largest=D(7), currency=code) == [invoice_id]
        assert found(session, smallest=D(8), currency=code) == []


@pytest.mark.parametrize("name", ["issued", "due"])
def test_days_are_included(session, name):
    acme = a_customer(session)
    first, second, third = (
        priced(session, acme, "1", issued_on=TODAY + days * DAY, due_on=TODAY + days * DAY) for days in range(3)
    )
    tomorrow = TODAY + DAY
    assert found(session, order_by="id", **{f"{name}_from": tomorrow}) == [second, third]
    assert found(session, order_by="id", **{f"{name}_to": tomorrow}) == [first, second]
    assert found(session, **{f"{name}_from": tomorrow, f"{name}_to": tomorrow}) == [second]


def test_customer_business_and_text(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    second = Business(name="Second", currency="USD", time_zone="UTC")
    session.add(second)
    session.flush()
    mine = priced(session, acme, "1", customer_email="ana@one.example")
    theirs = priced(session, other, "1", business_id=second.id, reference="50% off")
    assert found(session, customer_id=acme) == found(session, business_id=1) == [mine]
    assert found(session, customer_id=other) == found(session, business_id=second.id) == [theirs]
    assert found(session, text=" ONE.example ") == [mine]
    assert found(session, text="0% o") == [theirs]
    assert found(session, text=" ", order_by="id") == [mine, theirs]
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=acme)
    assert found(session, bound) == [mine]
    assert found(session, bound, customer_id=other) == []


@pytest.mark.parametrize("order_by", [name for name in ORDERINGS if name not in ("id", "number")])
def test_each_order_goes_both_ways_and_ids_decide_among_equals(session, order_by):
    """Each differs from the next in every column by which lists can be ordered; the last two are alike."""
    acme = a_customer(session)
    ids = []
    for at, currency in enumerate(["EUR", "USD", "ZAR", "ZAR"]):
        step = min(at, 2)
        days = {"issued_on": TODAY + step * DAY, "due_on": TODAY + (10 + step) * DAY}
        facts = {"customer_name": "abc"[step], "currency": currency, **days}
        ids.append(priced(session, acme, str(10 + step), **facts))
        session.execute(update(Invoice).where(Invoice.id == ids[-1]).values(created_at=NOW + step * DAY))
    assert found(session, order_by=order_by) == ids
    assert found(session, order_by=f"-{order_by}") == ids[::-1]


def test_by_number_drafts_come_first_and_each_business_is_apart(session):
    acme = a_customer(session)
    second = Business(name="Second", currency="USD", time_zone="UTC")
    session.add(second)
    session.flush()
    elsewhere = priced(session, acme, "1", business_id=second.id)
    one, two = priced(session, acme, "1"), priced(session, acme, "1")
    draft = a_draft(session, acme).id
    assert found(session, order_by="number") == [draft, one, two, elsewhere]
    assert found(session, order_by="-number") == [elsewhere, two, one, draft]
    assert found(session, order_by="-id") == [draft, two, one, elsewhere]


def test_a_page_has_fifty_rows_and_the_next_one_the_rest(session):
    acme = a_customer(session)
    ids = [a_draft(session, acme).id for _ in range(51)]
    assert found(session, order_by="id") == ids[:50]
    rest = queries.page(session, SYSTEM, InvoiceFilter(order_by="id"), today=TODAY, offset=50)
    assert [row.id for row in rest] == ids[50:]
    assert queries.ids(session, SYSTEM, InvoiceFilter(order_by="id"), today=TODAY, limit=2) == ids[:2]
    assert len(queries.ids(session, SYSTEM, InvoiceFilter(), today=TODAY)) == 51


def test_no_more_is_counted_or_chosen_than_anybody_uses(sessions, session):
    limits = []

    def note(_connection, _cursor, _statement, parameters, *_rest):
        limits.extend(parameters.values() if isinstance(parameters, dict) else parameters)

    event.listen(sessions.engine, "before_cursor_execute", note)
    assert queries.count(session, SYSTEM, InvoiceFilter(), today=TODAY) == 0
    assert 100_000 in limits
    limits.clear()
    assert queries.ids(session, SYSTEM, InvoiceFilter(), today=TODAY) == []
    event.remove(sessions.engine, "before_cursor_execute", note)
    assert 5_000 in limits


def test_one_is_found_by_its_id_its_public_id_and_nothing_else(session):
    invoice = an_invoice(session, a_customer(session))
    for name in (invoice.id, str(invoice.id), f"00000000{invoice.id}", invoice.public_id, f"{invoice.public_id}\0"):
        assert queries.one(session, SYSTEM, name).id == invoice.id
    for name in (f"000000000{invoice.id}", "²", "", f"{invoice.id}x", 2**31 - 1, 2**31, -1, 0, "999999999"):
        with pytest.raises(NotFound):
            queries.one(session, SYSTEM, name)
    session.execute(update(Invoice).values(public_id="1234567890"))
    assert queries.one(session, SYSTEM, "1234567890").id == invoice.id


def test_the_link_of_a_draft_is_not_known_yet(session):
    acme = a_customer(session)
    sent, draft = an_invoice(session, acme), a_draft(session, acme)
    assert queries.by_token(session, f"{sent.token}\0").id == sent.id
    for token in (draft.token, "x", ""):
        with pytest.raises(NotFound):
            queries.by_token(session, token)


def test_the_timeline_shows_the_newest_two_hundred(session):
    invoice = an_invoice(session, a_customer(session))
    notes = [(invoice.id, EventKind.MAILED, {"turn": turn}) for turn in range(201)]
    lifecycle.note_many(session, SYSTEM, notes, now=LATER)
    shown = queries.events(session, invoice.id)
    assert [event.data["turn"] for event in shown] == [*range(200, 0, -1)]
    assert [event.data["turn"] for event in queries.events(session, invoice.id, limit=2)] == [200, 199]


def test_several_are_locked_in_the_order_asked_for_or_none(session):
    acme = a_customer(session)
    first, second = a_draft(session, acme).id, a_draft(session, acme).id
    asked = [second, first, second]
    assert [invoice.id for invoice in queries.many_for_change(session, SYSTEM, asked)] == [second, first]
    assert queries.many_for_change(session, SYSTEM, []) == []
    for missing in (second + 1, 0, -1, 2**31):
        with pytest.raises(NotFound, match=f"no invoice {missing}$"):
            queries.many_for_change(session, SYSTEM, [first, missing])


def test_what_was_known_of_an_invoice_is_read_again_under_its_lock(session):
    invoice = an_invoice(session, a_customer(session))
    known = update(Invoice).values(notes="Changed meanwhile")
    session.execute(known.execution_options(synchronize_session=False))
    assert invoice.notes == ""
    assert queries.for_change(session, SYSTEM, invoice.id).notes == "Changed meanwhile"


def test_of_more_than_a_statement_takes_none_is_forgotten(session):
    """A statement asks for five hundred."""
    acme = a_customer(session)
    ids = [a_draft(session, acme, a_line(f"Line {at}")).id for at in range(3)]
    beside = [*range(10_000, 10_499)]
    lines = queries.lines_of(session, [ids[0], *beside, ids[1], ids[2]])
    found = [[line.description for line in lines[invoice_id]] for invoice_id in ids]
    assert found == [["Line 0"], ["Line 1"], ["Line 2"]]
    assert lines[10_000] == ()


def test_who_may_not_read_invoices_learns_nothing(session):
    an_invoice(session, a_customer(session))
    nobody, filters = Actor(None, "Nobody", frozenset()), InvoiceFilter()
    for read in (queries.page, queries.count, queries.totals, queries.totals_by_status, queries.ids):
        with pytest.raises(Forbidden):
            read(session, nobody, filters, today=TODAY)
    with pytest.raises(Forbidden):
        queries.listing(session, nobody, filters, today=TODAY)
    with pytest.raises(Forbidden):
        queries.one(session, nobody, 1)


@pytest.mark.parametrize(
    ("due_on", "late"), [(TODAY, None), (TODAY - DAY, 1), (TODAY - 10 * DAY, 10), (TODAY + DAY, None)]
)
def test_days_late_are_counted_while_it_is_open(session, due_on, late):
    acme = a_customer(session)
    facts = {"issued_on": date(2026, 1, 1), "due_on": due_on}
    an_invoice(session, acme, **facts)
    a_draft(session, acme, **facts)
    draft, sent = queries.page(session, SYSTEM, InvoiceFilter(order_by="-id"), today=TODAY)
    assert (sent.days_late(TODAY), draft.days_late(TODAY)) == (late, None)
    view = queries.one(session, SYSTEM, sent.id)
    assert (str(view.total), str(view.amount_due)) == ("238.00 USD", "238.00 USD")
    assert sent.status(TODAY) is view.status(TODAY)


def test_an_invoice_is_found_by_its_amount_as_anybody_types_it(session):
    acme = a_customer(session)
    usd, eur, jpy, kwd = (
        priced(session, acme, price, currency)
        for price, currency in (("1113.46", "USD"), ("1113.46", "EUR"), ("1113", "JPY"), ("1.113", "KWD"))
    )
    for text in ("1113.46", "1,113.46", "1.113,46", "1 113,46", "1'113.46", "-1.113,46"):
        assert found(session, text=text, order_by="id") == [usd, eur]
    assert found(session, text="€ 1.113,46") == found(session, text="1113.46 eur") == [eur]
    assert found(session, text="1.113", order_by="id") == [jpy, kwd]
    assert found(session, text="1113", order_by="id") == [jpy]
    # Neither a part of it nor its hundredfold.
    assert found(session, text="113.46") == found(session, text="111346") == found(session, text="1113.4") == []


def test_an_invoice_is_found_by_what_is_still_due(session):
    acme = a_customer(session)
    part = priced(session, acme, "100")
    session.execute(update(Invoice).where(Invoice.id == part).values(paid_minor=40_00))
    assert found(session, text="100") == found(session, text="60,00") == [part]
    assert found(session, text="40") == []


def test_an_amount_that_is_a_number_too_finds_both(session):
    acme = a_customer(session)
    dear = priced(session, acme, "77123")
    named = priced(session, acme, "1", reference="PO 77123")
    assert found(session, text="77123", order_by="id") == [dear, named]


def test_text_is_found_without_regard_to_case_and_accents(session):
    acme = a_customer(session)
    names = ("MÜLLER & Söhne", "Praça do Rossio", "Σίσυφος", "İstanbul Gıda", "Ёлка", '100% O\'Hare "NEAR" *')
    ids = [priced(session, acme, "1", customer_name=name, reference=f"Réf-{at}") for at, name in enumerate(names)]
    expected = {
        "müller": [0],
        "Muller & SOHNE": [0],
        "ü": [0, 3],
        "praca": [1],
        "ΣΊΣΥΦΟΣ": [2],
        "istanbul gida": [3],
        "елка": [4],
        "ref-4": [4],
        # What means something to a database is text.
        "100%": [5],
        "%": [5],
        "_": [],
        "o'h": [5],
        '"near" *': [5],
        "near or müller": [],
        "muller*": [],
        "^": [],
        "\\": [],
        "mullerpraca": [],
    }
    for text, places in expected.items():
        assert found(session, text=text, order_by="id") == [ids[place] for place in places], text
