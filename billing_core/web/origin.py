"""The origin of a request, and where a redirect may go."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from billing_core.settings import settings


def from_our_pages(headers: Headers, *, origin_needed: bool = False) -> bool:
    """Whether no other site's page sent this. Programs send neither header; for them ``origin_needed`` decides."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return not origin_needed
    ours = {headers.get("host", ""), urlsplit(settings().public_url).netloc} - {""}
    return urlsplit(origin).netloc in ours


def from_trusted_pages(headers: Headers) -> bool:
    """Whether one of our own pages sent this, or one of a site that the settings trust with our APIs."""
    return headers.get("origin", "") in settings().trusted or from_our_pages(headers)


def local_path(text: str) -> str:
    """The text, where it is an address of this site; otherwise the start page.

    Browsers drop tabs and line breaks and read a backslash as a slash, so none of these may occur.
    """
    if not text.startswith("/") or text.startswith(("//", "/auth/")):
        return "/"
    if "\\" in text or any(char.isspace() or not char.isprintable() for char in text):
        return "/"
    return text
