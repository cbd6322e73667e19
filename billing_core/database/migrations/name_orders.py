"""Where names stand among names, as ``reading_order`` computed it when the columns came, for the rows of before."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

import sqlalchemy as sa
from alembic import op
from pyuca.collator import Collator_10_0_0

LONGEST = 250
_BATCH = 5_000
_ZERO = 0x1CA3
_NUMBER = re.compile(r"(\d+)")


def add(table: str, name: str, order: str) -> None:
    """A column ``order`` beside the column ``name`` of this table."""
    kind = sa.String(length=LONGEST).with_variant(sa.String(length=LONGEST, collation="C"), "postgresql")
    op.add_column(table, sa.Column(order, kind, server_default="", nullable=False))
    rows = sa.table(table, sa.column("id"), sa.column(name), sa.column(order))
    change = sa.update(rows).where(rows.c.id == sa.bindparam("which")).values({order: sa.bindparam("place")})
    connection, last = op.get_bind(), 0
    found = sa.select(rows.c.id, rows.c[name]).order_by(rows.c.id).limit(_BATCH)
    while batch := connection.execute(found.where(rows.c.id > last)).all():
        connection.execute(change, [{"which": key, "place": _order(text or "")} for key, text in batch])
        last = batch[-1][0]


@lru_cache(8_192)
def _order(name: str) -> str:
    letters, accents, cases = [], [], []
    for piece in _NUMBER.split(unicodedata.normalize("NFD", name)):
        if piece.isdecimal():
            written = str(int(piece))
            letters.append("0" + chr(ord("0") + len(written)) + written)
            continue
        for letter, accent, case in (element[:3] for element in _collator().collation_elements(piece)):
            letters.append(_letter(letter) if letter else "")
            accents.append(accent)
            cases.append(case)
    levels = ("".join(letters), _beyond(accents, 0x20), _beyond(cases, 0x02))
    return "\x01".join(levels).rstrip("\x01")[:LONGEST]


@cache
def _collator() -> Collator_10_0_0:
    return Collator_10_0_0()


def _letter(weight: int) -> str:
    if weight < _ZERO:
        return chr(2 + (weight >> 8)) + chr(0x20 + (weight & 0xFF))
    code = weight - _ZERO + ord("0")
    return chr(code if code < 0xD800 else code + 0x800)


def _beyond(weights: Iterable[int], usual: int) -> str:
    return "".join(chr(0x20 + weight) for weight in weights if weight).rstrip(chr(0x20 + usual))
