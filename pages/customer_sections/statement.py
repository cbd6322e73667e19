"""A customer's statement of account: on the page, as the letter, as a file, and by e-mail."""

from datetime import date
from functools import partial

import streamlit as st

from billing_core.customers.models import Customer
from billing_core.dates import EARLIEST_DAY, LATEST_DAY, Period, utc_now
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.mailing import documents
from billing_core.receivables import legibility, statement
from billing_core.receivables.ageing import BUCKETS, AgeingRow
from billing_core.receivables.exporting import what
from billing_core.receivables.statement import Statement, StatementRequest, StatementRow
from pages.payment_sections import ageing as aged
from pages.ui import address, downloads, formats, mail_words, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.figures.cards import wall
from pages.ui.inputs import business_names, print_hint, recipient_fields
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(read: Reader, actor: Actor, customer: Customer) -> None:
    request = _request(read, customer)
    if request is None:
        return
    account = read(statement.statement, request)
    _balances(account)
    _rows(account)
    _aged(read, account)
    print_hint.warn(read(legibility.of_statement, account))
    _documents(actor, request)


def _request(read: Reader, customer: Customer) -> StatementRequest | None:
    today = read.today
    codes = dict.fromkeys([customer.currency, *read(statement.currencies, customer.id)])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        currency = st.selectbox("Currency", list(codes), key=f"statement_currency_{customer.id}", width=110)
        business_id = _business(read, customer)
        label, ordinary = "First and last day", (date(today.year, 1, 1), today)
        address.read("statement_days", label, partial(address.two_days, EARLIEST_DAY, LATEST_DAY), ordinary)
        days = st.date_input(
            label,
            value=ordinary,
            min_value=EARLIEST_DAY,
            max_value=LATEST_DAY,
            key="statement_days",
            bind="query-params",
            width=250,
            format=formats.day_form(),
        )
    address.stop_in_doubt()
    if not isinstance(days, tuple) or len(days) != 2:
        st.info("Choose the last day of the period as well.", icon=":material/date_range:")
        return None
    return StatementRequest(customer.id, currency, Period(*days), business_id)


def _business(read: Reader, customer: Customer) -> int:
    """Whose statement: each of our businesses has its own."""
    ids = list(dict.fromkeys([customer.business_id, *read(statement.issuers, customer.id)]))
    if len(ids) == 1:
        return ids[0]
    names = business_names.by_id(read)
    return st.selectbox(
        "Of", ids, format_func=lambda one: names.get(one, str(one)), key=f"statement_business_{customer.id}", width=200
    )


def _balances(account: Statement) -> None:
    code, period = account.request.currency, account.request.period
    shown = {f"Opening, {formats.day(period.start)}": account.opening_minor}
    if account.complete:
        shown |= {"Charged": account.charged_minor, "Paid and credited": account.settled_minor}
    shown[f"Closing, {formats.day(period.end)}"] = account.closing_minor
    with wall(len(shown)):
        for label, minor in shown.items():
            with st.container(border=True, height="stretch"):
                st.metric(label, formats.money(minor, code))
    if account.closing_minor < 0:
        st.caption("Below zero: the customer has paid more than was due.")


def _rows(account: Statement) -> None:
    if not account.rows:
        st.info("Nothing changed in this period.", icon=":material/info:")
        return
    code = account.request.currency
    tables.show(
        account.rows,
        [
            tables.day("Date", "on"),
            tables.computed("What", what),
            tables.text("Document", "document"),
            tables.computed("Reference", _reference),
            tables.day("Due", "due_on"),
            tables.computed("Charge", lambda row: _side(row.amount_minor, code), right=True),
            tables.computed("Credit", lambda row: _side(-row.amount_minor, code), right=True),
            tables.computed("Balance", lambda row: formats.amount(row.balance_minor, code), right=True),
            tables.computed("Currency", lambda _: code),
        ],
        key=f"statement_{code}",
        alt="Statement of account",
        opens=_open,
        height="content" if len(account.rows) <= 20 else 560,
    )
    if not account.complete:
        st.warning(
            f"Only the first {formats.count(len(account.rows))} changes are shown; the CSV has all of them.",
            icon=":material/warning:",
        )


def _aged(read: Reader, account: Statement) -> None:
    if not any(account.aged):
        return
    st.subheader(f"Owed on {formats.day(account.request.period.end)}, by days past due", anchor=False)
    code, credit, customer_id = account.request.currency, account.credit_minor, account.request.customer_id
    if len(read(statement.issuers, customer_id)) == 1:
        columns = aged.amounts(Scope(customer_id=customer_id, currency=code, as_at=account.request.period.end))
    else:
        # The figures are of all our businesses: of one of several the amounts open into nothing.
        columns = [
            tables.computed(bucket.title, partial(_bucket, place), right=True) for place, bucket in enumerate(BUCKETS)
        ]
        columns.append(tables.money("Total", "total_minor"))
    if credit:
        columns.append(tables.computed("Kept credit", lambda _: formats.amount(-credit, code), right=True))
        columns.append(tables.computed("Due", lambda _: formats.amount(account.closing_minor, code), right=True))
    tables.show(
        [AgeingRow(code, 0, account.aged)],
        columns,
        key="statement_ageing",
        alt="What is owed at the end of the period, by age",
    )


def _bucket(place: int, row: AgeingRow) -> str:
    return formats.amount(row.amounts[place], row.currency) if row.amounts[place] else formats.NOTHING


def _documents(actor: Actor, request: StatementRequest) -> None:
    period, name = request.period, f"statements/{request.customer_id}"
    facts = {"start_date": period.start, "end_date": period.end, "currency": request.currency}
    facts |= {"business_id": request.business_id}
    with st.container(horizontal=True):
        st.link_button("Statement as PDF", downloads.address(f"{name}.pdf", **facts), icon=":material/picture_as_pdf:")
        if actor.may(Permission.EXPORT):
            st.link_button("As CSV", downloads.address(f"{name}.csv", **facts), icon=":material/download:")
        if actor.may(Permission.INVOICE_SEND) and st.button("Send by e-mail", icon=":material/mail:", key="send_it"):
            send(request)


@st.dialog("Send the statement", width="large", icon=":material/mail:")
def send(request: StatementRequest) -> None:
    """Who gets it and with which words; the PDF is attached."""
    actor = signed_in()
    prepared = Reader(actor)(documents.prepare_statement, request)
    mail_words.warn_of_none()
    key = f"statement_mail_{request.customer_id}_{request.currency}"
    to = recipient_fields.draw(prepared.recipients, "statement_mail", f"{request.customer_id}_{request.currency}")
    subject = st.text_input("Subject", prepared.letter.subject, key=f"{key}_subject", max_chars=200)
    body = st.text_area("Text", prepared.letter.text, key=f"{key}_text", height=260)
    st.caption(
        f"The statement of {md(formats.period(request.period))} in {request.currency} is attached as PDF, with what is "
        "known at this moment."
    )
    if st.button("Send", type="primary", icon=":material/send:", key="do_send_statement"):
        with attempt(mail_words.put_in("The statement", to.in_words())) as session:
            documents.send_statement(session, actor, request, to=to, subject=subject, body=body, now=utc_now())


def _reference(row: StatementRow) -> str:
    method = formats.words(row.method.value) if row.method else ""
    return " · ".join(part for part in (method, row.reference) if part)


def _side(minor: int, currency: str) -> str:
    return formats.amount(minor, currency) if minor > 0 else ""


def _open(row: StatementRow) -> None:
    if row.invoice_id is not None:
        opened.go_to_invoice(row.invoice_id)
