"""Organizations with their month: calls, what is included, what lies over it, the cost, and what will become of it."""

from dataclasses import asdict

import streamlit as st

from billing_core.dates import Period
from billing_core.identity import Actor, Permission
from billing_core.plans import listing as plans
from billing_core.usage import exceeding, overview
from billing_core.usage.overview import Allowance, Month, OverviewFilter
from pages.ui import downloads, formats, opened, reading_on, tables
from pages.ui.colors import Color
from pages.ui.inputs import filters, usage_months
from pages.ui.reads import Reader
from pages.usage_sections import wording

_KEY = "usage"
PAGE_KEY, SORT_KEY = "usage_page", "usage_sort"
_STATES: dict[str, Color] = {"Exceeded": "orange", "Will exceed": "yellow", "No price": "red"}
_ALLOWANCES = {Allowance.EXCEEDED: "Exceeded", Allowance.WILL_EXCEED: "Will exceed"}


def draw(read: Reader, actor: Actor) -> None:
    today = read.today
    chosen, allowance = _filters(read, actor)
    present = chosen.period.end >= today
    total = read(overview.count, chosen)
    if total == 0:
        _nothing(read, actor, chosen.period)
        return
    if allowance:
        place = reading_on.place(_KEY, (chosen, allowance), 0)
        found = read(exceeding.page, chosen, allowance, today=today, start=place, limit=tables.PAGE_SIZE)
        rows = found.months
        _looked_at((chosen, allowance), place, found.following, total, len(rows))
        if not rows:
            st.info(f"None of these: {_ALLOWANCES[allowance].lower()}.", icon=":material/filter_alt_off:")
            return
    else:
        place = tables.pager(total, key=PAGE_KEY, noun="organization", sorts_whole=True)
        rows = read(overview.page, chosen, today=today, limit=tables.PAGE_SIZE, offset=place)
    tables.show(
        rows,
        _columns(present),
        key=f"usage_{place}",
        alt=f"Usage of organizations in {formats.period(chosen.period)}",
        order_key=SORT_KEY,
    )
    st.caption(
        "Months are counted in the days of each organization's billing zone, as invoices are."
        + (f" {wording.METHOD}" if present else "")
    )
    if actor.may(Permission.EXPORT):
        st.link_button(
            "List as CSV",
            downloads.address("usage.csv", **asdict(chosen), allowance=allowance),
            icon=":material/download:",
        )


def _looked_at(of: object, place: int, following: int | None, total: int, shown: int) -> None:
    """How far was looked for those that match, and the way on."""
    end = total if following is None else min(following, total)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        looked = (
            f"{formats.count(place + 1)}–{formats.count(end)} of {formats.counted(total, 'organization')} looked at"
        )
        st.caption(f"{formats.counted(shown, 'organization')} shown, {looked}", width="content")
        with st.container(horizontal=True, width="content"):
            reading_on.buttons(_KEY, of, following=end if end < total else None, onward="Look further")


def _filters(read: Reader, actor: Actor) -> tuple[OverviewFilter, Allowance | None]:
    with filters.row():
        text = filters.search("Search", key="usage_text", page_key=PAGE_KEY, placeholder="Name, key, e-mail or city")
        period = usage_months.choose(read, page_key=PAGE_KEY)
        plan = filters.choice("Plan", read(plans.codes), key="usage_plan", page_key=PAGE_KEY, every="All plans")
        allowance = filters.choice(
            "Allowance",
            [one.value for one in _ALLOWANCES],
            key="usage_allowance",
            page_key=PAGE_KEY,
            names={one.value: name for one, name in _ALLOWANCES.items()},
            every="All",
        )
        order = filters.order(tables.orderings(_columns(present=True)), "name", key=SORT_KEY, page_key=PAGE_KEY)
        filters.saved_views(read, actor, "usage", PAGE_KEY)
    return OverviewFilter(period.start, text=text, plan=plan, order_by=order), Allowance(
        allowance
    ) if allowance else None


def _columns(present: bool) -> list[tables.Column]:
    columns = [
        tables.button("Open", lambda _: ":material/open_in_new: usage", opens=_open, width=84),
        tables.text("Organization", "name", order="name", width=150),
        # In a narrow window the amounts come before what can be scrolled to.
        tables.count("Calls", "calls", order="calls"),
        tables.count("Included", "included_calls", help="In the whole month, by the plan"),
        tables.count("Over", "overage_calls", help="Calls beyond what each part of the month includes"),
        tables.money("Cost so far" if present else "Cost", "cost", help="Of the calls beyond what is included"),
        tables.currency_of(),
        tables.text("Plan", "plan", order="plan"),
        tables.badges("Allowance", _states, _STATES),
    ]
    if present:
        columns += [
            tables.computed("Forecast", wording.forecast, right=True, help="Calls in the whole month"),
            tables.computed("Range", wording.forecast_range, right=True, help="Right in each of the past months"),
            tables.day("Used up on", "exceeded_on", help="The first day beyond what is included, also an expected one"),
        ]
    return columns


def _states(month: Month) -> list[str]:
    return [
        *(["No price"] if month.questions else []),
        *([_ALLOWANCES[month.exceeds]] if month.exceeds else []),
    ]


def _open(month: Month) -> None:
    st.query_params["organization"] = str(month.organization.customer_id)


def _nothing(read: Reader, actor: Actor, period: Period) -> None:
    if read(overview.count, OverviewFilter(period.start)):
        st.info(
            "No organization matches these filters. Clear the search, or choose all plans and allowances.",
            icon=":material/filter_alt_off:",
        )
        return
    st.info(
        f"Nobody used anything in {formats.period(period)}, and nobody was on a plan. Programs send usage events to "
        "`POST /api/v1/usage/events`; files of them are imported.",
        icon=":material/data_usage:",
    )
    if actor.may(Permission.IMPORT) and st.button("Import a file of events", icon=":material/upload_file:"):
        opened.go_to("imports.py")
