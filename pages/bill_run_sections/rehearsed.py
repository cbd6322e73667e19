"""What a rehearsal says: what would be made, what changed since the period before, by customer; then the real run."""

from functools import partial

import streamlit as st

from billing_core.bill_runs import legal_content, progress, rehearsal
from billing_core.bill_runs.models import RunGoal, RunSource
from billing_core.bill_runs.progress import Progress
from billing_core.bill_runs.rehearsal import Change, Compared, CurrencyTotal
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from pages.bill_run_sections import one_preview, starting, wording
from pages.ui import address, context, formats, tables
from pages.ui.inputs import filters
from pages.ui.reads import Reader
from pages.ui.text import md

_PAGE_KEY = "rehearsed_page"
_LOOK = "preview_to_open"


def draw(read: Reader, actor: Actor, run: Progress) -> None:
    with context.reading() as session:
        totals = rehearsal.totals(session, actor, run.run_id, now=utc_now())
        counts = rehearsal.counts(session, actor, run.run_id, now=utc_now())
    before = formats.period(run.period.before())
    _totals(run, totals, counts, before)
    _warnings(run, counts)
    starting.warn_of_lacking(actor, read(legal_content.of_run, run.run_id))
    if goals := [goal for goal in starting.possible(actor, run.source) if goal is not RunGoal.REHEARSAL]:
        with st.container(border=True):
            label = "**Start the real run** with the same choices"
            starting.draw(read, actor, _same(actor, run), goals=goals, key="real", label=label)
    st.markdown(f"**By customer**, compared with {md(before)}, the largest change first")
    change = _filter(counts)
    total = sum(counts.values()) if change is None else counts.get(change, 0)
    skipped = tables.pager(total, key=_PAGE_KEY, noun="customer", of=run.run_id)
    with context.reading() as session:
        rows = rehearsal.page(
            session, actor, run.run_id, change=change, limit=tables.PAGE_SIZE, offset=skipped, now=utc_now()
        )
    # As on a run's page: whoever failed has a sentence to be read, and no figures.
    _table(actor, run, rows, before, failed_alone=change is Change.OPEN)


def _totals(run: Progress, totals: list[CurrencyTotal], counts: dict[Change, int], before: str) -> None:
    """What it comes to, beside the period before; and what somebody should look at."""
    if not totals:
        st.info("Nobody has anything to bill in this period.", icon=":material/info:")
    with st.container(horizontal=True, gap="medium"):
        for total in totals:
            st.metric(
                f"Would be billed, {total.currency}",
                formats.amount(total.total_minor, total.currency),
                formats.change(total.difference_minor, total.currency),
                delta_color="off",
                delta_description=f"against {formats.amount(total.previous_total_minor, total.currency)} in {before}",
                width="content",
            )
            for label, minor in _late_usage(total).items():
                st.metric(f"{label}, {total.currency}", formats.amount(minor, total.currency), width="content")
    with st.container(horizontal=True, gap="medium"):
        customers = {"New customers": counts.get(Change.NEW, 0), "Missing": counts.get(Change.MISSING, 0)}
        for label, count in (wording.counts(run) | customers).items():
            st.metric(label, formats.count(count), width="content")


def _late_usage(total: CurrencyTotal) -> dict[str, int]:
    """What came late for earlier periods, where anything did, and what all invoices together come to with it."""
    late = {"Late usage": total.late_minor, "On invoices": total.on_invoices_minor} if total.late_minor else {}
    return late | ({"Would be credited": total.credited_minor} if total.credited_minor else {})


def _warnings(run: Progress, counts: dict[Change, int]) -> None:
    if unbilled := counts.get(Change.UNBILLED):
        have = "has orders and comes" if unbilled == 1 else "have orders and come"
        st.warning(
            f"{formats.counted(unbilled, 'customer')} {have} to 0: rates are missing on “Rate cards”.",
            icon=":material/price_change:",
        )
    if run.twice:
        st.warning(
            f"{formats.counted(run.twice, 'charge')} would be billed twice: on another current report of an "
            "overlapping period as well. The details of each customer say which.",
            icon=":material/content_copy:",
        )


def _same(actor: Actor, run: Progress) -> starting.Chosen:
    """What this run was over."""
    with context.reading() as session:
        chosen = None if run.all_customers else tuple(progress.customer_ids(session, actor, run.run_id))
    return starting.Chosen(chosen, run.period, run.service_ids, run.source)


def _filter(counts: dict[Change, int]) -> Change | None:
    """One kind of change alone, of those that there are."""
    names = {change.value: words for change, words in wording.CHANGES.items() if counts.get(change)}
    label = "Kind of change"
    address.read("rehearsed_change", label, partial(address.called, names), None, sets=True)
    chosen = st.pills(
        label,
        list(names),
        format_func=lambda one: names.get(one, one),
        key="rehearsed_change",
        bind="query-params",
        on_change=filters.first_page,
        args=(_PAGE_KEY,),
        label_visibility="collapsed",
    )
    address.stop_in_doubt()
    return Change(chosen) if chosen else None


def _table(actor: Actor, run: Progress, rows: list[Compared], before: str, *, failed_alone: bool) -> None:
    columns = [tables.text("Customer", "customer_name", width="medium")]
    if not failed_alone:
        columns += _figures(run, rows, before)
    if run.source is RunSource.ORDERS:
        if actor.may(Permission.REPORT_GENERATE):
            columns += [tables.button("Details", _look, opens=partial(_choose, run), width=70)]
        columns += [tables.button("Report before", _earlier, opens=_open_earlier, width=105)]
    if any(row.reason for row in rows):
        columns += [tables.computed("Note", lambda row: formats.with_days(row.reason), width="large")]
    tables.show(
        rows,
        columns,
        key="rehearsed",
        alt="What would be made for each customer, and how it differs from the period before",
    )
    chosen = st.session_state.pop(_LOOK, None)
    if chosen is not None:
        one_preview.dialog(*chosen)


def _figures(run: Progress, rows: list[Compared], before: str) -> list[tables.Column]:
    return [
        tables.badge("Change", lambda row: wording.CHANGES[row.change], wording.CHANGE_COLORS),
        tables.money("Total", "total_minor", width=105),
        tables.computed(before, _previous, right=True, width=125),
        tables.computed("Difference", _difference, right=True, width=105),
        *wording.late_usage(rows),
        tables.computed("Currency", lambda row: row.currency or row.previous_currency, width=70),
        *([tables.count("Orders", "order_count")] if run.source is RunSource.ORDERS else []),
        tables.count("Questions", "question_count"),
        *([tables.count("Billed twice", "twice_count")] if run.twice else []),
    ]


def _previous(row: Compared) -> str:
    if row.previous_total_minor is None or row.previous_currency is None:
        return formats.NOTHING
    if row.change is Change.OTHER_CURRENCY:
        return formats.money(row.previous_total_minor, row.previous_currency)
    return formats.amount(row.previous_total_minor, row.previous_currency)


def _difference(row: Compared) -> str:
    currency = row.currency or row.previous_currency
    if row.difference_minor is None or currency is None:
        return formats.NOTHING
    return formats.change(row.difference_minor, currency)


def _look(row: Compared) -> str | None:
    return None if row.change is Change.MISSING else "Look"


def _choose(run: Progress, row: Compared) -> None:
    st.session_state[_LOOK] = (run, row.customer_id)


def _earlier(row: Compared) -> str | None:
    return None if row.previous_report_id is None else f":material/open_in_new: {row.previous_report_id}"


def _open_earlier(row: Compared) -> None:
    st.query_params["report"] = str(row.previous_report_id)
