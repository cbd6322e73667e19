"""Credit notes: who issued them, and where their cents are taken back."""

from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import BillingError, Conflict, Forbidden, Invalid
from billing_core.invoices import credit_notes
from billing_core.invoices.content.totals import Share
from billing_core.invoices.models import LineType
from tests.invoices.company import GRACE, LATER, READER, TODAY, a_customer, a_line, an_invoice

D = Decimal


def issue(session, invoice, minor=None, *, actor=GRACE, reason="Returned", issued_on=TODAY):
    return credit_notes.issue(
        session, actor, invoice.id, amount_minor=minor, reason=reason, issued_on=issued_on, today=TODAY, now=LATER
    )


def audited(session):
    session.flush()
    return session.scalars(
        select(AuditEntry).where(AuditEntry.action == "credit_note.issue").order_by(AuditEntry.id)
    ).all()


def test_issuing_one_is_audited(session):
    invoice = an_invoice(session, a_customer(session))

    note = issue(session, invoice, 38_00, reason="  Returned ")

    (entry,) = audited(session)
    assert (entry.at, entry.actor_name) == (LATER, "Grace Hopper")
    assert (entry.subject_kind, entry.subject_id) == ("invoice", str(invoice.id))
    assert entry.subject_label == "CN-2026-001 for INV-2026-001"
    assert entry.before is None
    assert entry.after == {"number": note.number, "total_minor": 38_00, "currency": "USD", "reason": "Returned"}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"minor": 0}, Invalid),
        ({"minor": -1}, Invalid),
        ({"minor": 238_01}, Invalid),
        ({"reason": " "}, Invalid),
        ({"issued_on": TODAY - timedelta(days=1)}, Invalid),
        ({"issued_on": TODAY + timedelta(days=1)}, Invalid),
        ({"actor": READER}, Forbidden),
    ],
)
def test_one_that_is_refused_leaves_no_trace(session, wrong, error):
    invoice = an_invoice(session, a_customer(session))

    with pytest.raises(error):
        issue(session, invoice, **wrong)

    assert audited(session) == []
    assert invoice.due_minor == 238_00


def test_the_next_one_can_take_back_what_the_last_one_left_and_no_more(session):
    invoice = an_invoice(session, a_customer(session))
    issue(session, invoice, 237_99)
    assert issue(session, invoice).total_minor == 1
    with pytest.raises(Conflict, match="Nothing is due"):
        issue(session, invoice)
    assert [entry.after["total_minor"] for entry in audited(session)] == [237_99, 1]


def test_a_spare_cent_is_taken_back_from_the_type_that_stands_first(session):
    """0.05 of 20.00 and 20.00 are 0.025 each; what is left of them is 19.97 and 19.98."""
    fee, work = a_line("Fee", "1", "20", "0", type=LineType.FEE), a_line("Work", "1", "20", "0")
    invoice = an_invoice(session, a_customer(session), fee, work)

    issue(session, invoice, 5)

    assert [(share.type, share.net_minor) for share in credit_notes.left(session, invoice)] == [
        ("fee", 19_97),
        ("service", 19_98),
    ]


@pytest.mark.parametrize(
    ("shares", "amount", "parts"),
    [
        # A twentieth of 11.90 at 19 % and of 10.70 at 7 % is 0.595 and 0.535: 0.60 and 0.53, or 0.50 net each.
        ([(19, 10_00, 1_90), (7, 10_00, 70)], 1_13, [(19, 50, 10), (7, 50, 3)]),
        # 0.01 of three that are as large: the first alone.
        ([(0, 1_00, 0), (7, 93, 7), (19, 84, 16)], 1, [(0, 1, 0)]),
        # Half of 100.00 + 22.00 less a voucher of 20.00 + 2.00: half of each, the voucher's too.
        ([(22, 100_00, 22_00), (10, -20_00, -2_00)], 50_00, [(22, 50_00, 11_00), (10, -10_00, -1_00)]),
        # All of it, and nothing where nothing is left.
        ([(0, 0, 0), (7, 93, 7)], 1_00, [(7, 93, 7)]),
    ],
)
def test_an_amount_is_spread_in_proportion_and_split_at_each_rate(shares, amount, parts):
    whole = [Share("service", D(rate), net, tax) for rate, net, tax in shares]

    found = credit_notes.parts_of(whole, amount, "EUR")

    assert [(part.rate, part.net_minor, part.tax_minor) for part in found] == parts
    assert sum(part.net_minor + part.tax_minor for part in found) == amount


def test_the_tax_of_a_credit_note_is_that_of_its_net_amount_by_rate_whatever_the_types():
    """10.00 and 10.00 at 19 % are 23.80; a credit of 1.23 is 1.03 net (1.0336) with 0.20 tax (0.1957): of 0.62 and 0.61
    with tax, 52.1 and 51.3 cents, the spare cent goes where more was cut off.
    """
    whole = [Share("fee", D(19), 10_00, 1_90), Share("service", D(19), 10_00, 1_90)]

    found = credit_notes.parts_of(whole, 1_23, "EUR")

    assert [(part.type, part.net_minor, part.tax_minor) for part in found] == [("fee", 52, 10), ("service", 51, 10)]


@given(st.integers(1, 10**7), st.decimals(0, 100, places=2), st.data())
def test_the_tax_is_recomputed_from_the_printed_net_amount_wherever_there_is_one(net, rate, data):
    """EN 16931, BR-CO-17. An amount with tax that no net amount gives is a minor unit off at most."""

    def tax(minor: int) -> int:
        return int((minor * rate / 100).quantize(D(1), ROUND_HALF_UP))

    amount = data.draw(st.integers(1, max(net + tax(net) - 1, 1)))
    (part,) = credit_notes.parts_of([Share("service", rate, net, tax(net))], amount, "EUR")

    assert part.net_minor + part.tax_minor == amount
    nets = range(part.net_minor - 2, part.net_minor + 3)
    assert abs(part.tax_minor - tax(part.net_minor)) <= (amount not in [one + tax(one) for one in nets])


@given(st.integers(0, 10_000), st.integers(0, 19), st.lists(st.integers(1, 3_000), max_size=20))
def test_credited_piece_by_piece_nothing_goes_below_what_is_left(net, rate, amounts):
    left = [Share("service", D(rate), net, net * rate // 100), Share("fee", D(rate), 7, 1)]
    for amount in amounts:
        if amount > sum(one.net_minor + one.tax_minor for one in left):
            break
        taken = {one.type: one for one in credit_notes.parts_of(left, amount, "EUR")}
        assert sum(one.net_minor + one.tax_minor for one in taken.values()) == amount
        for at, one in enumerate(left):
            part = taken.get(one.type, Share(one.type, one.rate, 0, 0))
            left[at] = replace(one, net_minor=one.net_minor - part.net_minor, tax_minor=one.tax_minor - part.tax_minor)
            assert min(part.net_minor, part.tax_minor, left[at].net_minor, left[at].tax_minor) >= 0


@given(st.integers(100, 10_000), st.integers(1, 90), st.lists(st.integers(1, 3_000), min_size=1, max_size=12))
def test_what_was_taken_off_is_credited_with_the_rest_and_never_changes_its_sign(net, less, amounts):
    """Of a line at 22 % and a voucher at 10 % that is smaller."""
    off = -(net * less // 100)
    left = [Share("service", D(22), net, net * 22 // 100), Share("other", D(10), off, off // 10)]
    for amount in amounts:
        whole = sum(one.net_minor + one.tax_minor for one in left)
        if amount > whole:
            break
        parts = credit_notes.parts_of(left, amount, "EUR")
        assert sum(part.net_minor + part.tax_minor for part in parts) == amount
        credited = {part.type: part for part in parts}
        left = [
            replace(one, net_minor=one.net_minor - part.net_minor, tax_minor=one.tax_minor - part.tax_minor)
            for one in left
            for part in [credited.get(one.type, Share(one.type, one.rate, 0, 0))]
        ]
        work, voucher = left
        assert min(work.net_minor, work.tax_minor) >= 0
        assert max(voucher.net_minor, voucher.tax_minor) <= 0


def test_more_than_is_left_is_not_spread():
    with pytest.raises(BillingError, match=r"Only 1.00 EUR of this invoice is left"):
        credit_notes.parts_of([Share("service", D(7), 93, 7)], 1_01, "EUR")
