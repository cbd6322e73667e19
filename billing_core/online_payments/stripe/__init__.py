"""Stripe as a gateway, through its own library, which nothing outside this folder imports."""

from typing import Final

# We read and write the shapes of this version, whatever the account's default is.
API_VERSION: Final = "2026-10-28.endive"
