"""What mails say: in four languages, in a business's own words, and never more than a mail should."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.languages.available import languages
from billing_core.mailing import default_texts, letters, service, texts, wording
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.models import MailKind
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_draft, a_line, an_invoice

INVOICE = MailKind.INVOICE


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("kind", MailKind)
def test_our_own_words_are_whole_in_every_language(session, kind, language):
    ours = default_texts.of(kind, language)
    assert texts.checked(kind, ours) == ours
    business = default_business(session)
    shown = wording.preview(session, GRACE, business.id, kind, language, ours)
    assert business.name in shown.text
    assert "{" not in shown.subject + shown.text
    assert "\n\n\n" not in shown.text
    if language != "en":
        assert shown.text != wording.preview(session, GRACE, business.id, kind, "en", default_texts.of(kind, "en")).text


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{{ nmber }}", "“nmber”"),
        ("{% if number %}", "is not complete"),
        ("{{ number.__class__ }}", "“getattr”"),
        ("{% for x in number %}{{ x }}{% endfor %}", "“for”"),
        ("{{ 'a' * 1000000000 }}", "“mul”"),
        ("{{ number() }}", "“call”"),
        ("{{ number|attr('x') }}", "the filter “attr”"),
        ("{% include '/etc/passwd' %}", "“include”"),
        ("{% if days > number %}x{% endif %}", "not supported between"),
        (" \n ", "is needed"),
        ("x" * 20_001, "at most 20,000"),
        ("a\x00b", "U+0000"),
        ("{% if number %}" * 150 + "x" + "{% endif %}" * 150, "too many ifs"),
        ("{{ " + "not " * 4_000 + "number }}", "too many ifs"),
        ("{{ number" + "|upper" * 3_000 + " }}", "too many ifs"),
        ("{{ 1" + "0" * 5_000 + " }}", "too long a number"),
    ],
)
def test_what_a_text_may_not_have_is_named_at_its_field(session, body, reason):
    with pytest.raises(Invalid) as refusal:
        wording.preview(session, GRACE, 1, INVOICE, "en", Wording("Invoice", body))
    assert reason in refusal.value.fields["body"]


def test_a_business_writes_in_its_own_words_until_it_gives_them_up(session):
    business_id = default_business(session).id
    assert wording.current(session, GRACE, business_id, INVOICE, "en").version is None
    own = Wording("Bill {{ number }}", "Pay {{ amount_due }}.\n")
    wording.change(session, GRACE, business_id, INVOICE, "en", own, drawn_from=None, now=NOW)

    draft = a_draft(session, a_customer(session))
    (plan,) = service.rehearse(session, GRACE, [draft.id], today=TODAY)
    assert (plan.letter.subject, plan.letter.text) == ("Bill {{ number }}", "Pay $238.00.\n")
    assert wording.changed_ones(session, GRACE, business_id) == {(INVOICE, "en")}

    wording.restore(session, GRACE, business_id, INVOICE, "en", now=LATER)
    assert wording.current(session, GRACE, business_id, INVOICE, "en").wording == default_texts.of(INVOICE, "en")
    actions = session.scalars(
        select(AuditEntry.action).where(AuditEntry.subject_kind == "mail_text").order_by(AuditEntry.id)
    ).all()
    assert actions == ["mail_text.change"] * 2


def test_somebody_elses_change_in_between_is_not_overwritten(session):
    change = (session, GRACE, default_business(session).id, INVOICE, "en")
    wording.change(*change, Wording("A", "a"), drawn_from=None, now=NOW)
    with pytest.raises(Conflict):
        wording.change(*change, Wording("B", "b"), drawn_from=None, now=LATER)
    wording.change(*change, Wording("B", "b"), drawn_from=1, now=LATER)
    assert wording.current(*change).wording == Wording("B", "b\n")
    with pytest.raises(Forbidden):
        wording.change(session, READER, *change[2:], Wording("C", "c"), drawn_from=2, now=LATER)


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "¥200"), ("BHD", "BHD\xa0200.000")])
def test_amounts_have_the_currencys_digits(session, currency, amount):
    invoice = an_invoice(session, a_customer(session), a_line(tax_rate="0"), currency=currency)
    (view,) = service.views(session, GRACE, [invoice.id])
    sender = letters.senders(session, [view])[invoice.id]
    assert letters.invoice_values(view, sender, today=TODAY)["total"] == amount


@pytest.mark.parametrize("language", languages())
def test_mails_lead_to_where_the_invoice_can_be_paid_while_it_can(session, language):
    invoice = an_invoice(session, a_customer(session), language=language)
    for kind in (MailKind.INVOICE, *texts.REMINDERS):
        for url in (None, "https://buy.stripe.example/1"):
            invoice.payment_url = url
            session.flush()
            (view,) = service.views(session, GRACE, [invoice.id])
            values = letters.invoice_values(view, letters.senders(session, [view])[invoice.id], today=TODAY)
            letter = letters.letter(default_texts.of(kind, language), values, language)
            pay = f"/i/{invoice.token}/pay"
            assert letter.text.count(pay) == (1 if url else 0)
            assert letter.html.count(f'{pay}" style') == (1 if url else 0)
            assert "\n\n\n" not in letter.text
            assert "stripe" not in letter.text


def test_a_name_turns_around_nothing_of_a_mail_but_itself():
    written = letters.letter(
        Wording("{{ customer_name }} owes 5.00", "{{ customer_name }} owes 5.00"),
        {"customer_name": "Acme \u202e"},
        "en",
    )
    assert (written.subject, written.text) == ("Acme \u202e\u202c owes 5.00", "Acme \u202e\u202c owes 5.00\n")
    assert "Acme \u202e\u202c owes 5.00" in written.html
