"""Filters that live in the address, so that a link shows a colleague the same view; and views kept under a name."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

import streamlit as st

from billing_core.dates import EARLIEST_DAY, LATEST_DAY, Period, add_months, first_of_month, start_of_day, utc_now
from billing_core.identity import Actor
from billing_core.views import queries, service
from pages.ui import formats, messages
from pages.ui.context import transaction
from pages.ui.reads import Reader
from pages.ui.text import md

CUSTOM = "Custom"
_VIEW = "view_to_open"


def periods(today: date) -> dict[str, Period]:
    """The periods that people ask for by name."""
    this_quarter = Period.quarter_of(today)
    last_month = Period.last_month(today)
    return {
        "Last month": last_month,
        "This month": Period.month_of(today),
        "Last quarter": this_quarter.before(),
        "This quarter": this_quarter,
        "Last 12 months": Period(add_months(first_of_month(today), -12), last_month.end),
        "This year": Period(date(today.year, 1, 1), date(today.year, 12, 31)),
    }


def period(today: date, *, key: str, default: str = "Last month", label: str = "Period") -> Period:
    """A period by name or by its two days."""
    named = periods(today)
    from_view(key, default, lambda labels: labels[0] if labels[0] in (*named, CUSTOM) else default)
    choice = st.selectbox(
        label, [*named, CUSTOM], index=list(named).index(default), key=key, bind="query-params", width=190
    )
    if choice != CUSTOM:
        return named.get(choice, named[default])
    ordinary = (named[default].start, named[default].end)
    from_view(f"{key}_days", ordinary, lambda words: _days(words, EARLIEST_DAY, LATEST_DAY) or ordinary)
    days = st.date_input(
        "First and last day",
        value=ordinary,
        min_value=EARLIEST_DAY,
        max_value=LATEST_DAY,
        key=f"{key}_days",
        bind="query-params",
        width=250,
        format=formats.day_form(),
    )
    if not isinstance(days, tuple) or len(days) != 2:
        st.info("Choose the last day of the period as well.", icon=":material/date_range:")
        st.stop()
    return Period(*days)


def choose(key: str, days: Period) -> None:
    """In a callback: set the filter of this key to exactly these days."""
    st.session_state[key] = CUSTOM
    st.session_state[f"{key}_days"] = (days.start, days.end)


def known_at(today: date, zone: str, *, key: str) -> datetime | None:
    """The end of the day as of which figures are asked for; None for now."""
    from_view(key, None, lambda words: next(iter(_days(words, EARLIEST_DAY, today)), None))
    chosen = st.date_input(
        "As known on",
        value=None,
        max_value=today,
        min_value=EARLIEST_DAY,
        key=key,
        bind="query-params",
        width=170,
        help="Every figure as it was known at the end of that day. Empty: as known now.",
        format=formats.day_form(),
    )
    if chosen is None or chosen >= today:
        return None
    return start_of_day(zone, chosen + timedelta(days=1))


def search(label: str, *, key: str, page_key: str, placeholder: str) -> str:
    from_view(key, "", lambda labels: labels[0])
    text = st.text_input(
        label,
        key=key,
        type="search",
        bind="query-params",
        placeholder=placeholder,
        on_change=first_page,
        args=(page_key,),
        width=200,
    )
    return (text or "").strip()


def choice(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    page_key: str,
    names: Mapping[str, str] | None = None,
    every: str = "All",
    width: int = 130,
) -> str:
    """One of the options, or "" for all of them."""
    shown = {"": every, **(names or {option: option for option in options})}
    from_view(key, "", lambda labels: called(shown, labels[0], ""))
    chosen = st.selectbox(
        label,
        ["", *options],
        key=key,
        bind="query-params",
        format_func=lambda option: shown.get(option, option),
        on_change=first_page,
        args=(page_key,),
        width=width,
    )
    return chosen or ""


def tabs(key: str, counts: Mapping[str, str], *, page_key: str) -> str:
    """One of the tabs, the first of which has everything; each shows its count.

    Not bound to the address as other filters are: that would write the count into it.
    """
    everything, in_address = next(iter(counts)), st.query_params.get(key, "")
    st.session_state.setdefault(key, in_address if in_address in counts else everything)
    tab = st.segmented_control(
        "Status",
        list(counts),
        format_func=lambda one: f"{formats.words(one)} {counts[one]}",
        key=key,
        required=True,
        on_change=first_page,
        args=(page_key,),
        label_visibility="collapsed",
        wrap=True,
    )
    if tab is None or tab == everything:
        st.query_params.pop(key, None)
    elif tab != in_address:
        st.query_params[key] = tab
    return tab or everything


def one_of(
    label: str,
    names: Mapping[int, str],
    *,
    key: str,
    page_key: str,
    every: str,
    width: Literal["stretch"] | int = "stretch",
) -> int | None:
    """One of the things with these ids, or None for all of them."""
    from_view(key, None, lambda labels: called(names, labels[0], None))
    return st.selectbox(
        label,
        [None, *names],
        format_func=lambda one: every if one is None else names.get(one, str(one)),
        key=key,
        bind="query-params",
        on_change=first_page,
        args=(page_key,),
        width=width,
    )


def day(
    label: str,
    *,
    key: str,
    page_key: str,
    help: str | None = None,  # noqa: A002
    last: date = LATEST_DAY,
    width: Literal["stretch"] | int = "stretch",
) -> date | None:
    """A day, or None where none is chosen."""
    from_view(key, None, lambda words: next(iter(_days(words, EARLIEST_DAY, last)), None))
    return st.date_input(
        label,
        value=None,
        min_value=EARLIEST_DAY,
        max_value=last,
        key=key,
        bind="query-params",
        help=help,
        on_change=first_page,
        args=(page_key,),
        width=width,
        format=formats.day_form(),
    )


def several(label: str, names: Mapping[int, str], *, key: str, placeholder: str) -> tuple[int, ...]:
    """Any of the things with these ids; none chosen means all."""
    return tuple(
        st.multiselect(
            label,
            list(names),
            key=key,
            bind="query-params",
            format_func=lambda one: names.get(one, str(one)),
            placeholder=placeholder,
        )
    )


def order(orderings: Mapping[str, str], default: str, *, key: str, page_key: str) -> str:
    """How the table is sorted, in SQL."""
    # The default comes first, not by its index: an index would clash with what a click on a column's head sets.
    options = [default, *(option for option in orderings if option != default)]
    from_view(key, default, lambda labels: called(orderings, labels[0], default))
    chosen = st.selectbox(
        "Sort by",
        options,
        key=key,
        bind="query-params",
        format_func=lambda option: orderings.get(option, option),
        on_change=first_page,
        args=(page_key,),
        width=130,
    )
    return chosen if chosen in orderings else default


def from_view(key: str, default: Any, value: Callable[[list[str]], Any]) -> None:
    """Before the filter of this key is drawn: set it to what the view says that somebody has just opened.

    ``value`` makes of the address's words what the widget holds; a filter that the view leaves out gets its default.
    """
    if (view := st.session_state.get(_VIEW)) is not None:
        st.session_state[key] = value(view[key]) if key in view else default


def _days(words: list[str], first: date, last: date) -> tuple[date, ...]:
    """The days that an address names, without those that the filter does not take."""
    try:
        return tuple(day for word in words if first <= (day := date.fromisoformat(word)) <= last)
    except ValueError:
        return ()


def called(names: Mapping[Any, str], label: str, default: Any) -> Any:
    """What has this name, or the default where nothing has."""
    return next((option for option, name in names.items() if name == label), default)


def first_page(page_key: str) -> None:
    """Another choice of rows starts at its first page."""
    if page_key in st.session_state:
        st.session_state[page_key] = 1


def distinct(named: Sequence[tuple[int, str]]) -> dict[int, str]:
    """Names to choose from; two things of the same name are told apart by their ids."""
    counts: dict[str, int] = {}
    for _, name in named:
        counts[name] = counts.get(name, 0) + 1
    return {identity: name if counts[name] == 1 else f"{name} ({identity})" for identity, name in named}


def saved_views(read: Reader, actor: Actor, page: str, page_key: str | None = None) -> None:
    """A menu of the person's own views of this page. Drawn after the filters: an opened view has reached them all."""
    st.session_state.pop(_VIEW, None)
    with st.popover("Views", icon=":material/bookmark:"):
        for view in read(queries.of_page, page):
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                # No link: on the page that is open the filters would keep their values and clear the address again.
                st.button(
                    md(view.name),
                    key=f"open_view_{view.id}",
                    type="tertiary",
                    icon=":material/filter_alt:",
                    on_click=_open_view,
                    args=(view.query, page_key),
                )
                if st.button("Remove", key=f"forget_{view.id}", type="tertiary", icon=":material/delete:"):
                    with transaction() as session:
                        service.remove(session, actor, view.id, now=utc_now())
                    st.rerun()
        with st.form(f"save_view_{page}", border=False, clear_on_submit=True):
            name = st.text_input(
                "Save these filters as", max_chars=service.LONGEST_NAME, placeholder="Name of the view"
            )
            submitted = st.form_submit_button("Save view", icon=":material/bookmark_add:")
        if submitted:
            query = urlencode([(key, value) for key in st.query_params for value in st.query_params.get_all(key)])
            with transaction() as session:
                service.save(session, actor, page, name=name, query=query, now=utc_now())
            messages.say(
                "Saved. To share it, send the page's address: it holds the filters.", icon=":material/bookmark:"
            )
            st.rerun()


def _open_view(query: str, page_key: str | None) -> None:
    st.session_state[_VIEW] = parse_qs(query, keep_blank_values=True)
    if page_key is not None:
        first_page(page_key)
