"""Two customers with three reports, made once for all tests of a file."""

import shutil

import pytest

from tests.web.api.reporting import two_customers_on_file


@pytest.fixture(scope="module")
def two_customers_made(sqlite_template, tmp_path_factory):
    return two_customers_on_file(sqlite_template, tmp_path_factory.mktemp("reports"))


@pytest.fixture
def database_url(two_customers_made, tmp_path):
    """What differs between databases is tested below the routes, and by ``test_hostile_report_input``."""
    shutil.copyfile(two_customers_made, tmp_path / "billing.sqlite3")
    return f"sqlite:///{tmp_path / 'billing.sqlite3'}"
