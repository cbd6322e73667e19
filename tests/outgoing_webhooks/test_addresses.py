"""Where webhooks may be sent."""

import socket

import pytest

from billing_core.errors import Invalid, UpstreamFailed
from billing_core.outgoing_webhooks.addresses import checked_url, public_address

PRIVATE = [
    "https://localhost/hook",
    "https://127.0.0.1/hook",
    "https://127.1/hook",
    "https://0x7f000001/hook",
    "https://2130706433/hook",
    "https://10.1.2.3/hook",
    "https://172.16.0.9/hook",
    "https://192.168.1.1:8443/hook",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://[::1]/hook",
    "https://[fd00::1]/hook",
    "https://[::ffff:10.0.0.1]/hook",
    "https://[2002:7f00:1::]/hook",
    "https://[::ffff:0:0]/hook",
    "https://[::10.0.0.1]/hook",
    "https://[64:ff9b::10.0.0.1]/hook",
    "https://[64:ff9b:1::1]/hook",
    "https://[fec0::1]/hook",
    "https://localhost./hook",
    "https://printer.local/hook",
    "https://metadata.internal/hook",
    "https://intranet/hook",
]
MALFORMED = [
    "",
    "hooks.example.com",
    "ftp://hooks.example.com/",
    "http://hooks.example.com/",
    "https:///hook",
    "https://user:password@hooks.example.com/",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/\x00",
    "https://hooks.example.com:99999/",
    "https://[::1",
    "https://bücher.example.com/",
    "https://hooks.example.com/ü",
    "https://hooks.example.com/" + "a" * 1000,
]


@pytest.mark.parametrize("url", PRIVATE + MALFORMED)
def test_addresses_of_our_own_network_and_addresses_that_are_none_are_refused(url):
    with pytest.raises(Invalid) as refusal:
        checked_url(url, private_allowed=False)
    assert "url" in refusal.value.fields


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?b=c",
        "https://1.1.1.1:8443/",
        "https://[2606:4700::1]/",
        "https://[64:ff9b::1.1.1.1]/",
    ],
)
def test_addresses_on_the_internet_are_kept_as_they_are(url):
    assert checked_url(f" {url} ", private_allowed=False) == url


def test_where_the_settings_allow_it_a_private_address_may_be_told_without_encryption():
    assert checked_url("http://127.0.0.1:8080/hook", private_allowed=True) == "http://127.0.0.1:8080/hook"


def test_a_public_name_that_leads_into_our_network_is_refused_when_a_message_is_sent(monkeypatch):
    def found(*numbers):
        rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443)) for number in numbers]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_facts: rows)

    found("10.0.0.5")
    with pytest.raises(Invalid, match="private network"):
        public_address("rebound.example.com", 443, private_allowed=False)
    # Only the public one of several numbers is asked.
    found("10.0.0.5", "93.184.215.14")
    assert public_address("mixed.example.com", 443, private_allowed=False) == "93.184.215.14"


def test_a_name_that_leads_nowhere_may_lead_somewhere_tomorrow(monkeypatch):
    def nowhere(*_args, **_facts):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(UpstreamFailed, match="cannot be resolved"):
        public_address("gone.example.com", 443, private_allowed=False)
