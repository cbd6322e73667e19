"""Addresses that people type or kept: they lead to the page as it is called now."""

import pytest


@pytest.fixture
def database_url(sqlite_url) -> str:
    """Nothing of the database is asked for."""
    return sqlite_url


def test_a_page_is_found_by_its_other_names_with_its_filters(signed_in, visitor):
    person = signed_in("finance")
    addresses = {
        "/overview": "/",
        "/overview?period=this_year&x=%26": "/?period=this_year&x=%26",
        "/admin_webhooks?event=3": "/admin_incoming_webhooks?event=3",
        "/admin_subscribers": "/admin_outgoing_webhooks",
        "/admin_collecting": "/admin_online_payments",
    }
    for typed, led_to in addresses.items():
        answer = person.get(typed, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, led_to)
    assert visitor.get("/overview").status_code == 401
