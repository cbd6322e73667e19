"""Who opens a customer's link: a person, or a program that scans links before people do."""

from typing import Final

from starlette.requests import Request

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import sessions
from billing_core.web import cookies

# Programs that fetch a link for a preview, a malware scan, or a script: nobody has read the page then.
_PROGRAMS: Final = (
    *("bot", "crawl", "spider", "slurp", "preview", "scan", "facebookexternalhit", "whatsapp", "embedly", "monitor"),
    *("proofpoint", "barracuda", "mimecast", "safelinks", "urldefense", "virustotal", "google-safety", "imageproxy"),
    *("curl/", "wget/", "python-", "okhttp", "go-http-client", "java/", "libwww", "microsoft office"),
)


def by_the_customer(request: Request) -> bool:
    """Whether a person outside our company looks: no prefetch, no link scanner, no colleague's preview."""
    headers = request.headers
    if request.method != "GET":
        return False
    purpose = f"{headers.get('sec-purpose', '')} {headers.get('purpose', '')} {headers.get('x-moz', '')}".lower()
    if "prefetch" in purpose or "preview" in purpose or "prerender" in purpose:
        return False
    program = headers.get("user-agent", "").lower()
    if not program or any(name in program for name in _PROGRAMS):
        return False
    token = cookies.session_token(request)
    if not token:
        return True
    with runtime.sessions()() as session:
        return sessions.find(session, token, now=utc_now()) is None
