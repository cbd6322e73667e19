"""Server time of the pages about money: with a quarter of a million invoices, a million postings, and with a thousand.

Pages are run as ``pages.py`` runs them.
"""

from pathlib import Path

from benchmarks import ledger
from benchmarks.pages import milliseconds, row, visit
from billing_core.database import Sessions, sqlite

INVOICES = 238_100
PAGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("overview.py", {"period": "Last 12 months"}),
    ("invoices.py", {}),
    ("invoices.py", {"invoices_tab": "overdue"}),
    ("invoice_editor.py", {"invoice": "7"}),
    ("payments.py", {}),
    ("payments.py", {"payments_tab": "Customer credit"}),
    ("payments.py", {"payments_tab": "Ageing"}),
    ("payments.py", {"payments_tab": "Refunds"}),
    ("payments.py", {"payments_tab": "To settle"}),
    ("payments.py", {"payments_tab": "Reconciliation"}),
    ("payment_links.py", {}),
    ("customers.py", {}),
    ("customers.py", {"customer": "1"}),
    ("customers.py", {"customer": "1", "customer_tab": "Statement"}),
    ("admin/numbers.py", {}),
    ("admin/outbox.py", {}),
)


def run(scratch: Path) -> list[dict]:
    large, small = (_books(scratch / f"{count}.sqlite3", count) for count in (INVOICES, 1_000))
    rows = []
    for page, query in PAGES:
        name = " ".join((page.removesuffix(".py"), *query.values()))
        ours, limit = milliseconds(visit(large, page, query), visit(small, page, query))
        rows.append(row(f"{name}: {INVOICES:,} invoices against 1,000", ours, limit, "<= 1.5"))
    return rows


def _books(file: Path, invoices: int) -> Sessions:
    sessions = ledger.migrated(file)
    with sessions.begin() as session:
        ledger.fill(session, ledger.BOOKS, invoices=invoices, all_open=False)
    while ledger.sealed(sessions):
        pass
    sqlite.refresh_statistics(sessions.engine)
    return sessions
