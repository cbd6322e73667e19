"""Requests to Stripe that end in time: whoever waits for a page gets an answer, though it be "not now"."""

import time
from typing import Any, Final

import requests
import stripe

# It would send how long our requests took and what we run on, and keep a file in the home folder.
stripe.enable_telemetry = False

# In seconds. A single try; and all tries of everything that one click asks of Stripe.
TRY_SECONDS: Final = 8.0
PAGE_SECONDS: Final = 22.0
RETRIES: Final = 2


class Requests(requests.Session):
    """Not ``limited``: only the single tries are, for what reads page after page."""

    def __init__(self, *, limited: bool = True) -> None:
        super().__init__()
        # Or what a .netrc of the machine says would take the place of the key.
        self.auth = lambda request: request
        self._until = time.monotonic() + PAGE_SECONDS if limited else None

    def request(self, *given: Any, **options: Any) -> requests.Response:
        left = TRY_SECONDS if self._until is None else self._until - time.monotonic()
        if left <= 0:
            raise requests.Timeout("Stripe took too long altogether")
        options["timeout"] = min(TRY_SECONDS, left)
        # A redirect would carry the key elsewhere.
        options["allow_redirects"] = False
        return super().request(*given, **options)
