"""Which addresses are accepted, and what mail servers are told."""

import pytest

from billing_core.email_addresses import address_fault, is_email_address, mailbox, on_the_wire

NONE = "is not an e-mail address such as ana@example.com"


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("ap@acme.example", "ap@acme.example"),
        ("AP@Acme.Example", "AP@Acme.Example"),
        ("o'brien+bills@acme.example", "o'brien+bills@acme.example"),
        # By IDNA 2008 (RFC 5891), with the labels that the registries of .de and .gr publish for these names.
        ("kontakt@straße.example", "kontakt@xn--strae-oqa.example"),
        ("kontakt@STRAẞE.example", "kontakt@xn--strae-oqa.example"),
        ("ap@faß.de", "ap@xn--fa-hia.de"),
        ("ap@βόλος.com", "ap@xn--nxasmm1c.com"),
        ("ap@Müller.example", "ap@xn--mller-kva.example"),
        ("ap@xn--mller-kva.example", "ap@xn--mller-kva.example"),
        ("請求@例え。テスト", "請求@xn--r8jz45g.xn--zckzah"),
        # An o with two dots and an ö are one letter.
        ("jo\u0308rg@acme.example", "j\xf6rg@acme.example"),
        ('"a@b"@acme.example', '"a@b"@acme.example'),
        ('"Ana \\" Berg"@acme.example', '"Ana \\" Berg"@acme.example'),
        # What older data may have.
        ("ap@acme..example", "ap@acme..example"),
        (f"ap@{'x' * 64}.example", f"ap@{'x' * 64}.example"),
        ("nobody", "nobody"),
    ],
)
def test_an_address_on_the_wire(typed, wire):
    assert on_the_wire(typed) == wire


@pytest.mark.parametrize(
    "address",
    [
        "a@b.co",
        "ap@straße.example",
        "jörg@acme.example",
        "請求@例え。テスト",
        '"a, b; c <d@e>"@acme.example',
        "x@r3---sn-4g5.example",
        # The longest that SMTP carries (RFC 5321): 64 bytes before the @, 63 in a label, 254 in all.
        f"{'a' * 64}@example.com",
        f"{'ä' * 32}@example.com",
        f"a@{'b' * 63}.example",
        f"{'a' * 64}@{'b' * 62}.{'c' * 62}.{'d' * 63}",
    ],
)
def test_what_can_be_an_address_is_accepted(address):
    assert address_fault(address) == ""
    assert is_email_address(address)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((text, NONE) for text in ("", "ana", "ana@", "@b.example", "ana berg@b.example", "ana@b@c.example")),
        *((text, NONE) for text in (".ana@b.example", "ana.@b.example", "a..b@b.example", "ana,ben@b.example")),
        *(
            (text, NONE)
            for text in ("Ana <ana@b.example>", "<ana@b.example>", "ana@[127.0.0.1]", "ana@b.example, c@d.example")
        ),
        *((text, NONE) for text in ("ana@b.example\r\nBcc: eve@evil.example", "a\x00@b.example", "a\u202e@b.example")),
        *((text, NONE) for text in ('"ana@b.example', '""@b.example', '"a\r\nb"@b.example', '"ä"@b.example')),
        *(
            (f"ana@{domain}", f"is not an e-mail address: there can be no domain “{domain}”")
            for domain in ("localhost", "127.0.0.1", "b..example", "b.example.", "-b.example", "my_shop.example")
        ),
        *(
            (f"ana@{domain}", f"is not an e-mail address: there can be no domain “{domain}”")
            for domain in ("☃.example", "xn--a.example", "a\u0301\u0300\u0640.example", f"{'b' * 64}.example")
        ),
        (f"{'a' * 65}@example.com", "is not an e-mail address: before the @ it has more than 64 characters"),
        (f"{'ä' * 33}@example.com", "is not an e-mail address: before the @ it has more than 64 characters"),
        (
            f"{'a' * 64}@{'b' * 63}.{'c' * 62}.{'d' * 63}",
            "is not an e-mail address: it has more than 254 characters",
        ),
    ],
)
def test_what_cannot_be_one_is_refused_with_the_reason(text, reason):
    assert address_fault(text) == reason
    assert not is_email_address(text)


def test_headers_are_made_of_what_stands_between_the_quotes():
    assert mailbox('"Ana \\" Berg"@straße.example') == ('Ana " Berg', "xn--strae-oqa.example")
    assert mailbox("jörg@acme.example") == ("jörg", "acme.example")
