"""A file of order lines says what becomes of the lines that its orders have: it adds, replaces, or changes.

SO-1 has 1 of A, 2 and 3 of B; SO-2 has 4 of A.
"""

from io import BytesIO

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.incoming import Incoming
from billing_core.imports.kinds.line_modes import BilledOrderRow, GoneLine
from billing_core.imports.models import ImportRun
from billing_core.imports.received import outcome_json
from billing_core.invoices import from_reports
from billing_core.orders.models import Order, OrderLine
from billing_core.reports import outdated, queries
from tests.imports.files import counts, incoming
from tests.reports.company import MARCH, NOW, a_customer, an_order, billed

HEADER = "order_number,sku,quantity\n"
FIRST = f"{HEADER}SO-1,A,1\nSO-1,B,2\nSO-1,B,3\nSO-2,A,4\n"


@pytest.fixture
def orders(two_customers, take_in):
    take_in("orders", "order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\nSO-2,BETA,2025-03-04\n")
    assert counts(take_in("order-items", FIRST)) == (4, 0, 0, 0)


def lines_of(sessions):
    """Order, SKU and quantity of each line."""
    statement = (
        select(Order.number, OrderLine.sku, OrderLine.quantity)
        .join(Order, Order.id == OrderLine.order_id)
        .order_by(Order.number, OrderLine.sku_key, OrderLine.position)
    )
    with sessions() as session:
        return [(number, sku, int(quantity)) for number, sku, quantity in session.execute(statement)]


OF_SO_2 = [("SO-2", "A", 4)]
BEFORE = [("SO-1", "A", 1), ("SO-1", "B", 2), ("SO-1", "B", 3), *OF_SO_2]


@pytest.mark.parametrize(
    ("lines", "found", "gone", "after"),
    [
        # B of the file is the third B, C is new.
        ("add", (2, 0, 0, 0), 0, [*BEFORE[:3], ("SO-1", "B", 5), ("SO-1", "C", 6), *OF_SO_2]),
        # The first B becomes 5; A and the second B go.
        ("replace", (1, 1, 0, 0), 2, [("SO-1", "B", 5), ("SO-1", "C", 6), *OF_SO_2]),
        ("change", (1, 1, 0, 0), 0, [("SO-1", "A", 1), ("SO-1", "B", 5), ("SO-1", "B", 3), ("SO-1", "C", 6), *OF_SO_2]),
    ],
)
def test_a_file_adds_replaces_or_changes(orders, take_in, dry_run, sessions, lines, found, gone, after):
    file = f"{HEADER}SO-1,B,5\nSO-1,C,6\n"
    rehearsed = dry_run("order-items", file, lines=lines)
    assert (counts(rehearsed), rehearsed.gone) == (found, gone)
    assert lines_of(sessions) == BEFORE

    done = take_in("order-items", file, lines=lines)

    assert (counts(done), done.gone, done.applied) == (found, gone, True)
    assert lines_of(sessions) == after


def test_without_a_word_nothing_is_imported_where_it_matters(orders, take_in, sessions):
    for file in (f"{HEADER}SO-1,A,7\nSO-2,A,4\n", f"{HEADER}SO-1,A,1\n"):
        refused = take_in("order-items", file)
        assert (refused.applied, refused.undecided) == (False, 1)
        assert refused.question.startswith("One order of this file has other lines already: say whether to add")
    assert lines_of(sessions) == BEFORE


def test_where_it_does_not_matter_nobody_is_asked(orders, take_in):
    """The same file again; and lines of an order that has none."""
    assert (take_in("order-items", FIRST).applied, take_in("order-items", FIRST).undecided) == (True, 0)
    take_in("orders", "order_number,customer_ref,order_date\nSO-3,ACME,2025-03-05\n")
    assert counts(take_in("order-items", f"{HEADER}SO-3,A,1\n")) == (1, 0, 0, 0)


def test_the_dry_run_names_the_lines_that_go_and_a_file_has_all_of_them(orders, sessions):
    file = incoming("order-items", f"{HEADER}SO-1,C,6\n", lines="replace")
    target = BytesIO()
    outcome = service.check(sessions, SYSTEM, _with_file(file, target), now=utc_now())

    assert outcome.gone_lines == [GoneLine("SO-1", "A", "1"), GoneLine("SO-1", "B", "2"), GoneLine("SO-1", "B", "3")]
    written = target.getvalue().decode("utf-8-sig").replace("\r\n", "\n").splitlines()
    assert written[0] == "order_number,sku,quantity"
    assert written[1:] == ["SO-1,A,1", "SO-1,B,2", "SO-1,B,3"]


def _with_file(file, target):
    return Incoming(file.kind, file.stream, file.file_name, file.changes, gone_rows=target, lines=file.lines)


def test_a_changed_quantity_is_told_with_the_digits_that_it_has(orders, dry_run):
    """12.000 would be twelve thousand to whoever writes 12,5."""
    told = outcome_json(dry_run("order-items", f"{HEADER}SO-1,A,12.50\n", lines="change"))
    assert [(one["old"], one["new"]) for one in told["changes"]] == [("1", "12.5")]


def test_what_went_is_in_the_audit_log_and_the_history(orders, take_in, sessions):
    take_in("order-items", f"{HEADER}SO-1,A,1\n", lines="replace")
    with sessions() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
        run = session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(1)).one()
    assert (entry.after["gone"], entry.after["lines"]) == (2, "replace")
    assert entry.before == {"SO-1 · B: removed, 1": "2", "SO-1 · B: removed, 2": "3"}
    assert (run.gone_count, run.unchanged_count, run.lines) == (2, 1, "replace")


def test_the_same_file_is_not_added_twice_and_a_check_says_so_before(orders, take_in, dry_run, sessions):
    more = f"{HEADER}SO-1,A,9\n"
    take_in("order-items", more, lines="add")
    for file in (more, FIRST):
        for asked in (dry_run, take_in):
            with pytest.raises(Conflict, match="would double them"):
                asked("order-items", file, lines="add")
        (answer,) = service.rehearse(sessions, SYSTEM, [incoming("order-items", file, lines="add")], now=utc_now())
        assert isinstance(answer, Conflict)
    assert len(lines_of(sessions)) == 5


def test_of_two_files_with_the_same_lines_to_add_a_check_refuses_the_second(orders, sessions):
    """Of two files with other lines for the same order it refuses none."""
    more, others = f"{HEADER}SO-1,A,9\n", f"{HEADER}SO-1,A,8\n"
    files = [
        incoming("order-items", content, file_name=name, lines="add")
        for name, content in (("a.csv", more), ("b.csv", others), ("c.csv", more))
    ]
    first, second, again = service.rehearse(sessions, SYSTEM, files, now=utc_now())
    assert [counts(one) for one in (first, second)] == [(1, 0, 0, 0)] * 2
    assert isinstance(again, Conflict)
    assert str(again) == "This is the very same file as a.csv: adding its lines twice would double them"
    replaced = [incoming("order-items", more, lines="change") for _ in range(2)]
    assert [counts(one) for one in service.rehearse(sessions, SYSTEM, replaced, now=utc_now())] == [
        (0, 1, 0, 0),
        (0, 0, 1, 0),
    ]


def test_files_of_one_check_see_the_lines_that_those_before_them_remove(orders, sessions):
    files = [incoming("order-items", f"{HEADER}SO-1,C,1\n", lines="replace") for _ in range(2)]
    outcomes = service.rehearse(sessions, SYSTEM, files, now=utc_now())
    assert [(counts(outcome), outcome.gone) for outcome in outcomes] == [((1, 0, 0, 0), 3), ((0, 0, 1, 0), 0)]
    assert lines_of(sessions) == BEFORE


def test_orders_that_are_billed_are_warned_of_and_their_report_is_outdated(sessions, take_in, dry_run):
    """M-1 has 4 of A-1, 4.00 in all; without it and with 2 of B it is 3.00."""
    with sessions.begin() as session:
        acme = a_customer(session)
        an_order(session, acme, "M-1")
        report = billed(session, acme, MARCH)
        draft = from_reports.draft_from_report(session, SYSTEM, report.id, now=NOW, today=NOW.date())
        draft_id = draft.id
    file = f"{HEADER}M-1,B,2\n"
    named = [BilledOrderRow("M-1", f"a draft (no. {draft_id})")]
    for lines in ("add", "replace", "change"):
        outcome = dry_run("order-items", file, lines=lines)
        assert (outcome.billed, outcome.billed_orders) == (1, named)
    moved = dry_run("orders", "order_number,customer_ref,order_date\nM-1,ACME,2026-04-01\n")
    assert (moved.billed, moved.billed_orders) == (1, named)

    take_in("order-items", file, lines="replace")

    with sessions() as session:
        one = outdated.of(session, [queries.one(session, SYSTEM, report.id)])[report.id]
    assert (one.order_count, one.difference.minor) == (1, -100)
