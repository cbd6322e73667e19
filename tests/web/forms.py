"""Opening a page and sending its form, as a browser does."""

import re

from httpx import Response
from starlette.testclient import TestClient

PASSWORD = "correct horse battery"


def submit(client: TestClient, page: str, action: str, **answers: str):
    """Open a page and send its form, as a browser does."""
    return answered(client, client.get(page, headers={"Accept": "text/html"}), action, **answers)


def answered(client: TestClient, form: Response, action: str, **answers: str):
    """Send the form of a page that is open."""
    token = re.search(r'name="form_token" value="([^"]+)"', form.text)
    assert token, form.text
    return client.post(
        action,
        data={"form_token": token[1], **answers},
        headers={"Accept": "text/html", "Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"},
    )
