"""What changed since the version or the period before, and which orders are billed twice."""

import streamlit as st

from billing_core.reports import difference, overlaps, queries
from billing_core.reports.difference import Change
from billing_core.reports.queries import Report
from pages.ui import formats, tables
from pages.ui.reads import Reader
from pages.ui.text import md

SIZE = 25
WORDS = {
    Change.ADDED: "New",
    Change.REMOVED: "Gone",
    Change.CHANGED: "Amount changed",
    Change.DETAILS: "Only details changed",
    Change.SAME: "Same",
}
COLORS = {"New": "green", "Gone": "red", "Amount changed": "orange", "Only details changed": "blue", "Same": "gray"}


def difference_columns(currency: str) -> list[tables.Column]:
    """What something cost before and now, for tables by service and by order."""
    return [
        tables.money("Before", "before_minor", currency=lambda _: currency),
        tables.money("Now", "after_minor", currency=lambda _: currency),
        tables.computed("Difference", lambda row: formats.change(row.difference_minor, currency), right=True),
        tables.badge("What", lambda row: WORDS[row.change], COLORS),
    ]


def overlap_columns(currency: str) -> list[tables.Column]:
    """A charge that stands on another report as well."""
    return [
        tables.text("Order", "order_number"),
        tables.day("Date", "order_date"),
        tables.text("Service", "service_name"),
        tables.money("Here", "amount_minor", currency=lambda _: currency),
        tables.money("There", "other_minor", currency=lambda _: currency),
        tables.computed("Other report", lambda row: f"#{row.other_report_id}"),
        tables.computed("Its period", lambda row: formats.days(row.other_start, row.other_end)),
    ]


def draw(read: Reader, report: Report) -> None:
    _versions(read, report)
    _difference(read, report)


def billed_twice(read: Reader, report: Report) -> None:
    """The charges that stand on another current report of this customer as well, if there are any."""
    twice = read.plain(overlaps.of, report)
    if not twice:
        return
    st.warning(
        f"Charges of this report are on other current reports as well, {formats.counted(twice.charge_count, 'time')} "
        f"({formats.money(twice.amount_minor, report.currency)} there). Bill each of these orders once.",
        icon=":material/content_copy:",
        title="Orders billed twice",
    )
    with st.expander("Which orders", key=f"billed_twice_{report.id}", on_change="rerun") as twice_list:
        if not twice_list.open:
            return
        skipped = tables.pager(twice.charge_count, key="billed_twice_page", noun="charge", size=SIZE, of=report.id)
        rows = read.plain(overlaps.page, report, limit=SIZE, offset=skipped)
        tables.show(
            rows,
            [
                *overlap_columns(report.currency),
                tables.link("Open", lambda row: f"/reports?report={row.other_report_id}"),
            ],
            key="billed_twice",
            alt="Charges that stand on two current reports",
        )


def _versions(read: Reader, report: Report) -> None:
    versions = read.plain(queries.versions, report)
    if len(versions) < 2:
        st.caption("This is the only version. Generating it again with unchanged data returns this report.")
        return
    zone = read.company.time_zone
    tables.show(
        versions,
        [
            tables.computed("Version", lambda row: f"v{row.version}" + (" (shown)" if row.id == report.id else "")),
            tables.money("Total", "total_minor"),
            tables.currency_of(),
            tables.count("Orders", "order_count"),
            tables.count("Questions", "question_count"),
            tables.instant("Created", "created_at", zone),
            tables.text("By", "created_by"),
        ],
        key="report_versions",
        alt="Versions of this report, the newest first",
        opens=_open,
    )


def _difference(read: Reader, report: Report) -> None:
    others = {
        "Previous version": read.plain(queries.previous_version, report),
        "Previous period": read.plain(queries.previous_period, report),
    }
    known = {name: other for name, other in others.items() if other is not None}
    if not known:
        st.caption("There is no earlier version or period to compare with.")
        return
    against = st.segmented_control(
        "Compare with", list(known), default=next(iter(known)), key=f"compare_{report.id}", required=True
    )
    before = known[against or next(iter(known))]
    comparison = read.plain(difference.between, before, report)
    then, now = (md(formats.money(one.total_minor, report.currency)) for one in (before, report))
    st.markdown(
        f"**{md(formats.change_of_money(comparison.total_minor, report.currency))}** against "
        f"report \\#{before.id} ({md(formats.period(before.period))}, version {before.version}): "
        f"{then} → {now}"
    )
    amounts = difference_columns(report.currency)
    st.markdown("**By service**")
    tables.show(
        read.plain(difference.services, before, report),
        [tables.text("Service", "service_name"), *amounts],
        key="service_changes",
        alt="Differences by service",
    )
    st.markdown(f"**By order** ({formats.counted(comparison.order_count, 'order')} not the same)")
    if not comparison.orders:
        return
    kinds = {kind: count for kind, count in comparison.orders.items() if count}
    kind = st.pills(
        "Kind of change",
        list(kinds),
        format_func=lambda one: f"{WORDS[one]} ({formats.count(kinds[one])})",
        key=f"change_kind_{report.id}",
        label_visibility="collapsed",
    )
    count = kinds[kind] if kind else comparison.order_count
    skipped = tables.pager(count, key="changes_page", noun="order", size=SIZE, of=(report.id, kind))
    tables.show(
        read.plain(difference.orders, before, report, kind=kind, limit=SIZE, offset=skipped),
        [tables.text("Order", "order_number"), tables.day("Date", "order_date"), *amounts],
        key="order_changes",
        alt="Differences by order, the largest first",
    )


def _open(report: Report) -> None:
    st.query_params["report"] = str(report.id)
