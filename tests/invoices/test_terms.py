from datetime import date

import pytest

from billing_core.invoices.content.terms import due_date


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        ("Net 30", date(2024, 3, 16)),
        ("net45", date(2024, 3, 31)),
        ("Due on receipt", date(2024, 2, 15)),
        ("14 days", date(2024, 2, 29)),
        ("Zahlbar innerhalb von 10 Tagen", date(2024, 2, 25)),
        ("30 jours fin de mois", date(2024, 3, 16)),
        ("Sofort fällig", date(2024, 2, 15)),
        ("as agreed", date(2024, 3, 16)),
        ("", date(2024, 3, 16)),
    ],
)
def test_terms_in_words_say_when_an_invoice_is_due(terms, due):
    assert due_date(date(2024, 2, 15), terms) == due
