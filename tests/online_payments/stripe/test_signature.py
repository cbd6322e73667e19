"""Who may tell us of payments: whoever knows the secret, now."""

from datetime import timedelta
from functools import partial

import pytest

from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.online_payments.stripe import signature

SECRET = "whsec_0123456789"
PAYLOAD = '{"id": "evt_1", "type": "invoice.paid", "data": {"object": {"description": "Zürich"}}}'.encode()


# Signed, and nothing that Stripe sends.
NO_EVENTS = (
    *(b"", b"null", b"7", b"true", b'"evt_1"', b"1e999", b"[null]", b"\xef\xbb\xbf" + PAYLOAD),
    # Python would read each of these.
    '{"id": "evt_1", "type": "invoice.paid"}'.encode("utf-16-le"),
    '{"id": "evt_1", "type": "invoice.paid"}'.encode("utf-32-be"),
    PAYLOAD[:-1] + b', "type": "charge.refunded"}',
    PAYLOAD[:-1] + b', "amount": NaN}',
    PAYLOAD[:-1] + b', "amount": -Infinity}',
    PAYLOAD[:-1] + b', "amount": ' + b"9" * 5_000 + b"}",
    PAYLOAD[:-1] + b', "deep": ' + b"[" * 60 + b"]" * 60 + b"}",
)


def signed(payload=PAYLOAD, *, secret=SECRET, ago=timedelta()):
    return signature.signed(payload, secret, utc_now() - ago)


def test_what_is_signed_is_read():
    assert signature.verify(PAYLOAD, signed(), SECRET)["data"]["object"] == {"description": "Zürich"}


def test_while_a_secret_is_rolled_either_signature_will_do():
    """Stripe signs with the old and with the new one for a day."""
    old = signed(secret="whsec_old").split("v1=")[1]
    assert signature.verify(PAYLOAD, f"{signed()},v1={old}", SECRET)["id"] == "evt_1"
    assert signature.verify(PAYLOAD, f"{signed()},v0={old}", SECRET)["id"] == "evt_1"


def test_five_minutes_are_not_old_yet(monkeypatch):
    assert signature.verify(PAYLOAD, signed(ago=timedelta(seconds=290)), SECRET)
    at = utc_now().replace(microsecond=0)
    monkeypatch.setattr("stripe._webhook.time.time", at.timestamp)
    sent = (-301, -300, 300, 301)
    header = {seconds: signature.signed(PAYLOAD, SECRET, at - timedelta(seconds=seconds)) for seconds in sent}
    assert signature.verify(PAYLOAD, header[300], SECRET)
    assert signature.verify(PAYLOAD, header[-300], SECRET)
    with pytest.raises(Invalid, match=r"^early$"):
        signature.verify(PAYLOAD, header[-301], SECRET)
    with pytest.raises(Invalid, match=r"^old$"):
        signature.verify(PAYLOAD, header[301], SECRET)


@pytest.mark.parametrize(
    ("payload", "header", "reason"),
    [
        (PAYLOAD, lambda: None, "missing"),
        (PAYLOAD, lambda: "", "missing"),
        (PAYLOAD, lambda: signed(secret="whsec_other"), "wrong"),
        (PAYLOAD.replace(b"paid", b"void"), lambda: signed(), "wrong"),
        (PAYLOAD + b" ", lambda: signed(), "wrong"),
        (PAYLOAD, lambda: signed().replace("v1=", "v1=0"), "wrong"),
        (PAYLOAD, lambda: signed(ago=timedelta(seconds=310)), "old"),
        # Whoever holds it could send it again until then.
        (PAYLOAD, lambda: signed(ago=timedelta(seconds=-310)), "early"),
        (PAYLOAD, lambda: signed(ago=timedelta(days=-365_000)), "early"),
        (PAYLOAD, lambda: f"{signed()},t=1", "malformed"),
        # Somebody without the secret makes an old one young.
        (PAYLOAD, lambda: "t=9999999999," + signed(ago=timedelta(days=1)).split(",")[1], "wrong"),
        (PAYLOAD, lambda: "nonsense", "malformed"),
        (PAYLOAD, lambda: signed().replace("v1=", "v0="), "malformed"),
        (PAYLOAD, lambda: "t=x,v1=y", "wrong"),
        (PAYLOAD, lambda: "t=1,v1=" + "é" * 64, "malformed"),
        (b"\xff\xfe", lambda: signed(), "malformed"),
        (b"[]", lambda: signed(b"[]"), "malformed"),
        (b"{", lambda: signed(b"{"), "malformed"),
        (b"[" * 50_000, lambda: signed(b"[" * 50_000), "malformed"),
        (b'{"id": 1, "type": "invoice.paid"}', lambda: signed(b'{"id": 1, "type": "invoice.paid"}'), "malformed"),
        *((wrong, partial(signed, wrong), "malformed") for wrong in NO_EVENTS),
        (b'{"id": "evt_1"}', lambda: signed(b'{"id": "evt_1"}'), "malformed"),
    ],
)
def test_everything_else_is_refused_with_the_reason(payload, header, reason):
    with pytest.raises(Invalid, match=f"^{reason}$"):
        signature.verify(payload, header(), SECRET)
