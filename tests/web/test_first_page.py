"""The overview by its name: people who type it see the overview."""

import pytest


@pytest.fixture
def database_url(sqlite_url) -> str:
    """Nothing of the database is asked for."""
    return sqlite_url


def test_the_overview_is_found_by_its_name_with_its_filters(signed_in, visitor):
    person = signed_in("finance")
    for typed, led_to in {"/overview": "/", "/overview?period=this_year&x=%26": "/?period=this_year&x=%26"}.items():
        answer = person.get(typed, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, led_to)
    assert visitor.get("/overview").status_code == 401
