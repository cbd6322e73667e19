"""What the ways of writing one e-mail address have in common, of customers, computed as it was at that time."""

import unicodedata

import idna
import sqlalchemy as sa
from alembic import op

revision = "0067"
down_revision = "0066"

_BATCH = 5_000
_CUSTOMERS = sa.table("customers", *(sa.column(name) for name in ("id", "email", "email_key")))


def upgrade() -> None:
    op.add_column("customers", sa.Column("email_key", sa.String(length=254), server_default="", nullable=False))
    op.drop_index("ix_customers_email", "customers")
    _fill(op.get_bind())
    op.create_index("ix_customers_email_key", "customers", ["email_key", "id"])


def _fill(connection: sa.Connection) -> None:
    of, last = _CUSTOMERS.c, 0
    found = sa.select(of.id, of.email).where(of.email != "").order_by(of.id).limit(_BATCH)
    change = sa.update(_CUSTOMERS).where(of.id == sa.bindparam("whose")).values(email_key=sa.bindparam("key"))
    while rows := connection.execute(found.where(of.id > last)).all():
        connection.execute(change, [{"whose": row.id, "key": _email_key(row.email)} for row in rows])
        last = rows[-1].id


def _email_key(address: str) -> str:
    local, _, domain = address.strip().rpartition("@")
    return f"{_folded(local)}@{_domain(domain)}"[:254] if local else ""


def _domain(text: str) -> str:
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
    except idna.IDNAError:
        return _folded(text)
    return ".".join(_in_letters(label) for label in mapped.split("."))


def _in_letters(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except idna.IDNAError:
        return label


def _folded(text: str) -> str:
    """By Unicode's simple case folding, one letter for one: with the full one ``ß`` would be ``ss``."""
    composed = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", "".join(map(_small, composed)))


def _small(letter: str) -> str:
    return next((small for small in (letter.casefold(), letter.lower()) if len(small) == 1), letter)


def downgrade() -> None:
    op.drop_index("ix_customers_email_key", "customers")
    op.drop_column("customers", "email_key")
    op.create_index("ix_customers_email", "customers", ["email"])
