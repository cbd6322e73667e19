"""Where money is decided, and whose tests have to notice."""

from dataclasses import dataclass
from pathlib import Path

# An example of damage for each check of ``verify``.
_DAMAGED = "tests/commands/test_verify.py"
# A fault that only a page's test or a test from a far room meets is not guarded where the next person looks.
MODULES = {
    "rating": (("billing_core/rating",), ("tests/rating", "tests/reports")),
    "metering": (
        ("billing_core/metering",),
        ("tests/metering", "tests/usage", "tests/imports/test_usage_files.py", _DAMAGED),
    ),
    "plans": (("billing_core/plans",), ("tests/plans", "tests/usage", "tests/imports")),
    "promotions": (("billing_core/promotions",), ("tests/promotions", "tests/imports/test_promo_codes.py")),
    "subscriptions": (
        ("billing_core/subscriptions",),
        ("tests/subscriptions", "tests/web/api/billing", "tests/web/downloads/test_subscriptions.py", _DAMAGED),
    ),
    "usage": (
        ("billing_core/usage",),
        ("tests/usage", "tests/commands/test_usage.py", "tests/web/downloads/test_usage.py", _DAMAGED),
    ),
    "invoices": (
        ("billing_core/invoices",),
        (
            "tests/invoices",
            _DAMAGED,
            "tests/payments",
            "tests/mailing",
            "tests/online_payments/links",
            "tests/web/api/invoices",
            "tests/web/downloads/test_invoices.py",
            "tests/web/public",
        ),
    ),
    "payments": (("billing_core/payments",), ("tests/payments", "tests/receivables", _DAMAGED)),
    "ledger": (("billing_core/ledger",), ("tests/ledger", "tests/payments", _DAMAGED)),
    "online_payments": (
        ("billing_core/online_payments",),
        ("tests/online_payments", "tests/web/downloads/test_online_payments.py", "tests/web/public/test_pay.py"),
    ),
    "receivables": (("billing_core/receivables",), ("tests/receivables", "tests/payments", _DAMAGED)),
    "tax_returns": (
        ("billing_core/tax_returns",),
        ("tests/tax_returns", "tests/web/downloads/test_invoices.py", _DAMAGED),
    ),
    "identity": (
        ("billing_core/identity",),
        ("tests/identity", "tests/people", "tests/web/accounts", "tests/web/api/middleware"),
    ),
    "outbox": (("billing_core/outbox",), ("tests/outbox", "tests/mailing")),
    "idempotency": (
        (
            "billing_core/identity/idempotent.py",
            "billing_core/web/api/middleware/idempotency.py",
            "billing_core/web/api/middleware/idempotency_store.py",
        ),
        ("tests/web/api/middleware",),
    ),
}
# Where something stands on a page of a document, and how large, decides no money; what stands there is asked of
# ``documents/document`` and ``documents/presentation``, and of these pages by ``tests/invoices/test_pdf``.
LAYOUT = {
    "billing_core/invoices/documents/pdf.py",
    "billing_core/invoices/documents/pdf_credit_note.py",
    "billing_core/invoices/documents/pdf_letter.py",
    "billing_core/invoices/documents/pdf_sheets.py",
}
# The share of mutants that has to be noticed in a module, and the files of which every one has to be.
AIM = 0.95
WITHOUT_EXCEPTION = {
    "billing_core/rating/amounts.py",
    "billing_core/rating/tiers.py",
    "billing_core/rating/limits.py",
    "billing_core/payments/write_offs.py",
    "billing_core/payments/credit.py",
    "billing_core/payments/refunds.py",
}


@dataclass(frozen=True, slots=True)
class Module:
    """Files, and the files of the tests that have to notice what is wrong with them; all relative to the project."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


def module(root: Path, name: str) -> Module:
    """A module by its name, or a folder or file below ``billing_core``, such as ``rating/limits`` or ``money``."""
    if name in MODULES:
        places, tests = MODULES[name]
    else:
        file, room = f"billing_core/{name}.py", name.split("/")[0]
        places = (file if (root / file).is_file() else f"billing_core/{name}",)
        tests = MODULES[room][1] if room in MODULES else (f"tests/{room}", f"tests/test_{room}.py")
    files = [file for file in _below(root, places, "*.py") if file not in LAYOUT or file in places]
    found = Module(name, tuple(files), _below(root, tests, "test_*.py"))
    if not found.files or not found.tests:
        raise SystemExit(
            f"No module {name} that has tests: one of {', '.join(MODULES)}, or a folder or file below billing_core"
        )
    return found


def _below(root: Path, places: tuple[str, ...], pattern: str) -> tuple[str, ...]:
    found = [[root / place] if (root / place).is_file() else (root / place).rglob(pattern) for place in places]
    return tuple(sorted(str(file.relative_to(root)) for files in found for file in files))
