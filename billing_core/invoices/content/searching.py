"""Finding invoices by a text, however many there are.

On SQLite the folded texts of every invoice stand in ``invoice_words``, and those of lines, each once, in
``invoice_words_of_lines``; both find them by any three letters, and triggers keep them. So does
``invoice_words_of_skus`` for the SKUs of billed orders. One or two letters begin three
of them, since what no text may contain stands twice after each. On PostgreSQL indexes on the same expressions do:
``pg_trgm``'s, and others of all that one or two letters make up. All were made by migrations. What is on more invoices
than are looked up at once is on the first of the list, or else is looked up whole.
"""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    TableClause,
    Text,
    cast,
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
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.database.amounts import has_amount
from billing_core.database.folding import fold, folded
from billing_core.database.functions import among, mentions, together
from billing_core.invoices.billed_orders.models import BilledSkus
from billing_core.invoices.models import LISTED, Invoice, InvoiceLineItem, InvoiceState
from billing_core.proof import Check
from billing_core.rating.models import Service
from billing_core.text import is_torn

SEARCHED: Final = (Invoice.number, Invoice.customer_name, Invoice.customer_email, Invoice.reference)
# As many are looked up by their ids; to count them, more: each has to be found then, and reading the others too takes
# longer than looking up this many.
FEW: Final = 2_000
COUNTED: Final = 50_000
# Of what more have, a page is soon full: of so many times its rows as are read for it, one in as many has it.
READ: Final = 20
# Letters of both ends are enough to look a text up by; the whole is compared then.
_END: Final = 6

_WORDS: Final = table("invoice_words", column("rowid"), column("words", String))
_WORDS_OF_LINES: Final = table("invoice_words_of_lines", column("rowid"), column("words", String))
_WORDS_OF_SKUS: Final = table("invoice_words_of_skus", column("rowid"), column("words", String))
_TEXTS: Final = table("invoice_words_texts", column("id"), column("words", String))
_LINES: Final = table("invoice_words_lines", column("text_id"), column("line_id"))
# The last of all characters, and what ends each text that SQLite keeps.
_LAST: Final = "\U0010ffff"
_ENDED: Final[ColumnElement[str]] = literal_column("'\x1f\x1f'")


def found(session: Session, sought: str) -> ColumnElement[bool]:
    """In SQL: the text is in the number, the customer's name or e-mail address, or the reference, or in the text or the
    service's code of a line, or it is the total or what is due.
    """
    ids = _some(session, sought, COUNTED + 1)
    return among(Invoice.id, ids) if len(ids) <= COUNTED else _says(session, sought)


def found_first(session: Session, sought: str, listed: Select[int], most: int) -> ColumnElement[bool]:
    """In SQL: the same of the first ``most`` that have it, in the order of these ids; of others it may be too."""
    ids = _some(session, sought, FEW + 1)
    if len(ids) <= FEW:
        return among(Invoice.id, ids)
    # Far behind the first page there would be more to read than to look up.
    if most * READ <= COUNTED:
        # In two statements: of one SQLite would read every invoice.
        first = among(Invoice.id, session.scalars(listed.limit(most * READ)))
        ids = list(session.scalars(select(Invoice.id).where(first, _says(session, sought))))
        if len(ids) >= most:
            return among(Invoice.id, ids)
    return Invoice.id.in_(union_all(*_parts(session, sought)))


def _some(session: Session, sought: str, limit: int) -> list[int]:
    """The ids of those that are found, in no order, and some of them twice."""
    if is_torn(sought) or not sought.strip("\0"):
        return []
    # Each with its own limit: PostgreSQL plans each as if all of it was wanted otherwise.
    parts = (select(part.limit(limit).subquery()) for part in _parts(session, sought))
    return list(session.scalars(union_all(*parts).limit(limit)))


def _parts(session: Session, sought: str) -> tuple[Select[int], ...]:
    """The ids of those that have it in one place each."""
    by_amount = (select(Invoice.id).where(text(f"({LISTED})"), amount) for amount in (_total(sought), _due(sought)))
    by_service = select(InvoiceLineItem.invoice_id).where(InvoiceLineItem.service_id.in_(_services(session, sought)))
    return (*_by_text(session, sought), *by_amount, by_service)


def _says(session: Session, sought: str) -> ColumnElement[bool]:
    """Of an invoice that is read. Its lines are read only where one of all has it: they take the longest."""
    on_invoice = mentions(sought, *SEARCHED) | _total(sought) | _due(sought)
    _, by_line, by_sku = _by_text(session, sought)
    if _is_any(session, by_sku):
        its_words = BilledSkus.words.contains(fold(sought.replace("\0", "")), autoescape=True)
        on_invoice |= exists().where(BilledSkus.invoice_id == Invoice.id, its_words)
    services = _services(session, sought)
    if not (services or _is_any(session, by_line)):
        return on_invoice
    of_line = mentions(sought, InvoiceLineItem.description) | InvoiceLineItem.service_id.in_(services)
    return on_invoice | exists().where(InvoiceLineItem.invoice_id == Invoice.id, of_line)


def _is_any(session: Session, ids: Select[int]) -> bool:
    return session.scalar(ids.limit(1)) is not None


def _is_on_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _by_text(session: Session, sought: str) -> tuple[Select[int], Select[int], Select[int]]:
    """The ids of the invoices that say it, of those on whose lines it is, and of those that bill it as a SKU."""
    return _by_text_on_sqlite(sought) if _is_on_sqlite(session) else _by_text_on_postgresql(sought)


def _by_text_on_sqlite(sought: str) -> tuple[Select[int], Select[int], Select[int]]:
    bare = fold(sought.replace("\0", ""))
    of_lines = _holding(_WORDS_OF_LINES, bare).subquery()
    # Not by a condition that each text could be looked up by instead: first the texts, then their lines.
    by_line = (
        select(InvoiceLineItem.invoice_id)
        .join_from(of_lines, _LINES, _LINES.c.text_id == of_lines.c.rowid + 0)
        .join(InvoiceLineItem, InvoiceLineItem.id == _LINES.c.line_id)
    )
    return _holding(_WORDS, bare).distinct(), by_line.distinct(), _holding(_WORDS_OF_SKUS, bare).distinct()


def _holding(words: TableClause, bare: str) -> Select[Any]:
    """The rows of a table of FTS5 that hold the folded text; by one or two letters as often as they stand there."""
    if len(bare) < 3:
        threes = table(f"{words.name}_by_three", column("term", String), column("doc"))
        return select(threes.c.doc.label("rowid")).where(threes.c.term.between(bare, bare + _LAST))
    ends = dict.fromkeys((bare[:_END], bare[-_END:]))
    quoted = (f'"{end.replace(chr(34), chr(34) * 2)}"' for end in ends)
    rows = select(words.c.rowid).where(literal_column(words.name).bool_op("MATCH")(" AND ".join(quoted)))
    return rows if len(bare) <= _END else rows.where(func.instr(words.c.words, bare) > 0)


def _by_text_on_postgresql(sought: str) -> tuple[Select[int], Select[int], Select[int]]:
    bare = fold(sought.replace("\0", ""))
    # Each as often as it has such lines: to tell them apart it would find all of them first.
    by_line = select(InvoiceLineItem.invoice_id).where(_holds(bare, folded(together([InvoiceLineItem.description]))))
    by_sku = select(BilledSkus.invoice_id).where(_holds(bare, BilledSkus.words))
    return select(Invoice.id).where(_holds(bare, folded(together(SEARCHED)))), by_line, by_sku


def _holds(bare: str, words: SQLColumnExpression[str]) -> ColumnElement[bool]:
    if len(bare) >= 3:
        return words.contains(bare, autoescape=True)
    return func.one_or_two_letters(words).bool_op("@>")(array([cast(bare, Text)]))


def _services(session: Session, sought: str) -> list[int]:
    """Which have it in their code. They are few, and so known before their lines are looked for."""
    return list(session.scalars(select(Service.id).where(mentions(sought, Service.code))))


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
    differing = or_(kept.c.words.is_(None), kept.c.words != folded(together(SEARCHED)).concat(_ENDED))
    unfound = select(Invoice.id, Invoice.number).outerjoin(kept, kept.c.rowid == Invoice.id).where(differing)
    strangers = select(kept.c.rowid).where(kept.c.rowid.not_in(select(Invoice.id)))
    return (
        *proof.named(session, unfound.order_by(Invoice.id), "invoice id {0}, {1}, is not found by what it says"),
        *proof.named(session, strangers, "texts are kept of invoice id {0}, which is not there"),
    )


def _differing_lines(session: Session) -> tuple[str, ...]:
    line, its_words = InvoiceLineItem, folded(InvoiceLineItem.description).concat(_ENDED)
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
