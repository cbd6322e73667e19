"""On PostgreSQL, a function that compares texts without regard to case and accents; SQLite is given it as it is opened.

It says the same as ``database/folding.py``: its letters are those of this Python's Unicode.
"""

import sys
import unicodedata
from collections.abc import Iterable

from alembic import op

revision = "0071"
down_revision = "0070"

_LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe"})
_FUNCTION = """
CREATE FUNCTION folded(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(given) = char_length(given) THEN lower(given COLLATE "C")
    ELSE coalesce(nullif({folded}, ''), given) END
$$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(_FUNCTION.format(folded=_folded()))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION folded(text)")


def _folded() -> str:
    characters = [chr(code) for code in range(0x80, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    left_out = [one for one in characters if unicodedata.combining(one) or unicodedata.category(one) == "Cf"]
    written = f"regexp_replace(normalize(given, NFKD), '[{_ranges(map(ord, left_out))}]', '', 'g')"
    others = (one for one in characters if unicodedata.is_normalized("NFKD", one))
    changed = {one: small for one in others if (small := one.casefold().translate(_LETTERS)) != one}
    ones = {one: small for one, small in changed.items() if len(small) == 1}
    written = f"""translate(lower({written} COLLATE "C"), '{"".join(ones)}', '{"".join(ones.values())}')"""
    for one, small in changed.items():
        if len(small) > 1:
            written = f"replace({written}, '{one}', '{small}')"
    return written


def _ranges(codes: Iterable[int]) -> str:
    """As a regular expression has them between brackets."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08X}-\\U{last:08X}" for first, last in ranges)
