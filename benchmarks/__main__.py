"""``make bench [ONLY=rating]``: every measurement, printed as a table and kept in ``benchmarks/results/``.

A measurement is a module here with ``run(scratch) -> rows``; a row is {name, ours, limit, unit, ratio, aim}. The name
of a package stands for all of its measurements.
Only the ratio counts: machines differ and are noisy, but both sides ran on the same one in the same minutes.
"""

import gc
import importlib
import json
import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

MEASUREMENTS = (
    "rating",
    "exporting",
    "importing.lines",
    "importing.workbooks",
    "importing.combined",
    "usage.events",
    "usage.files",
    "usage.analytics",
    "usage.billing",
    "usage.pages",
    "pages",
    "money_pages",
    "documents",
    "ledger",
    "invoicing",
    "searching",
    "bill_runs",
    "renewals",
    "api_invoices",
    "api_reports",
    "webhooks",
    "reconciling",
    "starting",
    "idle",
)
RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("sqlalchemy", "streamlit", "pandas", "plotly", "fpdf2", "uharfbuzz")


def main(chosen: list[str]) -> int:
    rows = []
    for name in [one for asked in chosen for one in _named(asked)] or MEASUREMENTS:
        module = importlib.import_module(f"benchmarks.{name}")
        # As the product does once it has started.
        gc.freeze()
        with tempfile.TemporaryDirectory(prefix="billing-bench-") as scratch:
            for row in module.run(Path(scratch)):
                rows.append({"measurement": name, **row})
                print(_line(row), flush=True)
    RESULTS.mkdir(exist_ok=True)
    for name in {row["measurement"] for row in rows}:
        result = {"machine": _machine(), "rows": [row for row in rows if row["measurement"] == name]}
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(_met(row) for row in rows) else 1


def _named(asked: str) -> list[str]:
    """``importing`` are all of that package; one of them is ``importing.combined``, or ``importing_combined``."""
    found = [name for name in MEASUREMENTS if asked in (name, name.replace(".", "_"), name.partition(".")[0])]
    if not found:
        raise SystemExit(f"There is no measurement {asked}: there are {', '.join(MEASUREMENTS)}.")
    return found


def _met(row: dict) -> bool:
    """An aim such as ">= 0.8" or "<= 1.5"; without one the row only informs."""
    if not row.get("aim"):
        return True
    sign, bound = row["aim"].split()
    return row["ratio"] >= float(bound) if sign == ">=" else row["ratio"] <= float(bound)


def _line(row: dict) -> str:
    verdict = "met" if _met(row) else "MISSED"
    aim = f"aim {row['aim']}: {verdict}" if row.get("aim") else ""
    return f"{row['name']:<64} {row['ours']:>12} {row['limit']:>12} {row['unit']:<12} {row['ratio']:>7} {aim}"


def _machine() -> dict:
    import sqlite3

    return {
        "when": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in LIBRARIES},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
