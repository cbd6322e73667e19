"""The payment service's own books of a period beside ours: what agrees, and what only one side knows."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import Period, utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.reconciliation import balance_transactions, reconciliation
from billing_core.online_payments.reconciliation.balance_transactions import MARGIN
from billing_core.online_payments.reconciliation.reconciliation import Agreement, Kind, Pair, PairFilter, Sum
from pages.ui import collection_mode, context, downloads, formats, messages, tables
from pages.ui.inputs import filters
from pages.ui.reads import Reader
from pages.ui.text import md

PAGE_KEY, AGREEMENT_KEY, CURRENCY_KEY = "reconciliation_page", "reconciliation_agreement", "reconciliation_currency"
NAMES = {
    Agreement.MATCHED: ("Matched", "green"),
    Agreement.DIFFERENT: ("Different amount", "red"),
    Agreement.ONLY_HERE: ("Only here", "orange"),
    Agreement.ONLY_THERE: ("Only there", "red"),
    Agreement.OTHER: ("No payment", "gray"),
}
_KINDS = {
    Kind.PAYMENT: "Payments",
    Kind.REFUND: "Refunds",
    Kind.DISPUTE: "Disputes",
    Kind.OTHER: "Payouts, fees and other lines",
}
_WRONG = (Agreement.DIFFERENT, Agreement.ONLY_HERE, Agreement.ONLY_THERE)


def draw(read: Reader, actor: Actor) -> None:
    mode = collection_mode.mode()
    service = service_of(mode)
    with filters.row():
        period = filters.period(read.today, key="reconciliation_period", default="This month")
        named = {one.value: label for one, (label, _) in NAMES.items()}
        agreement = filters.choice("Result", list(named), key=AGREEMENT_KEY, page_key=PAGE_KEY, names=named)
        last = read(balance_transactions.last_reading, mode, period)
        reads_now = st.button(
            "Read again" if last else f"Read {service}'s books",
            type="secondary" if last else "primary",
            icon=":material/sync:",
            key="read_books",
        )
    if reads_now:
        _read_books(actor, period, service)
    books = f"{formats.sentence(service)}'s books"
    if last is None:
        st.info(
            f"{books} of {md(formats.period(period))} have not been read yet. Reading changes nothing there; "
            "a hundred thousand payments take some minutes.",
            icon=":material/menu_book:",
        )
        return
    read_at = formats.instant(last.read_at, read.company.time_zone)
    st.caption(
        f"{books} were read on {md(read_at)} by {md(last.read_by)}: {formats.counted(last.lines, 'line')}, "
        f"with {MARGIN.days} days before and after, so that what one side books a little later does not differ."
    )
    scope = PairFilter(mode, period, agreement)
    _sums(read(reconciliation.sums, PairFilter(mode, period)), service)
    _pairs(read, actor, scope, service)


def service_of(mode: Mode) -> str:
    return "the sandbox" if mode is Mode.SANDBOX else "Stripe"


def _read_books(actor: Actor, period: Period, there: str) -> None:
    """Read them with the count in sight; what was read stays when somebody leaves in the middle."""
    lines = 0
    refusal: BillingError | None = None
    with st.status(f"Reading {there}'s books", expanded=False) as status:
        try:
            lines = balance_transactions.read(
                runtime.sessions(),
                actor,
                collection_mode.gateway(),
                period,
                now=utc_now(),
                progress=lambda count: status.update(
                    label=f"Reading {there}'s books: {formats.counted(count, 'line')}"
                ),
            )
        except BillingError as error:
            status.update(label=f"{formats.sentence(there)}'s books could not be read", state="error")
            refusal = error
    if refusal is not None:
        context.refused(refusal)
        return
    messages.say(f"Read {formats.counted(lines, 'line')}")
    st.rerun()


def _sums(sums: list[Sum], there: str) -> None:
    wrong = sum(one.pairs for one in sums if one.agreement in _WRONG)
    if not sums:
        st.info("Neither side has anything in this period.", icon=":material/task_alt:")
        return
    if wrong:
        st.warning(f"{formats.counted(wrong, 'line')} to check.", icon=":material/rule:")
    else:
        st.success("Both sides agree, to the cent.", icon=":material/task_alt:")
    tables.show(
        sums,
        [
            tables.badge("Result", lambda one: NAMES[one.agreement][0], dict(NAMES.values())),
            tables.computed("What", lambda one: _KINDS[one.kind]),
            tables.count("Lines", "pairs"),
            tables.currency_of(),
            tables.money("Here", "here_minor"),
            tables.money(formats.sentence(there), "there_minor"),
            tables.computed(
                "Difference",
                lambda one: formats.change(one.there_minor - one.here_minor, one.currency),
                right=True,
                help="How much more the payment service has than we do",
            ),
            tables.money("Fees here", "here_fee_minor"),
            tables.money("Fees there", "there_fee_minor"),
        ],
        key="reconciliation_sums",
        alt="How the two books agree",
        opens=_narrow,
    )


def _pairs(read: Reader, actor: Actor, scope: PairFilter, there: str) -> None:
    # The sums say how many rows each agreement has.
    total = sum(
        one.pairs
        for one in read(reconciliation.sums, PairFilter(scope.mode, scope.period))
        if not scope.agreement or one.agreement == scope.agreement
    )
    if not total:
        st.caption("No line of this kind.")
        return
    skipped = tables.pager(total, key=PAGE_KEY, noun="line")
    tables.show(
        read(reconciliation.page, scope, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.badge("Result", lambda row: NAMES[row.agreement][0], dict(NAMES.values())),
            tables.computed("What", lambda row: formats.words(row.kind.value)),
            tables.text("Customer", "customer_name"),
            tables.day("Here on", "on"),
            tables.money("Here", "here_minor"),
            tables.instant("There at", "at", read.company.time_zone),
            tables.money(formats.sentence(there), "there_minor"),
            tables.currency_of(),
            tables.money("Fee there", "there_fee_minor"),
            tables.text("Key", "key", help="What the payment service calls it"),
        ],
        key="reconciliation",
        alt="Each payment and refund on both sides",
        opens=_open,
    )
    st.caption("Click a line to open our payment, a sum above to see its lines.")
    if actor.may(Permission.EXPORT):
        address = downloads.address(
            "reconciliation.csv",
            mode=scope.mode.value,
            start_date=scope.period.start,
            end_date=scope.period.end,
            agreement=scope.agreement,
        )
        st.link_button("These lines as CSV", address, icon=":material/download:")


def _narrow(one: Sum) -> None:
    st.session_state[AGREEMENT_KEY] = one.agreement.value
    filters.first_page(PAGE_KEY)


def _open(row: Pair) -> None:
    if row.payment_id is not None:
        st.query_params["payment"] = str(row.payment_id)
