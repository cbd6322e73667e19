"""Fixtures for every test: one migrated database a test, on SQLite and on PostgreSQL.

A test that takes ``sessions`` (or ``session``) runs once on each. Servers are started on first use, one a worker,
and stopped at the end.
"""

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# Hundreds of processes are started, and each of pytest's own reads every test. Where nothing compiled may lie beside
# the sources, each would compile all of it anew, which takes longer than most have to do: it is kept in the virtual
# environment instead.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(sys.prefix) / "bytecode"))
    sys.pycache_prefix, sys.dont_write_bytecode = os.environ["PYTHONPYCACHEPREFIX"], False

import itertools
import shutil
import tempfile
import threading
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis.internal.conjecture import engine as searching
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.internal.constants_ast import Constants
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.orm import Session

from billing_core.customers import countries
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.languages import available, formats
from billing_core.settings import settings
from tests.compiled import engine_of_a_test
from tests.postgres import EmptiedDatabase, address_of, administer, started_server, url_of

if TYPE_CHECKING:
    from tests.demo_company import DemoCompany

_numbers = itertools.count()
_TESTS: Final = Path(__file__).parent
# They hold no SQL: what they call is tried on both databases by tests of its own. Where one does, its tests say so.
_EDGES: Final = ("commands", "demo", "pages", "web")
# Processes that start, end or are killed, and whole databases that move: each takes seconds, and is tried on SQLite.
_LONG: Final = (
    "tests/jobs/",
    "tests/commands/test_worker.py",
    "tests/commands/test_copies.py",
    "tests/commands/test_backups.py",
)
# Their histories take longest, most of it outside the database. Each file's first test is tried on PostgreSQL, which
# tells whether it takes their statements, and all that have no twin on SQLite.
_SAMPLED: Final = ("tests/bill_runs/", "tests/imports/", "tests/subscriptions/", "tests/usage/")
# Pages that take a second each time they are drawn. Each file's first test tells whether they still are.
_DRAWN_SLOWLY: Final = tuple(
    f"tests/pages/{name}"
    for name in ("bill_runs/", "test_meters", "test_plan", "test_promo", "test_subscription", "test_usage")
)
# On neither database before a change lands: released migrations never change, and these ends take the longest.
_LEFT: Final = (
    "tests/database/test_migrations.py",
    "tests/database/test_invoice_migrations.py",
    "tests/database/test_billed_orders_migration.py",
    "tests/jobs/test_ending.py",
    "tests/jobs/subscriptions/test_subscriptions.py::test_a_process_killed_anywhere",
)

# Everywhere else Hypothesis looks for new examples on each run; what must pass to land is the same every time.
# It also says within seconds that a search failed. With CI=1 it may look for a shorter example of the fault, and for
# which of its parts matter, for five minutes: its warning names those in either case.
_IN_SECONDS: Final = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]
hypothesis.settings.register_profile("default", deadline=None, phases=_IN_SECONDS)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
else:
    hypothesis.settings.load_profile("default")
    searching.MAX_SHRINKING_SECONDS = 10
# It also tries constants that it finds in the project's modules, in those that are imported by then: what it drew from
# a seed depended on which other tests were collected, and on which had run.
HypothesisProvider._local_constants = Constants()


@pytest.fixture(scope="session", autouse=True)
def data_dir(tmp_path_factory) -> Iterator[Path]:
    """A data folder with a secret, as a product that has been started has. The project's own stays as it is."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BILLING_DATA_DIR", str(folder))
        settings.cache_clear()
        settings().signing_key()
        yield folder
    settings.cache_clear()


@pytest.fixture
def mail_server(monkeypatch) -> None:
    """One is set up, so that mails wait for it; there is none where a test does not ask for it, and they are kept."""
    monkeypatch.setattr(settings(), "smtp_url", SecretStr("smtp://mail.example"))


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for module in ("engine", "sqlite"):
            patched.setattr(f"billing_core.database.{module}.create_engine", engine_of_a_test)
        yield


# Thousands of tests and what they import live until the end: to look through all of it for garbage again and again
# took a quarter of the time.
gc.set_threshold(50_000, 20, 50)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server or a browser, as its fixtures tell, so that nobody has to remember it."""
    tried = {item.nodeid for item in items}
    sampled: set[Path] = set()
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if "postgres_url" in fixtures or "postgresql" in parameters:
            item.add_marker("postgresql")
        if "chromium" in fixtures:
            item.add_marker("browser")
        if item.nodeid.startswith(_LEFT) or ("postgresql" in parameters and _is_left_on_postgresql(item)):
            item.add_marker("later")
        elif "postgresql" in parameters and item.nodeid.startswith(_SAMPLED) and not item.get_closest_marker("sql"):
            if item.path in sampled and item.nodeid.replace("postgresql", "sqlite") in tried:
                item.add_marker("later")
            sampled.add(item.path)
        elif item.nodeid.startswith(_DRAWN_SLOWLY) and item.get_closest_marker("slow"):
            if item.path in sampled:
                item.add_marker("later")
            sampled.add(item.path)
    # What takes minutes begins first: at the end, one worker would still be at it while the others have nothing to do.
    items.sort(key=lambda item: not {"slow", "browser"} & item.keywords.keys())


def _is_left_on_postgresql(item: pytest.Item) -> bool:
    return _is_of_an_edge(item) or bool(item.get_closest_marker("drawn")) or item.nodeid.startswith(_LONG)


def _is_of_an_edge(item: pytest.Item) -> bool:
    return item.path.relative_to(_TESTS).parts[0] in _EDGES and not item.get_closest_marker("sql")


@pytest.fixture(scope="session")
def postgres_url(request) -> Iterator[str]:
    """A real PostgreSQL of this worker's own."""
    if "not postgresql" in request.config.getoption("markexpr"):
        pytest.fail("This test takes PostgreSQL by a way that its marking does not see")
    # Not below pytest's own folder: as root the server runs as another user, whom pytest shuts out of it.
    with tempfile.TemporaryDirectory(prefix="billing-postgres-", ignore_cleanup_errors=True) as folder:
        server = started_server(Path(folder))
        try:
            yield url_of(server)
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A migrated, empty SQLite file to copy from."""
    file = tmp_path_factory.mktemp("template") / "template.sqlite3"
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def demo_company(sqlite_template, tmp_path_factory) -> "DemoCompany":
    """``demo_company("walked", orders=600, …)``: a file with the demo company, filled with these facts."""
    from tests.demo_company import DemoCompanies

    return DemoCompanies(sqlite_template, tmp_path_factory.getbasetemp()).file


@pytest.fixture(scope="session")
def postgres_template(postgres_url) -> str:
    """The name of a migrated, empty database on the server to copy from."""
    administer(postgres_url, 'CREATE DATABASE "template_billing"')
    engine = connect(address_of(postgres_url, "template_billing"))
    upgrade(engine)
    engine.dispose()
    return "template_billing"


@pytest.fixture(scope="session")
def emptied_database(postgres_url, postgres_template) -> Iterator[EmptiedDatabase]:
    """The database on the server that one test after the other takes."""
    database = EmptiedDatabase(postgres_url, postgres_template)
    yield database
    database.close()


@pytest.fixture
def sqlite_url(sqlite_template, tmp_path) -> str:
    """The URL of this test's own empty SQLite database."""
    file = tmp_path / "billing.sqlite3"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request) -> str:
    """The URL of this test's own empty database, once for each kind."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_url")
    return request.getfixturevalue("emptied_database").taken()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request, tmp_path) -> Iterator[Sessions]:
    """A database without a single table, once for each kind."""
    if request.param == "sqlite":
        url, server, name = f"sqlite:///{tmp_path / 'empty.sqlite3'}", "", ""
    else:
        server, name = request.getfixturevalue("postgres_url"), f"empty_{next(_numbers)}"
        administer(server, f'CREATE DATABASE "{name}"')
        url = address_of(server, name)
    opened = Sessions(connect(url))
    yield opened
    opened.engine.dispose()
    if server:
        administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def wait_for_no_disk(connection: Any, _record: Any) -> None:
    """Test data need not survive a power cut: it waited as long for the disk as for the processor."""
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def sessions(database_url, request) -> Iterator[Sessions]:
    kept = {}
    if database_url.startswith("postgresql"):
        kept = {"creator": request.getfixturevalue("emptied_database").connections.take}
    opened = Sessions(connect(database_url, **kept))
    if opened.engine.dialect.name == "sqlite":
        event.listen(opened.engine, "connect", wait_for_no_disk)
    yield opened
    # Jobs that were stopped may hold a connection for a moment longer. One that comes back to a pool after its end is
    # never closed, and is complained of in whichever test happens to run when the garbage is collected.
    for thread in threading.enumerate():
        if thread.name in ("ending", "hearing", "nudges"):
            thread.join(300)
    opened.engine.dispose()
    # A thread of DBOS's that its own stop did not wait for may even open one now. The new pool has ended too, and
    # closes whatever comes back to it.
    opened.engine.pool.dispose()


@pytest.fixture
def session(sessions) -> Iterator[Session]:
    """One session in one transaction that is rolled back at the end."""
    with Session(sessions.engine, expire_on_commit=False) as opened, opened.begin():
        yield opened
        opened.rollback()


@pytest.fixture
def dutch(tmp_path, monkeypatch) -> Iterator[None]:
    """The product with a further language, which is one more file among the catalogues."""
    folder = tmp_path / "catalogues"
    shutil.copytree(available.CATALOGUES, folder)
    shutil.copy(Path(__file__).parent / "languages" / "nl.po", folder)
    read = (available.languages, formats.writing, countries._codes)
    for cached in read:
        cached.cache_clear()
    monkeypatch.setattr(available, "CATALOGUES", folder)
    yield
    for cached in read:
        cached.cache_clear()
