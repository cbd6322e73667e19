"""Opening a page and sending its form, as a browser does."""

import re

from starlette.testclient import TestClient

PASSWORD = "correct horse battery"


def submit(client: TestClient, page: str, action: str, **answers: str):
    """Open a page and send its form, as a browser does."""
    form = client.get(page, headers={"Accept": "text/html"})
    token = re.search(r'name="form_token" value="([^"]+)"', form.text)
    assert token, form.text
    return client.post(
        action,
        data={"form_token": token[1], **answers},
        headers={"Accept": "text/html", "Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"},
    )
