"""Filters that live in the address, so that a link shows a colleague the same view; and views kept under a name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

import streamlit as st

from billing_core.dates import EARLIEST_DAY, LATEST_DAY, Period, add_months, first_of_month, start_of_day, utc_now
from billing_core.identity import Actor
from billing_core.views import queries, service
from pages.ui import address, formats, messages
from pages.ui.context import transaction
from pages.ui.reads import Reader
from pages.ui.text import md

CUSTOM = "Custom"
NEWEST = "Newest month"
_VIEW = "view_to_open"


@contextmanager
def row(alignment: Literal["top", "center", "bottom"] = "bottom") -> Iterator[None]:
    """A row of filters. Where one of them was asked for what it does not know, that is said below it, and the script
    stops: nothing is shown in the place of what was asked for.
    """
    with st.container(horizontal=True, vertical_alignment=alignment):
        yield
    address.stop_in_doubt()


def ask(key: str, label: str, default: Any, reading: Callable[[tuple[str, ...]], Any], *, sets: bool = False) -> None:
    """Before the filter of this key is drawn: read what the address, or a view that somebody has just opened, says.

    ``reading`` makes of its words what the filter holds; one that the view leaves out gets its default.
    """
    if (view := st.session_state.get(_VIEW)) is None:
        address.read(key, label, reading, default, sets=sets)
        return
    address.looked_at(key)
    given = tuple(word for word in view.get(key, ()) if word)
    try:
        st.session_state[key] = reading(given) if given else default
    except ValueError as reason:
        st.session_state[key] = default
        address.doubt(key, label, str(reason), default)


def in_order(first: date | None, last: date | None, label: str, *, key: str) -> None:
    """Two days between which rows are asked for: no row is between them where the second comes first."""
    if first and last and first > last:
        address.refuse(key, f"{label}: the first day, {formats.day(first)}, is after the last, {formats.day(last)}")


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


def period(
    today: date, *, key: str, default: str = "Last month", label: str = "Period", newest: Period | None = None
) -> Period:
    """A period by name or by its two days. ``newest``: the month that is proposed, since it is the newest that has what
    the page is about.
    """
    named = periods(today)
    if newest is not None:
        named, default = {NEWEST: newest, **named}, NEWEST
    ask(key, label, default, partial(address.called, {one: one for one in (*named, CUSTOM)}))
    choice = st.selectbox(
        label, [*named, CUSTOM], index=list(named).index(default), key=key, bind="query-params", width=190
    )
    days_label = "First and last day"
    if choice != CUSTOM:
        address.unread(f"{key}_days", days_label, f"it counts with {label} = {CUSTOM} alone")
        return named.get(choice, named[default])
    ordinary = (named[default].start, named[default].end)
    ask(f"{key}_days", days_label, ordinary, partial(address.two_days, EARLIEST_DAY, LATEST_DAY))
    days = st.date_input(
        days_label,
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
    if address.in_doubt(f"{key}_days"):
        return Period(*ordinary)
    return Period(*days)


def choose(key: str, days: Period) -> None:
    """In a callback: set the filter of this key to exactly these days."""
    st.session_state[key] = CUSTOM
    st.session_state[f"{key}_days"] = (days.start, days.end)


def known_at(today: date, zone: str, *, key: str) -> datetime | None:
    """The end of the day as of which figures are asked for; None for now."""
    label = "As known on"
    ask(key, label, None, partial(address.day, EARLIEST_DAY, today))
    chosen = st.date_input(
        label,
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
    ask(key, label, "", address.text)
    text = st.text_input(
        label,
        key=key,
        type="search",
        max_chars=address.LONGEST,
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
    ask(
        key,
        label,
        "",
        partial(address.called, {option: shown.get(option, option) for option in ("", *options)}),
        sets=True,
    )
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
    read_tab(key, counts)
    everything, in_address = next(iter(counts)), next(iter(address.words(key)), "")
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
    address.stop_in_doubt()
    if tab is None or tab == everything:
        st.query_params.pop(key, None)
    elif tab != in_address:
        st.query_params[key] = tab
    return tab or everything


def read_tab(key: str, names: Iterable[str]) -> None:
    """What the address, or a view just opened, says of the tabs. For a page whose tabs are drawn behind its filters:
    the menu of views stands there.
    """
    options = list(names)
    ask(key, "Status", options[0], partial(address.called, {option: option for option in options}))


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
    ask(key, label, None, partial(address.called, {None: every, **names}), sets=True)
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
    ask(key, label, None, partial(address.day, EARLIEST_DAY, last))
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


def month(label: str, names: Mapping[str, str], *, key: str, page_key: str = "", usual: str = "") -> date:
    """The first day of one of the months with these names, such as ``2026-03``; by default ``usual``, or the first.

    Not bound to the address as other filters are: that would write into it what the month is called, and a link has to
    mean the same for whoever reads it in another language.
    """
    usual = usual or next(iter(names))

    def reading(given: tuple[str, ...]) -> Any:
        st.session_state[key] = address.called(names, given)
        return st.session_state[key]

    ask(key, label, usual, reading)
    chosen: str = st.selectbox(
        label,
        list(names),
        index=list(names).index(usual),
        format_func=lambda one: names.get(one, one),
        key=key,
        on_change=first_page if page_key else None,
        args=(page_key,) if page_key else (),
        width=215,
    )
    if not address.in_doubt(key):
        if chosen == usual:
            st.query_params.pop(key, None)
        elif address.words(key) != (chosen,):
            st.query_params[key] = chosen
        address.looked_at(key)
    return date.fromisoformat(f"{chosen}-01")


def several(label: str, names: Mapping[int, str], *, key: str, placeholder: str) -> tuple[int, ...]:
    """Any of the things with these ids; none chosen means all."""
    ask(key, label, [], partial(address.all_called, names))
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
    ask(key, "Sort by", default, partial(address.called, orderings), sets=True)
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


def first_page(page_key: str) -> None:
    """Another choice of rows starts at its first page."""
    if page_key and page_key in st.session_state:
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
            query = urlencode(address.everything())
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
