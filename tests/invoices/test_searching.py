"""Invoices are found by what they say now, however it was written, and among however many."""

import pytest
from sqlalchemy import delete, insert, select, text, update

from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.content import searching
from billing_core.invoices.models import Invoice
from billing_core.invoices.queries import InvoiceFilter
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
        an_invoice(session, acme, a_line("A", "1", str(7 + at), "0"), customer_name=name).id
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
        "muller\udfff": [],
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
    ):
        undo = session.begin_nested()
        session.execute(text(damage))
        assert searching.check(session).wrong == (wrong,)
        undo.rollback()


def test_postgresql_looks_them_up_in_its_index(session):
    if session.get_bind().dialect.name == "sqlite":
        pytest.skip("SQLite has a table for it")
    session.execute(text("SET LOCAL enable_seqscan = off"))
    statement = select(Invoice.id).where(searching.found(session, "muller", few=0))
    compiled = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    plan = "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {compiled}").scalars())
    assert "ix_invoices_words" in plan
