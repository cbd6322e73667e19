"""A program with a pair of keys, and what stands in the document's commands in place of its key, host and ids."""

import pytest

from tests.web.api import curl
from tests.web.api.invoices.documented.document import CREATE


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What the database does is tested elsewhere."""
    return sqlite_url


@pytest.fixture
def pair(key_of):
    key = key_of("admin")
    return f"{key.public_key}:{key.secret_key}"


@pytest.fixture
def client(api, browser, pair):
    client = browser()
    client.headers["Authorization"] = f"Bearer {pair}"
    return client


@pytest.fixture
def replaced(pair, client):
    (business,) = client.get("/api/businesses").json()["businesses"]
    return {"pk_xxx:sk_xxx": pair, "http://localhost:3000": "", "biz_abc123": business["business_id"]}


@pytest.fixture
def business_id(replaced) -> str:
    return replaced["biz_abc123"]


@pytest.fixture
def example(browser, api, replaced) -> str:
    """The invoice of the document's first example; its id."""
    made = curl.run(browser(), CREATE, replaced).json()
    replaced["inv_xyz789"] = made["invoice_id"]
    return made["invoice_id"]
