"""A SQLite file's rows as they lie in it, read without any of the product's code."""

import sqlite3
from contextlib import closing
from pathlib import Path


def raw_rows(file: Path) -> dict[str, list[str]]:
    """Each table's rows with every value's type, in an order of their own."""
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"')))
            for name in names
            # What SQLite keeps to search in lies as it was written: as texts it is the table ``invoice_words``.
            if not name.startswith(("sqlite_", "invoice_words_"))
        }
