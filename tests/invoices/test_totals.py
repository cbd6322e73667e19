"""What an invoice comes to: by hand, and against an independent computation with plain decimals."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing_core.invoices.content.totals import Line, TaxRow, Totals, totals

D = Decimal


def test_the_published_example_gives_500_tax_and_6000():
    """Settled point 10: 5000 at 10 % and 500 at 0 %."""
    sums = totals([Line(D(1), D(5000), D(10)), Line(D(1), D(500), D(0), "fee")], "USD")

    assert (sums.subtotal_minor, sums.tax_minor, sums.total_minor) == (550_000, 50_000, 600_000)
    assert sums.by_rate == (TaxRow(D(0), 50_000, 0), TaxRow(D(10), 500_000, 50_000))
    assert {share.type: share.net_minor for share in sums.shares} == {"service": 500_000, "fee": 50_000}


def test_tax_is_rounded_once_a_rate_not_once_a_line():
    """Three times 0.05 at 10 %: 0.015 exact, 0.02 rounded once; rounded a line it would be 0.03."""
    sums = totals([Line(D(1), D("0.05"), D(10))] * 3, "EUR")

    assert sums.tax_minor == 2
    assert sums.total_minor == 17


def test_a_line_is_rounded_once_and_taxed_as_it_is_printed():
    """16 × 348.35 is 5,573.60, less 4 % 5,350.656; 22 % of 5,350.66 is 1,177.1452, as of the exact amount."""
    sums = totals([Line(D(16), D("348.35"), D(22), discount_percent=D(4))], "EUR")

    assert (sums.lines, sums.subtotal_minor, sums.tax_minor, sums.total_minor) == (
        (535_066,),
        535_066,
        117_715,
        652_781,
    )


def test_the_subtotal_is_the_sum_of_the_printed_lines():
    """Three times 0.333 is printed as 0.33 each: 0.99, though the exact sum is 0.999."""
    sums = totals([Line(D("0.333"), D(1))] * 3, "EUR")

    assert (sums.lines, sums.subtotal_minor, sums.remainder_minor) == ((33, 33, 33), 99, 0)


def test_half_a_minor_unit_is_rounded_up_of_a_line_and_of_a_tax():
    """0.125 is 0.13 printed; 10 % of 0.13 + 0.12 is 0.025, so 0.03."""
    sums = totals([Line(D(1), D("0.125"), D(10)), Line(D(1), D("0.12"), D(10))], "EUR")

    assert (sums.lines, sums.tax_minor) == ((13, 12), 3)


def test_a_discount_of_the_invoice_is_shared_by_the_rates_as_their_lines_are():
    """10 % of 1.00 + 1.00 + 1.03 is 0.303, so 0.30: 9.9 cents, 9.9 cents and 10.2 cents are cut off to 9, 9 and 10, and
    the spare two go to the first ones. Taxes: 0.90 × 7 % is 0.063, 0.90 × 19 % is 0.171.
    """
    lines = [Line(D(1), D(1), D(7)), Line(D(1), D(1), D(19)), Line(D(1), D("1.03"))]
    sums = totals(lines, "EUR", discount_percent=D(10))

    assert (sums.discount_minor, sums.subtotal_minor) == (30, 273)
    assert sums.by_rate == (TaxRow(D(0), 93, 0), TaxRow(D(7), 90, 6), TaxRow(D(19), 90, 17))


def test_what_was_sent_before_lines_were_rounded_keeps_its_exact_sums():
    """Three times 0.333 is 0.999: the lines show 0.33 each, the sum is 1.00, so 0.01 is left over. At 50 % it is 0.50
    tax: 33.3 cents each, and 16.65 cents of tax, whose spare cents go to the first.
    """
    lines = [Line(D("0.333"), D(1), D(50), kind) for kind in ("fee", "service", "product")]
    sums = totals(lines, "EUR", lines_rounded=False)

    assert (sums.lines, sums.subtotal_minor, sums.remainder_minor) == ((33, 33, 33), 100, 1)
    assert [(share.type, share.net_minor, share.tax_minor) for share in sums.shares] == [
        ("fee", 34, 17),
        ("service", 33, 17),
        ("product", 33, 16),
    ]


def test_a_spare_cent_goes_to_the_first_of_the_types_that_lost_as_much():
    """Three times 0.33 at 50 %: 16.5 cents of tax each, and 0.495 together, so 0.50."""
    sums = totals([Line(D("0.333"), D(1), D(50), kind) for kind in ("fee", "service", "product")], "EUR")

    assert [(share.type, share.net_minor, share.tax_minor) for share in sums.shares] == [
        ("fee", 33, 17),
        ("service", 33, 17),
        ("product", 33, 16),
    ]


def test_a_spare_cent_goes_where_most_was_cut_off():
    """0.07 of 0.14 + 0.30 is taken off: 2.2 cents and 4.8 cents, so 0.02 and 0.05; before that rule, 0.014 + 0.016."""
    sums = totals([Line(D("0.14"), D(1)), Line(D("0.3"), D(1), type="fee")], "EUR", discount_minor=7)
    before = totals([Line(D("0.014"), D(1)), Line(D("0.016"), D(1), type="fee")], "EUR", lines_rounded=False)

    assert [(share.type, share.net_minor) for share in sums.shares] == [("service", 12), ("fee", 25)]
    assert [(share.type, share.net_minor) for share in before.shares] == [("service", 1), ("fee", 2)]


@pytest.mark.parametrize(
    ("currency", "minor"), [("JPY", 150), ("KWD", 149_500), ("USD", 14_950)], ids=["no decimals", "three", "two"]
)
def test_currencies_with_other_minor_units(currency, minor):
    assert totals([Line(D("2.99"), D(50))], currency).total_minor == minor


def test_discounts_of_line_and_invoice_lower_the_tax_too():
    """200 less 10 % is 180, 100 less 20.00 is 80; of 260 the invoice takes 13 = 5 %: 171 and 76."""
    lines = [
        Line(D(2), D(100), D(19), discount_percent=D(10)),
        Line(D(1), D(100), D(7), "product", discount_minor=2_000),
    ]
    by_amount = totals(lines, "EUR", discount_minor=1_300)
    by_share = totals(lines, "EUR", discount_percent=D(5))

    assert by_amount == by_share
    assert by_amount.lines == (18_000, 8_000)
    assert by_amount.discount_minor == 1_300
    assert by_amount.by_rate == (TaxRow(D(7), 7_600, 532), TaxRow(D(19), 17_100, 3_249))
    assert by_amount.total_minor == 24_700 + 3_781


def test_a_deposit_is_taken_off_at_its_own_rate():
    """1,000.00 less 300.00, both at 22 %: 700.00 and 154.00. A voucher of 50.00 at 10 % takes its 5.00 of tax along."""
    lines = [Line(D(1), D(1_000), D(22)), Line(D(-1), D(300), D(22)), Line(D(1), D(-50), D(10), "other")]
    sums = totals(lines, "EUR")

    assert sums.lines == (100_000, -30_000, -5_000)
    assert sums.by_rate == (TaxRow(D(10), -5_000, -500), TaxRow(D(22), 70_000, 15_400))
    assert (sums.subtotal_minor, sums.tax_minor, sums.total_minor) == (65_000, 14_900, 79_900)


def test_half_a_cent_that_is_taken_off_is_rounded_away_from_0():
    """0.125 is 0.13 and −0.125 is −0.13; 10 % of −0.05 is −0.01."""
    sums = totals([Line(D(1), D("0.125")), Line(D(-1), D("0.125")), Line(D(-1), D("0.05"), D(10))], "EUR")

    assert (sums.lines, sums.tax_minor) == ((13, -13, -5), -1)


def test_a_discount_takes_the_same_share_off_what_is_billed_and_what_is_taken_back():
    """10 % of 200.00 − 100.00 is 10.00: 20.00 less of the one, 10.00 less taken back of the other."""
    lines = [Line(D(2), D(100), D(20)), Line(D(-1), D(100), D(10))]
    by_share = totals(lines, "EUR", discount_percent=D(10))

    assert by_share.by_rate == (TaxRow(D(10), -9_000, -900), TaxRow(D(20), 18_000, 3_600))
    assert by_share == totals(lines, "EUR", discount_minor=1_000)


def test_types_that_cancel_out_at_a_rate_keep_their_parts():
    """What was returned is worth as much as what was done: no tax, but fees rise as services fall."""
    lines = [Line(D(1), D(100), D(22), "fee"), Line(D(-1), D(100), D(22)), Line(D(1), D(1))]
    sums = totals(lines, "EUR")

    assert [(share.type, share.net_minor, share.tax_minor) for share in sums.shares[:2]] == [
        ("fee", 10_000, 2_200),
        ("service", -10_000, -2_200),
    ]
    assert (sums.by_rate[1], sums.total_minor) == (TaxRow(D(22), 0, 0), 100)


def test_lines_that_cancel_out_leave_nothing_to_discount():
    lines = [Line(D(1), D(100), D(22)), Line(D(-1), D(100))]
    assert totals(lines, "EUR", discount_percent=D(50)) == totals(lines, "EUR")
    assert totals(lines, "EUR").total_minor == 2_200


def test_prices_that_include_tax_come_to_exactly_what_they_say():
    """2 × 379.00 with 21 % are 758.00: 626.446… without tax, so 626.45 and 131.55."""
    sums = totals([Line(D(2), D(379), D(21))], "EUR", prices_include_tax=True)

    assert (sums.lines, sums.subtotal_minor, sums.tax_minor, sums.total_minor) == ((75_800,), 62_645, 13_155, 75_800)


def test_of_prices_that_include_tax_each_rate_and_the_discount_do_too():
    """121.00 and 107.00 less 10 % are 108.90 and 96.30: 90.00 with 18.90 and 90.00 with 6.30. A voucher of 12.10 with
    21 % takes 10.00 and 2.10 off before that.
    """
    lines = [Line(D(1), D(121), D(21)), Line(D(1), D(107), D(7), "fee")]
    sums = totals(lines, "EUR", discount_percent=D(10), prices_include_tax=True)
    assert (sums.discount_minor, sums.total_minor) == (22_80, 205_20)
    assert sums.by_rate == (TaxRow(D(7), 90_00, 6_30), TaxRow(D(21), 90_00, 18_90))

    voucher = Line(D(-1), D("12.10"), D(21), "other")
    sums = totals([*lines, voucher], "EUR", prices_include_tax=True)
    assert sums.by_rate == (TaxRow(D(7), 100_00, 7_00), TaxRow(D(21), 90_00, 18_90))
    assert [(share.type, share.net_minor, share.tax_minor) for share in sums.shares] == [
        ("service", 100_00, 21_00),
        ("fee", 100_00, 7_00),
        ("other", -10_00, -2_10),
    ]


def test_prices_that_include_tax_and_cancel_out_keep_their_parts():
    lines = [Line(D(1), D(121), D(21), "fee"), Line(D(-1), D(121), D(21))]
    sums = totals(lines, "EUR", prices_include_tax=True)
    assert [(share.net_minor, share.tax_minor) for share in sums.shares] == [(100_00, 21_00), (-100_00, -21_00)]
    assert sums.total_minor == 0


def _lines(quantities):
    return st.lists(
        st.builds(
            Line,
            quantity=quantities,
            unit_price=st.decimals(0, 100_000, places=6),
            tax_rate=st.decimals(0, 100, places=4) | st.sampled_from([D(0), D(7), D(19)]),
            type=st.sampled_from(["service", "product", "fee", "other"]),
            discount_percent=st.none() | st.decimals(0, 100, places=4),
        ),
        min_size=1,
        max_size=8,
    )


_LINES = _lines(st.decimals("0.000001", 10_000, places=6))
_WITH_RETURNS = _lines(st.decimals("0.000001", 10_000, places=6) | st.decimals(-1_000, "-0.000001", places=6))


@given(
    _LINES | _WITH_RETURNS,
    st.sampled_from([("JPY", 0), ("USD", 2), ("KWD", 3)]),
    st.none() | st.decimals(0, 100, places=4),
)
def test_prices_that_include_tax_add_up_exactly_and_their_tax_is_that_of_the_net_amount(lines, currency, discount):
    """Where a net amount comes to the gross one with its tax, it is that one; else the tax is a unit off at most."""
    code, _ = currency
    sums = totals(lines, code, discount_percent=discount, prices_include_tax=True)
    assume(sums.total_minor >= 0 and (not discount or sum(sums.lines) >= 0))
    assert sums.total_minor == sum(sums.lines) - sums.discount_minor
    assert sum(share.net_minor for share in sums.shares) == sums.subtotal_minor
    assert sum(share.tax_minor for share in sums.shares) == sums.tax_minor
    with localcontext(prec=80):

        def taxed(net: int, rate: Decimal) -> int:
            return net + int((net * rate / 100).quantize(D(1), ROUND_HALF_UP))

        for row in sums.by_rate:
            gross = row.net_minor + row.tax_minor
            exact = any(taxed(net, row.rate) == gross for net in range(row.net_minor - 2, row.net_minor + 3))
            assert abs(taxed(row.net_minor, row.rate) - gross) <= (not exact)


def test_a_discount_on_nothing_is_nothing():
    assert totals([Line(D(1), D(0))], "EUR", discount_percent=D(50)).total_minor == 0


@given(
    _LINES | _WITH_RETURNS,
    st.sampled_from([("JPY", 0), ("USD", 2), ("KWD", 3)]),
    st.none() | st.decimals(0, 100, places=4),
)
def test_every_printed_figure_is_computed_from_printed_ones(lines, currency, discount):
    """EN 16931: BR-CO-10 (sum of lines), -13 (less the discount), BR-S-08 (bases), BR-CO-17 (tax), -14 and -15 (total);
    with plain decimals.
    """
    code, places = currency
    sums = totals(lines, code, discount_percent=discount)
    # Others are refused before.
    assume(sums.total_minor >= 0 and (not discount or sum(sums.lines) >= 0))
    unit = D(1).scaleb(-places)

    with localcontext(prec=80):

        def rounded(amount: Decimal) -> Decimal:
            return amount.quantize(unit, ROUND_HALF_UP)

        printed = [
            rounded(line.quantity * line.unit_price * (1 - (line.discount_percent or D(0)) / 100)) for line in lines
        ]
        off = rounded(sum(printed, D(0)) * (discount or D(0)) / 100)
        assert [minor * unit for minor in sums.lines] == printed
        assert sums.discount_minor * unit == off
        assert sums.subtotal_minor * unit == sum(printed, D(0)) - off
        assert sums.remainder_minor == 0
        for row in sums.by_rate:
            listed = sum((n for n, line in zip(printed, lines, strict=True) if line.tax_rate == row.rate), D(0))
            exact = listed - off * listed / (sum(printed, D(0)) or 1)
            assert abs(row.net_minor * unit - exact) < unit
            assert row.tax_minor * unit == rounded(row.net_minor * unit * row.rate / 100)
    _adds_up(sums)
    if all(line.quantity > 0 for line in lines):
        assert all(share.net_minor >= 0 and share.tax_minor >= 0 for share in sums.shares)


@given(_LINES, st.sampled_from([("JPY", 0), ("USD", 2), ("KWD", 3)]), st.none() | st.decimals(0, 100, places=4))
def test_what_was_sent_before_adds_up_and_equals_exact_sums(lines, currency, discount):
    code, places = currency
    sums = totals(lines, code, discount_percent=discount, lines_rounded=False)

    with localcontext(prec=80):
        share = 1 - (discount or D(0)) / 100
        net = [line.quantity * line.unit_price * (1 - (line.discount_percent or D(0)) / 100) * share for line in lines]
        rates = {line.tax_rate for line in lines}
        taxes = {
            rate: sum((n for n, line in zip(net, lines, strict=True) if line.tax_rate == rate), D(0)) * rate / 100
            for rate in rates
        }

        def minor(amount: Decimal) -> int:
            return int(amount.scaleb(places).quantize(D(1), ROUND_HALF_UP))

        assert sums.subtotal_minor == minor(sum(net))
        assert {row.rate: row.tax_minor for row in sums.by_rate} == {rate: minor(tax) for rate, tax in taxes.items()}
        for row in sums.by_rate:
            exact = sum((n for n, line in zip(net, lines, strict=True) if line.tax_rate == row.rate), D(0))
            # Each of the four types may be off by less than one.
            assert abs(row.net_minor - exact.scaleb(places)) < 4
    _adds_up(sums)


def _adds_up(sums: Totals) -> None:
    assert sums.total_minor == sums.subtotal_minor + sums.tax_minor
    assert sum(row.net_minor for row in sums.by_rate) == sums.subtotal_minor
    assert sum(share.net_minor for share in sums.shares) == sums.subtotal_minor
    assert sum(row.tax_minor for row in sums.by_rate) == sums.tax_minor
    assert sum(share.tax_minor for share in sums.shares) == sums.tax_minor
    assert sum(sums.lines) - sums.discount_minor + sums.remainder_minor == sums.subtotal_minor


@pytest.mark.parametrize("prices_include_tax", [False, True])
def test_a_discount_that_is_typed_before_any_line_is_taken_off_no_rate(prices_include_tax):
    """The editor shows totals of what it can read so far."""
    assert totals([], "EUR", discount_minor=500, prices_include_tax=prices_include_tax).by_rate == ()
