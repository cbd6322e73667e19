"""Finding invoices by a text, however many there are.

On SQLite the folded texts of every invoice stand in ``invoice_words``, which finds them by any three letters and which
triggers keep; on PostgreSQL an index on the same expression does (``pg_trgm``). Both were made by a migration. What is
on more invoices than are looked up at once is soon found by reading them in the order of the list.
"""

from typing import Final

from sqlalchemy import ColumnElement, String, column, func, literal_column, or_, select, table, text, union_all
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.database.amounts import has_amount
from billing_core.database.folding import fold, folded
from billing_core.database.functions import among, mentions, together
from billing_core.invoices.models import LISTED, Invoice, InvoiceState
from billing_core.proof import Check
from billing_core.text import is_torn

SEARCHED: Final = (Invoice.number, Invoice.customer_name, Invoice.customer_email, Invoice.reference)
# A page of as many is looked up by their ids; of more, one in some hundred that are read is one. To count them, each of
# them has to be found: reading more than the others takes longer than looking up this many.
FEW: Final = 3_000
COUNTED: Final = 50_000
# Letters of both ends are enough to look a text up by; the whole is compared then.
_END: Final = 6

_WORDS: Final = table("invoice_words", column("rowid"), column("words", String))


def found(session: Session, sought: str, *, few: int) -> ColumnElement[bool]:
    """In SQL: the text is in the number, the customer's name or e-mail address, or the reference, or it is the total or
    what is due. ``few``: up to how many are looked up by their ids.
    """
    if session.get_bind().dialect.name == "sqlite" and not is_torn(sought):
        ids = _some(session, sought, few + 1)
        if len(ids) <= few:
            return among(Invoice.id, ids)
    return mentions(sought, *SEARCHED) | _total(sought) | _due(sought)


def _some(session: Session, sought: str, limit: int) -> list[int]:
    """The ids of those that SQLite finds, in no order."""
    bare = fold(sought.replace("\0", ""))
    by_words = select(_WORDS.c.rowid)
    if not 3 <= len(bare) <= _END:
        by_words = by_words.where(func.instr(_WORDS.c.words, bare) > 0)
    if len(bare) >= 3:
        ends = dict.fromkeys((bare[:_END], bare[-_END:]))
        quoted = (f'"{end.replace(chr(34), chr(34) * 2)}"' for end in ends)
        by_words = by_words.where(literal_column("invoice_words").bool_op("MATCH")(" AND ".join(quoted)))
    by_amount = (select(Invoice.id).where(text(f"({LISTED})"), amount) for amount in (_total(sought), _due(sought)))
    return list(session.scalars(union_all(by_words, *by_amount).limit(limit)))


def _total(sought: str) -> ColumnElement[bool]:
    return has_amount(sought, Invoice.currency, Invoice.total_minor)


def _due(sought: str) -> ColumnElement[bool]:
    """Nothing is due on others, which is no amount that anybody looks for."""
    return (Invoice.state == InvoiceState.OPEN) & has_amount(sought, Invoice.currency, Invoice.due_minor)


def check(session: Session) -> Check:
    """What is looked up is what the invoices say. PostgreSQL's own index cannot differ."""
    wrong = _differing(session) if session.get_bind().dialect.name == "sqlite" else ()
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
