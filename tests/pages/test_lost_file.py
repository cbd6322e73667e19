"""A database file that is gone while somebody works."""

from pathlib import Path

import pytest


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_page_says_that_the_database_is_gone(page_as, sessions):
    page = page_as("admin").visit("customers.py")
    assert not page.error
    file = Path(sessions.engine.url.database)
    file.rename(file.with_name("elsewhere"))
    page.run()
    assert "was deleted while the product runs" in page.error[0].value
    file.with_name("elsewhere").rename(file)
    assert not page.run().error
