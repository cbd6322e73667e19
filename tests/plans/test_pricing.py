"""Prices of usage, by hand and against counting unit by unit."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.money import Money
from billing_core.plans.pricing import Drop, Price, Scheme, Tier, drops, priced, share_of

D = Decimal


def tier(up_to, unit_price, flat_fee="0"):
    return Tier(None if up_to is None else D(up_to), D(unit_price), D(flat_fee))


def per_unit(unit_price, flat_fee="0", **facts):
    return Price("USD", Scheme.PER_UNIT, (tier(None, unit_price, flat_fee),), **{k: D(v) for k, v in facts.items()})


def tiered(scheme, *tiers, **facts):
    return Price("USD", scheme, tuple(tier(*one) for one in tiers), **{k: D(v) for k, v in facts.items()})


STEPS = ("10", "5"), ("20", "4"), (None, "3")
GRADUATED, VOLUME = tiered(Scheme.GRADUATED, *STEPS), tiered(Scheme.VOLUME, *STEPS)
FEES = ("10", "5", "7"), ("20", "4", "8"), (None, "3", "9")
PACKAGE = tiered(Scheme.PACKAGE, (None, "2.50"), per="100")


def minor(price, quantity, **part):
    return priced(price, D(quantity), **part).amount.minor


def test_basic_includes_ten_thousand_calls_and_a_further_one_costs_a_tenth_of_a_cent():
    basic = per_unit("0.001", included="10000")
    found = priced(basic, D(12_500))
    assert (found.included, found.billable, found.amount) == (10_000, 2_500, Money(250, "USD"))
    assert [minor(basic, calls) for calls in (0, 9_999, 10_000, 10_004, 10_005)] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("price", "quantity", "cents"),
    [
        # 10 × 5; 10 × 5 + 1 × 4; 10 × 5 + 10 × 4; 10 × 5 + 10 × 4 + 1 × 3
        (GRADUATED, "10", 5_000),
        (GRADUATED, "11", 5_400),
        (GRADUATED, "20", 9_000),
        (GRADUATED, "21", 9_300),
        # 10 × 5; 11 × 4; 20 × 4; 21 × 3
        (VOLUME, "10", 5_000),
        (VOLUME, "11", 4_400),
        (VOLUME, "20", 8_000),
        (VOLUME, "21", 6_300),
        # The end belongs to its tier, what lies a millionth beyond it to the next.
        (GRADUATED, "10.5", 5_200),
        (VOLUME, "10.000001", 4_000),
        (GRADUATED, "0", 0),
        (VOLUME, "0", 0),
    ],
)
def test_tiers(price, quantity, cents):
    assert minor(price, quantity) == cents


@pytest.mark.parametrize(
    ("scheme", "quantity", "dollars"),
    [
        # 7; 10 × 5 + 7; 10 × 5 + 7 + 1 × 4 + 8; 10 × 5 + 7 + 10 × 4 + 8 + 1 × 3 + 9
        (Scheme.GRADUATED, "0", 7),
        (Scheme.GRADUATED, "10", 57),
        (Scheme.GRADUATED, "11", 69),
        (Scheme.GRADUATED, "21", 117),
        # 7; 10 × 5 + 7; 11 × 4 + 8; 21 × 3 + 9
        (Scheme.VOLUME, "0", 7),
        (Scheme.VOLUME, "10", 57),
        (Scheme.VOLUME, "11", 52),
        (Scheme.VOLUME, "21", 72),
    ],
)
def test_the_first_tiers_fee_is_due_at_zero_use_too_and_the_others_once_they_are_reached(scheme, quantity, dollars):
    assert minor(tiered(scheme, *FEES), quantity) == dollars * 100


def test_a_tier_has_no_fee_unless_one_is_named():
    assert priced(Price("USD", Scheme.PER_UNIT, (Tier(None, D(1)),)), D(2)).amount == Money(200, "USD")


def test_a_fee_beside_a_price_for_each_unit_is_due_always():
    assert [minor(per_unit("0.10", "5"), calls) for calls in (0, 3)] == [500, 530]


@pytest.mark.parametrize(
    ("quantity", "cents"), [("0", 0), ("0.000001", 250), ("100", 250), ("100.5", 500), ("201", 750)]
)
def test_packages_are_rounded_up(quantity, cents):
    assert minor(PACKAGE, quantity) == cents


def test_packages_count_what_is_beyond_the_included_units():
    package = tiered(Scheme.PACKAGE, (None, "2.50"), per="100", included="50")
    assert [minor(package, units) for units in (50, 51, 150, 151)] == [0, 250, 250, 500]


def test_a_price_for_a_thousand_units_is_shared_exactly():
    # 1,234 × 0.35 ÷ 1,000 = 0.4319; 0.005 rounds up
    assert minor(per_unit("0.35", per="1000"), 1_234) == 43
    assert [minor(per_unit("0.001", per="1000"), units) for units in (4_999, 5_000)] == [0, 1]
    # A third of a cent three times is a cent.
    assert minor(per_unit("0.01", per="3"), 3) == 1


def test_twelve_decimals_are_not_lost():
    # 0.000000000001 × 5,000,000,000 = 0.005
    assert [minor(per_unit("0.000000000001"), units) for units in (4_999_999_999, 5_000_000_000)] == [0, 1]
    # 10^15 × 999,999.999999999999 = 10^21 − 10^3
    assert minor(per_unit("999999.999999999999"), 10**15) == (10**21 - 10**3) * 100


def test_tiers_count_what_is_beyond_the_included_units():
    price = tiered(Scheme.GRADUATED, *STEPS, included="100")
    found = priced(price, D("111"))
    assert (found.included, found.billable, found.amount.minor) == (100, 11, 5_400)
    assert [(part.beyond, part.up_to, part.quantity, part.amount) for part in found.parts] == [
        (0, 10, 10, 50),
        (10, 20, 1, 4),
    ]


def test_a_minimum_is_owed_at_least_and_what_is_lacking_is_named():
    price = per_unit("0.10", minimum="20")
    assert [priced(price, D(units)).without_minimum.minor for units in (0, 150, 200, 201)] == [0, 1_500, 2_000, 2_010]
    assert [(minor(price, units), priced(price, D(units)).true_up) for units in (0, 150, 200, 201)] == [
        (2_000, 20),
        (2_000, 5),
        (2_000, 0),
        (2_010, 0),
    ]


@pytest.mark.parametrize("price", [per_unit("1"), GRADUATED, VOLUME, PACKAGE, per_unit("1", included="5")])
def test_less_than_nothing_is_billed_as_nothing(price):
    found = priced(price, D("-3"))
    assert (found.quantity, found.billable, found.amount) == (0, 0, Money(0, "USD"))


def test_an_amount_is_rounded_once_a_line_however_many_tiers():
    # Each half a cent: 0.005 + 0.005
    assert minor(tiered(Scheme.GRADUATED, ("1", "0.005"), (None, "0.005")), 2) == 1


def test_currencies_have_the_digits_that_they_have():
    tiers = (tier(None, "0.5"),)
    assert priced(Price("JPY", Scheme.PER_UNIT, tiers), D(3)).amount == Money(2, "JPY")
    assert priced(Price("KWD", Scheme.PER_UNIT, tiers), D(3)).amount == Money(1_500, "KWD")


@pytest.mark.parametrize(
    ("quantity", "days", "of_days", "expected"),
    [
        # 10,000 × 15 ÷ 31 = 4,838.7…; 32 ÷ 31 = 1.03…
        ("10000", 15, 31, "4839"),
        ("31", 1, 31, "1"),
        ("32", 1, 31, "2"),
        ("10000", 31, 31, "10000"),
        ("0", 1, 31, "0"),
        # Never more than all of it.
        ("0.5", 15, 30, "0.5"),
        ("2.5", 30, 30, "2.5"),
        ("2.5", 29, 30, "2.5"),
        ("2.5", 20, 30, "2"),
    ],
)
def test_a_part_of_a_period_has_its_share_in_whole_units(quantity, days, of_days, expected):
    assert share_of(D(quantity), days, of_days) == D(expected)


def test_a_share_of_what_is_not_counted_in_whole_units_has_as_many_decimals_as_quantities():
    assert share_of(D("0.5"), 15, 30, places=6) == D("0.25")
    # 10 ÷ 3 = 3.3333333…, rounded up; and one millionth cannot be halved.
    assert share_of(D(10), 10, 30, places=6) == D("3.333334")
    assert share_of(D("0.000001"), 15, 30, places=6) == D("0.000001")


@pytest.mark.parametrize(
    ("price", "quantity", "whole", "half"),
    [
        # 0.5 × 10 + 0.3 × 1; of half a period 0.25 × 10 + 0.15 × 1
        (tiered(Scheme.GRADUATED, ("0.5", "10"), (None, "1")), "0.8", 530, 265),
        # Beyond 1, and of half a period beyond 0.5: 1.2 × 1 and 0.6 × 1
        (tiered(Scheme.VOLUME, ("1", "10"), (None, "1")), "1.2", 120, 60),
        # 1 × 100, and of half a period 0.5 × 100
        (per_unit("100", included="1"), "2", 10_000, 5_000),
    ],
)
def test_cutting_a_period_in_two_costs_nobody_anything_where_units_can_be_cut(price, quantity, whole, half):
    assert minor(price, quantity, places=6) == whole
    assert minor(price, D(quantity) / 2, days=15, of_days=30, places=6) == half


def test_of_a_part_of_a_period_everything_agreed_for_a_period_counts_by_its_days():
    # Of 30 days 15: included 50, tiers end at 5 and 10, fees count half: 5 × 5 + 3.50, 5 × 4 + 4, 1 × 3 + 4.50.
    price = tiered(Scheme.GRADUATED, *FEES, included="100")
    found = priced(price, D("61"), days=15, of_days=30)
    assert (found.included, found.billable) == (50, 11)
    assert (found.unit_share, found.period_share) == (1, Fraction(1, 2))
    assert [(part.beyond, part.up_to, part.quantity, part.flat_fee, part.amount) for part in found.parts] == [
        (0, 5, 5, 7, Fraction("28.5")),
        (5, 10, 5, 8, 24),
        (10, None, 1, 9, Fraction("7.5")),
    ]
    assert found.amount.minor == 6_000
    # 11 × 3 + 4.50
    assert minor(tiered(Scheme.VOLUME, *FEES), "11", days=15, of_days=30) == 3_750
    # A minimum of 20 ÷ 3
    assert minor(per_unit("0.10", minimum="20"), 0, days=10, of_days=30) == 667
    # Packages are sold whole.
    assert minor(PACKAGE, "1", days=1, of_days=30) == 250


def test_a_quantity_that_stands_is_priced_as_of_a_whole_period_and_counts_by_days():
    price = tiered(Scheme.GRADUATED, *FEES, included="100", minimum="70")
    found = priced(price, D("111"), days=15, of_days=30, stands=True)
    assert (found.included, found.billable, found.unit_share, found.period_share) == (100, 11, *[Fraction(1, 2)] * 2)
    # (10 × 5 + 7) ÷ 2 and (1 × 4 + 8) ÷ 2; half of 70 is 0.50 more than their sum
    assert [(part.up_to, part.quantity, part.amount) for part in found.parts] == [(10, 10, 28.5), (20, 1, 6)]
    assert (found.true_up, found.amount.minor) == (Fraction(1, 2), 3_500)
    # One package of 2.50 for a day of 30: 0.0833…
    assert minor(PACKAGE, "1", days=1, of_days=30, stands=True) == 8


def test_times_say_how_often_a_price_is_due():
    assert priced(PACKAGE, D(201)).parts[0].times == 3
    assert priced(per_unit("1", per="3"), D(2)).parts[0].times == Fraction(2, 3)


def test_tiers_that_end_at_the_same_unit_of_few_days_are_one():
    # Of one day in thirty both end at 1.
    price = tiered(Scheme.GRADUATED, *FEES)
    found = priced(price, D(2), days=1, of_days=30)
    assert [(part.beyond, part.up_to, part.quantity) for part in found.parts] == [(0, 1, 1), (1, None, 1)]
    assert [priced(tiered(Scheme.VOLUME, *FEES), D(2), days=1, of_days=30).parts[0].unit_price] == [3]


def test_where_more_units_are_cheaper_is_pointed_out():
    # 10 × 5 = 50 and 11 × 4 = 44; 20 × 4 = 80 and 21 × 3 = 63
    assert drops(VOLUME, step=D(1)) == [Drop(D(10), 50, D(11), 44), Drop(D(20), 80, D(21), 63)]
    # 10 × 5 = 50 and 11 × 4.6 = 50.6: no further unit is cheaper, but a tenth of one: 10.1 × 4.6 = 46.46
    gentle = tiered(Scheme.VOLUME, ("10", "5"), (None, "4.6"))
    assert drops(gentle, step=D(1)) == []
    assert drops(gentle, step=D("0.1")) == [Drop(D("10.0"), 50, D("10.1"), Fraction("46.46"))]
    # 11 × 4.5454… costs the same.
    assert drops(tiered(Scheme.VOLUME, ("10", "11"), (None, "10")), step=D(1)) == []
    # A fee of 6 makes up for it: 11 × 4 + 6 = 50
    assert drops(tiered(Scheme.VOLUME, ("10", "5"), (None, "4", "6")), step=D(1)) == []
    # A fee of 7 leaves 57, which 11 × 4 + 12 = 56 is below.
    fees = tiered(Scheme.VOLUME, ("10", "5", "7"), (None, "4", "12"), included="3")
    assert drops(fees, step=D(1)) == [Drop(D(10), 57, D(11), 56)]
    # A minimum hides it.
    assert drops(tiered(Scheme.VOLUME, *STEPS, minimum="80"), step=D(1)) == []
    # A tier ends between two units that there are.
    assert drops(tiered(Scheme.VOLUME, ("10.5", "5"), (None, "4")), step=D(1)) == [Drop(D(10), 50, D(11), 44)]


@pytest.mark.parametrize("price", [GRADUATED, PACKAGE, per_unit("1")])
def test_other_prices_never_make_more_units_cheaper(price):
    assert drops(price, step=D(1)) == []


MILLIONTHS = st.integers(0, 50_000_000).map(lambda number: D(number).scaleb(-6))
PRICES = st.integers(0, 10**13).map(lambda number: D(number).scaleb(-12))
FLAT = st.integers(0, 2_000).map(lambda number: D(number).scaleb(-2))
STEP = D("0.5")


FINE = st.integers(1, 50_000_000).map(lambda number: D(number).scaleb(-6))
HALVES = st.integers(1, 20).map(lambda number: number * STEP)


@st.composite
def any_price(draw, ends=FINE, schemes=tuple(Scheme)):
    scheme = draw(st.sampled_from(schemes))
    bounds = sorted(draw(st.sets(ends, max_size=3))) if scheme.tiered else []
    tiers = tuple(Tier(up_to, draw(PRICES), draw(FLAT)) for up_to in [*bounds, None])
    per = draw(st.sampled_from([D(1), D(3), D("2.5"), D(1_000)]))
    return Price("USD", scheme, tiers, per, draw(st.sampled_from([D(0), D(7), D("2.5")])), draw(FLAT))


def on_paper(price, quantity):
    """The exact cost of a whole period, in steps of half a unit that are looked at one by one."""
    billable = quantity - price.included
    steps = [number * STEP for number in range(1, int(billable / STEP) + 1)] if billable > 0 else []

    def tier_of(units):
        return next(one for one in price.tiers if one.up_to is None or units <= one.up_to)

    if price.scheme is Scheme.PACKAGE:
        packages = 0
        while packages * price.per < billable:
            packages += 1
        cost = packages * Fraction(price.tiers[0].unit_price)
    else:
        reached = tier_of(steps[-1]) if steps else price.tiers[0]
        paid_at = (tier_of(step) if price.scheme is Scheme.GRADUATED else reached for step in steps)
        cost = sum(Fraction(STEP) * Fraction(one.unit_price) / Fraction(price.per) for one in paid_at)
    if price.scheme is Scheme.VOLUME:
        fees = [reached.flat_fee]
    else:
        starts = [D(0), *(one.up_to for one in price.tiers[:-1])]
        fees = [
            one.flat_fee
            for place, (one, start) in enumerate(zip(price.tiers, starts, strict=True))
            if place == 0 or (steps and steps[-1] > start)
        ]
    return max(cost + sum(map(Fraction, fees)), Fraction(price.minimum))


@given(any_price(ends=HALVES), st.integers(-4, 50).map(lambda number: number * STEP))
def test_prices_are_what_counting_half_units_comes_to(price, quantity):
    cost = on_paper(price, quantity)
    found = priced(price, quantity)
    assert found.amount == Money.rounded(cost, "USD")
    assert sum(part.amount for part in found.parts) + found.true_up == cost
    assert sum(part.quantity for part in found.parts) == found.billable


@given(any_price(), MILLIONTHS, MILLIONTHS)
def test_more_never_costs_less_but_where_it_is_pointed_out(price, one, other):
    less, more = sorted((one, other))
    cheaper = minor(price, more) < minor(price, less)
    if cheaper:
        assert drops(price, step=D("0.000001"))


@settings(max_examples=50)
@given(any_price(ends=HALVES, schemes=(Scheme.VOLUME,)))
def test_drops_are_exactly_the_half_units_after_which_the_next_is_cheaper(price):
    free = replace(price, included=D(0))
    costs = [on_paper(free, number * STEP) for number in range(22)]
    expected = [
        Drop(number * STEP, costs[number], (number + 1) * STEP, costs[number + 1])
        for number in range(len(costs) - 1)
        if costs[number + 1] < costs[number]
    ]
    assert drops(price, step=STEP) == expected


@given(
    any_price(ends=st.integers(1, 40).map(D), schemes=(Scheme.PER_UNIT, Scheme.GRADUATED, Scheme.VOLUME)),
    st.integers(0, 100),
    st.sampled_from([2, 3, 5]),
)
def test_cutting_even_use_into_even_parts_costs_the_same_where_nothing_has_to_be_rounded_up(price, units, parts):
    tiers = tuple(replace(one, up_to=None if one.up_to is None else one.up_to * parts) for one in price.tiers)
    even = replace(price, tiers=tiers, included=D(7) * parts)

    def exact(quantity, days, **how):
        found = priced(even, quantity, days=days, of_days=parts, **how)
        return sum(part.amount for part in found.parts) + found.true_up

    assert exact(D(units), 1) * parts == exact(D(units) * parts, parts)
    assert exact(D(units), 1, stands=True) * parts == exact(D(units), parts, stands=True)
