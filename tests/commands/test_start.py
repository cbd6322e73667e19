"""A command loads what it needs, and nothing that only others do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from billing_core.commands import arguments
from billing_core.database import Sessions, connect
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service as imports
from tests.commands import every_command
from tests.imports.files import incoming
from tests.reports.company import a_customer, billed

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
# What takes long to load, by what needs it.
DATABASE = {"sqlalchemy", "pydantic", "babel"}
DOCUMENTS = {"fpdf", "PIL", "uharfbuzz", "numpy", "xlsxwriter", "pypdfium2", "jinja2"}
STRIPE = {"stripe", "requests", "urllib3", "httpx"}
WEB = {"fastapi", "starlette", "limits", "redis", "orjson"}
PAGES = {"streamlit", "pandas", "plotly"}
HEAVY = {*DATABASE, *DOCUMENTS, *STRIPE, *WEB, *PAGES, "alembic", "dbos", "structlog"}
NEEDED = {
    "backup": {*DATABASE, "alembic"},
    "customer merge": DATABASE,
    # It subscribes customers, who are written to.
    "demo": {*DATABASE, *STRIPE, "alembic", "structlog", "jinja2"},
    "import auto": DATABASE,
    "import customers": DATABASE,
    "import template": DATABASE,
    "imports list": DATABASE,
    "imports show": DATABASE,
    "imports take-back": DATABASE,
    "jobs": DATABASE,
    "key create": DATABASE,
    "migrate": {*DATABASE, "alembic"},
    "move": {*DATABASE, "alembic"},
    # It sends invoices, and charges what is due.
    "renewals run": {*DATABASE, *STRIPE, "structlog", "jinja2"},
    "report generate": DATABASE,
    # It sends invoices too.
    "report run": {*DATABASE, "structlog", "jinja2"},
    "restore": {*DATABASE, "alembic"},
    # It sends them too.
    "usage archive": {*DATABASE, "numpy"},
    "usage bring-back": {*DATABASE, "numpy"},
    "usage export": DATABASE,
    "usage invoice": {*DATABASE, "structlog", "jinja2"},
    "usage show": DATABASE,
    "user add": DATABASE,
    "verify": DATABASE,
    "worker": HEAVY - PAGES,
}
# Whether it can be loaded and does its work in one process; what it loads only once it needs it may be more.
_LOADED = "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
_HELP = f"""
import sys
from contextlib import redirect_stdout, suppress
from io import StringIO
from billing_core.__main__ import main
for line in sys.stdin:
    with suppress(SystemExit), redirect_stdout(StringIO()) as told:
        main(line.split())
    assert "usage:" in told.getvalue()
    {_LOADED}
"""
_LOAD = f"""
import sys
from pkgutil import resolve_name
resolve_name(sys.argv[1])
{_LOADED}
"""
_LOAD_AND_WORK = f"""
{_LOAD}
from billing_core.__main__ import main
status = main(sys.argv[2:])
{_LOADED}
sys.exit(status)
"""
# They go on, or take long: others start them.
ALONE = {"worker", "demo", "usage bring-back"}


@pytest.fixture
def data_folder(sqlite_template, tmp_path) -> Path:
    """A data folder with a database of this test's own, with somebody to bill, a file imported, and a backup of an
    empty one.
    """
    for name in ("billing.sqlite3", "backup.sqlite3"):
        shutil.copyfile(sqlite_template, tmp_path / name)
    opened = Sessions(connect(f"sqlite:///{tmp_path / 'billing.sqlite3'}"))
    with opened.begin() as session:
        billed(session, a_customer(session, "ACME"))
        a_customer(session, "BOLT")
    services = incoming("services", "service_code,name,cost_type\nPACKING,Packing,per_order\n")
    imports.apply(opened, SYSTEM, services, now=utc_now())
    opened.engine.dispose()
    return tmp_path


def ran(program: str, *arguments: str, data_dir: Path = PROJECT, told: str = "") -> list[set[str]]:
    """The heavy libraries that a fresh process has loaded each time that it says so. It has to end well."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=PROJECT,
        env=os.environ | {"BILLING_DATA_DIR": str(data_dir)},
        input=told,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return [HEAVY & {*line.split()} for line in ended.stdout.splitlines() if "sys" in line.split()]


def test_it_is_known_of_every_command_what_it_needs():
    assert sorted(NEEDED) == every_command.names()


def test_help_loads_no_library_at_all():
    asked = ["", "user", "key", "imports", "customer", "report", "usage", *every_command.names()]
    assert ran(_HELP, told="".join(f"{name} --help\n" for name in asked)) == [set()] * len(asked)


@pytest.mark.later
@pytest.mark.parametrize("name", every_command.names())
def test_a_command_loads_only_what_it_needs_and_works_in_a_process_of_its_own(name, data_folder):
    """It has loaded the tables that its own refer to; in this process all of them are loaded."""
    typed = every_command.typed(name, data_folder)
    if name == "backup":
        (data_folder / "backup.sqlite3").unlink()
    if name == "restore":
        (data_folder / "billing.sqlite3").unlink()
    function = arguments.parser().parse_args(typed).function
    assert callable(resolve_name(function))
    loaded, *_ = ran(_LOAD if name in ALONE else _LOAD_AND_WORK, function, *typed, data_dir=data_folder)
    assert loaded <= NEEDED[name]


@pytest.mark.parametrize("output_format", ["json", "csv"])
def test_making_a_report_loads_nothing_that_makes_other_files(data_folder, output_format):
    typed = [*every_command.typed("report generate", data_folder), "--format", output_format]
    function = arguments.parser().parse_args(typed).function
    assert ran(_LOAD_AND_WORK, function, *typed, data_dir=data_folder)[-1] <= DATABASE
