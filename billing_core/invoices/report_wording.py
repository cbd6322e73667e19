"""What an invoice's line says of a report, in the customer's language."""

from datetime import date
from decimal import Decimal

from babel import Locale
from babel.dates import format_date, format_interval
from babel.numbers import format_decimal

from billing_core.dates import Period
from billing_core.rating.models import CostType

# One and several of what a service counts.
_UNITS = {
    "en": {
        CostType.PER_ORDER: ("order", "orders"),
        CostType.PER_ITEM: ("item", "items"),
        CostType.PER_SKU: ("SKU", "SKUs"),
        CostType.PER_CASE: ("case", "cases"),
        CostType.PER_LOOSE_UNIT: ("loose unit", "loose units"),
        CostType.PER_PACKAGE: ("package", "packages"),
        CostType.PER_WEIGHT_UNIT: ("weight unit", "weight units"),
    },
    "de": {
        CostType.PER_ORDER: ("Auftrag", "Aufträge"),
        CostType.PER_ITEM: ("Artikel", "Artikel"),
        CostType.PER_SKU: ("Artikelnummer", "Artikelnummern"),
        CostType.PER_CASE: ("Karton", "Kartons"),
        CostType.PER_LOOSE_UNIT: ("Einzelstück", "Einzelstücke"),
        CostType.PER_PACKAGE: ("Paket", "Pakete"),
        CostType.PER_WEIGHT_UNIT: ("Gewichtseinheit", "Gewichtseinheiten"),
    },
    "fr": {
        CostType.PER_ORDER: ("commande", "commandes"),
        CostType.PER_ITEM: ("article", "articles"),
        CostType.PER_SKU: ("référence", "références"),
        CostType.PER_CASE: ("carton", "cartons"),
        CostType.PER_LOOSE_UNIT: ("pièce", "pièces"),
        CostType.PER_PACKAGE: ("colis", "colis"),
        CostType.PER_WEIGHT_UNIT: ("unité de poids", "unités de poids"),
    },
    "es": {
        CostType.PER_ORDER: ("pedido", "pedidos"),
        CostType.PER_ITEM: ("artículo", "artículos"),
        CostType.PER_SKU: ("referencia", "referencias"),
        CostType.PER_CASE: ("caja", "cajas"),
        CostType.PER_LOOSE_UNIT: ("unidad suelta", "unidades sueltas"),
        CostType.PER_PACKAGE: ("bulto", "bultos"),
        CostType.PER_WEIGHT_UNIT: ("unidad de peso", "unidades de peso"),
    },
}
_SERVICES = {"en": "Services", "de": "Leistungen", "fr": "Prestations", "es": "Servicios"}
_ORDER = {"en": "Order", "de": "Auftrag", "fr": "Commande", "es": "Pedido"}


def service_words(
    name: str, cost_type: CostType, quantity: Decimal, order_count: int, period: Period, language: str
) -> str:
    """Such as “Picking, Mar 1 – 31, 2026: 1,234 items, 56 orders”."""
    counted = [_counted(Decimal(order_count), CostType.PER_ORDER, language)]
    # Of a percentage the base is no count, and of a service by order the count says it all.
    if cost_type not in (CostType.PER_ORDER, CostType.PERCENT_OF_SERVICES):
        counted.insert(0, _counted(quantity, cost_type, language))
    return f"{name}, {_days(period, language)}: {', '.join(counted)}"


def order_words(number: str, order_date: date, language: str) -> str:
    """Such as “Order SO-17, Mar 10, 2026”."""
    return f"{_ORDER[language]} {number}, {format_date(order_date, locale=language)}"


def total_words(order_count: int, period: Period, language: str) -> str:
    """Such as “Services, Mar 1 – 31, 2026: 56 orders”."""
    counted = _counted(Decimal(order_count), CostType.PER_ORDER, language)
    return f"{_SERVICES[language]}, {_days(period, language)}: {counted}"


def _counted(quantity: Decimal, cost_type: CostType, language: str) -> str:
    one, several = _UNITS[language][cost_type]
    unit = one if Locale(language).plural_form(quantity) == "one" else several
    return f"{format_decimal(quantity, locale=language)} {unit}"


def _days(period: Period, language: str) -> str:
    # CLDR puts thin blanks around the dash, which not every font has.
    return format_interval(period.start, period.end, "yMMMd", locale=language).replace("\u2009", " ")
