"""Rating as nobody would ship it: one order at a time, in decimals, from the rules alone.

Shares no code with the product: orders and rates are plain dictionaries.
"""

import unicodedata
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}


def charges(card, orders, products, *, services=None):
    """{(order id, service id): (rate id, quantity, price, tier, bound, amount in minor units)}."""
    found = {}
    for order in orders:
        if order["status"] in ("draft", "cancelled"):
            continue
        others = Decimal(0)
        for rate in sorted(card, key=lambda rate: rate["cost_type"] == "percent_of_services"):
            if not applies(rate, order):
                continue
            quantity = others if rate["cost_type"] == "percent_of_services" else base(rate, order, products)
            if rate["cost_type"] == "percent_of_services" and rate["skus"] and not lines_of(rate, order):
                quantity = Decimal(0)
            if quantity <= 0:
                continue
            price, tier, exact = priced(rate, quantity)
            if rate["cost_type"] == "percent_of_services":
                exact /= 100
            minor = (exact * 10 ** DIGITS[rate["currency"]]).quantize(Decimal(1), ROUND_HALF_UP)
            bound = None
            if rate["minimum"] is not None and minor < rate["minimum"]:
                minor, bound = Decimal(rate["minimum"]), "minimum"
            if rate["maximum"] is not None and minor > rate["maximum"]:
                minor, bound = Decimal(rate["maximum"]), "maximum"
            if rate["cost_type"] != "percent_of_services":
                others += minor / 10 ** DIGITS[rate["currency"]]
            if services is None or rate["service"] in services:
                found[order["id"], rate["service"]] = (rate["id"], quantity, price, tier, bound, int(minor))
    return found


def questions(card, orders, products):
    """{(order id, service id or None, sku, kind)}."""
    found = set()
    for order in orders:
        if order["status"] in ("draft", "cancelled"):
            continue
        day = order["day"]
        if not any(holds(rate, day) for rate in card):
            found.add((order["id"], None, "", "no_rate"))
        for service in {rate["service"] for rate in card}:
            mine = [rate for rate in card if rate["service"] == service]
            ended = any(rate["valid_to"] is not None and rate["valid_to"] < day for rate in mine)
            begins = any(rate["valid_from"] > day for rate in mine)
            if ended and begins and not any(holds(rate, day) for rate in mine):
                found.add((order["id"], service, "", "rate_gap"))
        for rate in card:
            if not applies(rate, order):
                continue
            key, cost_type = (order["id"], rate["service"]), rate["cost_type"]
            by_line = cost_type in ("per_item", "per_sku", "per_case", "per_loose_unit")
            if not order["lines"] and (by_line or rate["skus"]):
                found.add((*key, "", "no_lines"))
            touched = not rate["skus"] or lines_of(rate, order)
            if cost_type == "per_weight_unit" and order["weight"] is None and touched:
                found.add((*key, "", "no_weight"))
            if cost_type == "per_package" and order["packages"] is None and touched:
                found.add((*key, "", "no_packages"))
            if cost_type in ("per_case", "per_loose_unit"):
                for sku, quantity in lines_of(rate, order):
                    if quantity and products.get(sku.strip().upper()) is None:
                        found.add((*key, sku.strip().upper(), "unknown_sku"))
    return found


def holds(rate, day):
    return rate["valid_from"] <= day and (rate["valid_to"] is None or day <= rate["valid_to"])


def applies(rate, order):
    return holds(rate, order["day"]) and true_of(rate["condition"], order)


def lines_of(rate, order):
    if not rate["skus"]:
        return order["lines"]
    wanted = {sku.strip().upper() for sku in rate["skus"]}
    return [(sku, quantity) for sku, quantity in order["lines"] if sku.strip().upper() in wanted]


def base(rate, order, products):
    lines = lines_of(rate, order)
    if rate["skus"] and not lines:
        return Decimal(0)
    match rate["cost_type"]:
        case "per_order":
            return Decimal(1)
        case "per_item":
            return sum((quantity for _, quantity in lines), Decimal(0))
        case "per_sku":
            return Decimal(len({sku.strip().upper() for sku, quantity in lines if quantity}))
        case "per_package":
            return Decimal(order["packages"] or 0)
        case "per_weight_unit":
            return order["weight"] or Decimal(0)
    total = Decimal(0)
    for sku, quantity in lines:
        size = products.get(sku.strip().upper())
        if size is None:
            continue
        cases = (quantity / size).to_integral_value(ROUND_FLOOR) if size else Decimal(0)
        total += cases if rate["cost_type"] == "per_case" else quantity - cases * size
    return total


def priced(rate, quantity):
    """(price, tier number or None, exact amount)."""
    if not rate["tiers"]:
        return rate["price"], None, quantity * rate["price"]
    reached = next(n for n, (up_to, _) in enumerate(rate["tiers"]) if up_to is None or quantity <= up_to)
    price = rate["tiers"][reached][1]
    if rate["tier_mode"] == "volume":
        return price, reached + 1, quantity * price
    exact, start = Decimal(0), Decimal(0)
    for up_to, slice_price in rate["tiers"]:
        end = quantity if up_to is None else min(quantity, up_to)
        if end > start:
            exact += (end - start) * slice_price
            start = end
    return price, reached + 1, exact


def bare(text):
    """Without case and accents; of letters, examples have those of English and French alone."""
    parts = unicodedata.normalize("NFD", text.strip(" \t\r\n"))
    return "".join(c.lower() for c in parts if not "\u0300" <= c <= "\u036f")


def true_of(condition, order):
    if not condition:
        return True
    if "field" not in condition:
        ((word, members),) = condition.items()
        held = [true_of(member, order) for member in members]
        return {"all": all(held), "any": any(held), "none": True not in held, "one": held.count(True) == 1}[word]
    field, op, value = condition["field"], condition["op"], condition["value"]
    for negative, positive in (("ne", "eq"), ("not_in", "in"), ("not_contains", "contains")):
        if op == negative:
            return not true_of({"field": field, "op": positive, "value": value}, order)
    skus = [sku.strip().upper() for sku, _ in order["lines"]]
    if field == "skus":
        key = [v.strip().upper() for v in value] if isinstance(value, list) else value.strip().upper()
        return {
            "eq": lambda: set(skus) == {key},
            "in": lambda: bool(set(skus) & set(key)),
            "contains": lambda: key in skus,
            "starts_with": lambda: any(sku[: len(key)] == key for sku in skus),
            "ends_with": lambda: any(sku[-len(key) :] == key for sku in skus),
        }[op]()
    numbers = {
        "weight": order["weight"],
        "packages": order["packages"],
        "quantity": sum((quantity for _, quantity in order["lines"]), Decimal(0)),
        "sku_count": len(set(skus)),
        "line_count": len(order["lines"]),
    }
    if field in numbers:
        have = numbers[field]
        if have is None:
            return False
        want = [Decimal(v) for v in value] if isinstance(value, list) else Decimal(value)
        return {
            "eq": lambda: have == want,
            "in": lambda: have in want,
            "lt": lambda: have < want,
            "le": lambda: have <= want,
            "gt": lambda: have > want,
            "ge": lambda: have >= want,
        }[op]()
    text = bare(order[field])
    want = [bare(v) for v in value] if isinstance(value, list) else bare(value)
    if not text:
        return False
    return {
        "eq": lambda: text == want,
        "in": lambda: text in want,
        "contains": lambda: want in text,
        "starts_with": lambda: text[: len(want)] == want,
        "ends_with": lambda: text[-len(want) :] == want,
    }[op]()
