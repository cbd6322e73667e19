"""What files hold: customers, orders and lines that are meant, with texts that are easily taken for something else."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.imports.generated.meanings import At, Column, Holds, Meant, Row, Shape, Word

# Customers, services and orders that are there before.
CUSTOMERS = {"C-100": "USD", "C-200": "EUR", "C-300": "GBP", "00400": "CHF"}
SERVICES = ("PICK", "PACK", "0815")
ORDERS = ("SO-1", "SO-2", "00077")

NAMES = {
    "plain": (
        *("Acme Inc", "Smith & Sons", "O'Neil Ltd", "Total Wine", "Sum Ltd", "'t Hooft", "NULL", "TRUE", "3M"),
        *("1-800 Flowers", "7-Eleven", "Page One Ltd", "Note Works", "Grand Total LLC", "Smith, Jones; Co", "Nan"),
        *('The "Best" Mug', "Dr. 5/6 Ltd", "Stand By Ltd", "24:00 Club", "100% Natural", "@home", "x|y", "Inc. 2026"),
        *("March Ltd", "Gesamt Bau", "E.ON", "-Minus-", "12,5 Degrees", "Sat 2 Co", "a^b", "Mr. Five", "1.234 Co"),
    ),
    "western": ("Müller GmbH", "Café Noir", "Señor Ñandú", "Grüße & Söhne", "Ærø Skibe", "L'Été", "Åland Öl"),
    "polish": ("Żółć i Syn", "Łódź Handel", "Příliš žluťoučký", "Škoda díly"),
    "cyrillic": ("Москва Торг", "Щука и сын", "Київ Плюс"),
    "chinese": ("北京商店", "上海貿易", "东京株式会社"),
}
_STREETS = (
    "Main St 1",
    "12 High Street",
    "Rue 5, 2e",
    "Unit 3; Dock 4",
    "1st Ave\n2nd floor",
    "PO Box 12",
    "5/7 Mill Ln",
)
_CITIES = ("Berlin", "Cork", "St. Louis", "Paris 2", "Sum", "New York")
_STATES = ("CA", "NY", "BE", "Bay of Plenty", "01")
_CODES = (
    *("AB-1", "00123", "1E5", "12-03", "3/4", "MUG,RED", "0815", "A B", "TRUE", "1.234", "1,5", "S-7/2026", "x;y"),
    *("123456789012", "4006381333931", "007", "1-2-3", "Total-1", "0x1F", "10%", "12:30", "MAR-1", "9.10.11", "a|b"),
)
_ORDER_NUMBERS = (
    "#1001",
    "1001",
    "2026-0001",
    "SO/77",
    "00012",
    "114-7654321-0000001",
    "1.001",
    "R123",
    "1e9",
    "W-2.5",
)
_POSTALS = {"DE": ("01067", "80331"), "US": ("00501", "02134", "62701"), "GB": ("SW1A 1AA",), "FR": ("01000", "75001")}
_COUNTRIES = ("DE", "US", "GB", "FR", "NL", "HK", "CH", "KR")
COUNTRY_NAMES = {
    "DE": ("DE", "Germany", "Deutschland", "Allemagne", "DEU", "de"),
    "US": ("US", "USA", "United States", "United States (US)", "Vereinigte Staaten", "U.S.A."),
    "GB": ("GB", "United Kingdom (UK)", "UK", "Großbritannien", "Great Britain", "Royaume-Uni"),
    "FR": ("FR", "France", "Frankreich", "Francia", "FRA"),
    "NL": ("NL", "Netherlands, The", "The Netherlands", "Niederlande", "Pays-Bas"),
    "HK": ("HK", "Hong Kong SAR", "Hong Kong", "Hongkong"),
    "CH": ("CH", "Switzerland", "Schweiz", "Suisse", "Suiza"),
    "KR": ("KR", "South Korea", "Korea, Republic of", "Südkorea"),
}
CURRENCY_NAMES = {
    "USD": ("USD", "usd", "US Dollar", "US$", "USD ($)"),
    "EUR": ("EUR", "€", "Euro", "eur"),
    "GBP": ("GBP", "£", "Pound Sterling"),
    "CHF": ("CHF", "Swiss Franc"),
    "JPY": ("JPY", "Yen"),
}
_STATUSES = (
    *(("shipped", "shipped"), ("Versandt", "shipped"), ("Cancelled", "cancelled"), ("storniert", "cancelled")),
    *(("In Progress", "processing"), ("completed", "completed"), ("Draft", "draft"), ("Delivered", "delivered")),
)
# Of which people say what they stand for.
ASKED_STATUSES = (("On Hold", "draft"), ("refunded", "cancelled"), ("Pending 2", "submitted"), ("parked", "leave-out"))
COST_TYPES = (
    *(("per_order", "per_order"), ("Per Item", "per_item"), ("each", "per_item"), ("/ order", "per_order")),
    *(("Stück", "per_item"), ("per SKU", "per_sku"), ("case", "per_case"), ("per package", "per_package")),
)
# Of Shopify: when it was cancelled, what was paid, what was sent, and what that means.
_SHOPIFY = (
    *(("", "paid", "fulfilled", "shipped"), ("", "paid", "unfulfilled", "submitted"), ("", "paid", "", "submitted")),
    *(("", "paid", "partial", "processing"), ("2026-03-05 10:00:00 +0100", "refunded", "unfulfilled", "cancelled")),
    *(("2026-03-05 10:00:00 +0100", "voided", "unfulfilled", "cancelled"), ("", "pending", "fulfilled", "shipped")),
)
_DAYS = st.dates(date(2015, 1, 1), date(2030, 12, 28))
_INSTANTS = st.builds(
    At,
    st.datetimes(datetime.fromisoformat("2015-01-02"), datetime.fromisoformat("2030-12-28")).map(
        lambda at: at.replace(second=0, microsecond=0)
    ),
    st.sampled_from([timedelta(hours=hours) for hours in (-8, -5, 0, 1, 2, 9, 13)] + [timedelta(hours=5, minutes=30)]),
)


def _number(largest: int, places: int) -> st.SearchStrategy[Decimal]:
    whole = st.integers(0, 9) | st.integers(0, largest) | st.sampled_from([1000, 1234, 12000, 100, 999])
    decimals = st.just(0) | st.integers(0, 10**places - 1)
    return st.builds(lambda one, part: Decimal(one) + Decimal(part).scaleb(-places), whole, decimals)


QUANTITIES = _number(2_000_000, 3)
PRICES = _number(100_000, 2) | _number(99, 4)
_AMOUNTS = _number(100_000, 2)
_FILLED = {
    "customers": ("customer_ref", "name"),
    "products": ("customer_ref", "sku"),
    "services": ("service_code", "name", "cost_type"),
    "rates": ("customer_ref", "service_code", "unit_price"),
    "orders": ("order_number", "customer_ref", "order_date"),
    "order-items": ("order_number", "sku", "quantity"),
}
_WHOLE = st.integers(0, 40).map(Decimal)


class Drawn:
    """Draws the meanings of one file. ``letters``: of which names are, beside plain ones. ``instants``: days of orders
    name their offset.
    """

    def __init__(self, draw: st.DrawFn, shape: Shape, letters: str, instants: bool) -> None:
        self.draw, self.shape, self.instants = draw, shape, instants
        self.names = [*NAMES["plain"], *NAMES[letters]]
        self._taken: set[Any] = set()

    def meant(self) -> Meant:
        rows = self._combined() if "orders" in self.shape.kinds else self._single()
        return Meant(self.shape, rows, self.draw(st.sampled_from(["here", "there"])), CUSTOMERS, ORDERS)

    def _combined(self) -> list[Row]:
        """Orders, with their customers where the file holds them, and a row for each of their lines."""
        draw, lines = self.draw, bool(self.shape.own)
        customers = [self._customer() for _ in range(draw(st.integers(1, 3)))]
        rows = []
        for _ in range(draw(st.integers(1, 5))):
            shared = draw(st.sampled_from(customers)) | self._cells("order")
            shared |= self._statuses()
            rows += [shared | self._cells("line") for _ in range(draw(st.integers(1, 3)) if lines else 1)]
        return rows

    def _single(self) -> list[Row]:
        rows = []
        for _ in range(self.draw(st.integers(1, 5))):
            shared = self._customer() | self._cells("order")
            several = self.shape.key is not None and self.draw(st.booleans())
            for _ in range(2 if several else 1):
                row = shared | self._cells("line")
                rows.append(self._agreed(row) if "rates" in self.shape.kinds else row)
        return rows

    def _customer(self) -> Row:
        return self._cells("customer")

    def _cells(self, level: str) -> Row:
        cells: Row = {}
        country = self.draw(st.sampled_from(_COUNTRIES))
        for column in self.shape.columns:
            if column.level == level:
                blank = column.name != self.shape.key and self.draw(st.integers(0, 5)) == 0
                cells[column.name] = "" if blank else self._cell(column, country)
        # What must be filled is so in one of the columns in which it may be.
        for kind, rules in self.shape.kinds.items():
            for field, rule in rules.items():
                here = [column for column in rule.columns if column in cells]
                if field in _FILLED[kind] and here and not any(cells[column] != "" for column in here):
                    cells[here[0]] = self._cell(self.shape.column(here[0]), country)
        return cells

    def _agreed(self, row: Row) -> Row:
        """A rate in the currency of its customer, whose end is not before its beginning; one for each service."""
        rules = self.shape.kinds["rates"]
        name = {field: rule.columns[0] for field, rule in rules.items()}
        whose, service = self._once(
            lambda: self.draw(st.tuples(st.sampled_from([*CUSTOMERS]), st.sampled_from(SERVICES)))
        )
        row |= {name["customer_ref"]: whose, name["service_code"]: service}
        if "currency" in name:
            code = CUSTOMERS[whose]
            row[name["currency"]] = Word(self.draw(st.sampled_from(CURRENCY_NAMES[code])), code)
        for low, high in (("valid_from", "valid_to"), ("minimum", "maximum")):
            if {low, high} <= name.keys() and "" not in (row[name[low]], row[name[high]]):
                row[name[low]], row[name[high]] = sorted((row[name[low]], row[name[high]]))
        return row

    def _statuses(self) -> Row:
        """Several columns that are the status together."""
        rule = self.shape.kinds.get("orders", {}).get("status")
        if rule is None or len(rule.columns) < 2:
            return {}
        *words, ours = self.draw(st.sampled_from(_SHOPIFY))
        cells = dict(zip(("Cancelled at", "Financial Status", "Fulfillment Status"), words, strict=True))
        if "Cancelled at" not in rule.columns and cells["Cancelled at"]:
            cells |= {"Financial Status": "paid", "Fulfillment Status": "fulfilled"}
            ours = "shipped"
        return {column: Word(cells[column], ours) if cells[column] else "" for column in rule.columns}

    def _cell(self, column: Column, country: str) -> Any:
        draw, fields = self.draw, self._fields(column.name)
        names = {field for _, field in fields}
        if there := self._there(names):
            return draw(st.sampled_from(there))
        match column.holds:
            case Holds.EMAIL:
                return self._once(lambda: f"buyer{draw(st.integers(1, 10**6))}@shop.example")
            case Holds.PHONE:
                return self._once(
                    lambda: f"{draw(st.sampled_from(['+49 30 ', '0', '00353']))}{draw(st.integers(10**5, 10**8))}"
                )
            case Holds.DAY:
                return draw(_INSTANTS if self.instants and "order_date" in names else _DAYS)
            case Holds.SHIPPED:
                return draw(_DAYS)
            case Holds.NUMBER:
                return draw(_WHOLE if "packages" in names else QUANTITIES)
            case Holds.MONEY:
                return draw(PRICES if "unit_price" in names else _AMOUNTS)
            case Holds.COUNTRY:
                return Word(draw(st.sampled_from(COUNTRY_NAMES[country])), country)
            case Holds.CURRENCY:
                code = draw(st.sampled_from(sorted(CURRENCY_NAMES)))
                return Word(draw(st.sampled_from(CURRENCY_NAMES[code])), code)
            case Holds.POSTAL:
                return draw(st.sampled_from(_POSTALS.get(country, ("1012 AB",))))
            case Holds.STATUS:
                return self._status()
            case Holds.COST_TYPE:
                return Word(*draw(st.sampled_from(COST_TYPES)))
            case Holds.CODE:
                return self._code(fields)
        return self._text(fields)

    def _status(self) -> Word:
        words = self.shape.kinds["orders"]["status"].words
        known = [(theirs, ours) for theirs, ours in words if "*" not in theirs]
        return Word(
            *self.draw(st.sampled_from([*(known or _STATUSES), *ASKED_STATUSES[: self.draw(st.integers(0, 4))]]))
        )

    def _code(self, fields: set[tuple[str, str]]) -> str:
        draw = self.draw
        if any(field in ("order_number", "customer_ref", "service_code") for _, field in fields):
            return self._once(
                lambda: draw(st.sampled_from(_ORDER_NUMBERS)) + draw(st.sampled_from(["", "1", "22", "-3"]))
            )
        if any(kind == "products" for kind, _ in fields):
            return self._once(lambda: draw(st.sampled_from(_CODES)) + draw(st.sampled_from(["", "1", "22"])))
        return draw(st.sampled_from(_CODES))

    def _text(self, fields: set[tuple[str, str]]) -> str:
        draw = self.draw
        names = {field for _, field in fields}
        if "address" in names or "ship_to_address" in names:
            return draw(st.sampled_from(_STREETS))
        if names & {"city", "ship_to_city"}:
            return draw(st.sampled_from(_CITIES))
        if names & {"state", "ship_to_state"}:
            return draw(st.sampled_from(_STATES))
        if "customer_ref" in names:
            return self._once(lambda: draw(st.sampled_from(self.names)) + draw(st.sampled_from(["", " 2", " West"])))
        return draw(st.sampled_from(self.names))

    def _once(self, draw: Any) -> str:
        while (found := draw()) in self._taken:
            pass
        self._taken.add(found)
        return found

    def _fields(self, name: str) -> set[tuple[str, str]]:
        kinds = self.shape.kinds
        return {(kind, field) for kind in kinds for field, rule in kinds[kind].items() if name in rule.columns}

    def _there(self, names: set[str]) -> tuple[str, ...]:
        """What a file that does not bring it refers to."""
        kinds = self.shape.kinds
        if "customer_ref" in names and "customers" not in kinds:
            return tuple(CUSTOMERS)
        if "order_number" in names and "orders" not in kinds:
            return ORDERS
        return SERVICES if "service_code" in names and "services" not in kinds else ()
