"""Invoices, credit notes and payments as files: what they hold, and who gets them."""

import io
import zipfile
from datetime import date

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from billing_core.identity import SYSTEM, Role
from billing_core.invoices import credit_notes
from billing_core.invoices.documents import exporting
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from tests.invoices.company import LATER, a_customer, a_draft, a_line, an_invoice
from tests.web.downloading import get, read, signed_in

DUE = date(2026, 4, 1)


@pytest.fixture
def company(served):
    """ACME: INV-2026-001 of 238.00 USD, 100.00 of it paid and 10.00 credited. KUMA (JPY): a draft of 5,000."""
    with served.begin() as session:
        acme = a_customer(session, name="=Acme, Inc")
        invoice = an_invoice(session, acme, customer_name="=Acme, Inc")
        cash = Received("USD", 10000, PaymentMethod.CASH, date(2026, 3, 3), "=RF18")
        received.record_for(session, SYSTEM, invoice.id, received=cash, today=DUE, now=LATER)
        note = credit_notes.issue(
            session,
            SYSTEM,
            invoice.id,
            amount_minor=1000,
            reason="Late",
            issued_on=date(2026, 3, 4),
            today=date(2026, 3, 4),
            now=LATER,
        )
        kuma = a_customer(session, "KUMA", name="Kuma", currency="JPY")
        lines = a_line(quantity="1", unit_price="5000", tax_rate="0")
        draft = a_draft(session, kuma, lines, currency="JPY", customer_name="熊 / Kuma")
        return {"invoice": invoice.id, "draft": draft.id, "note": note.id, "acme": acme, "kuma": kuma}


@pytest.fixture
def manager(served):
    return signed_in(served, Role.MANAGER)


def test_an_invoice_is_a_pdf_to_save_or_to_look_at(company, served):
    finance = signed_in(served, Role.FINANCE)
    saved = get(f"/downloads/invoices/{company['invoice']}.pdf", finance)
    assert saved.status_code == 200
    assert saved.headers["content-type"] == "application/pdf"
    assert saved.headers["content-disposition"] == 'attachment; filename="INV-2026-001.pdf"'
    assert "INV-2026-001" in PdfReader(io.BytesIO(saved.content)).pages[0].extract_text()

    shown = get(f"/downloads/invoices/{company['invoice']}.pdf?inline=1", finance)
    assert shown.headers["content-disposition"] == 'inline; filename="INV-2026-001.pdf"'
    assert shown.headers["x-frame-options"] == "SAMEORIGIN"
    assert shown.content == saved.content


def test_a_draft_and_a_credit_note_are_pdfs_too(company, manager):
    draft = get(f"/downloads/invoices/{company['draft']}.pdf", manager)
    assert draft.headers["content-disposition"] == f'attachment; filename="draft-{company["draft"]}.pdf"'
    note = get(f"/downloads/credit-notes/{company['note']}.pdf", manager)
    assert note.content.startswith(b"%PDF-")
    assert "INV-2026-001" in PdfReader(io.BytesIO(note.content)).pages[0].extract_text()


def test_the_csv_has_each_amount_in_its_currencys_digits_and_no_formula(company, manager):
    answer = get("/downloads/invoices.csv?order_by=id", manager)
    assert answer.headers["content-disposition"] == 'attachment; filename="invoices.csv"'
    sent, draft = read(answer)
    assert sent["invoice_number"] == "INV-2026-001"
    assert sent["customer_name"] == "'=Acme, Inc"
    # 238.00, of which 100.00 were paid and 10.00 credited.
    amounts = ("amount", "tax_amount", "total_amount", "amount_paid", "amount_refunded", "amount_due", "currency")
    assert [sent[name] for name in amounts] == ["200.00", "38.00", "238.00", "100.00", "0.00", "128.00", "USD"]
    assert [draft[name] for name in amounts] == ["5000", "0", "5000", "0", "0", "0", "JPY"]
    assert (draft["invoice_number"], draft["status"], draft["sent_at"]) == ("", "draft", "")
    assert get("/downloads/invoices.csv?excel=1", manager).content.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("query", "currencies"),
    [
        ("status=draft", ["JPY"]),
        ("status=draft&status=overdue&status=sent&order_by=currency", ["JPY", "USD"]),
        ("status=paid", []),
        ("currency=USD&issued_from=2026-03-02&issued_to=2026-03-02&due_from=2026-04-01&due_to=2026-04-01", ["USD"]),
        ("due_to=2026-03-31", []),
        ("smallest=238&largest=238.00", ["USD"]),
        ("smallest=238.01&currency=USD", []),
        ("text=%3Dacme", ["USD"]),
    ],
)
def test_lists_follow_the_filters_of_the_page(company, manager, query, currencies):
    assert [row["currency"] for row in read(get(f"/downloads/invoices.csv?{query}", manager))] == currencies


def test_the_workbook_has_a_sum_for_each_currency_and_a_row_for_each_invoice(company, manager):
    answer = get("/downloads/invoices.xlsx?order_by=id", manager)
    book = load_workbook(io.BytesIO(answer.content))
    sums = [[cell.value for cell in row] for row in book["Summary"].iter_rows(min_row=5)]
    assert [row[:4] for row in sums] == [
        ["Currency", "Invoices", "Total", "Amount due"],
        ["JPY", 1, 5000, 0],
        ["USD", 1, 238, 128],
    ]
    rows = [[cell.value for cell in row] for row in book["Invoices"].iter_rows()]
    assert rows[0][:4] == ["Number", "Status", "Business", "Customer"]
    assert [row[3] for row in rows[1:]] == ["=Acme, Inc", "熊 / Kuma"]
    assert [row[9:15] for row in rows[1:]] == [[200, 38, 238, 100, 0, 128], [5000, 0, 5000, 0, 0, 0]]
    assert {cell.data_type for row in book["Invoices"].iter_rows() for cell in row} <= {"s", "n", "d"}


def test_a_list_of_nothing_is_a_workbook_all_the_same(company, manager):
    book = load_workbook(io.BytesIO(get("/downloads/invoices.xlsx?text=nobody", manager).content))
    assert book["Invoices"].max_row == 1


def test_several_invoices_come_as_a_zip_by_their_ids_or_by_the_filters(company, manager):
    names = ["INV-2026-001_Acme-Inc.pdf", f"draft-{company['draft']}_熊-Kuma.pdf"]
    chosen = get(f"/downloads/invoices.zip?ids={company['draft']},{company['invoice']}", manager)
    archive = zipfile.ZipFile(io.BytesIO(chosen.content))
    assert archive.namelist() == names[::-1]
    assert all(archive.read(name).startswith(b"%PDF-") for name in names)
    all_of_them = get("/downloads/invoices.zip?order_by=id", manager)
    assert zipfile.ZipFile(io.BytesIO(all_of_them.content)).namelist() == names
    drafts = get("/downloads/invoices.zip?status=draft", manager)
    assert zipfile.ZipFile(io.BytesIO(drafts.content)).namelist() == names[1:]


def test_a_zip_is_refused_before_it_becomes_too_large(company, manager, monkeypatch):
    monkeypatch.setattr(exporting, "MOST_IN_ONE_ZIP", 1)
    assert get("/downloads/invoices.zip", manager).status_code == 400
    assert get("/downloads/invoices.zip?status=draft", manager).status_code == 200


def test_the_list_of_payments_says_what_each_paid_and_what_was_kept(company, served, manager):
    with served.begin() as session:
        over = Received("USD", 20000, PaymentMethod.BANK_TRANSFER, date(2026, 3, 5), fee_minor=150)
        received.record_for(session, SYSTEM, company["invoice"], received=over, today=DUE, now=LATER)
    first, second = read(get("/downloads/payments.csv?order_by=received_on", manager))
    names = ("received_on", "customer_name", "method", "reference", "amount", "fee", "paid_invoices", "kept_as_credit")
    assert [first[name] for name in names] == [
        *("2026-03-03", "'=Acme, Inc", "cash", "'=RF18", "100.00", "0.00", "100.00", "0.00"),
    ]
    # 128.00 were due.
    assert [second[name] for name in names[4:]] == ["200.00", "1.50", "128.00", "72.00"]
    assert [row["method"] for row in read(get("/downloads/payments.csv?method=cash", manager))] == ["cash"]


def test_the_tax_return_and_the_figures_of_its_cells_are_files_too(company, manager):
    """200.00 and 38.00 of tax, of which 10.00 with tax were credited: 8.40 and 1.60."""
    (row,) = read(get(f"/downloads/tax-return.csv?{MARCH}&business_id=1", manager))
    assert (row["tax_rate"], row["net_amount"], row["tax_amount"]) == ("19", "191.60", "36.40")
    of_cell = read(get(f"/downloads/figures/tax_return.tax.1..190000..csv?{MARCH}&currency=USD", manager))
    assert [row["amount"] for row in of_cell] == ["38.00", "-1.60"]
    assert get("/downloads/figures/tax_return.tax.%00.*.*.*.csv", manager).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/downloads/invoices/999999.pdf",
        "/downloads/invoices/99999999999999999999.pdf",
        "/downloads/invoices/inv_0000000000000000.pdf",
        "/downloads/invoices/%00.pdf",
        "/downloads/invoices/..%2f..%2fsecret.pdf",
        "/downloads/credit-notes/999999.pdf",
        "/downloads/credit-notes/x.pdf",
        "/downloads/invoices.zip?ids=999999",
    ],
)
def test_what_does_not_exist_is_404(company, manager, path):
    assert get(path, manager).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/downloads/invoices/{invoice}.exe",
        "/downloads/invoices/{invoice}",
        "/downloads/credit-notes/{note}.csv",
        "/downloads/invoices.zip?ids=",
        "/downloads/invoices.zip?ids=1;DROP",
        "/downloads/invoices.zip?text=nobody",
        "/downloads/invoices.csv?order_by=password",
        "/downloads/invoices.csv?status=nearly",
        "/downloads/invoices.csv?due_from=yesterday",
        "/downloads/invoices.csv?customer_id=99999999999999",
        "/downloads/invoices.csv?smallest=NaN",
        "/downloads/invoices.csv?largest=1e300",
        "/downloads/invoices.xlsx?text=%00",
        "/downloads/payments.csv?order_by=x",
        "/downloads/invoice-lines.csv?order_by=x",
        "/downloads/credit-notes.csv?issued_from=soon",
        "/downloads/payment-allocations.xlsx?text=%00",
        "/downloads/tax-return.csv",
        "/downloads/tax-return.csv?start_date=2026-03-02&end_date=2026-03-01",
        "/downloads/tax-documents.csv?start_date=0001-01-01&end_date=2026-03-01",
        "/downloads/tax-return.xlsx?start_date=2026-03-01&end_date=2026-03-31&business_id=99999999999",
        "/downloads/tax-return.csv?start_date=2026-03-01&end_date=2026-03-31&currency=%00",
    ],
)
def test_a_request_that_makes_no_sense_is_400(company, manager, path):
    assert get(path.format(**company), manager).status_code == 400


MARCH = "start_date=2026-03-01&end_date=2026-03-31"


def lists(company):
    return [
        f"/downloads/invoices.zip?ids={company['invoice']}",
        *("/downloads/invoices.zip", "/downloads/invoices.csv", "/downloads/invoices.xlsx", "/downloads/payments.csv"),
        *("/downloads/invoice-lines.csv", "/downloads/invoice-lines.xlsx", "/downloads/invoice-taxes.csv"),
        *("/downloads/credit-notes.csv", "/downloads/credit-notes.xlsx"),
        *("/downloads/payment-allocations.csv", "/downloads/payment-allocations.xlsx"),
        *(f"/downloads/{name}?{MARCH}" for name in ("tax-return.csv", "tax-return.xlsx", "tax-documents.csv")),
    ]


def documents(company):
    names = [f"invoices/{company['invoice']}", f"invoices/{company['draft']}", f"credit-notes/{company['note']}"]
    return [f"/downloads/{name}.pdf" for name in names]


def test_lists_need_the_permission_to_export_and_single_documents_do_not(company, served):
    finance = signed_in(served, Role.FINANCE)
    assert {get(path, finance).status_code for path in lists(company)} == {403}
    assert {get(path, finance).status_code for path in documents(company)} == {200}


def test_nothing_leaves_without_a_session(company):
    assert {get(path, {}).status_code for path in [*lists(company), *documents(company)]} == {401}


def test_who_is_bound_to_a_customer_gets_files_of_that_customer_alone(company, served):
    bound = signed_in(served, Role.MANAGER, customer_id=company["kuma"])
    invoice, draft, note = documents(company)
    assert [get(path, bound).status_code for path in (invoice, draft, note)] == [404, 200, 404]
    assert [row["currency"] for row in read(get("/downloads/invoices.csv", bound))] == ["JPY"]
    assert get(f"/downloads/invoices.csv?customer_id={company['acme']}", bound).status_code == 404
    for empty in ("payments", "payment-allocations", "credit-notes"):
        assert read(get(f"/downloads/{empty}.csv", bound)) == []
    assert read(get(f"/downloads/tax-return.csv?{MARCH}", bound)) == []
    assert read(get(f"/downloads/figures/tax_return.tax.*.*.*.*.csv?{MARCH}", bound)) == []
    for of_kuma in ("invoice-lines", "invoice-taxes"):
        assert [row["currency"] for row in read(get(f"/downloads/{of_kuma}.csv", bound))] == ["JPY"]
    assert get(f"/downloads/invoices.zip?ids={company['draft']},{company['invoice']}", bound).status_code == 404
    book = load_workbook(io.BytesIO(get("/downloads/invoices.xlsx", bound).content))
    assert (book["Invoices"].max_row, book["Summary"]["A6"].value, book["Summary"].max_row) == (2, "JPY", 6)


def test_the_database_connection_comes_back_after_a_download(company, served, manager):
    for path in [*lists(company), *documents(company), "/downloads/invoices/999999.pdf"]:
        get(path, manager)
    assert served.engine.pool.checkedout() == 0
