"""Writing an invoice: a draft that saves itself, its checks, and colleagues at the same draft."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.models import Invoice, InvoiceState
from tests.invoices.company import GRACE, LATER, a_draft, a_line, kinds
from tests.pages.as_read import as_read
from tests.pages.invoices.written import HOSTILE, WORK, acme, draft, opened
from tests.pages.invoicing import choose, content_of, field, ids, press, shown, stored, write
from tests.pages.roles import OTHER_ROLES

__all__ = ["acme", "draft"]

pytestmark = pytest.mark.slow


def test_where_there_is_no_customer_yet_the_way_to_import_them_is_offered(page_as):
    page = page_as("admin").visit("invoice_editor.py")
    assert "no customers yet" in page.info[0].value
    assert [button.label for button in page.main.get("button")] == ["All invoices", "Import customers"]


def test_a_customer_is_chosen_by_name_and_fills_the_fields(page_as, acme):
    page = page_as("admin").visit("invoice_editor.py")
    page.selectbox(key="new_invoice_customer").set_value(acme).run()
    next(button for button in page.button if button.label == "Create the invoice").click().run()

    assert not page.exception
    assert page.query_params["customer"] == str(acme)
    assert field(page, "customer_name").value == HOSTILE
    assert field(page, "customer_email").value == "ap@acme.example"
    assert field(page, "customer_address").value == "Am Kai 1\nBremen\nGermany"
    assert field(page, "payment_terms").value == "Net 45"
    assert (field(page, "due_on").value - field(page, "issued_on").value).days == 45
    assert field(page, "currency").value == "USD"


def test_an_invoice_may_be_in_any_language_that_has_a_catalogue(dutch, page_as, sessions, draft):
    page = opened(page_as, draft)
    assert field(page, "language").options == ["English", "Deutsch", "Español", "Français", "Nederlands"]
    field(page, "language").set_value("nl").run()

    assert not page.exception
    with sessions() as session:
        assert session.get_one(Invoice, draft).language == "nl"


def test_another_language_says_the_agreed_terms_in_it_and_leaves_what_was_typed(page_as, sessions, acme):
    page = page_as("admin").visit("invoice_editor.py", customer=str(acme))
    field(page, "language").set_value("de").run()
    assert field(page, "payment_terms").value == "45 Tage netto"
    field(page, "language").set_value("en").run()
    assert field(page, "payment_terms").value == "Net 45"
    field(page, "payment_terms").set_value("Net 20").run()
    field(page, "language").set_value("fr").run()
    assert field(page, "payment_terms").value == "Net 20"
    assert (field(page, "due_on").value - field(page, "issued_on").value).days == 20


def test_prices_may_include_tax(page_as, sessions, acme):
    """2.5 × 1234.50 = 3086.25 with 19 %: 2593.487… without."""
    page = write(page_as("admin").visit("invoice_editor.py", customer=str(acme)), WORK)
    page.toggle[[one.label for one in page.toggle].index("Prices include tax")].set_value(True)
    page = page.run()
    assert not page.exception
    (invoice_id,) = ids(sessions)
    invoice = stored(sessions, invoice_id)
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor) == (259349, 49276, 308625)
    assert "Lines with tax = tax rows = total = stored = PDF = 3,086.25 USD" in shown(page)


def test_the_first_line_saves_the_draft_with_exact_numbers(page_as, sessions, acme):
    page = page_as("admin").visit("invoice_editor.py", customer=str(acme))
    assert "saved with its first line" in shown(page)
    assert ids(sessions) == []

    page = write(page, WORK)
    assert not page.exception
    (invoice_id,) = ids(sessions)
    assert page.query_params["invoice"] == str(invoice_id)
    line = content_of(sessions, invoice_id).lines[0]
    assert (line.quantity, line.unit_price, line.tax_rate) == (Decimal("2.5"), Decimal("1234.50"), Decimal(19))
    # 2.5 × 1234.50 = 3086.25; 19 % of it is 586.3875.
    assert stored(sessions, invoice_id).total_minor == 367264
    assert "| Tax 19 % on 3,086.25 | 586.39 |" in shown(page)
    assert "Lines + tax = tax rows = total = stored = PDF = 3,672.64 USD" in shown(page)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"quantity": "0"}, "Line 1: the quantity must not be 0"),
        ({"quantity": "NaN"}, "Line 1: the quantity is not a number such as 1234.50"),
        ({"quantity": "0.1234567"}, "Line 1: the quantity may have at most 6 decimals"),
        ({"quantity": ""}, "Line 1: the quantity is needed"),
        ({"tax_rate": "101"}, "Line 1: the tax must lie between 0 and 100 percent"),
        ({"unit_price": "1e5"}, "Line 1: the unit price is not a number such as 1234.50"),
        ({"quantity": "-1", "unit_price": "-1"}, "Line 1: the unit price must not be negative where"),
        ({"unit_price": "9,000,000,000,001"}, "Line 1: the unit price must be at most 9,000,000,000,000"),
        ({"unit_price": "8,999,999,999,999"}, "Line 1: the unit price makes the line come to more than"),
        ({"discount_percent": "5", "discount_minor": "1"}, "Line 1: the discount in percent is either a percentage or"),
        ({"discount_minor": "1.005"}, "Line 1: the discount may have at most 2 decimals in USD"),
        ({"discount_minor": "900"}, "Line 1: the discount is more than the line comes to"),
        ({"description": "x" * 5_000}, "Line 1: the description may have at most 2,000 characters, and has 5,000"),
        ({"description": ""}, "Line 1: the description is needed"),
        ({"description": "a\x00b"}, "Line 1: the description has a character in it that cannot be kept (U+0000)"),
    ],
)
def test_a_wrong_cell_is_named_stays_on_screen_and_is_not_saved(page_as, sessions, draft, cells, said):
    before = content_of(sessions, draft)
    page = write(opened(page_as, draft), cells)

    assert not page.exception
    assert said in shown(page)
    assert page.button(key="send_draft").disabled
    assert content_of(sessions, draft) == before


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("customer_email", "nobody", "The e-mail address is not an e-mail address such as ana@example.com"),
        ("due_on", date(2026, 1, 1), "The due date lies before the issue date"),
        ("due_on", None, "The due date is needed"),
        ("issued_on", None, "The issue date is needed"),
        ("reference", "r" * 121, "The reference may have at most 120 characters, and has 121"),
        ("notes", "n" * 5_001, "Notes may have at most 5,000 characters, and has 5,001"),
        ("discount_percent", "101", "The discount must lie between 0 and 100 percent"),
        ("discount_minor", "250.01", "The discount is more than the lines come to"),
        ("discount_minor", "much", "The discount is not a number such as 1234.50"),
    ],
)
def test_a_wrong_field_is_named_below_it_and_not_saved(page_as, sessions, draft, name, value, said):
    before = content_of(sessions, draft)
    page = opened(page_as, draft)
    field(page, name).set_value(value).run()

    assert not page.exception
    assert said in shown(page)
    assert content_of(sessions, draft) == before


def test_what_is_right_again_is_saved_with_everything_typed_meanwhile(page_as, sessions, draft):
    page = opened(page_as, draft)
    field(page, "customer_email").set_value("nobody").run()
    field(page, "notes").set_value("Thank you 🙏").run()
    assert content_of(sessions, draft).notes == ""

    field(page, "customer_email").set_value("ana@example.com").run()
    kept = content_of(sessions, draft)
    assert (kept.customer_email, kept.notes) == ("ana@example.com", "Thank you 🙏")


def test_typing_makes_one_entry_of_the_timeline(page_as, sessions, draft):
    page = opened(page_as, draft)
    for text in ("a", "ab", "abc"):
        field(page, "notes").set_value(text).run()
    with sessions() as session:
        assert kinds(session, draft) == ["created", "edited"]


def test_the_terms_move_the_due_date_until_it_is_chosen(page_as, sessions, draft):
    page = opened(page_as, draft)
    field(page, "payment_terms").set_value("Due on receipt").run()
    assert content_of(sessions, draft).due_on == date(2026, 3, 2)
    field(page, "due_on").set_value(date(2026, 4, 1)).run()
    assert content_of(sessions, draft).due_on == date(2026, 4, 1)


def test_a_line_with_tax_of_0_percent_asks_for_its_reason(page_as, sessions, draft):
    page = opened(page_as, draft)
    assert "have no reason yet" not in shown(page)
    write(page, {"tax_rate": "0"})
    assert "Lines with 0 % tax have no reason yet" in shown(page)

    field(page, "zero_tax_reason").set_value("Export").run()

    assert "have no reason yet" not in shown(page)
    assert content_of(sessions, draft).zero_tax_reason == "Export"


def test_terms_are_shown_as_they_are_understood_or_leave_the_due_date_to_be_chosen(page_as, sessions, draft):
    page = opened(page_as, draft)
    field(page, "payment_terms").set_value("14 Tage 2 % Skonto, 30 Tage netto").run()
    said = " ".join(as_read(one.value) for one in page.caption)
    assert "Net 30 days, 2% discount within 14 days" in said
    assert content_of(sessions, draft).due_on == date(2026, 4, 1)

    field(page, "payment_terms").set_value("as agreed").run()
    assert "not understood" in " ".join(one.value for one in page.caption)
    assert field(page, "due_on").value is None
    assert content_of(sessions, draft).payment_terms == "14 Tage 2 % Skonto, 30 Tage netto"
    field(page, "due_on").set_value(date(2026, 4, 20)).run()
    kept = content_of(sessions, draft)
    assert (kept.payment_terms, kept.due_on) == ("as agreed", date(2026, 4, 20))


def test_a_discount_stands_in_the_totals_between_printed_lines_and_net(page_as, sessions, draft):
    page = opened(page_as, draft)
    write(page, {"quantity": "3", "unit_price": "0.335", "tax_rate": "7.5"}, {"unit_price": "0.335"})
    field(page, "discount_percent").set_value("10").run()

    # 1.005 and 0.335 are printed as 1.01 and 0.34; 10 % of their sum is 0.135.
    said = shown(page)
    assert "| Lines | 1.35 |" in said
    assert "| Discount 10 % | -0.14 |" in said
    assert "| Rounding |" not in said
    assert "| Net | 1.21 |" in said
    assert content_of(sessions, draft).discount_percent == Decimal(10)


def test_lines_move_by_their_number_and_go_by_deleting(page_as, sessions, draft):
    page = opened(page_as, draft)
    write(page, {}, {"place": 1})
    assert [line.description for line in content_of(sessions, draft).lines] == ["Travel", "Consulting"]

    write(page, deleted_rows=[0])
    assert [line.description for line in content_of(sessions, draft).lines] == ["Consulting"]
    assert stored(sessions, draft).total_minor == 23800


def test_rows_pasted_below_are_added(page_as, sessions, draft):
    page = opened(page_as, draft)
    write(page, added_rows=[{"description": "Boxes", "quantity": "12", "unit_price": "0,0999", "type": "product"}])

    line = content_of(sessions, draft).lines[2]
    assert (line.description, line.unit_price, line.type) == ("Boxes", Decimal("0.0999"), "product")


def test_the_grid_grows_with_many_pasted_rows(page_as, sessions, draft):
    page = opened(page_as, draft)
    page = write(page, added_rows=[{"description": f"Box {n}", "quantity": "1", "unit_price": "1"} for n in range(20)])

    assert len(content_of(sessions, draft).lines) == 22
    assert page.data_editor[0].value["description"].tolist()[-2:] == ["Box 19", ""]


def test_another_currency_keeps_what_was_typed_in_the_grid(page_as, sessions, draft):
    page = opened(page_as, draft)
    write(page, {"description": "Advice"})
    field(page, "currency").set_value("EUR").run()

    kept = content_of(sessions, draft)
    assert (kept.currency, kept.lines[0].description) == ("EUR", "Advice")
    assert page.data_editor[0].value["description"].iloc[0] == "Advice"


def meanwhile(sessions, invoice_id: int, **facts) -> None:
    """Grace saves the draft in another browser."""
    with sessions.begin() as session:
        found = queries.one(session, SYSTEM, invoice_id)
        wanted = replace(queries.content(session, found), **facts)
        service.edit(session, GRACE, invoice_id, wanted, drawn_from=found.version, now=LATER)


def test_a_stale_save_says_what_changed_and_lets_choose(page_as, sessions, draft):
    page = opened(page_as, draft)
    meanwhile(sessions, draft, reference="PO 7")
    field(page, "notes").set_value("Mine").run()

    said = shown(page)
    assert "Grace Hopper has saved this draft in the meantime" in said
    assert "Reference is now “PO 7”" in said
    assert "Notes is empty now" in said
    assert content_of(sessions, draft).notes == ""

    page.button(key="keep_mine").click().run()
    kept = content_of(sessions, draft)
    assert (kept.notes, kept.reference) == ("Mine", "")
    assert not page.warning


def test_theirs_can_be_shown_instead(page_as, sessions, draft):
    page = opened(page_as, draft)
    meanwhile(sessions, draft, reference="PO 7")
    field(page, "notes").set_value("Mine").run()
    page.button(key="show_theirs").click().run()

    assert (field(page, "reference").value, field(page, "notes").value) == ("PO 7", "")
    assert content_of(sessions, draft).reference == "PO 7"


def test_a_draft_that_is_only_read_follows_what_others_save(page_as, sessions, draft):
    page = opened(page_as, draft)
    meanwhile(sessions, draft, reference="PO 7")
    page.run()
    assert field(page, "reference").value == "PO 7"


def test_a_draft_is_discarded_or_copied(page_as, sessions, draft):
    page = choose(opened(page_as, draft), "Duplicate")
    copy = int(page.query_params["invoice"])
    assert copy != draft
    assert content_of(sessions, copy).lines == content_of(sessions, draft).lines

    page = choose(page, "Discard draft")
    press(page, "do_discard", opener="Discard draft")
    assert stored(sessions, copy).state is InvoiceState.CANCELLED
    assert stored(sessions, draft).state is InvoiceState.DRAFT


@OTHER_ROLES
def test_a_draft_can_be_read_but_not_written_by_others(page_as, draft, role):
    page = opened(page_as, draft, role)
    assert not page.data_editor
    assert not page.menu_button
    assert "297.50" in shown(page)
    assert "can read invoices" in page_as(role).visit("invoice_editor.py").info[0].value


def test_a_wrong_address_in_the_bar_is_answered_in_words(page_as):
    for query in ({"invoice": "99"}, {"invoice": "x'y"}, {"customer": "no"}, {"customer": "99"}, {"report": "99"}):
        page = page_as("admin").visit("invoice_editor.py", **query)
        assert not page.exception
        assert page.error


def test_a_thousand_lines_are_shown_and_changed(page_as, sessions, acme):
    with sessions.begin() as session:
        lines = [a_line(f"Line {number}", "1", "1.01", "19") for number in range(1_000)]
        draft = a_draft(session, acme, *lines).id
    page = write(opened(page_as, draft), {"unit_price": "2.01"})

    assert not page.exception
    # 999 × 1.01 + 2.01 = 1,011.00; 19 % of it is 192.09.
    assert stored(sessions, draft).total_minor == 120309
    assert "more pages in the PDF" in shown(page)


def test_what_is_wrong_is_said_line_by_line(page_as, draft):
    page = opened(page_as, draft)
    write(page, {"quantity": "0"}, {"quantity": "NaN"}, added_rows=[{"description": "Box", "quantity": "-1"}])
    said = shown(page)
    assert said.index("Line 1: the quantity") < said.index("Line 2: the quantity") < said.index("Line 3: the")
