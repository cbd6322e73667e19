"""Rate cards and orders as Hypothesis writes them, and their way into a database."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.orders.models import Order, OrderLine, OrderStatus, Product
from billing_core.rating import conditions, tiers
from billing_core.rating.models import CostType, Rate, Service, TierMode
from tests.rating import naive

FIRST = date(2026, 3, 1)
PERIOD = Period(FIRST, FIRST + timedelta(days=9))
NOW = datetime(2026, 4, 1, tzinfo=UTC)

SKUS = ["A-1", " a-1 ", "b_2", "B%2", "ß9", "é9", "É9", "C"]
TEXTS = ["", " ", "UPS", "ups ", "Up_s", "50%", "Élan", "élan", "a\\b", "\tDHL\n", "new york", "New"]
WORDS = ["UPS", "ups", "p_", "0%", "É", "é", "\\", "dhl", "New", "York "]
COUNTRIES = ["", "US", "DE", "CA"]


def decimals(top, places):
    return st.integers(0, top * 10**places).map(lambda n: Decimal(n).scaleb(-places))


quantities = st.one_of(st.integers(0, 60).map(Decimal), decimals(30, 3))
prices = st.one_of(st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("0.005"), Decimal("1.005")]), decimals(20, 6))
numbers = st.one_of(st.integers(-1, 40).map(str), decimals(40, 3).map(str))


def leaf(field, ops, values):
    return st.tuples(st.sampled_from(ops), st.lists(values, min_size=1, max_size=3)).map(
        lambda drawn: {
            "field": field,
            "op": drawn[0],
            "value": drawn[1] if drawn[0] in ("in", "not_in") else drawn[1][0],
        }
    )


_TEXT = ["eq", "ne", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"]
_NUMBER = ["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in"]
leaves = st.one_of(
    leaf("country", ["eq", "ne", "in", "not_in"], st.sampled_from(["US", "de", "CA"])),
    *(
        leaf(field, _TEXT, st.sampled_from(WORDS))
        for field in ("state", "city", "postal_code", "ship_to_name", "carrier", "reference_number", "notes")
    ),
    *(leaf(field, _NUMBER, numbers) for field in ("weight", "packages", "quantity", "sku_count", "line_count")),
    leaf("skus", _TEXT, st.sampled_from(["a-1", "B_2", "b%", "9", "É9", " c"])),
)
groups = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from(["all", "any", "none", "one"]), st.lists(inner, max_size=3)).map(
        lambda drawn: {drawn[0]: drawn[1]}
    ),
    max_leaves=6,
)


@st.composite
def tier_lists(draw):
    ends = sorted(draw(st.sets(decimals(40, 3).filter(bool) | decimals(4_000, 0).filter(bool), max_size=3)))
    return [(end, draw(prices)) for end in [*ends, None]]


def day(number):
    return FIRST + timedelta(days=number)


VALIDITIES = [
    [(day(-30), None)],
    [(day(0), day(9))],
    [(day(-9), day(3)), (day(4), None)],
    [(day(-9), day(2)), (day(6), day(40))],
    [(day(5), None)],
    [(day(-9), day(-5)), (day(20), None)],
    [(day(-9), day(-5))],
]
# With these alone, no service has a rate from the third to the seventh day.
WITH_A_HOLE = [[(day(7), None)], [(day(-9), day(1)), (day(8), day(40))]]


def an_order(**known):
    """Any order, apart from what is known of it."""
    texts = ("state", "city", "postal_code", "ship_to_name", "carrier", "reference_number", "notes")
    return st.fixed_dictionaries(
        {
            "day": st.integers(-1, 10).map(day),
            "status": st.sampled_from(["draft", "submitted", "shipped", "completed", "cancelled", "delivered"]),
            "country": st.sampled_from(COUNTRIES),
            **{field: st.sampled_from(TEXTS) for field in texts},
            "weight": st.none() | quantities,
            "packages": st.none() | st.integers(0, 30),
            "lines": st.lists(st.tuples(st.sampled_from(SKUS), quantities), max_size=5),
        }
        | known
    )


_more_than_nothing = quantities.filter(bool)


def a_whole_order(days):
    """Billed, on one of these days, with all that a rate may ask for."""
    return an_order(
        day=st.sampled_from(days).map(day),
        status=st.sampled_from(["submitted", "shipped", "completed", "delivered"]),
        weight=_more_than_nothing,
        packages=st.integers(1, 30),
        lines=st.lists(st.tuples(st.sampled_from(SKUS), _more_than_nothing), min_size=1, max_size=5),
    )


case_sizes = st.none() | st.sampled_from([Decimal(size) for size in ("0", "0.5", "1", "2.5", "6", "12")])


@st.composite
def billings(draw):
    """(card, orders, products): a whole order, the same without weight, packages and perhaps lines, another one, others
    of any kind, and a card of which most applies to the first.

    ``products``: SKU key to case size; a SKU that is not there is unknown.
    """
    validities, days = draw(st.sampled_from([(VALIDITIES, range(10)), (WITH_A_HOLE, [0, 1, 7, 8, 9])]))
    matching = draw(a_whole_order(days))
    lacking = matching | {"weight": None, "packages": None, "lines": draw(st.sampled_from([[], matching["lines"]]))}
    orders = [matching, lacking, draw(a_whole_order(range(10))), *draw(st.lists(an_order(), max_size=3))]
    known = {sku.strip().upper() for sku, _ in matching["lines"]} if draw(st.integers(0, 3)) else ()
    listed = draw(st.dictionaries(st.sampled_from(["A-1", "B_2", "B%2", "SS9", "É9", "C"]), case_sizes))
    products = listed | {key: draw(case_sizes) for key in sorted(known)}
    return draw(cards(matching, validities)), orders, products


@st.composite
def cards(draw, matching, validities):
    """Up to seven services with up to two rates each, in one currency, never overlapping.

    Four of five apply to the matching order. In half of the cards the last is a percentage of the others.
    """
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    types = draw(st.lists(st.sampled_from(_OF_THE_ORDER), min_size=2, max_size=5, unique=True))
    types += draw(st.lists(st.sampled_from(CostType), max_size=1))
    types += draw(st.sampled_from([[], [CostType.PERCENT_OF_SERVICES]]))
    card = []
    for service, cost_type in enumerate(types, start=1):
        applies = draw(st.integers(0, 4)) < 4
        fitting = [one for one in validities if any(_covers(validity, matching["day"]) for validity in one)]
        for start, end in draw(st.sampled_from(fitting if applies else validities)):
            low, high = draw(BOUNDS), draw(BOUNDS)
            rate = {
                "service": service,
                "cost_type": cost_type.value,
                "price": draw(prices),
                "currency": currency,
                "valid_from": start,
                "valid_to": end,
                "minimum": low,
                "maximum": high if high is None or low is None else max(low, high),
                "skus": draw(st.none() | st.lists(st.sampled_from(SKUS), min_size=1, max_size=3)),
                "tier_mode": draw(st.sampled_from(["graduated", "volume"])),
                "tiers": draw(st.none() | tier_lists()),
                "condition": draw(st.none() | groups),
            }
            card.append(_made_to_match(rate, matching) if applies else rate)
    return card


_OF_THE_ORDER = [member for member in CostType if member is not CostType.PERCENT_OF_SERVICES]
# Minor units, low ones and such as orders come to.
BOUNDS = st.none() | st.integers(0, 4_000) | st.integers(0, 100_000)


def _covers(validity, on):
    start, end = validity
    return start <= on and (end is None or on <= end)


def _made_to_match(rate, order):
    """With a SKU of the order, and under the opposite condition where its own does not hold for the order."""
    if rate["skus"]:
        rate["skus"] = [*rate["skus"], order["lines"][0][0]]
    if not naive.true_of(rate["condition"], order):
        rate["condition"] = {"none": [rate["condition"]]}
    return rate


def store(session, card, listed, catalogue, *, customer_id):
    """Write them as a customer's; fills in the ids of rates and orders, and each rate's service id."""
    currency = card[0]["currency"] if card else "USD"
    session.add(
        Customer(id=customer_id, business_id=1, ref=f"C{customer_id}", name="Acme", currency=currency, created_at=NOW)
    )
    services = {}
    for rate in card:
        key = rate["service"]
        if key not in services:
            services[key] = Service(
                code=f"{customer_id}-{key}", name=f"Service {key}", cost_type=CostType(rate["cost_type"])
            )
    session.add_all([*services.values()])
    session.flush()
    rows = [_rate(rate, services[rate["service"]].id, customer_id) for rate in card]
    placed = [_order(order, f"{customer_id}-{index}", customer_id) for index, order in enumerate(listed)]
    session.add_all([*rows, *placed])
    session.add_all(
        Product(customer_id=customer_id, sku=key.lower(), sku_key=key, case_size=size)
        for key, size in catalogue.items()
    )
    session.flush()
    for rate, row in zip(card, rows, strict=True):
        rate["id"], rate["service"] = row.id, row.service_id
    for order, row in zip(listed, placed, strict=True):
        order["id"] = row.id
        session.add_all(_lines(order))
    session.flush()


def _rate(rate, service_id, customer_id):
    listed = (
        None if rate["tiers"] is None else [{"up_to": up_to, "unit_price": price} for up_to, price in rate["tiers"]]
    )
    parsed = tiers.parse(listed, mode=TierMode(rate["tier_mode"]))
    return Rate(
        customer_id=customer_id,
        service_id=service_id,
        unit_price=rate["price"],
        currency=rate["currency"],
        valid_from=rate["valid_from"],
        valid_to=rate["valid_to"],
        minimum_minor=rate["minimum"],
        maximum_minor=rate["maximum"],
        skus=sorted({sku.strip().upper() for sku in rate["skus"]}) if rate["skus"] else None,
        tier_mode=parsed.mode if parsed else None,
        tiers=parsed.rows if parsed else None,
        conditions=conditions.parse(rate["condition"]),
        created_at=NOW,
    )


def _order(order, number, customer_id):
    return Order(
        number=number,
        customer_id=customer_id,
        order_date=order["day"],
        status=OrderStatus(order["status"]),
        reference_number=order["reference_number"],
        ship_to_name=order["ship_to_name"],
        ship_to_city=order["city"],
        ship_to_state=order["state"],
        ship_to_postal_code=order["postal_code"],
        ship_to_country=order["country"],
        carrier=order["carrier"],
        weight=order["weight"],
        packages=order["packages"],
        notes=order["notes"],
    )


def _lines(order):
    seen = {}
    for sku, quantity in order["lines"]:
        key = sku.strip().upper()
        seen[key] = seen.get(key, 0) + 1
        yield OrderLine(order_id=order["id"], sku=sku, sku_key=key, position=seen[key], quantity=quantity)
