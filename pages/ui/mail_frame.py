"""A mail's HTML, shown without trusting it."""

from base64 import b64encode


def mail_frame(html: str) -> str:
    """The address of an iframe with it, which loads nothing, runs nothing, and as data has no way into the page."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
    guarded = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{html}'
    return f"data:text/html;charset=utf-8;base64,{b64encode(guarded.encode()).decode()}"
