"""Finding invoices by a text, however many there are.

On SQLite the folded texts of every invoice stand in ``invoice_words``, and those of lines, each once, in
``invoice_words_of_lines``; both find them by any three letters, and triggers keep them. On PostgreSQL indexes on the
same expressions do (``pg_trgm``). All were made by migrations. What is on more invoices than are looked up at once is
soon found by reading them in the order of the list.
"""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    TableClause,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.database.amounts import has_amount
from billing_core.database.folding import fold, folded
from billing_core.database.functions import among, mentions, together
from billing_core.invoices.models import LISTED, Invoice, InvoiceLineItem, InvoiceState
from billing_core.proof import Check
from billing_core.rating.models import Service
from billing_core.text import is_torn

SEARCHED: Final = (Invoice.number, Invoice.customer_name, Invoice.customer_email, Invoice.reference)
# A page of as many is looked up by their ids; of more, one in some hundred that are read is one. To count them, each of
# them has to be found: reading more than the others takes longer than looking up this many.
FEW: Final = 5_000
COUNTED: Final = 50_000
# Letters of both ends are enough to look a text up by; the whole is compared then.
_END: Final = 6

_WORDS: Final = table("invoice_words", column("rowid"), column("words", String))
_WORDS_OF_LINES: Final = table("invoice_words_of_lines", column("rowid"), column("words", String))
_TEXTS: Final = table("invoice_words_texts", column("id"), column("words", String))
_LINES: Final = table("invoice_words_lines", column("text_id"), column("line_id"))


def found(session: Session, sought: str, *, few: int) -> ColumnElement[bool]:
    """In SQL: the text is in the number, the customer's name or e-mail address, or the reference, or in the text or the
    service's code of a line, or it is the total or what is due. ``few``: up to how many are looked up by their ids.
    """
    ids = _some(session, sought, few + 1)
    if len(ids) <= few:
        return among(Invoice.id, ids)
    on_invoice = mentions(sought, *SEARCHED) | _total(sought) | _due(sought)
    if not _may_be_on_lines(session, sought):
        return on_invoice
    of_line = mentions(sought, InvoiceLineItem.description) | InvoiceLineItem.service_id.in_(_services(sought))
    return on_invoice | exists().where(InvoiceLineItem.invoice_id == Invoice.id, of_line)


def _some(session: Session, sought: str, limit: int) -> list[int]:
    """The ids of those that are found, in no order, and some of them twice."""
    if is_torn(sought) or not sought.strip("\0"):
        return []
    by_amount = (select(Invoice.id).where(text(f"({LISTED})"), amount) for amount in (_total(sought), _due(sought)))
    parts = (*_by_text(session, sought), *by_amount, _by_service(sought))
    return list(session.scalars(union_all(*parts).limit(limit)))


def _may_be_on_lines(session: Session, sought: str) -> bool:
    """Lines are read with each invoice only where one has it: they take the longest. Too short a text is in no index,
    and would be looked for on all of them.
    """
    _, by_line = _by_text(session, sought)
    short = len(fold(sought)) < 3
    return short or any(session.scalar(each.limit(1)) is not None for each in (by_line, _by_service(sought)))


def _is_on_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _by_text(session: Session, sought: str) -> tuple[Select[int], Select[int]]:
    """The ids of the invoices that say it, and of those on whose lines it is."""
    return _by_text_on_sqlite(sought) if _is_on_sqlite(session) else _by_text_on_postgresql(sought)


def _by_text_on_sqlite(sought: str) -> tuple[Select[int], Select[int]]:
    bare = fold(sought.replace("\0", ""))
    of_lines = _holding(_WORDS_OF_LINES, bare).subquery()
    # Not by a condition that each text could be looked up by instead: first the texts, then their lines.
    by_line = (
        select(InvoiceLineItem.invoice_id)
        .join_from(of_lines, _LINES, _LINES.c.text_id == of_lines.c.rowid + 0)
        .join(InvoiceLineItem, InvoiceLineItem.id == _LINES.c.line_id)
    )
    return _holding(_WORDS, bare), by_line.distinct()


def _holding(words: TableClause, bare: str) -> Select[Any]:
    """The rows of a table of FTS5 that hold the folded text."""
    rows = select(words.c.rowid)
    if not 3 <= len(bare) <= _END:
        rows = rows.where(func.instr(words.c.words, bare) > 0)
    if len(bare) >= 3:
        ends = dict.fromkeys((bare[:_END], bare[-_END:]))
        quoted = (f'"{end.replace(chr(34), chr(34) * 2)}"' for end in ends)
        rows = rows.where(literal_column(words.name).bool_op("MATCH")(" AND ".join(quoted)))
    return rows


def _by_text_on_postgresql(sought: str) -> tuple[Select[int], Select[int]]:
    # Each as often as it has such lines: to tell them apart it would find all of them first.
    by_line = select(InvoiceLineItem.invoice_id).where(mentions(sought, InvoiceLineItem.description))
    return select(Invoice.id).where(mentions(sought, *SEARCHED)), by_line


def _by_service(sought: str) -> Select[int]:
    return select(InvoiceLineItem.invoice_id).where(InvoiceLineItem.service_id.in_(_services(sought)))


def _services(sought: str) -> Select[int]:
    return select(Service.id).where(mentions(sought, Service.code))


def _total(sought: str) -> ColumnElement[bool]:
    return has_amount(sought, Invoice.currency, Invoice.total_minor)


def _due(sought: str) -> ColumnElement[bool]:
    """Nothing is due on others, which is no amount that anybody looks for."""
    return (Invoice.state == InvoiceState.OPEN) & has_amount(sought, Invoice.currency, Invoice.due_minor)


def check(session: Session) -> Check:
    """What is looked up is what the invoices and their lines say. PostgreSQL's own indexes cannot differ."""
    wrong = (*_differing(session), *_differing_lines(session)) if _is_on_sqlite(session) else ()
    return Check("Searches find each invoice by what it says", proof.count(session, Invoice), wrong)


def _differing(session: Session) -> tuple[str, ...]:
    kept = select(_WORDS.c.rowid, _WORDS.c.words).subquery()
    differing = or_(kept.c.words.is_(None), kept.c.words != folded(together(SEARCHED)))
    unfound = select(Invoice.id, Invoice.number).outerjoin(kept, kept.c.rowid == Invoice.id).where(differing)
    strangers = select(kept.c.rowid).where(kept.c.rowid.not_in(select(Invoice.id)))
    return (
        *proof.named(session, unfound.order_by(Invoice.id), "invoice id {0}, {1}, is not found by what it says"),
        *proof.named(session, strangers, "texts are kept of invoice id {0}, which is not there"),
    )


def _differing_lines(session: Session) -> tuple[str, ...]:
    line, its_words = InvoiceLineItem, folded(InvoiceLineItem.description)
    unfound = (
        select(line.position, line.invoice_id)
        .outerjoin(_TEXTS, _TEXTS.c.words == its_words)
        .outerjoin(_LINES, (_LINES.c.text_id == _TEXTS.c.id) & (_LINES.c.line_id == line.id))
        .where(_LINES.c.line_id.is_(None))
    )
    strangers = (
        select(_LINES.c.line_id)
        .outerjoin(_TEXTS, _TEXTS.c.id == _LINES.c.text_id)
        .outerjoin(line, line.id == _LINES.c.line_id)
        .where(or_(line.id.is_(None), _TEXTS.c.id.is_(None), _TEXTS.c.words != its_words))
    )
    return (
        *proof.named(session, unfound.order_by(line.id), "line {0} of invoice id {1} is not found by its text"),
        *proof.named(session, strangers, "a text is kept of line id {0}, which does not say it"),
    )
