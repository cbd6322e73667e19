"""Invoices are found by what they say now, however it was written, and among however many."""

from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import delete, insert, select, text, update

from billing_core.database.folding import fold
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, from_reports, queries, service
from billing_core.invoices.content import searching
from billing_core.invoices.models import Invoice, InvoiceLineItem
from billing_core.invoices.queries import InvoiceFilter
from billing_core.orders.models import OrderLine, sku_key
from billing_core.rating.models import CostType, Service
from tests.database.counting import statements
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.reports import company as orders

FOUND = "Searches find each invoice by what it says"


def found(session, sought, **facts) -> list[int]:
    filters = InvoiceFilter(text=sought, order_by="id", **facts)
    ids = queries.ids(session, SYSTEM, filters, today=TODAY)
    assert queries.count(session, SYSTEM, filters, today=TODAY) == len(ids)
    return ids


def test_a_draft_is_found_by_its_name_at_once_and_by_its_number_once_it_has_one(session):
    draft = a_draft(session, a_customer(session), customer_name="Zoë Ångström")
    assert found(session, "ZOE ANGSTROM") == [draft.id]
    number = service.send(session, SYSTEM, draft.id, now=NOW).number
    assert found(session, number.lower()) == found(session, number[-3:]) == [draft.id]


def test_what_is_changed_is_found_by_its_new_text_alone(session):
    invoice = an_invoice(session, a_customer(session), reference="PO-4711")
    session.execute(update(Invoice).values(reference="Ordre Œuvre"))
    assert (found(session, "po-4711"), found(session, "oeuvre")) == ([], [invoice.id])


def test_what_its_lines_say_finds_an_invoice_at_once_and_what_they_said_no_longer(session):
    acme = a_customer(session)
    lines = [a_line("Kühlware, SKU AB-4711/x"), a_line("Größe XL"), a_line("Größe XL")]
    draft, other = a_draft(session, acme, *lines), a_draft(session, acme, a_line("Große xl"))
    assert found(session, "ab-4711") == found(session, "KUHLWARE, sku") == [draft.id]
    assert found(session, "GRÖSSE XL") == found(session, "xl") == found(session, "X") == [draft.id, other.id]
    change = replace(queries.content(session, draft), lines=(a_line("Größe XL"), a_line("AB-4712")))
    service.edit(session, SYSTEM, draft.id, change, drawn_from=draft.version, now=NOW)
    assert (found(session, "ab-4711"), found(session, "ab-4712")) == ([], [draft.id])
    assert found(session, "gro") == [draft.id, other.id]
    session.execute(update(InvoiceLineItem).where(InvoiceLineItem.invoice_id == other.id).values(description="Kleiner"))
    assert (found(session, "große"), found(session, "kleiner")) == ([draft.id], [other.id])
    assert searching.check(session).wrong == ()


def test_the_code_of_a_lines_service_finds_an_invoice(session):
    session.add(Service(id=7, code="PICK-Ä7", name="Picking", cost_type=CostType.PER_ORDER))
    session.flush()
    acme = a_customer(session)
    with_it = [a_draft(session, acme, a_line("Work", service_id=7), a_line("More", service_id=7)).id for _ in range(2)]
    a_draft(session, acme, a_line("Work"))
    assert found(session, "pick-a7") == found(session, "K-Ä7") == with_it


def test_the_skus_of_the_orders_that_it_bills_find_an_invoice(session):
    """Also where no line says them, and once it is cancelled; not those of orders that it bills no more."""
    with_it, without = (
        _billing(session, name, skus) for name, skus in (("ACME", ("Kühl-77/x", "B 2")), ("OTHER", ("C-3",)))
    )
    assert found(session, "kuhl-7") == found(session, "KÜHL-77/X") == found(session, "7/") == [with_it.id]
    assert found(session, "a-1") == found(session, "A") == [with_it.id, without.id]
    assert found(session, "xa") == found(session, "b 2c") == []
    order_by_order = queries.content(session, without)
    service.edit(
        session, SYSTEM, without.id, replace(order_by_order, lines=(a_line("By hand"),)), drawn_from=1, now=NOW
    )
    assert (found(session, "c-3"), found(session, "a-1")) == ([], [with_it.id])
    service.send(session, SYSTEM, with_it.id, now=NOW)
    after_sending.cancel(session, SYSTEM, with_it.id, now=NOW, today=TODAY)
    assert found(session, "kuhl-7") == found(session, "ü") == [with_it.id]


def _billing(session, name: str, skus: tuple[str, ...]) -> Invoice:
    """The draft for the customer's one order, which names the SKU A-1 too."""
    customer = orders.a_customer(session, name, name=name)
    order = orders.an_order(session, customer, f"{name}-1")
    session.add_all(OrderLine(order_id=order, sku=sku, sku_key=sku_key(sku), quantity=1) for sku in skus)
    session.flush()
    report = orders.billed(session, customer)
    return from_reports.draft_from_report(session, SYSTEM, report.id, now=NOW, today=TODAY)


def test_what_statements_write_and_delete_is_followed(session):
    draft = a_draft(session, a_customer(session))
    columns = [one for one in Invoice.__table__.columns if one.computed is None and one.name != "id"]
    other = {"public_id": "inv_2", "token": "token-2", "customer_name": "Written by hand"}
    copied = select(*(one if one.name not in other else text(f"'{other[one.name]}'") for one in columns))
    session.execute(insert(Invoice.__table__).from_select([one.name for one in columns], copied))
    (copy,) = found(session, "by hand")
    assert copy != draft.id
    session.execute(delete(Invoice).where(Invoice.id == copy))
    assert found(session, "by hand") == []
    assert searching.check(session).wrong == ()


@pytest.fixture(
    params=[(0, 0, 20), (0, 9_000, 1), (0, 9_000, 20), (2, 2, 1), (3_000, 3_000, 20)],
    ids=["all", "first", "read", "some", "few"],
)
def ways(request, monkeypatch):
    """Few are looked up; of more, the first of the list are read, or all are looked up."""
    for name, value in zip(("FEW", "COUNTED", "READ"), request.param, strict=True):
        monkeypatch.setattr(searching, name, value)


@pytest.mark.parametrize(("offset", "is_read"), [(0, True), (38, True), (39, False), (10_000, False)])
def test_far_behind_the_first_page_nothing_is_read_to_be_thrown_away(session, monkeypatch, offset, is_read):
    """Twenty invoices are read for each of a page of two and of those before it; 800 at most."""
    for name, value in (("FEW", 0), ("COUNTED", 800)):
        monkeypatch.setattr(searching, name, value)
    acme = a_customer(session)
    for _ in range(3):
        a_draft(session, acme, customer_name="Müller")
    filters = InvoiceFilter(text="Müller", order_by="id")
    with statements(session.get_bind().engine) as sent:
        queries.page_ids(session, SYSTEM, filters, today=TODAY, limit=2, offset=offset)
    assert any("ORDER BY" in one for one in sent) is is_read


@pytest.mark.usefixtures("ways")
def test_however_many_match_they_are_the_same(session):
    acme = a_customer(session)
    names = ("Müller Nord", "MULLER Süd", "Möller", "müller \\ 100% _x", "A")
    ids = [
        an_invoice(session, acme, a_line(f"Räder {'x' * at}.", "1", str(7 + at), "0"), customer_name=name).id
        for at, name in enumerate(names)
    ]
    expected = {
        "muller": [0, 1, 3],
        "müller s": [1],
        "ll": [0, 1, 2, 3],
        "a": [0, 1, 2, 3, 4],
        "%": [3],
        "_": [3],
        "\\": [3],
        "muller nordost": [],
        "7.00": [0],
        "muller OR a": [],
        '"muller"': [],
        "00": [0, 1, 2, 3, 4],
        "\ud800": [],
        "\0": [],
        "muller\udfff": [],
        "rader": [0, 1, 2, 3, 4],
        "Räder xx": [2, 3, 4],
        "x.": [1, 2, 3, 4],
        "RÄDER XXX.": [3],
        "rd": [0],
        "ü": [0, 1, 3],
        "_x": [3],
        "x": [0, 1, 2, 3, 4],
        "z": [],
    }
    for sought, places in expected.items():
        assert found(session, sought) == [ids[place] for place in places], sought
    assert found(session, "muller", currency="EUR") == []


@pytest.mark.usefixtures("ways")
def test_a_search_finds_what_reading_every_text_finds(session):
    """Of every length, from the beginning, the middle and the end of a text, in several scripts, in every order."""
    random, acme = Random(17), a_customer(session)
    words = ("Åb", "ab", "x", "bæ", "東京", "京", "мю", "Ёж", "a-b", "ẞ", '"', "%", "b\\", "👍", "q.")

    def some() -> str:
        return " ".join(random.choices(words, k=random.randint(1, 3)))

    texts = {}
    for _ in range(7):
        facts = {"customer_name": some(), "customer_email": "", "reference": some()}
        lines = [some() for _ in range(random.randint(1, 2))]
        texts[a_draft(session, acme, *map(a_line, lines), **facts).id] = [*facts.values(), *lines]
    every = [text for of in texts.values() for text in of]
    pieces = {text[at : at + size] for text in every for at in range(len(text)) for size in (1, 2)}
    longer = {text[at : at + 3 + at] for text in every[:4] for at in range(len(text))}
    texts_sought = sorted({*pieces, *longer, "bb", "z", "ー", "жё", "\U0010ffff"} - {" "})
    for sought in random.sample(texts_sought, 40):
        bare = fold(sought.strip())
        expected = [one for one in texts if any(bare in fold(text) for text in texts[one])]
        assert found(session, sought) == expected, sought
        newest = InvoiceFilter(text=sought, order_by="-id")
        page = queries.page(session, SYSTEM, newest, today=TODAY, limit=2, offset=1)
        assert [row.id for row in page] == expected[::-1][1:3]


def test_amounts_that_nothing_is_due_of_are_not_found_as_0(session):
    an_invoice(session, a_customer(session))
    session.execute(update(Invoice).values(state="cancelled"))
    assert found(session, "0.00") == []


def test_the_proof_names_what_is_not_found_by_what_it_says(session):
    invoice = an_invoice(session, a_customer(session))
    assert searching.check(session) == searching.Check(FOUND, 1, ())
    if session.get_bind().dialect.name != "sqlite":
        return  # its own index cannot differ
    for damage, wrong in (
        (
            "UPDATE invoice_words SET words = 'acme'",
            f"invoice id {invoice.id}, {invoice.number}, is not found by what it says",
        ),
        ("DELETE FROM invoice_words", f"invoice id {invoice.id}, {invoice.number}, is not found by what it says"),
        (
            "INSERT INTO invoice_words (rowid, words) VALUES (99, 'x')",
            "texts are kept of invoice id 99, which is not there",
        ),
        ("DELETE FROM invoice_words_lines", f"line 1 of invoice id {invoice.id} is not found by its text"),
        ("DELETE FROM invoice_words_texts", f"line 1 of invoice id {invoice.id} is not found by its text"),
        ("INSERT INTO invoice_words_lines VALUES (1, 99)", "a text is kept of line id 99, which does not say it"),
    ):
        undo = session.begin_nested()
        session.execute(text(damage))
        assert wrong in searching.check(session).wrong
        undo.rollback()


def test_postgresql_looks_them_up_in_its_index(session):
    if session.get_bind().dialect.name == "sqlite":
        pytest.skip("SQLite has a table for it")
    for other_way in ("seqscan", "indexscan", "indexonlyscan"):
        session.execute(text(f"SET LOCAL enable_{other_way} = off"))
    for sought, end in (("muller", ""), ("mu", "_short"), ("m", "_short")):
        for statement, index in zip(
            searching._by_text_on_postgresql(sought),
            ("ix_invoices_words", "ix_invoices_words_of_lines", "ix_invoices_words_of_skus"),
            strict=True,
        ):
            assert f"on {index}{end} " in plan(session, statement)


def test_sqlite_looks_up_one_and_two_letters_too(session):
    if session.get_bind().dialect.name != "sqlite":
        pytest.skip("PostgreSQL has indexes for it")
    # FTS5's ways: M by what matches, 6 between two terms.
    for sought, way in (("muller", "0:M1"), ("mu", "6:"), ("m", "6:")):
        for statement in searching._by_text_on_sqlite(sought):
            planned = plan(session, statement)
            assert planned.count(f"VIRTUAL TABLE INDEX {way}") == planned.count("VIRTUAL TABLE") == 1
            assert "SCAN invoice_line_items" not in planned


def plan(session, statement) -> str:
    compiled = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    how = "EXPLAIN QUERY PLAN" if session.get_bind().dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row[-1]) for row in session.connection().exec_driver_sql(f"{how} {compiled}"))
