"""Who may import whom. Source files are read, not executed."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parent.parent
CORE = PROJECT / "billing_core"

# What stands on a line may import the lines before it, never those after it; names on one line are equals.
ORDER = {
    "billing_core": [
        ["errors"],
        ["text", "email_addresses", "connections", "whole_files"],
        ["money", "dates", "settings", "csv_text", "logs", "recipients", "reading_order"],
        ["database", "languages", "proof"],
        ["pdf_layout", "payment_terms"],
        ["identity"],
        ["audit", "figures"],
        ["views", "businesses"],
        ["ledger", "outbox", "processes"],
        ["outgoing_webhooks"],
        ["customers"],
        ["orders", "people"],
        ["metering"],
        ["plans"],
        ["promotions"],
        ["rating"],
        ["reports"],
        ["invoices"],
        ["payments"],
        ["receivables", "tax_returns"],
        ["usage"],
        ["online_payments"],
        ["mailing"],
        ["bounces"],
        ["subscriptions"],
        ["bill_runs"],
        ["customer_lifecycle"],
        ["imports"],
        ["schema", "runtime", "catalogue"],
        ["jobs", "demo"],
        ["web"],
        ["commands"],
        ["__main__"],
    ],
    "billing_core.reports": [
        ["models", "wording", "explanation"],
        ["lacking"],
        ["queries", "coverage", "snapshot", "summary", "report_figures"],
        ["contents", "difference", "outdated", "overlaps", "figures"],
        ["prices"],
        ["service", "series", "verification"],
        ["exports"],
    ],
    "billing_core.invoices": [
        ["models", "report_wording"],
        ["numbering", "issuers", "outgoing_events", "billed_orders"],
        ["content", "number_proof"],
        ["legal_content"],
        ["payment_links"],
        ["lifecycle"],
        ["rows"],
        ["queries"],
        ["credit_notes", "custom_number", "visits", "lists"],
        ["postings", "documents"],
        ["service", "after_sending"],
        ["from_reports", "by_email"],
    ],
    "billing_core.online_payments": [
        ["models", "gateway"],
        ["queries", "figures", "verification", "cases", "charges", "declines"],
        ["stripe"],
        ["sandbox", "webhooks"],
        ["off_session"],
        ["configured", "links", "refunding"],
        ["delivery", "reconciliation"],
    ],
    "billing_core.subscriptions": [
        ["models", "calendar", "proration"],
        ["telling"],
        ["lifecycle", "pricing", "listing", "verification"],
        ["queries", "wording"],
        ["metered"],
        ["invoicing"],
        ["beginning", "collecting"],
        ["changes"],
        ["service", "renewals", "moving"],
        ["signing_up"],
        ["upkeep"],
        ["clock", "reporting", "further", "overview"],
    ],
    "billing_core.bill_runs": [
        ["models"],
        ["claims", "figures", "progress"],
        ["legibility"],
        ["overlapping", "rehearsal"],
        ["planning"],
        ["legal_content", "taking"],
        ["sending"],
        ["from_orders", "from_usage"],
        ["steps"],
        ["workflow"],
    ],
    "billing_core.imports": [
        ["models", "cells", "sources"],
        ["words", "writing"],
        ["kind", "queries"],
        ["columns", "mapping", "merging", "rows"],
        ["reading"],
        ["rejections", "parts"],
        ["kinds"],
        ["layouts", "outcome", "history"],
        ["incoming"],
        ["taking_back", "service", "received", "templates", "next_steps"],
        ["automatic", "claims"],
        ["posted", "upkeep"],
        ["inbox", "steps"],
    ],
    "billing_core.imports.sources": [
        ["layout", "limits", "cell_texts"],
        ["below", "encodings", "forms", "markup", "unpacking"],
        ["archives", "shape", "shared_texts"],
        ["ods", "old_workbooks", "text", "xlsx"],
        ["workbooks"],
    ],
    "billing_core.web": [
        [
            "access",
            "activity",
            "cookies",
            "page_addresses",
            "health",
            "origin",
            "rate_limiter",
            "streaming",
        ],
        ["doors", "requests"],
        ["throttle"],
        ["bounces", "forms", "headers", "metrics", "webhooks", "downloads"],
        ["failures", "accounts"],
        ["public", "api"],
        ["authentication", "lifespan"],
        ["app"],
    ],
    "billing_core.web.api": [
        ["access", "exact_json", "lacking", "paging"],
        ["routing", "problem_bodies"],
        ["problems", "invoices", "usage_events"],
        ["middleware", "analytics", "billing", "businesses", "imports", "reports", "usage"],
        ["tokens", "event_payloads", "description"],
        ["app"],
    ],
    # Pages, which Streamlit runs by their files, and below them the sections that they are made of.
    "pages": [
        ["ui"],
        [
            "import_sections",
            "job_sections",
            "outbox_sections",
            "plan_sections",
            "promo_code_sections",
            "rate_card_sections",
            "report_sections",
            "tax_sections",
            "webhook_sections",
        ],
        ["bill_run_sections", "invoice_sections", "invoice_document_sections", "payment_sections"],
        ["payment_link_sections"],
        ["draft_sections", "sent_invoice_sections", "usage_sections"],
        ["subscription_sections"],
        [
            "admin_sections",
            "customer_sections",
            "job_sections",
            "overview_sections",
            "reminder_sections",
        ],
        [
            "admin",
            "customers",
            "imports",
            "invoice_editor",
            "invoices",
            "overview",
            "payment_links",
            "payments",
            "plans",
            "promo_codes",
            "rate_cards",
            "reports",
            "subscriptions",
            "tax",
            "usage",
        ],
        ["navigation"],
    ],
    "pages.ui": [
        ["formats", "text"],
        ["address", "reads"],
        ["colors", "downloads", "failures", "messages", "opened", "reading_on", "sorting"],
        ["context", "data_age", "export_menu", "tables"],
        ["collection_mode", "figures", "inputs", "mail_words"],
        ["signed_in"],
    ],
}
RANKS = {
    package: {name: rank for rank, names in enumerate(lines) for name in names} for package, lines in ORDER.items()
}

# A library that only some places may know, so that it could be replaced there.
CONFINED = {
    "streamlit": ("app.py", "pages/"),
    "plotly": ("pages/",),
    "fastapi": ("billing_core/web/",),
    "starlette": ("app.py", "billing_core/web/"),
    "fpdf": ("billing_core/pdf_layout/", "/pdf"),
    "stripe": ("billing_core/online_payments/stripe/",),
    "xlsxwriter": ("/xlsx",),
    "dbos": ("billing_core/jobs/",),
    "pandas": ("pages/",),
}
CORE_SOURCES = sorted(file for file in CORE.rglob("*.py") if file != CORE / "__init__.py")
PAGE_SOURCES = sorted((PROJECT / "pages").rglob("*.py"))
SOURCES = sorted([PROJECT / "app.py", *CORE.rglob("*.py"), *PAGE_SOURCES])


def place(file: Path) -> str:
    return str(file.relative_to(PROJECT))


@cache
def imports(file: Path) -> tuple[str, ...]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    whole = (alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names)
    parts = (
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    )
    return (*whole, *parts)


def module(file: Path) -> str:
    return ".".join(file.relative_to(PROJECT).with_suffix("").parts)


def test_rooms_import_downwards():
    assert [fault for file in (*CORE_SOURCES, *PAGE_SOURCES) for fault in upward_imports(file)] == []


def upward_imports(file: Path) -> Iterator[str]:
    for outer, ranks in RANKS.items():
        if not module(file).startswith(f"{outer}.") or module(file) == f"{outer}.__init__":
            continue
        mine = module(file).removeprefix(f"{outer}.").split(".")[0]
        if mine not in ranks:
            yield f"{place(file)}: {mine} has no place in the order of {outer}"
            continue
        for name in imports(file):
            theirs = name.removeprefix(f"{outer}.").split(".")[0] if name.startswith(f"{outer}.") else mine
            if theirs in ranks and theirs != mine and ranks[theirs] >= ranks[mine]:
                yield f"{place(file)}: in {outer}, {mine} stands before {theirs}"


def test_no_modules_import_each_other_in_a_circle():
    files = {module(file).removesuffix(".__init__"): file for file in SOURCES}
    known = {
        name: {
            target
            for imported in imports(file)
            for target in [imported if imported in files else imported.rpartition(".")[0]]
            if target in files and target != name
        }
        for name, file in files.items()
    }
    while free := [name for name, targets in known.items() if not targets & known.keys()]:
        for name in free:
            del known[name]
    assert not known


def test_folders_are_small_enough_to_look_over():
    """Migrations are a history: each stands for itself, and nobody looks them over."""
    sizes = Counter(file.parent for file in SOURCES if "migrations" not in file.parts)
    assert [f"{place(folder)}: {files}" for folder, files in sizes.items() if files >= 20] == []


def test_libraries_stay_where_they_belong():
    assert [
        f"{place(file)}: {name}"
        for file in SOURCES
        for name in imports(file)
        if (allowed := CONFINED.get(name.split(".")[0]))
        and not any(place(file).startswith(start) or start in f"/{place(file)}" for start in allowed)
    ] == []


def test_no_file_is_longer_than_a_reader_can_hold():
    lengths = {place(file): len(file.read_text().splitlines()) for file in SOURCES if "migrations" not in file.parts}
    assert [f"{name}: {length} lines" for name, length in lengths.items() if length > 400] == []


def test_the_core_knows_no_page():
    assert [place(file) for file in CORE_SOURCES for name in imports(file) if name.split(".")[0] == "pages"] == []


def test_files_are_named_for_what_they_hold():
    nothing = {"utils", "helpers", "common", "manager", "misc", "base_service"}
    assert [place(file) for file in (*CORE_SOURCES, *PAGE_SOURCES) if file.stem in nothing] == []


def test_the_project_file_is_readable():
    assert tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["requires-python"] == ">=3.11"


def test_pages_read_their_address_in_one_way():
    """A value that was read elsewhere would not be told where it means nothing."""
    whole, one = r"(?:in|=) st\.query_params(?!\.pop)\b", r"query_params\[[^]]+\](?! = )"
    reads = re.compile(rf"query_params\.get(?:_all)?\(|query_params\.to_dict|{whole}|{one}")
    found = {place(path) for path in (PROJECT / "pages").rglob("*.py") if reads.search(path.read_text())}
    assert found == {"pages/ui/address.py"}
