"""Requests to Stripe with a time limit: a waiting page gets an answer, even if it is "not now"."""

import time
from typing import Any, Final

import requests
import stripe

# It would report our request times and platform, and keep a file in the home folder.
stripe.enable_telemetry = False

# In seconds: one try, and all requests of one click together.
TRY_SECONDS: Final = 8.0
PAGE_SECONDS: Final = 22.0
RETRIES: Final = 2


class Requests(requests.Session):
    """Without ``limited``, only single tries have a limit, for reading page after page."""

    def __init__(self, *, limited: bool = True) -> None:
        super().__init__()
        # Otherwise a .netrc of the machine would override the key.
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
