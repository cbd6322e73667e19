"""The page about our own business."""

import re
from io import BytesIO

from PIL import Image

from billing_core.businesses import logo, queries, service
from billing_core.businesses.queries import default_business
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from tests.pages.as_read import as_read
from tests.pages.invoicing import shown
from tests.pages.roles import OTHER_ROLES


def saved(sessions):
    with sessions() as session:
        return service.details(default_business(session))


def test_details_are_saved(page_as, sessions):
    page = page_as("admin").visit("admin/business.py")
    page.text_input(key="business_name_0").set_value("Söhne & Co")
    page.selectbox(key="business_currency_0").set_value("EUR")
    page.selectbox(key="business_time_zone_0").set_value("Europe/Berlin")
    page.text_input(key="business_zero_tax_reason_0").set_value("Small business")
    page.button(key="business_save").click().run()
    assert not page.exception
    assert page.success[0].value == "Saved."
    expected = service.Details("Söhne & Co", "", "", "EUR", "Europe/Berlin", zero_tax_reason="Small business")
    assert saved(sessions) == expected


def test_paper_is_that_of_the_time_zones_country_unless_another_is_chosen(page_as, sessions):
    page = page_as("admin").visit("admin/business.py")
    page.selectbox(key="business_time_zone_0").set_value("America/Chicago").run()
    paper = page.selectbox(key="business_paper_0")
    assert paper.options == ["As usual in the country of the time zone: US Letter", "A4", "US Letter"]
    paper.set_value("a4")
    page.button(key="business_save").click().run()
    assert not page.exception
    assert saved(sessions).paper == "a4"


def test_what_invoices_would_lack_is_said_until_it_is_filled_in(page_as, sessions):
    page = page_as("admin").visit("admin/business.py")
    page.selectbox(key="business_country_0").set_value("NL")
    page.button(key="business_save").click().run()
    said = shown(page)
    assert "Still missing: our address, our btw-id (NL, 9 digits, B, 2 digits), our company register number" in said
    assert "Handelsregisterwet" in said
    assert "bank details are missing" in said
    form = page.session_state["business_form"]
    page.text_area(key=f"business_address_{form}").set_value("Waalhaven 9, Rotterdam")
    page.text_input(key=f"business_tax_id_{form}").set_value("NL001234567B01")
    page.text_input(key=f"business_register_number_{form}").set_value("KvK 00000000")
    page.text_area(key=f"business_bank_details_{form}").set_value("IBAN NL00")
    page.button(key="business_save").click().run()
    assert "Everything that invoices usually need is here" in shown(page)
    assert (saved(sessions).country, saved(sessions).register_number) == ("NL", "KvK 00000000")


def test_what_pdfs_cannot_show_is_named_below_its_field(page_as):
    page = page_as("admin").visit("admin/business.py")
    page.text_area(key="business_invoice_footer_0").set_value("HRB \ua840").run()
    assert "PDFs cannot show “\ua840” (phags-pa letter ka)" in shown(page)


def test_a_stale_form_is_refused_and_says_what_changed(page_as, sessions):
    page = page_as("admin").visit("admin/business.py")
    with sessions.begin() as session:
        wanted = service.Details("Theirs", "", "", "USD", "UTC")
        service.change(session, SYSTEM, wanted=wanted, drawn_from=1, now=utc_now())
    page.text_input(key="business_name_0").set_value("Mine")
    page.button(key="business_save").click().run()
    assert "name is now “Theirs”" in page.error[0].value
    assert saved(sessions).name == "Theirs"
    page.button(key="business_discard").click().run()
    assert page.text_input(key="business_name_1").value == "Theirs"


def test_an_empty_name_is_refused(page_as, sessions):
    page = page_as("admin").visit("admin/business.py")
    page.text_input(key="business_name_0").set_value("  ")
    page.button(key="business_save").click().run()
    assert page.error
    assert saved(sessions).name == "My business"


@OTHER_ROLES
def test_only_administrators_see_it(page_as, role):
    assert "Your role does not allow" in page_as(role).visit("admin/business.py").error[0].value


def test_what_documents_carry_is_saved_too(page_as, sessions):
    page = page_as("admin").visit("admin/business.py")
    typed = {
        "email": "billing@soehne.example",
        "phone": "+49 30 1",
        "payment_terms": "Net 14",
        "invoice_format": "R{year}-{seq:05}",
        "credit_note_format": "G{seq}",
    }
    for field, text in typed.items():
        page.text_input(key=f"business_{field}_0").set_value(text)
    page.text_area(key="business_bank_details_0").set_value("IBAN DE89 3704\nBIC COBADEFF")
    page.text_area(key="business_invoice_footer_0").set_value("HRB 1")
    page.button(key="business_save").click().run()
    assert not page.exception
    kept = saved(sessions)
    assert {field: getattr(kept, field) for field in typed} == typed
    assert (kept.bank_details, kept.invoice_footer) == ("IBAN DE89 3704\nBIC COBADEFF", "HRB 1")


def captions(page):
    return " ".join(as_read(one.value) for one in [*page.caption, *page.markdown])


def test_the_next_number_and_the_due_date_follow_what_is_typed(page_as, sessions):
    year = utc_now().year
    page = page_as("admin").visit("admin/business.py")
    assert f"INV-{year}-001" in captions(page)
    page.text_input(key="business_invoice_format_0").set_value("A/{seq:05}")
    page.text_input(key="business_payment_terms_0").set_value("Due on receipt").run()
    assert "A/00001" in captions(page)
    found = re.search(r"An invoice of (.+?): due (.+?)\.", captions(page))
    assert found
    assert found[1] == found[2]


def test_a_format_without_a_count_is_refused_at_its_field(page_as, sessions):
    page = page_as("admin").visit("admin/business.py")
    page.text_input(key="business_invoice_format_0").set_value("INV-{year}").run()
    assert "Invoice format needs {seq} once" in captions(page)
    page.button(key="business_save").click().run()
    assert page.error
    assert saved(sessions).invoice_format == "INV-{year}-{seq:03}"


def test_a_second_business_is_added_changed_and_stopped(page_as, sessions):
    visitor = page_as("admin")
    page = visitor.visit("admin/business.py", business="new")
    form = page.session_state["business_form"]
    page.text_input(key=f"business_name_{form}").set_value("Second Ltd")
    page.selectbox(key=f"business_currency_{form}").set_value("GBP")
    page.button(key="business_save").click().run()
    assert not page.exception
    assert not page.error
    with sessions() as session:
        first, second = queries.every(session)
    assert (second.name, second.currency, second.active) == ("Second Ltd", "GBP", True)
    assert first.name == "My business"

    page = visitor.visit("admin/business.py", business=str(second.id))
    page.button(key="business_active").click().run()
    with sessions() as session:
        assert [one.active for one in queries.every(session)] == [True, False]
    assert page.button(key="business_active").label == "Use it again"
    page = visitor.visit("admin/business.py", business=str(first.id))
    assert page.button(key="business_active").disabled


def test_a_form_shows_the_business_that_is_opened(page_as, sessions):
    with sessions.begin() as session:
        other = service.create(
            session, SYSTEM, wanted=service.Details("Other Inc", "", "", "USD", "UTC"), now=utc_now()
        ).id
    visitor = page_as("admin")
    page = visitor.visit("admin/business.py")
    assert page.text_input(key="business_name_0").value == "My business"
    page = visitor.visit("admin/business.py", business=str(other))
    assert page.text_input(key=f"business_name_{page.session_state['business_form']}").value == "Other Inc"


def test_the_logo_is_taken_off_documents(page_as, sessions):
    picture = BytesIO()
    Image.new("RGB", (40, 20), "navy").save(picture, "PNG")
    with sessions.begin() as session:
        first = default_business(session).id
        logo.change(session, SYSTEM, first, content=picture.getvalue(), now=utc_now())
    page = page_as("admin").visit("admin/business.py")
    page.button(key="logo_remove").click().run()
    assert not page.exception
    with sessions() as session:
        assert logo.of(session, first) is None
