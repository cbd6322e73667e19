"""The lines of an invoice that bill usage: real quantities and unit prices, each tier as it was charged."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.metering.models import NO_BUCKET
from billing_core.plans.pricing import Price, Scheme, Tier, priced
from billing_core.plans.segments import Segment
from billing_core.usage.billed import invoice_lines
from billing_core.usage.charges import Charge
from billing_core.usage.parts import Part, PartKind, parts_of
from tests.plans.test_pricing import any_price

D = Decimal
METER = 3
DAYS = "Oct 1 – 31, 2023"
OCTOBER = Segment(date(2023, 10, 1), date(2023, 10, 31), None, 0)
STEPPED = (("10", "1", "7"), (None, "0.50"))


def price(*tiers, scheme=Scheme.PER_UNIT, **facts):
    steps = tuple(Tier(up_to and D(up_to), D(each), D(*fee)) for up_to, each, *fee in tiers)
    return Price("USD", scheme, steps, **facts)


def charge(agreed, quantity, **how):
    found = priced(agreed, D(quantity), **how)
    facts = (found.quantity, found.included, found.billable, tuple(parts_of(agreed, found)))
    return Charge("mails", METER, None, NO_BUCKET, OCTOBER, *facts, found.amount, found.without_minimum)


def lines(one):
    found = invoice_lines.of_charge(one, {(METER, NO_BUCKET): "Mails"}, "en", usage_line_id=5)
    assert {(line.usage_line_id, line.tax_rate) for line in found} == {(5, 0)}
    return [(line.description.removeprefix(f"Mails, {DAYS}: "), line.quantity, line.unit_price) for line in found]


@pytest.mark.parametrize(
    ("agreed", "quantity", "how", "expected"),
    [
        (
            price((None, "0.001"), included=D(10_000)),
            "12500",
            {},
            [("used 12,500, included 10,000, 2,500 × 0.001 USD", D(2500), D("0.001"))],
        ),
        # 7.00 + 10 × 1.00 + 2.5 × 0.50 = 18.25
        (
            price(*STEPPED, scheme=Scheme.GRADUATED),
            "12.5",
            {},
            [
                ("used 12.5, 10 × 1.00 USD", D(10), D(1)),
                ("fee 7.00 USD", D(1), D(7)),
                ("2.5 × 0.50 USD", D("2.5"), D("0.5")),
            ],
        ),
        (price(*STEPPED, scheme=Scheme.VOLUME), "20", {}, [("used 20, 20 × 0.50 USD", D(20), D("0.5"))]),
        # 1,001 mails are two packages.
        (
            price((None, "2.50"), scheme=Scheme.PACKAGE, per=D(1000)),
            "1001",
            {},
            [("used 1,001, 2 packages of 1,000 × 2.50 USD", D(2), D("2.5"))],
        ),
        # 0.35 a thousand is 0.00035 each: 0.875.
        (
            price((None, "0.35"), per=D(1000)),
            "2500",
            {},
            [("used 2,500, 2,500 × 0.35 USD / 1,000", D(2500), D("0.00035"))],
        ),
        # A price for a thousand that is too fine of one is shown of so many thousand: 2.5 × 0.0035 = 0.00875.
        (
            price((None, "0.0035"), per=D(1000)),
            "2500",
            {},
            [("used 2,500, 2,500 × 0.0035 USD / 1,000", D("2.5"), D("0.0035"))],
        ),
        # A third of 1.00 is neither: the line is what it comes to.
        (price((None, "1"), per=D(3)), "2", {}, [("used 2, 2 × 1.00 USD / 3", D(1), D("0.67"))]),
        (price((None, "0.0000001")), "2500000", {}, [("used 2,500,000, 2,500,000 × 0.0000001 USD", D(1), D("0.25"))]),
        # At least 20.00: 17.50 more than 2.50.
        (
            price((None, "0.001"), minimum=D(20)),
            "2500",
            {},
            [
                ("used 2,500, 2,500 × 0.001 USD", D(2500), D("0.001")),
                ("at least 20.00 USD", D(1), D("17.5")),
            ],
        ),
        (price((None, "1"), minimum=D(20)), "0", {}, [("used 0, at least 20.00 USD", D(1), D(20))]),
        # 10 × 0.1005 + 1 × 0.0995 = 1.1045 is 1.10, and by itself each 1.01 and 0.10.
        (
            price(("10", "0.1005"), (None, "0.0995"), scheme=Scheme.GRADUATED),
            "11",
            {},
            [("used 11, 10 × 0.1005 USD + 1 × 0.0995 USD", D(1), D("1.1"))],
        ),
        # Two thirds of 1.00 are 0.67, and 7.67 with the fee.
        (
            price((None, "1", "7"), per=D(3)),
            "2",
            {},
            [("used 2, 2 × 1.00 USD / 3", D(1), D("0.67")), ("fee 7.00 USD", D(1), D(7))],
        ),
        # What is free tells a line too.
        (
            price(("10", "0"), (None, "1"), scheme=Scheme.GRADUATED),
            "12",
            {},
            [("used 12, 10 × 0.00 USD", D(10), D(0)), ("2 × 1.00 USD", D(2), D(1))],
        ),
        # Three times 0.105 are 0.315, and by themselves 0.33, which is more than the minimum of 0.32.
        (
            price(*((end, "0.105") for end in ("1", "2", None)), scheme=Scheme.GRADUATED, minimum=D("0.32")),
            "3",
            {},
            [("used 3, 1 × 0.105 USD + 1 × 0.105 USD + 1 × 0.105 USD, at least 0.32 USD", D(1), D("0.32"))],
        ),
        # A price that a line cannot have is billed as a thousand of its thousandth.
        (
            price((None, "1", "9000000000001")),
            "2",
            {},
            [("used 2, 2 × 1.00 USD + fee 9,000,000,000,001.00 USD", D(1000), D("9000000000.003"))],
        ),
        # Fifteen days of a fee of 7.00: 3.387.
        (
            price((None, "2", "7")),
            "3",
            {"days": 15, "of_days": 31},
            [("used 3, 3 × 2.00 USD", D(3), D(2)), ("fee 7.00 USD × 15/31", D(1), D("3.39"))],
        ),
        (price((None, "1"), included=D(5)), "5", {}, [("used 5, included 5", D(1), D(0))]),
    ],
)
def test_each_part_of_a_charge_is_a_line_of_its_quantity_and_price(agreed, quantity, how, expected):
    assert lines(charge(agreed, quantity, **how)) == expected


def test_what_was_waived_comes_off_in_one_line():
    """12 × 1.00, of which 2.00 were waived."""
    one = charge(price((None, "1")), "12")
    waived = one._replace(
        parts=(*one.parts, Part(D(1), D(2), kind=PartKind.WAIVED)),
        amount=one.amount - charge(price((None, "1")), "2").amount,
    )
    assert lines(waived) == [("used 12, 12 × 1.00 USD, waived −2.00 USD", D(1), D(10))]


@pytest.mark.parametrize(("tiers", "count"), [(20, 20), (21, 1)])
def test_a_price_of_very_many_tiers_is_one_line(tiers, count):
    ends = [*map(str, range(1, tiers)), None]
    found = lines(charge(price(*((end, "2") for end in ends), scheme=Scheme.GRADUATED), str(tiers)))
    assert len(found) == count
    assert sum(quantity * each for _, quantity, each in found) == 2 * tiers


@given(any_price(), st.integers(0, 60_000_000).map(lambda number: D(number).scaleb(-6)), st.sampled_from([30, 15, 7]))
def test_lines_are_quantity_times_price_and_together_they_are_the_charge(agreed, quantity, days):
    one = charge(agreed, quantity, days=days, of_days=30, places=6)
    found = lines(one)
    cents = [(counted * each).quantize(D("0.01"), ROUND_HALF_UP) for _, counted, each in found]
    assert sum(cents) == one.amount.amount
    for _, counted, each in found:
        # As a line may have them.
        assert counted > 0 <= each
        assert (counted, each) == (round(counted, 6), round(each, 6))
