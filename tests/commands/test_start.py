"""A command loads what it needs, and nothing that only others do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from billing_core.commands import arguments
from tests.commands import every_command

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
    "demo": {*DATABASE, *STRIPE, "alembic", "structlog"},
    "import": DATABASE,
    "jobs": DATABASE,
    "key create": DATABASE,
    "migrate": {*DATABASE, "alembic"},
    "move": {*DATABASE, "alembic"},
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
_QUIETLY = "from contextlib import suppress\nfrom billing_core.__main__ import main"
_LOADED = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


@pytest.fixture
def migrated(sqlite_template, tmp_path) -> Path:
    """A data folder with a database of this test's own."""
    shutil.copyfile(sqlite_template, tmp_path / "billing.sqlite3")
    return tmp_path


def ran(command: list[str], data_dir: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"BILLING_DATA_DIR": str(data_dir)}
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=300)


def loaded(program: str, data_dir: Path = PROJECT) -> set[str]:
    """The heavy libraries that a fresh process has loaded once it has run this."""
    ended = ran([sys.executable, "-c", f"{program}\n{_LOADED}"], data_dir)
    assert (ended.returncode, ended.stderr) == (0, "")
    return HEAVY & set(ended.stdout.splitlines()[-1].split())


def started(data_dir: Path, name: str) -> subprocess.CompletedProcess:
    return ran([sys.executable, "-m", "billing_core", *every_command.typed(name, data_dir)], data_dir)


def test_it_is_known_of_every_command_what_it_needs():
    assert sorted(NEEDED) == every_command.names()


@pytest.mark.parametrize("name", ["", "user", "key", "report", "usage", *every_command.names()])
def test_help_loads_no_library_at_all(name):
    asking = [*name.split(), "--help"]
    assert loaded(f"{_QUIETLY}\nwith suppress(SystemExit): main({asking})") == set()


@pytest.mark.parametrize("name", every_command.names())
def test_a_command_loads_only_what_it_needs(name, tmp_path):
    function = arguments.parser().parse_args(every_command.typed(name, tmp_path)).function
    assert callable(resolve_name(function))
    assert loaded(f"from pkgutil import resolve_name\nresolve_name({function!r})") <= NEEDED[name]


@pytest.mark.parametrize("output_format", ["json", "csv"])
def test_making_a_report_loads_nothing_that_makes_other_files(migrated, output_format):
    assert started(migrated, "import").returncode == 0
    typed = [*every_command.typed("report generate", migrated), "--format", output_format]
    assert loaded(f"from billing_core.__main__ import main\nassert main({typed}) == 0", migrated) <= DATABASE


def test_every_command_works_in_a_process_of_its_own(migrated):
    """Each has loaded the tables that its own refer to; in this process all of them are loaded."""
    alone = {"worker", "restore", "demo", "usage bring-back"}
    for name in sorted({*every_command.names()} - alone, key=lambda name: (name != "import", name)):
        ended = started(migrated, name)
        assert (name, ended.returncode, ended.stderr) == (name, 0, "")
    (migrated / "billing.sqlite3").rename(migrated / "former.sqlite3")
    for name in ("restore", "verify"):
        ended = started(migrated, name)
        assert (name, ended.returncode, ended.stderr) == (name, 0, "")
