"""The list of reports with its filters and orderings, and one report's contents."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM, Role
from billing_core.identity.permissions import actor_with
from billing_core.money import Money
from billing_core.reports import contents, queries, summary
from billing_core.reports.models import BillingReport
from billing_core.reports.queries import ReportFilter
from billing_core.reports.summary import SummaryFilter
from tests.reports.company import LATER, MARCH, NOW, a_customer, an_order, billed

APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))


@pytest.fixture
def reports(session):
    """acme: March 4.00 (made 2 April), April 12.00 (made 3 April); tokyo: March 7 yen (made 3 April)."""
    acme = a_customer(session, "ACME-1")
    tokyo = a_customer(session, "TYO", name="東京_50% Ltd", currency="JPY")
    an_order(session, acme, "SO-1", items=4)
    an_order(session, acme, "SO-2", items=20, on=date(2026, 4, 5))
    an_order(session, tokyo, "SO-3", items=10)
    return {
        "acme march": billed(session, acme).id,
        "acme april": billed(session, acme, APRIL, now=LATER).id,
        "tokyo": billed(session, tokyo, now=LATER).id,
    }


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, {"acme march", "acme april", "tokyo"}),
        ({"start_date": date(2026, 3, 2)}, {"acme april"}),
        ({"start_date": date(2026, 3, 1), "end_date": date(2026, 3, 31)}, {"acme march", "tokyo"}),
        ({"end_date": date(2026, 3, 30)}, set()),
        ({"created_after": date(2026, 4, 3)}, {"acme april", "tokyo"}),
        ({"created_before": date(2026, 4, 2)}, {"acme march"}),
        ({"created_after": NOW, "created_before": NOW}, {"acme march"}),
        ({"created_after": NOW + timedelta(seconds=1)}, {"acme april", "tokyo"}),
        ({"currency": "JPY"}, {"tokyo"}),
        ({"created_by": "system"}, {"acme march", "acme april", "tokyo"}),
        ({"created_by": "nobody"}, set()),
        ({"text": "acme-1"}, {"acme march", "acme april"}),
        ({"text": "東京"}, {"tokyo"}),
        ({"text": "_50%"}, {"tokyo"}),
        ({"text": "50_"}, set()),
        ({"text": "acme\0-1"}, {"acme march", "acme april"}),
        ({"created_after": date(1, 1, 1), "created_before": date(9999, 12, 31)}, {"acme march", "acme april", "tokyo"}),
    ],
)
def test_filters(session, reports, wanted, expected):
    names = {report_id: name for name, report_id in reports.items()}

    found = queries.page(session, SYSTEM, ReportFilter(**wanted))

    assert {names[report.id] for report in found} == expected
    assert queries.count(session, SYSTEM, ReportFilter(**wanted)) == len(expected)


def test_the_filter_by_customer(session, reports):
    tokyo = queries.one(session, SYSTEM, reports["tokyo"])
    assert [r.id for r in queries.page(session, SYSTEM, ReportFilter(customer_id=tokyo.customer_id))] == [tokyo.id]


def test_a_bare_date_is_a_day_where_the_business_is(session, reports):
    session.execute(update(Business).values(time_zone="Pacific/Auckland"))  # 2 April 09:00 UTC is 2 April 22:00 there
    late = datetime(2026, 4, 2, 12, 30, tzinfo=UTC)  # 3 April 01:30 there
    report = billed(session, queries.one(session, SYSTEM, reports["tokyo"]).customer_id, APRIL, now=late)

    made_on_the_3rd = queries.page(
        session, SYSTEM, ReportFilter(created_after=date(2026, 4, 3), created_before=date(2026, 4, 3))
    )

    assert report.id in {found.id for found in made_on_the_3rd}
    assert reports["acme march"] not in {found.id for found in made_on_the_3rd}


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        # 700 yen stand before any dollars.
        ("total_amount", ["tokyo", "acme march", "acme april"]),
        ("-total_amount", ["acme april", "acme march", "tokyo"]),
        ("created_at", ["acme march", "acme april", "tokyo"]),
        ("-id", ["tokyo", "acme april", "acme march"]),
        ("start_date", ["acme march", "tokyo", "acme april"]),
    ],
)
def test_orderings(session, reports, order_by, expected):
    session.execute(
        update(queries.BillingReport).where(queries.BillingReport.id == reports["tokyo"]).values(total_minor=700)
    )
    found = queries.page(session, SYSTEM, ReportFilter(order_by=order_by))
    assert [report.id for report in found] == [reports[name] for name in expected]


@pytest.mark.parametrize("order_by", ["", "-", "total", "--id", "id; DROP TABLE billing_reports", "created_at desc"])
def test_any_other_ordering_is_refused(session, order_by):
    with pytest.raises(Invalid, match="Invalid order_by"):
        queries.page(session, SYSTEM, ReportFilter(order_by=order_by))


def test_every_documented_ordering_works_both_ways(session, reports):
    for name in queries.ORDERINGS:
        up = [report.id for report in queries.page(session, SYSTEM, ReportFilter(order_by=name))]
        down = [report.id for report in queries.page(session, SYSTEM, ReportFilter(order_by=f"-{name}"))]
        assert up == down[::-1]


def test_pages_follow_each_other(session, reports):
    everything = queries.page(session, SYSTEM, ReportFilter())
    assert queries.page(session, SYSTEM, ReportFilter(), limit=1, offset=1) == everything[1:2]


@pytest.mark.parametrize(
    "order_by", ["-created_at", "-total_amount", "-customer_name", "created_by", "output_format", "id"]
)
def test_the_page_after_a_report_begins_where_it_ended(session, reports, order_by):
    """Two of the three were made at the same instant, two for the same customer, all in the same format."""
    wanted = ReportFilter(order_by=order_by)
    everything = queries.page(session, SYSTEM, wanted)
    for number, report in enumerate(everything):
        for name in (str(report.id), report.uuid.upper()):
            rest = queries.page(session, SYSTEM, wanted, limit=2, starting_after=name)
            assert rest == everything[number + 1 : number + 3]


def test_a_page_after_a_report_that_one_may_not_see_is_refused(session, reports):
    tokyo = queries.one(session, SYSTEM, reports["tokyo"])
    other = queries.one(session, SYSTEM, reports["acme march"])
    bound = actor_with(Role.MANAGER, user_id=None, name="Tokyo", customer_id=tokyo.customer_id)
    for name in (str(other.id), "999", "no\0such", "9" * 30):
        with pytest.raises(Invalid, match="starting_after"):
            queries.page(session, bound, ReportFilter(), starting_after=name)


def test_totals_never_add_currencies(session, reports):
    assert queries.totals(session, SYSTEM, ReportFilter()) == [Money(7, "JPY"), Money(1600, "USD")]


def test_a_report_is_found_by_its_id_or_uuid(session, reports):
    report = queries.one(session, SYSTEM, reports["tokyo"])
    assert queries.one(session, SYSTEM, str(report.id)) == report
    assert queries.one(session, SYSTEM, report.uuid) == report
    for missing in (999, "999", "no-such", "9" * 30, 10**30, -1, "-1", "\0", "١", "../1", report.uuid[:-1]):
        with pytest.raises(NotFound):
            queries.one(session, SYSTEM, missing)


def test_replaced_versions_are_listed_only_when_asked_for(session, reports):
    acme = queries.one(session, SYSTEM, reports["acme march"]).customer_id
    an_order(session, acme, "late")
    new = billed(session, acme, now=LATER)

    march = {"customer_id": acme, "end_date": MARCH.end}
    assert [r.id for r in queries.page(session, SYSTEM, ReportFilter(**march))] == [new.id]
    both = queries.page(session, SYSTEM, ReportFilter(**march, current_only=False, order_by="id"))
    assert [r.id for r in both] == [reports["acme march"], new.id]


def test_orders_of_a_report_are_searched_sorted_and_paged(session):
    acme = a_customer(session)
    for number, items in (("B-1", 30), ("A-9", 10), ("a-10", 20)):
        an_order(session, acme, number, items=items, ship_to_name=f"Shop {number}")
    report = billed(session, acme)

    def numbers(**wanted):
        return [order.order_number for order in contents.orders(session, report, **wanted)]

    assert numbers(order_by="order_number") == ["A-9", "a-10", "B-1"]
    assert numbers(order_by="-total_amount") == ["B-1", "a-10", "A-9"]
    assert numbers(order_by="total_amount", limit=1, offset=1) == ["a-10"]
    assert numbers(text="shop a", order_by="order_number") == ["A-9", "a-10"]
    assert (contents.order_count(session, report), contents.order_count(session, report, text="p a-")) == (3, 2)
    # By their SKU too, which is the same here.
    assert contents.order_count(session, report, text="ä-1") == 3
    with pytest.raises(Invalid):
        numbers(order_by="1; --")


def test_the_summary_of_both_documents(session, reports):
    acme, tokyo = summary.page(session, SYSTEM, SummaryFilter(order_by="customer_id"))

    assert (acme.report_count, acme.total_minor, acme.average_minor) == (2, 1600, 800)
    assert (acme.first_report, acme.latest_report) == (NOW, LATER)
    assert (acme.first_billing_date, acme.last_billing_date) == (date(2026, 4, 2), date(2026, 4, 3))
    assert (tokyo.total, tokyo.average) == (Money(7, "JPY"), Money(7, "JPY"))


def test_the_summary_knows_customers_without_reports_and_leaves_them_out_when_asked(session, reports):
    a_customer(session, "NEW", name="Newcomer")

    everybody = summary.page(session, SYSTEM, SummaryFilter())
    billed_ones = summary.page(session, SYSTEM, SummaryFilter(with_reports=True))

    new = next(row for row in everybody if row.customer_ref == "NEW")
    assert (new.report_count, new.total_minor, new.average, new.first_report) == (0, 0, None, None)
    assert {row.customer_ref for row in billed_ones} == {"ACME-1", "TYO"}
    assert (summary.count(session, SYSTEM, SummaryFilter()), len(everybody)) == (3, 3)


def test_the_summary_is_read_piece_by_piece_and_keeps_a_customers_currencies_together(session, reports):
    acme, tokyo = (row.customer_id for row in summary.page(session, SYSTEM, SummaryFilter(order_by="customer_id")))
    a_customer(session, "NEW", name="Newcomer")
    session.execute(update(Customer).where(Customer.id == acme).values(currency="EUR"))
    session.execute(
        update(BillingReport).where(BillingReport.id == reports["acme april"]).values(currency="EUR", total_minor=5)
    )

    def pieces(after, limit, **wanted):
        rows = summary.after(session, SYSTEM, after, limit=limit, **wanted)
        return [(row.customer_id, row.currency, row.report_count, row.total_minor) for row in rows]

    of_acme = [(acme, "EUR", 1, 5), (acme, "USD", 1, 400)]
    of_tokyo = [(tokyo, "JPY", 1, 7)]
    assert pieces(None, 1) == of_acme
    assert pieces(acme, 1) == pieces(acme, 9) == pieces(None, 9, only=tokyo) == of_tokyo
    assert pieces(None, 9) == of_acme + of_tokyo
    assert pieces(tokyo, 9) == pieces(None, 9, only=999) == []
    bound = actor_with(Role.FINANCE, user_id=None, name="Tokyo", customer_id=tokyo)
    assert [row.currency for row in summary.after(session, bound, None, limit=9)] == ["JPY"]
    assert summary.after(session, bound, None, limit=9, only=acme) == []


def test_every_ordering_of_the_summary_works(session, reports):
    a_customer(session, "NEW", name="Newcomer")
    for name in summary.ORDERINGS:
        for sign in ("", "-"):
            assert len(summary.page(session, SYSTEM, SummaryFilter(order_by=sign + name))) == 3
    with pytest.raises(Invalid):
        summary.page(session, SYSTEM, SummaryFilter(order_by="amount"))


def test_the_summary_is_sorted_by_amounts_of_one_currency_after_the_other(session, reports):
    """Tokyo: 7 yen. Acme: 16.00 USD, 8.00 on average. Others without reports have nothing, and no average."""
    a_customer(session, "C-10", name="Euro", currency="EUR")
    a_customer(session, "C-9", name="Dollar")

    def names(order_by):
        return [row.customer_ref for row in summary.page(session, SYSTEM, SummaryFilter(order_by=order_by))]

    assert names("total_amount") == ["C-10", "TYO", "C-9", "ACME-1"]
    assert names("-total_amount") == ["ACME-1", "C-9", "TYO", "C-10"]
    assert names("average_amount") == ["TYO", "ACME-1", "C-10", "C-9"]
    assert names("customer_ref") == ["ACME-1", "C-9", "C-10", "TYO"]


def test_replaced_reports_do_not_count_in_the_summary(session, reports):
    acme = queries.one(session, SYSTEM, reports["acme march"]).customer_id
    an_order(session, acme, "late", items=2)
    billed(session, acme, now=LATER)

    (row,) = summary.page(session, SYSTEM, SummaryFilter(customer_id=acme))

    assert (row.report_count, row.total_minor) == (2, 1900)


@pytest.mark.parametrize(
    ("total", "count", "expected"), [(10, 4, 3), (9, 4, 2), (5, 2, 3), (1, 3, 0), (0, 2, 0), (7, 0, None)]
)
def test_an_average_is_rounded_once_half_up(total, count, expected):
    assert summary.average(total, count) == expected


@pytest.mark.parametrize("field", ["currency", "created_by", "text"])
def test_nul_in_an_address_finds_nothing_and_fails_nowhere(session, reports, field):
    wanted = ReportFilter(**{field: "no\0where"})
    assert queries.page(session, SYSTEM, wanted) == []
    assert summary.page(session, SYSTEM, SummaryFilter(currency="U\0D", country="U\0")) == []
