"""The proof that every invoice adds up as it is printed, in a few statements over everything."""

from collections.abc import Iterator

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, func, not_, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from billing_core import proof
from billing_core.database.folding import folded
from billing_core.invoices.content import searching
from billing_core.invoices.content.tax_rows import InvoiceTax
from billing_core.invoices.content.totals import WHOLE
from billing_core.invoices.models import CreditNote, CreditNoteLine, Invoice, InvoiceLineItem
from billing_core.money import rounded_quotient
from billing_core.proof import Check


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _sums(session)
    yield _tax_rows(session)
    yield _line_credits(session)
    yield _numbers(session)
    yield searching.check(session)
    yield Check(
        "Invoices stand in lists where their numbers and customers' names do",
        proof.count(session, Invoice),
        proof.misplaced(session, Invoice.number, Invoice.number_order, "the number {0}")
        + proof.misplaced(session, Invoice.customer_name, Invoice.customer_name_order, "invoices of {0}"),
    )


def _numbers(session: Session) -> Check:
    """Whatever the case of their letters. Some were given before that counted, and stay."""
    wrong = (*_repeated(session, Invoice, "invoice"), *_repeated(session, CreditNote, "credit note"))
    proven = proof.count(session, Invoice, Invoice.number.is_not(None)) + proof.count(session, CreditNote)
    return Check("No two documents of a business have the same number, whatever the case of its letters", proven, wrong)


def _repeated(session: Session, table: type[Invoice] | type[CreditNote], noun: str) -> tuple[str, ...]:
    other, key = aliased(table), folded(table.number)
    same = (
        select(table.id, table.number, other.id, other.number)
        .join(other, (other.business_id == table.business_id) & (other.number_key == key) & (other.id != table.id))
        .where(table.number_key != key)
        .order_by(table.id)
    )
    unknown = (
        select(table.id, table.number)
        .where(
            table.number.is_not(None),
            or_(table.number_key.is_(None), table.number_key != key),
            table.id.not_in(same.with_only_columns(table.id).order_by(None)),
        )
        .order_by(table.id)
    )
    return (
        *proof.named(session, same, f"{noun} id {{0}}, {{1}}, has the number of {noun} id {{2}}, {{3}}"),
        *proof.named(session, unknown, f"{noun} id {{0}}, {{1}}, is not known by its number"),
    )


def _sums(session: Session) -> Check:
    """But for what was sent before lines were rounded. Where several rates share a discount, their tax does not follow
    from these figures alone, and is left out.
    """
    rates = (
        select(
            InvoiceLineItem.invoice_id,
            type_coerce(InvoiceLineItem.tax_rate, BigInteger).label("rate"),
            cast(func.sum(InvoiceLineItem.amount_minor), BigInteger).label("listed"),
        )
        .group_by(InvoiceLineItem.invoice_id, InvoiceLineItem.tax_rate)
        .subquery("rates")
    )
    lines = (
        select(
            rates.c.invoice_id,
            func.count().label("rates"),
            func.max(rates.c.rate).label("rate"),
            cast(func.sum(rates.c.listed), BigInteger).label("listed"),
            cast(func.sum(_percent_of(rates.c.listed, rates.c.rate)), BigInteger).label("tax"),
            cast(func.sum(_without_tax(rates.c.listed, rates.c.rate)), BigInteger).label("net"),
        )
        .group_by(rates.c.invoice_id)
        .subquery("lines")
    )
    listed = func.coalesce(lines.c.listed, 0)
    percent = func.coalesce(type_coerce(Invoice.discount_percent, BigInteger), 0)
    discount = func.coalesce(Invoice.discount_minor, _percent_of(listed, percent))
    subtotal, rounded = Invoice.__table__.c.subtotal_minor, Invoice.__table__.c.lines_rounded
    gross = Invoice.__table__.c.prices_include_tax
    tax = case((lines.c.rates == 1, _percent_of(subtotal, lines.c.rate)), else_=lines.c.tax)
    net = case((lines.c.rates == 1, _without_tax(listed - discount, lines.c.rate)), else_=lines.c.net)
    follows = or_(discount == 0, lines.c.rates == 1)
    wrong = (
        select(Invoice.id, func.coalesce(Invoice.number, "a draft"))
        .outerjoin(lines, lines.c.invoice_id == Invoice.id)
        .where(
            rounded,
            or_(
                case((gross, Invoice.total_minor), else_=subtotal) != listed - discount,
                and_(not_(gross), follows, Invoice.tax_minor != tax),
                and_(gross, follows, subtotal != net),
            ),
        )
    )
    return Check(
        "Each invoice's subtotal is the sum of its lines less its discount, and its tax that of each rate",
        proof.count(session, Invoice, rounded),
        proof.named(session, wrong.order_by(Invoice.id), "invoice id {0}, {1}"),
    )


def _tax_rows(session: Session) -> Check:
    """Of every invoice its sums; of one without a discount of its own also what its lines come to at each rate, unless
    it was sent before lines were rounded.
    """
    kept = select(
        InvoiceTax.invoice_id, func.sum(InvoiceTax.net_minor).label("net"), func.sum(InvoiceTax.tax_minor).label("tax")
    )
    kept_of = kept.group_by(InvoiceTax.invoice_id).subquery("kept")
    invoices = Invoice.__table__.c
    differing = (
        select(Invoice.id, func.coalesce(Invoice.number, "a draft"))
        .outerjoin(kept_of, kept_of.c.invoice_id == Invoice.id)
        .where(
            or_(
                func.coalesce(kept_of.c.net, 0) != invoices.subtotal_minor,
                func.coalesce(kept_of.c.tax, 0) != invoices.tax_minor,
            )
        )
    )
    listed = (
        select(
            InvoiceLineItem.invoice_id, InvoiceLineItem.tax_rate, func.sum(InvoiceLineItem.amount_minor).label("net")
        )
        .group_by(InvoiceLineItem.invoice_id, InvoiceLineItem.tax_rate)
        .subquery("listed")
    )
    at_rate = and_(InvoiceTax.invoice_id == listed.c.invoice_id, InvoiceTax.tax_rate == listed.c.tax_rate)
    gross = InvoiceTax.net_minor + InvoiceTax.tax_minor
    kept_at_rate = case((invoices.prices_include_tax, gross), else_=InvoiceTax.net_minor)
    misplaced = (
        select(Invoice.id, func.coalesce(Invoice.number, "a draft"))
        .join(listed, listed.c.invoice_id == Invoice.id)
        .outerjoin(InvoiceTax, at_rate)
        .where(
            invoices.lines_rounded,
            Invoice.discount_percent.is_(None),
            Invoice.discount_minor.is_(None),
            func.coalesce(kept_at_rate, 0) != listed.c.net,
        )
    )
    return Check(
        "What each invoice keeps by tax rate adds up to it, and to its lines at that rate",
        proof.count(session, InvoiceTax),
        tuple(
            dict.fromkeys(
                proof.named(session, differing.order_by(Invoice.id), "invoice id {0}, {1}")
                + proof.named(session, misplaced.order_by(Invoice.id), "invoice id {0}, {1}")
            )
        ),
    )


def _line_credits(session: Session) -> Check:
    """Lines that take something off are credited below 0."""
    line, note = InvoiceLineItem, CreditNote
    gross = CreditNoteLine.amount_minor + CreditNoteLine.tax_minor
    credited = case((Invoice.prices_include_tax, gross), else_=CreditNoteLine.amount_minor)
    quantity, amount = func.sum(CreditNoteLine.quantity), func.sum(credited)
    chosen = CreditNoteLine.invoice_line_id.is_not(None)
    beyond = (
        select(func.min(note.number), func.coalesce(func.min(line.position), 0))
        .select_from(CreditNoteLine)
        .join(note, note.id == CreditNoteLine.credit_note_id)
        .join(Invoice, Invoice.id == note.invoice_id)
        .outerjoin(line, and_(line.id == CreditNoteLine.invoice_line_id, line.invoice_id == note.invoice_id))
        .where(chosen)
        .group_by(CreditNoteLine.invoice_line_id, line.quantity, line.amount_minor)
        .having(
            not_(
                and_(
                    or_(quantity.between(0, line.quantity), quantity.between(line.quantity, 0)),
                    or_(amount.between(0, line.amount_minor), amount.between(line.amount_minor, 0)),
                    func.max(line.id).is_not(None),
                )
            )
        )
    )
    return Check(
        "No line is credited beyond its quantity and its amount",
        proof.count(session, CreditNoteLine, chosen),
        proof.named(session, beyond.order_by(func.min(note.id)), "credit note {0}, line {1} of its invoice"),
    )


def _percent_of(amount: ColumnElement[int], percent: ColumnElement[int]) -> ColumnElement[int]:
    """In SQL, rounded once, of either sign. By its whole parts first: an amount times a percentage may not fit into 64
    bits.
    """
    size = case((amount < 0, -amount), else_=amount)
    share = size // WHOLE * percent + rounded_quotient(size % WHOLE * percent, WHOLE)
    return case((amount < 0, -share), else_=share)


def _without_tax(amount: ColumnElement[int], rate: ColumnElement[int]) -> ColumnElement[int]:
    """``totals.without_tax`` in SQL, by whole parts first too."""
    size, with_tax = case((amount < 0, -amount), else_=amount), WHOLE + rate
    net = size // with_tax * WHOLE + rounded_quotient(size % with_tax * WHOLE, with_tax)
    return case((amount < 0, -net), else_=net)
