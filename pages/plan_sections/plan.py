"""One plan: its versions, who is on it, putting an organization on it and taking one off."""

from datetime import date

import streamlit as st

from billing_core.dates import EARLIEST_DAY, LATEST_DAY, Period, add_months, first_of_month, utc_now
from billing_core.identity import Actor, Permission
from billing_core.plans import listing, queries, service
from billing_core.plans.listing import SubscriberRow, VersionRow
from billing_core.subscriptions.overview import search
from pages.plan_sections import agreed, comparison, costs, moves, prices, terms, wording
from pages.plan_sections.versions import choose
from pages.ui import formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import customer_names, filters, parts
from pages.ui.reads import Reader
from pages.ui.text import md

PAGE_KEY = "plan_customers_page"
_ASKED = "plan_customer_to_take_off"
TERMS, COSTS, COMPARISON = "Versions and organizations", "What it costs", "What a month would have cost"
MOVES = "Moves"


def draw(read: Reader, actor: Actor, code: str) -> None:
    opened.back("All plans", "plan")
    versions = read(listing.versions, code, day=read.today)
    latest = versions[0]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(md(latest.name), anchor=False, width="content")
        if actor.may(Permission.PLAN_WRITE):
            with st.container(horizontal=True, width="content"):
                if st.button("New version", icon=":material/edit:", key="new_version"):
                    terms.new_version(latest)
                if st.button("Put an organization on it", type="primary", icon=":material/person_add:", key="put_on"):
                    _put_on(latest)
    _facts(read, actor, versions)
    names = [TERMS, COSTS, *([COMPARISON] if actor.may(Permission.USAGE_READ) else [])]
    names += [MOVES] if actor.may(Permission.SUBSCRIPTION_READ) else []
    tabs = parts.tabs(names, key="plan_tab")
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            if name == TERMS:
                _versions(read, versions)
                shown = latest if len(versions) == 1 else choose(versions, "Terms of", key="terms_version")
                agreed.draw(read, shown)
                prices.draw(read, actor, shown, latest)
                _subscribers(read, actor, latest)
            elif name == COSTS:
                costs.draw(read, versions)
            elif name == MOVES:
                moves.draw(read, actor, versions)
            else:
                comparison.draw(read, versions)


def _facts(read: Reader, actor: Actor, versions: list[VersionRow]) -> None:
    code = versions[0].code
    told = [md(code), f"{formats.counted(sum(row.customers for row in versions), 'organization')} on it today"]
    subscribed = read(search.on_plans, [code])[code] if actor.may(Permission.SUBSCRIPTION_READ) else 0
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(" · ".join(told), width="content")
        if subscribed:
            st.page_link(
                "subscriptions.py",
                label=formats.counted(subscribed, "subscription"),
                icon=":material/event_repeat:",
                query_params={"subscriptions_plan": code},
            )


def _versions(read: Reader, versions: list[VersionRow]) -> None:
    st.subheader("Versions", anchor=False)
    tables.show(
        versions,
        [
            tables.count("Version", "number"),
            *wording.columns(),
            tables.instant("Made", "created_at", read.company.time_zone),
            tables.count("Organizations", "customers", help="On this version today"),
        ],
        key="plan_versions",
        alt=f"Versions of {versions[0].name}, the latest first",
    )


def _subscribers(read: Reader, actor: Actor, latest: VersionRow) -> None:
    st.subheader("Organizations on it", anchor=False)
    may_write = actor.may(Permission.PLAN_WRITE)
    with filters.row():
        text = filters.search(
            "Search", key="plan_customers_text", page_key=PAGE_KEY, placeholder="Name, key, e-mail or city"
        )
    total = read(listing.subscriber_count, latest.code, day=read.today, text=text)
    if total == 0:
        st.info(
            "No organization on this plan matches the search." if text else "No organization is on this plan today.",
            icon=":material/info:",
        )
        return
    skipped = tables.pager(total, key=PAGE_KEY, noun="organization", of=latest.code)
    tables.show(
        read(listing.subscribers, latest.code, day=read.today, text=text, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.button("Open", lambda _: ":material/open_in_new: usage", opens=_open_usage, width=84),
            tables.text("Organization", "name"),
            tables.text("Key", "ref"),
            tables.currency_of(),
            tables.count("Version", "version"),
            tables.day("Since", "valid_from"),
            tables.day("Until", "last_day", help="Where it is on another plan afterwards, or on none"),
            *([tables.button("Take off", lambda _: "Take off", opens=_ask, width=84)] if may_write else []),
        ],
        key=f"plan_customers_{skipped}",
        alt=f"Organizations on {latest.name}",
    )
    asked: SubscriberRow | None = st.session_state.pop(_ASKED, None)
    if asked is not None:
        _take_off(asked)


def _ask(row: SubscriberRow) -> None:
    st.session_state[_ASKED] = row


def _open_usage(row: SubscriberRow) -> None:
    st.switch_page("usage.py", query_params={"organization": str(row.customer_id)})


@st.dialog("Put an organization on the plan", icon=":material/person_add:")
def _put_on(latest: VersionRow) -> None:
    actor = signed_in()
    read = Reader(actor)
    st.markdown(
        f"It gets version {latest.number} of **{md(latest.name)}** from that day on, until it is put on another plan. "
        "Days that are billed already keep what they were billed by."
    )
    names = customer_names.offered(read, key="put_on_customer", active_only=True)
    customer_id = st.selectbox(
        "Organization",
        list(names),
        index=None,
        format_func=lambda one: names.get(one, str(one)),
        placeholder=f"One that is billed in {latest.currency}",
        key="put_on_customer",
    )
    day = st.date_input(
        "From",
        first_of_month(read.today),
        min_value=EARLIEST_DAY,
        max_value=LATEST_DAY,
        key="put_on_from",
        required=True,
        width=170,
        format=formats.day_form(),
    )
    if st.button("Put it on the plan", type="primary", key="do_put_on", disabled=customer_id is None) and customer_id:
        _commit(actor, customer_id, names[customer_id], latest, day)


@st.dialog("Take an organization off all plans", icon=":material/person_remove:")
def _take_off(row: SubscriberRow) -> None:
    actor = signed_in()
    read = Reader(actor)
    st.markdown(
        f"From that day on **{md(row.name)}** is on no plan: nobody has agreed on a price for what it uses then, which "
        "is listed as a question until it is put on a plan again. Days that are billed already stay as they are."
    )
    day = st.date_input(
        "From",
        add_months(first_of_month(read.today), 1),
        min_value=EARLIEST_DAY,
        max_value=LATEST_DAY,
        key="take_off_from",
        required=True,
        width=170,
        format=formats.day_form(),
    )
    for part in read.plain(queries.on_plan, row.customer_id, Period(day, LATEST_DAY)):
        later = "" if part.first_day == day else f", on which it was to be from {formats.day(part.first_day)}"
        st.caption(f"No longer on {md(part.version.name)}, version {part.version.number}{later}.")
    if st.button("Take it off", type="primary", icon=":material/person_remove:", key="do_take_off"):
        with attempt(f"{row.name} is on no plan from {formats.day(day)}") as session:
            service.take_off(session, actor, row.customer_id, valid_from=day, now=utc_now())


def _commit(actor: Actor, customer_id: int, name: str, latest: VersionRow, day: date) -> None:
    with attempt(f"{name} is on {latest.name} from {formats.day(day)}") as session:
        service.put_on(session, actor, customer_id, latest.code, valid_from=day, now=utc_now())
