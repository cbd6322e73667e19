"""What columns files have: those of the known layouts, read from their TOML apart from the product, and others."""

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from billing_core.imports.layouts import reading
from tests.imports.generated.meanings import FIELDS, Column, Holds, Rule, Shape

_FOLDER = Path(reading.__file__).parent
KNOWN = {file.stem: tomllib.loads(file.read_text("utf-8")) for file in sorted(_FOLDER.glob("*.toml"))}
_KINDS = ("customers", "products", "services", "rates", "orders", "order-items")
# Payment terms have words of their own, which are no part of this.
_LEFT = {"payment_terms"}
# The first that fits is what a column holds that feeds several fields.
_HOLDS = {
    "email": Holds.EMAIL,
    "order_date": Holds.DAY,
    "valid_from": Holds.DAY,
    "valid_to": Holds.DAY,
    "quantity": Holds.NUMBER,
    "case_size": Holds.NUMBER,
    "weight": Holds.NUMBER,
    "packages": Holds.NUMBER,
    "unit_price": Holds.MONEY,
    "minimum": Holds.MONEY,
    "maximum": Holds.MONEY,
    "country": Holds.COUNTRY,
    "ship_to_country": Holds.COUNTRY,
    "currency": Holds.CURRENCY,
    "postal_code": Holds.POSTAL,
    "ship_to_postal_code": Holds.POSTAL,
    "status": Holds.STATUS,
    "cost_type": Holds.COST_TYPE,
    "phone": Holds.PHONE,
    "name": Holds.TEXT,
    "ship_to_name": Holds.TEXT,
    "order_number": Holds.CODE,
    "sku": Holds.CODE,
    "reference_number": Holds.CODE,
    "tax_id": Holds.CODE,
    "service_code": Holds.CODE,
    "customer_ref": Holds.CODE,
}
_REQUIRED = {
    "customers": ("customer_ref", "name"),
    "products": ("customer_ref", "sku"),
    "services": ("service_code", "name", "cost_type"),
    "rates": ("customer_ref", "service_code", "unit_price"),
    "orders": ("order_number", "customer_ref", "order_date"),
    "order-items": ("order_number", "sku", "quantity"),
}
# Of files that nobody knows: names of columns by what they are to us. The last of each means nothing to the product.
HEADERS: dict[str, tuple[str, ...]] = {
    "customer_ref": ("customer_ref", "Customer ID", "Customer No", "CUSTOMER CODE", "Debitor"),
    "customer_name": ("Customer Name", "Company", "Organisation", "Wer"),
    "email": ("email", "E-Mail", "Email Address", "Elektropost"),
    "phone": ("Phone", "Telephone", "tel", "Rufnummer"),
    "address": ("Address", "Street", "Wohin genau"),
    "city": ("City", "Town", "Ort"),
    "state": ("State", "Province", "Kanton"),
    "postal_code": ("Zip", "Postcode", "PLZ", "postal_code", "Leitzahl"),
    "country": ("Country", "Country Code", "Staat"),
    "currency": ("Currency", "Curr", "Waehr"),
    "tax_id": ("VAT ID", "Tax Number", "Steuernr"),
    "sku": ("SKU", "Item", "Article Number", "Product ID", "Artikelnr"),
    "product_name": ("Product Name", "Description", "Bezeichnung"),
    "case_size": ("case_size", "Units per case", "Gebinde"),
    "service_code": ("service_code", "Service", "Leistung"),
    "service_name": ("name", "Service Name", "Worum es geht"),
    "cost_type": ("cost_type", "Charge type", "Charged per", "Art"),
    "unit_price": ("unit_price", "Price", "Rate", "Preis"),
    "valid_from": ("valid_from", "Start date", "Effective from", "ab"),
    "valid_to": ("valid_to", "End date", "Until", "bis"),
    "minimum": ("minimum", "Minimum charge", "mindestens"),
    "maximum": ("Maximum", "Max", "hoechstens"),
    "order_number": ("order_number", "Order No", "ORDER ID", "Sales Order", "Auftrag"),
    "order_date": ("order_date", "Order Date", "Ordered at", "Created at", "Datum"),
    "status": ("status", "Order Status", "Zustand"),
    "reference_number": ("reference", "PO Number", "Your reference", "Zeichen"),
    "ship_to_name": ("Ship Name", "Recipient", "Consignee", "Empfaenger"),
    "ship_to_address": ("Ship Address", "Shipping Street", "Lieferadresse"),
    "ship_to_city": ("Ship City", "Shipping City", "Lieferort"),
    "ship_to_state": ("Ship Region", "Shipping State", "Lieferkanton"),
    "ship_to_postal_code": ("Ship Postal Code", "Shipping Zip", "Liefer-PLZ"),
    "ship_to_country": ("Ship Country", "Shipping Country", "Lieferland"),
    "carrier": ("Carrier", "Ship Via", "Shipping Method", "Spediteur"),
    "weight": ("Weight", "Gross Weight", "Gewicht"),
    "packages": ("Packages", "Parcels", "Colli"),
    "notes": ("Notes", "Comments", "Instructions", "Bemerkung"),
    "quantity": ("Quantity", "Qty", "Units", "Menge"),
}
# Columns that mean nothing to us.
FURTHER = (
    *("Total", "Subtotal", "Tax", "Discount Code", "Sales Rep", "Warehouse", "Paid at", "Barcode", "Due Date", "Tags"),
    *("Invoice Date", "Birthday", "Unit Cost", "Exchange Rate", "Line No", "Last changed by", "Margin %", "Source"),
)
_JOINED_NAMES = (("First name", "Last name"), ("Vorname", "Nachname"), ("Given name", "Family name"))
_OWN_FIELDS = {"name": {"customers": "customer_name", "products": "product_name", "services": "service_name"}}
# Kinds that stand in one file.
OWN = (
    *(("customers",), ("products",), ("services",), ("rates",), ("orders",), ("order-items",)),
    *(("orders", "order-items"), ("customers", "orders", "order-items")),
)


@st.composite
def known_shapes(draw: st.DrawFn, name: str) -> Shape:
    """Of a known layout: all columns that it requires, and some of the others."""
    toml = KNOWN[name]
    kinds = [kind for kind in _KINDS if kind in toml]
    needed = set(toml["requires"])
    rules: dict[str, dict[str, Rule]] = {}
    written = {kind: dict(toml[kind]["fields"]) for kind in kinds}
    for kind in kinds:
        for field in sorted(_LEFT & written[kind].keys()):
            del written[kind][field]
    possible = dict.fromkeys(
        column for kind in kinds for origin in written[kind].values() for column in _columns_of(origin)
    )
    file = [*toml["requires"], *(column for column in possible if column not in needed and draw(st.booleans()))]
    for kind in kinds:  # a field that must be there has one column at least
        for field in _REQUIRED[kind]:
            origin = written[kind].get(field)
            columns = [] if origin is None else _columns_of(origin)
            if columns and not set(columns) & set(file):
                file.append(columns[0])
    file += [own for kind in kinds for own in toml[kind].get("own", ())[:1] if own not in file]
    for kind in kinds:
        rules[kind] = {
            field: rule for field, origin in written[kind].items() if (rule := _rule(origin, field, file)) is not None
        }
        if "customer_ref" in _REQUIRED[kind] and "customer_ref" not in rules[kind]:
            rules[kind]["customer_ref"] = Rule(fixed="C-100")
    own = tuple(one for kind in kinds for one in toml[kind].get("own", ()) if one in file)
    key = toml.get("follows")
    columns = tuple(Column(column, *_kind_of_column(column, rules, own, key)) for column in file)
    return Shape(f"{toml['source']}: {toml['title']}", columns, rules, key, own, known=True)


@st.composite
def own_shapes(draw: st.DrawFn, kinds: tuple[str, ...]) -> Shape:
    """Of a file of these kinds that nobody knows."""
    usual = draw(st.integers(0, 9)) < 8
    names: dict[str, str] = {}
    rules: dict[str, dict[str, Rule]] = {kind: {} for kind in kinds}
    joined = ()
    for kind in kinds:
        for field in FIELDS[kind]:
            what = _OWN_FIELDS.get(field, {}).get(kind, field)
            if what not in names:
                if field not in _REQUIRED[kind] and draw(st.integers(0, 2)):
                    continue
                known = HEADERS[what][:-1]
                names[what] = draw(st.sampled_from(known if usual or draw(st.integers(0, 3)) else HEADERS[what]))
            if what == "customer_name" and draw(st.integers(0, 3)) == 0:
                joined = draw(st.sampled_from(_JOINED_NAMES))
                rules[kind][field] = Rule((joined,))
                continue
            rules[kind][field] = Rule(((names[what],),))
    if joined:
        del names["customer_name"]
    own = tuple(names[what] for what in ("sku", "quantity") if what in names) if "order-items" in kinds else ()
    file = draw(st.permutations([*names.values(), *joined]))
    key = names["order_number"] if {"orders", "order-items"} <= set(kinds) else None
    columns = tuple(Column(column, *_kind_of_column(column, rules, own, key)) for column in file)
    return Shape(f"own {' '.join(kinds)}", columns, rules, key, own)


SHAPES = {name: known_shapes(name) for name in KNOWN} | {"own " + " ".join(kinds): own_shapes(kinds) for kinds in OWN}


def _columns_of(origin: Any) -> list[str]:
    if isinstance(origin, str):
        return [origin]
    if "column" in origin:
        return [origin["column"]]
    listed = origin.get("first") or origin.get("joined") or origin.get("either") or []
    return [column for one in listed for column in one.split(" + ")]


def _rule(origin: Any, field: str, file: list[str]) -> Rule | None:
    """As docs/import-layouts.md says it. None where the file has none of the columns."""
    joint = ", " if field.endswith("address") else " "
    if not isinstance(origin, str) and "fixed" in origin:
        return Rule(fixed=origin["fixed"])
    if not set(_columns_of(origin)) & set(file):
        return None
    words = () if isinstance(origin, str) else tuple(origin.get("words", {}).items())
    here = [column for column in _columns_of(origin) if column in file]
    if not isinstance(origin, str) and "joined" in origin:
        return Rule((tuple(here),), joint, words=words)
    if not isinstance(origin, str) and "first" in origin:
        several = [tuple(column for column in one.split(" + ") if column in file) for one in origin["first"]]
        return Rule(tuple(one for one in several if one), joint, words=words)
    return Rule(((here[0],),), joint, words=words)


def _kind_of_column(
    column: str, rules: dict[str, dict[str, Rule]], own: tuple[str, ...], key: str | None
) -> tuple[Holds, str]:
    fed = {(kind, field) for kind in rules for field, rule in rules[kind].items() if column in rule.columns}
    fields = {field for _, field in fed}
    holds = next((holds for field, holds in _HOLDS.items() if field in fields), Holds.TEXT)
    words = [rule.words for kind in rules for field, rule in rules[kind].items() if field == "status"]
    if holds is Holds.STATUS and words and dict(words[0]).get("any date"):
        holds = Holds.SHIPPED
    lines = {"order-items", "products"} & rules.keys()
    if column == key:
        return holds, "order"
    if column in own or fields & {"sku", "quantity"}:
        return holds, "line"
    if ("customers", "customer_ref") in fed or any(kind == "customers" for kind, _ in fed):
        return holds, "customer" if "orders" in rules else "line"
    return holds, "order" if lines and (own or "orders" in rules) else "line"
