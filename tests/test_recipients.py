"""Lists of receivers, as people type and copy them."""

import pytest

from billing_core.errors import Invalid
from billing_core.recipients import Recipients, addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ; ,\n", []),
        ("a@b.example", ["a@b.example"]),
        (
            "a@b.example, c@d.example;e@f.example\r\ng@h.example",
            ["a@b.example", "c@d.example", "e@f.example", "g@h.example"],
        ),
        # As Outlook and others copy them.
        ('"Berg, Ana" <ana@b.example>; Ben <ben@b.example>;', ["ana@b.example", "ben@b.example"]),
        ('"a, b; c"@d.example, e@f.example', ['"a, b; c"@d.example', "e@f.example"]),
        # What is no address stays, to be named.
        ('"Ana <ana@b.example>, ben', ["ana@b.example", "ben"]),
        ("ana berg@b.example", ["ana berg@b.example"]),
        ("<a@b.example> <c@d.example>", ["<a@b.example> <c@d.example>"]),
    ],
)
def test_addresses_of_a_list(text, expected):
    assert addresses(text) == expected


def test_each_gets_one_mail_where_it_is_seen_best():
    found = Recipients.read(
        "Ana@b.example, ana@B.example, a@xn--mller-kva.example",
        "ana@b.example; cfo@b.example",
        "a@müller.example, me@b.example",
    )
    assert found == Recipients(("Ana@b.example", "a@xn--mller-kva.example"), ("cfo@b.example",), ("me@b.example",))
    assert found.everybody == ("Ana@b.example", "a@xn--mller-kva.example", "cfo@b.example", "me@b.example")
    assert (
        found.in_words() == "Ana@b.example, a@xn--mller-kva.example, copy to cfo@b.example, blind copy to me@b.example"
    )


@pytest.mark.parametrize(
    ("lists", "fields"),
    [
        (("",), {"to": "is needed"}),
        (("", "a@b.example"), {"to": "is needed"}),
        (("a@b.example", "nobody"), {"cc": "“nobody” is not an e-mail address such as ana@example.com"}),
        (
            ("ana@b.example", "", "x@my_shop.example"),
            {"bcc": "“x@my_shop.example” is not an e-mail address: there can be no domain “my_shop.example”"},
        ),
        (
            ("a@b.example\r\nBcc: eve@evil.example",),
            {"to": "“Bcc: eve@evil.example” is not an e-mail address such as ana@example.com"},
        ),
        ((", ".join(f"a{n}@b.example" for n in range(11)),), {"to": "are 11 addresses: at most 10 may be in a list"}),
    ],
)
def test_what_is_wrong_is_named_at_its_list(lists, fields):
    with pytest.raises(Invalid) as refusal:
        Recipients.read(*lists).checked()
    assert refusal.value.fields == fields


def test_a_list_may_have_ten():
    ten = Recipients.read(*(", ".join(f"{name}{n}@b.example" for n in range(10)) for name in ("to", "cc", "bcc")))
    assert len(ten.checked().everybody) == 30
