"""A file that holds several kinds is read once for all of them, and comes out as if it were read for each."""

import io

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import BillingError, Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service, sources
from billing_core.imports.incoming import Incoming
from billing_core.imports.mapping import Fixed, from_column
from billing_core.imports.outcome import Outcome
from billing_core.orders.models import Order, OrderLine

KINDS = (Kind.CUSTOMERS, Kind.ORDERS, Kind.ORDER_ITEMS)
HEADER = "Order No,Order Date,Customer,Customer Name,SKU,Qty\n"


class Counting(io.BytesIO):
    """Counts the bytes that are read of it."""

    read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.read_bytes += len(piece)
        return piece

    def read1(self, size: int | None = -1) -> bytes:
        piece = super().read1(size)
        self.read_bytes += len(piece)
        return piece


def orders(count: int, day) -> bytes:
    """Orders of two lines each, of ten customers."""
    rows = (
        f"SO-{number},{day(number)},C{number % 10},Customer {number % 10},A-{line},{line}\n"
        for number in range(count)
        for line in (1, 2)
    )
    return (HEADER + "".join(rows)).encode()


def parts(content: bytes, kinds=KINDS, **changes) -> list[Incoming]:
    stream = Counting(content)
    return [Incoming(kind, stream, "export.csv", changes.get(kind.name.lower(), {})) for kind in kinds]


def take_in(sessions, files: list[Incoming]) -> list[Outcome]:
    return service.apply_together(sessions, SYSTEM, files, now=utc_now(), also=lambda _session, _found: None)


def there(sessions) -> tuple[int, int, int]:
    with sessions() as session:
        return tuple(session.scalar(select(func.count()).select_from(one)) for one in (Customer, Order, OrderLine))


def test_all_kinds_cost_as_much_reading_as_one(sessions):
    content = orders(20_000, lambda number: f"2026-03-{number % 28 + 1:02}")
    together, alone = parts(content), parts(content, KINDS[:1])
    service.rehearse(sessions, SYSTEM, alone, now=utc_now())
    service.rehearse(sessions, SYSTEM, together, now=utc_now())
    # But for the first rows, of which each kind looks at some.
    assert together[0].stream.read_bytes < alone[0].stream.read_bytes + len(content) / 4


def test_a_kind_that_proves_to_be_written_otherwise_is_read_again_and_the_others_are_not(sessions, monkeypatch):
    """Up to order 1,499 the days may begin with the day, as most do; then one has the month first."""
    readings = []
    read = sources.batches
    monkeypatch.setattr(sources, "batches", lambda *given, **how: readings.append(how) or read(*given, **how))
    content = orders(2_000, lambda number: "12/25/2026" if number == 1_500 else "03/04/2026")
    outcomes = take_in(sessions, parts(content))
    assert [(one.new, one.rejected) for one in outcomes] == [(10, 0), (2_000, 0), (4_000, 0)]
    assert there(sessions) == (10, 2_000, 4_000)
    with sessions() as session:
        days = session.execute(select(Order.order_date, func.count()).group_by(Order.order_date).order_by("order_date"))
        assert [(f"{day:%Y-%m-%d}", count) for day, count in days] == [("2026-03-04", 1_999), ("2026-12-25", 1)]
    # Besides the first rows of each kind, by which it is told how rows follow each other.
    assert len([how for how in readings if how.get("size") is None]) == 2


def test_numbers_of_lines_that_turn_out_to_have_commas_leave_the_orders_as_they_are(sessions):
    rows = "".join(f'SO-{number},2026-03-02,C1,Acme,A-1,"1.234"\n' for number in range(400))
    content = f'{HEADER}{rows}SO-400,2026-03-02,C1,Acme,A-1,"1,5"\n'.encode()
    outcomes = take_in(sessions, parts(content))
    assert [one.new for one in outcomes] == [1, 401, 401]
    with sessions() as session:
        quantities = session.execute(
            select(OrderLine.quantity, func.count()).group_by(OrderLine.quantity).order_by(OrderLine.quantity)
        )
        assert [(str(quantity.normalize()), count) for quantity, count in quantities] == [("1.5", 1), ("1234", 400)]


def test_a_kind_whose_columns_are_not_there_does_not_keep_the_others_from_being_checked(sessions):
    content = orders(3, lambda _number: "2026-03-02")
    wrong = {"order_date": from_column("Shipped")}
    found = service.rehearse(sessions, SYSTEM, parts(content, orders=wrong), now=utc_now())
    assert [type(one) for one in found] == [Outcome, Invalid, Outcome]
    assert "The file has no column “Shipped”" in str(found[1])
    assert found[0].new == 3
    with pytest.raises(BillingError, match="no column “Shipped”"):
        take_in(sessions, parts(content, orders=wrong))
    assert there(sessions) == (0, 0, 0)


def test_what_is_wrong_with_the_file_itself_is_said_of_all_its_kinds(sessions):
    content = orders(500, lambda _number: "2026-03-02") + b'"SO-9,2026-03-02,C1,Acme,A-1,1\n'
    found = service.rehearse(sessions, SYSTEM, parts(content), now=utc_now())
    assert [str(one) for one in found] == ["Line 1,002: a quote is opened and never closed."] * 3


def test_a_stray_quote_far_below_is_text_for_all_kinds(sessions):
    rows = "".join(f"SO-{number},2026-03-02,C1,Acme,A-1,1\n" for number in range(700))
    content = f'{HEADER}{rows}SO-700,2026-03-02,C1,Acme,1" x 2" pipe,1\n'.encode()
    outcomes = take_in(sessions, parts(content))
    assert [one.new for one in outcomes] == [1, 701, 701]
    with sessions() as session:
        assert session.scalar(select(OrderLine.sku).where(OrderLine.sku != "A-1")) == '1" x 2" pipe'


def test_files_of_different_streams_are_answered_in_their_order(sessions):
    content = orders(2, lambda _number: "2026-03-02")
    (customers, *others), prices = parts(content), io.BytesIO(b"service_code,name\nPICK,Picking\n")
    files = [customers, Incoming(Kind.SERVICES, prices, "services.csv", {"cost_type": Fixed("per_order")}), *others]
    found = service.rehearse(sessions, SYSTEM, files, now=utc_now())
    assert [(one.kind, one.new) for one in found] == [
        (Kind.CUSTOMERS, 2),
        (Kind.SERVICES, 1),
        (Kind.ORDERS, 2),
        (Kind.ORDER_ITEMS, 4),
    ]
