"""Invoices are found by what they say now, however it was written, and among however many."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, text, update

from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.content import searching
from billing_core.invoices.models import Invoice, InvoiceLineItem
from billing_core.invoices.queries import InvoiceFilter
from billing_core.rating.models import CostType, Service
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, a_line, an_invoice

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


@pytest.mark.parametrize("few", [0, 2, 3_000])
def test_however_many_match_they_are_the_same(session, monkeypatch, few):
    """Few are looked up; of many, the list is read."""
    monkeypatch.setattr(searching, "FEW", few)
    monkeypatch.setattr(queries.matching, "__kwdefaults__", {"few": few})
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
    }
    for sought, places in expected.items():
        assert found(session, sought) == [ids[place] for place in places], sought
    assert found(session, "muller", currency="EUR") == []


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
    for statement, index in zip(
        searching._by_text_on_postgresql("muller"), ("ix_invoices_words", "ix_invoices_words_of_lines"), strict=True
    ):
        compiled = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {compiled}").scalars())
        assert f"on {index} " in plan
