"""What payment terms in words mean. The dates are from the calendar."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.languages.formats import writing
from billing_core.payment_terms.reading import read, understood
from billing_core.payment_terms.terms import Basis, EarlyPayment, Terms
from billing_core.payment_terms.wording import in_language, written

# From 2024-02-15, in a leap year.
DUE = {
    "Net 30": date(2024, 3, 16),
    "net45": date(2024, 3, 31),
    "NET 0": date(2024, 2, 15),
    "Net 730": date(2026, 2, 14),
    "30 days net": date(2024, 3, 16),
    "n/30": date(2024, 3, 16),
    "14 days": date(2024, 2, 29),
    "2 weeks": date(2024, 2, 29),
    "Payment due within 30 days of invoice date.": date(2024, 3, 16),
    "Due on receipt": date(2024, 2, 15),
    "Upon receipt": date(2024, 2, 15),
    "Immediately": date(2024, 2, 15),
    "EOM": date(2024, 2, 29),
    "End of the month": date(2024, 2, 29),
    "Net 30 EOM": date(2024, 3, 30),
    "EOM + 30": date(2024, 3, 30),
    "30 days after the end of the month": date(2024, 3, 30),
    "15th of the following month": date(2024, 3, 15),
    "10th of next month": date(2024, 3, 10),
    "31st of the second following month": date(2024, 4, 30),
    "end of next month": date(2024, 3, 31),
    "Zahlbar innerhalb von 10 Tagen": date(2024, 2, 25),
    "30 Tage netto": date(2024, 3, 16),
    "Zahlungsziel: 14 Tage ohne Abzug": date(2024, 2, 29),
    "Sofort fällig": date(2024, 2, 15),
    "Zahlbar nach Erhalt der Rechnung": date(2024, 2, 15),
    "zum Monatsende": date(2024, 2, 29),
    "30 Tage nach Monatsende": date(2024, 3, 30),
    "am 15. des Folgemonats": date(2024, 3, 15),
    "bis zum 10. des übernächsten Monats": date(2024, 4, 10),
    "30 jours net": date(2024, 3, 16),
    "Paiement à 30 jours date de facture": date(2024, 3, 16),
    "À réception de facture": date(2024, 2, 15),
    "Fin de mois": date(2024, 2, 29),
    # 45 days, then the end of that month, in the order of the words: as article L441-10 of the Code de commerce is
    # applied. Whoever means the other order writes it.
    "45 jours fin de mois": date(2024, 3, 31),
    "Fin de mois 45 jours": date(2024, 4, 14),
    "45 jours après la fin du mois": date(2024, 4, 14),
    "45 Tage zum Monatsende": date(2024, 3, 31),
    "45 Tage nach dem Monatsende": date(2024, 4, 14),
    "45 Tage nach Rechnungsdatum, zum Monatsende": date(2024, 3, 31),
    "le 15 du mois suivant": date(2024, 3, 15),
    "a 30 días fecha factura": date(2024, 3, 16),
    "Al contado": date(2024, 2, 15),
    "fin de mes": date(2024, 2, 29),
    "60 días fin de mes": date(2024, 4, 30),
    "60 días después de fin de mes": date(2024, 4, 29),
    "Payable 30 days from receipt of invoice": date(2024, 3, 16),
    "10 days after receipt of the invoice": date(2024, 2, 25),
    "Payable on receipt of the invoice": date(2024, 2, 15),
    "30 Tage nach Erhalt der Rechnung": date(2024, 3, 16),
    "30 jours à réception de facture": date(2024, 3, 16),
    "30 jours à compter de la réception de la facture": date(2024, 3, 16),
    "30 días desde la recepción de la factura": date(2024, 3, 16),
    "net-30": date(2024, 3, 16),
    "El día 15 del mes siguiente": date(2024, 3, 15),
}
NOT_UNDERSTOOD = (
    "",
    "as agreed",
    "30",
    "10 days after delivery",
    "5 working days",
    "5 days before the end of the month",
    "Net 30, then 8 % interest",
    "30/60 days",
    "Net 731",
    "30.000 days",
    "2 % 10 days",
    "2 % 30 days, net 10",
    "2 % 10 days, 3 % 20 days, net 30",
    "100 % 10 days, net 30",
    "30 Tage nach Lieferung",
    "10 days after receipt of goods",
    "30 days cash",
    "30 Tage sofort",
    "net 30 net 60",
    "-30 days",
    "net -30",
    "Net 30 days or end of month",
    "15-EOM or net 30",
    "30 Tage oder Monatsende",
    "30 Tage, sonst Monatsende",
    "30 jours ou fin de mois",
    "30 días o fin de mes",
    # Discounts until a date are not among the terms that there are, and must not be taken for the due date.
    "2% 10 EOM, net 30",
    "2% 10 days EOM, net 30",
    "2% EOM, net 30",
    "10 days after month end 2%, net 30",
    "2 % 10 Tage nach Monatsende, 30 Tage netto",
    "2% 10 prox, net 30",
    "10th of next month 2%, net 30",
    "2% on receipt, net 30",
)


@pytest.mark.parametrize("text", DUE)
def test_terms_in_four_languages_give_the_due_date(text):
    assert understood(text).due_on(date(2024, 2, 15)) == DUE[text]


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_what_may_mean_something_else_is_not_understood(text):
    assert understood(text) is None


def test_the_end_of_the_month_of_a_short_month():
    assert understood("EOM").due_on(date(2026, 2, 10)) == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("text", "discounts"),
    [
        ("14 Tage 2 % Skonto, 30 Tage netto", [("2", 15)]),
        ("2 % Skonto bei Zahlung innerhalb von 14 Tagen, 30 Tage netto", [("2", 15)]),
        ("Zahlbar innerhalb von 30 Tagen ohne Abzug, innerhalb von 14 Tagen mit 2 % Skonto", [("2", 15)]),
        ("3 % 7 Tage, 2 % 14 Tage, 30 Tage netto", [("3", 8), ("2", 15)]),
        ("2/14 net 30", [("2", 15)]),
        ("2/14 or net 30", [("2", 15)]),
        ("2 % Skonto innerhalb von 14 Tagen, sonst 30 Tage netto", [("2", 15)]),
        ("2% 14 days from receipt of invoice, net 30", [("2", 15)]),
        ("2% 14, n/30", [("2", 15)]),
        ("Net 30, 1.5% discount within 9 days", [("1.5", 10)]),
        ("2,5 % d’escompte à 10 jours, 30 jours net", [("2.5", 11)]),
        ("30 días neto, 2 % de descuento por pronto pago en 10 días", [("2", 11)]),
    ],
)
def test_early_payment_takes_a_percentage_until_a_day(text, discounts):
    terms = understood(text)
    first = date(2026, 1, 1)
    assert terms.due_on(first) == date(2026, 1, 31)
    assert [(one.percent, one.until(first)) for one in terms.discounts] == [
        (Decimal(percent), date(2026, 1, day)) for percent, day in discounts
    ]


@pytest.mark.parametrize("text", ["2/10 net 30 EOM", "Net 30 EOM, 2% 10", "10 days 2%, 30 EOM", "2% 10 or 30 days EOM"])
def test_the_end_of_the_month_belongs_to_the_days_beside_it(text):
    assert understood(text) == Terms(Basis.MONTH_END, days=30, discounts=(EarlyPayment(Decimal(2), 10),))


_discounts = st.one_of(
    st.just(()),
    st.builds(lambda tenths: (EarlyPayment(Decimal(tenths).scaleb(-1).normalize(), 7),), st.integers(1, 99)),
    st.just((EarlyPayment(Decimal(3), 1), EarlyPayment(Decimal("1.25"), 8))),
)
_terms = st.one_of(
    st.builds(Terms, days=st.integers(9, 730), discounts=_discounts),
    st.builds(Terms, days=st.integers(0, 3)),
    st.builds(Terms, st.just(Basis.MONTH_END), days=st.integers(0, 90), discounts=_discounts),
    st.builds(Terms, st.just(Basis.TO_MONTH_END), days=st.integers(1, 90), discounts=_discounts),
    st.builds(
        Terms, st.just(Basis.DAY_OF_MONTH), day=st.integers(1, 31), months=st.integers(1, 2), discounts=_discounts
    ),
)


@given(_terms, st.sampled_from(["en", "de", "fr", "es"]))
def test_what_is_written_in_a_language_is_read_as_the_same_terms(terms, language):
    reading = read(written(terms, writing(language)))
    assert reading.terms == terms
    assert language in reading.languages


@given(st.text(max_size=250))
def test_any_text_is_read_or_not_understood(text):
    terms = understood(text)
    assert terms is None or terms.due_on(date(2026, 1, 1)) >= date(2026, 1, 1)


@pytest.mark.parametrize(
    ("text", "language", "printed"),
    [
        ("Net 30", "de", "30 Tage netto"),
        ("Net 30", "fr-CA", "30 jours net"),
        ("Due on receipt", "es", "Pagadero a la recepción"),
        ("Net 30", "en-GB", "Net 30"),
        ("14 Tage 2 % Skonto, 30 Tage netto", "de", "14 Tage 2 % Skonto, 30 Tage netto"),
        ("Per contract 12", "de", "Per contract 12"),
        # In French this is longer than a document has room for.
        ("9/1 8/2 7/3 6/4 5/5 4/6 3/7 n/30", "fr", "9/1 8/2 7/3 6/4 5/5 4/6 3/7 n/30"),
    ],
)
def test_terms_are_printed_in_the_customers_language_and_own_text_as_written(text, language, printed):
    assert in_language(text, language) == printed
