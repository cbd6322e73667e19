"""The subscriptions that match, filtered, paged and summed in SQL."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import streamlit as st

from billing_core.dates import day_in
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.money import Money
from billing_core.plans import listing as plans
from billing_core.subscriptions.overview import search
from billing_core.subscriptions.overview.figures import MONTHLY_RECURRING
from billing_core.subscriptions.overview.search import ListedSubscription, SubscriptionFilter, Tab
from billing_core.subscriptions.upkeep import asking as to_mail
from pages.subscription_sections import asking, wording
from pages.ui import downloads, formats, tables
from pages.ui.figures import cards
from pages.ui.figures.cards import Card
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader

_LINK, _CARD = "subscription_to_mail_a_link", "subscription_to_ask_for_a_card"
PAGE_KEY, SORT_KEY, TAB_KEY = "subscriptions_page", "subscriptions_sort", "subscriptions_tab"
# Of more than these the count shows a plus, and their sum is left out.
_COUNTED = 20_000
_ORDERS = {
    "-created_at": "Newest first",
    "created_at": "Oldest first",
    "next_at": "Next event first",
    "customer_name": "Customer ↑",
    "-customer_name": "Customer ↓",
}


def draw(read: Reader, actor: Actor) -> None:
    if not read(search.page, SubscriptionFilter(), limit=1):
        _none_yet(read, actor)
        return
    _figures(read)
    place = st.container()
    # Before the filters: behind them stands the menu of views, which one may just have been opened from.
    filters.read_tab(TAB_KEY, [tab.value for tab in Tab])
    wanted = _filters(read, actor)
    counts = read(search.counts, wanted, at_most=_COUNTED)
    with place:
        shown = {tab.value: f"{formats.count(count)}{'+' * (count == _COUNTED)}" for tab, count in counts.items()}
        tab = Tab(filters.tabs(TAB_KEY, shown, page_key=PAGE_KEY))
    wanted = replace(wanted, tab=tab)
    if not counts[tab]:
        _nothing(wanted)
        return
    total = counts[tab] if counts[tab] < _COUNTED else read(search.count, wanted)
    if tab is not Tab.CANCELED and total < _COUNTED:
        st.caption(_worth(read, wanted))
    skipped = tables.pager(total, key=PAGE_KEY, noun="subscription")
    rows = read(search.page, wanted, limit=tables.PAGE_SIZE, offset=skipped)
    shown_columns = columns(read.company.time_zone, _open)
    shown_columns[2:2] = _to_ask(read, actor, tab, rows)
    tables.show(rows, shown_columns, key=f"subscriptions_{tab}_{skipped}", alt="Subscriptions")
    for key, mail in ((_LINK, asking.mail_link), (_CARD, asking.mail_card_address)):
        if (asked := st.session_state.pop(key, None)) is not None:
            mail(asked)
    if actor.may(Permission.EXPORT):
        facts = asdict(wanted)
        st.link_button("List as CSV", downloads.address("subscriptions.csv", **facts), icon=":material/download:")


def _figures(read: Reader) -> None:
    """What all of them bring."""
    shown = [Card(MONTHLY_RECURRING, Scope(), currency=read.company.currency)]
    cards.draw(shown, cards.values(read, shown), key="subscriptions")


def columns(
    zone: str, opens: Callable[[ListedSubscription], None], *, with_customer: bool = True
) -> list[tables.Column]:
    def opened(row: ListedSubscription) -> str:
        return f":material/open_in_new: {row.customer_name if with_customer else row.plan_name}"

    return [
        tables.button("Open", opened, opens=opens, width=180),
        tables.money("A month", "monthly_minor", width=95, help="At full prices, before promo codes, usage and tax"),
        tables.badges("Status", wording.states, wording.COLORS),
        *([tables.text("Plan", "plan_name", width=110)] if with_customer else []),
        tables.currency_of(),
        tables.computed("Next", lambda row: wording.next_event(row, zone), width=165),
        tables.computed("Paid by", lambda row: wording.card(row.card_brand, row.card_last4), width=115),
        tables.count("Seats", "seats"),
        tables.computed("Since", lambda row: formats.day(day_in(zone, row.created_at)), width=95),
    ]


def _to_ask(read: Reader, actor: Actor, tab: Tab, rows: Sequence[ListedSubscription]) -> list[tables.Column]:
    """Of what could not be charged, or soon cannot be: the next attempt, and one click that mails the customer."""
    if tab is Tab.PAST_DUE and actor.may(Permission.INVOICE_READ):
        attempts = read(to_mail.next_attempts, [row.id for row in rows])
        zone = read.company.time_zone
        again = tables.computed("Next attempt", lambda row: formats.instant(attempts.get(row.id), zone), width=150)
        mail = tables.button("Mail", lambda row: asking.LINK if row.id in attempts else None, opens=_link, width=120)
        return [mail, again] if asking.may_mail_links(actor) else [again]
    if tab is Tab.CARD_EXPIRES:
        last_day = tables.day("Card's last day", "card_expires_on")
        mail = tables.button("Mail", lambda _: asking.CARD, opens=_card, width=130)
        return [mail, last_day] if asking.may_ask_for_card(actor) else [last_day]
    return []


def _worth(read: Reader, wanted: SubscriptionFilter) -> str:
    """As the figure above counts it, and beside it what bills nothing now."""

    def summed(amounts: Sequence[Money]) -> str:
        return " · ".join(formats.money(one.minor, one.currency) for one in amounts if one.minor)

    found = read(search.worth_a_month, wanted)
    recurring, beside = summed(found.recurring), summed(found.beside)
    told = f"Worth {recurring} a month at full prices" if recurring else "Worth nothing a month now"
    return f"{told}, trials and paused ones another {beside}" if beside else told


def _link(row: ListedSubscription) -> None:
    st.session_state[_LINK] = row.id


def _card(row: ListedSubscription) -> None:
    st.session_state[_CARD] = row.id


def _open(row: ListedSubscription) -> None:
    st.query_params["subscription"] = str(row.id)


def _filters(read: Reader, actor: Actor) -> SubscriptionFilter:
    with filters.row():
        text = filters.search("Search", key="subscriptions_text", page_key=PAGE_KEY, placeholder="Customer or sub_…")
        customer = customer_names.filter_by(read, key="subscriptions_customer", page_key=PAGE_KEY)
        plan = filters.choice(
            "Plan", read(plans.codes), key="subscriptions_plan", page_key=PAGE_KEY, every="All plans", width=150
        )
        order = filters.order(_ORDERS, "-created_at", key=SORT_KEY, page_key=PAGE_KEY)
        filters.saved_views(read, actor, "subscriptions", PAGE_KEY)
    return SubscriptionFilter(customer_id=customer, plan=plan, text=text, order_by=order, today=read.today)


def _nothing(wanted: SubscriptionFilter) -> None:
    if replace(wanted, tab=Tab.ALL, order_by="", today=None) != SubscriptionFilter(order_by=""):
        st.info(
            "No subscription matches these filters. Clear one of them, or choose the tab “All”.",
            icon=":material/filter_alt_off:",
        )
    elif wanted.tab is not Tab.ALL:
        st.info(_EMPTY_TABS[wanted.tab], icon=":material/inbox:")


def _none_yet(read: Reader, actor: Actor) -> None:
    """And the next step."""
    if not actor.may(Permission.SUBSCRIPTION_WRITE):
        st.info("There are no subscriptions yet. An administrator creates them.", icon=":material/hourglass_empty:")
    elif read(plans.codes):
        st.info(
            "There are no subscriptions yet. Put a customer on a plan with “New subscription”: it is billed each "
            "period by itself.",
            icon=":material/event_repeat:",
        )
    else:
        st.info(
            "There are no subscriptions yet, and no plans to subscribe to. Create a plan first: then put a customer on "
            "it with “New subscription”, and it is billed each period by itself.",
            icon=":material/event_repeat:",
        )
        st.page_link("plans.py", label="Plans and meters", icon=":material/sell:")


_EMPTY_TABS = {
    Tab.TRIALING: "Nobody is in a trial.",
    Tab.ACTIVE: "No subscription is active.",
    Tab.PAST_DUE: "Every charge went through: nobody is past due.",
    Tab.CARD_EXPIRES: "Every card is good for a while.",
    Tab.ENDING: "No subscription is about to end.",
    Tab.HELD: "No subscription waits for a decision.",
    Tab.CANCELED: "No subscription was canceled.",
}
