"""Which ways of writing an address or a name mean the same one."""

import pytest

from billing_core.customers.same import email_key, name_key

SAME = [
    ("ap@acme.example", "AP@Acme.Example"),
    ("ärger@köln.example", "ÄRGER@KÖLN.EXAMPLE"),
    # One letter, or one and an accent that Unicode composes with it.
    ("jose\u0301@acme.example", "JOSÉ@acme.example"),
    # A domain in its letters and as DNS has it, by IDNA 2008.
    ("kontakt@straße.example", "KONTAKT@xn--strae-oqa.example"),
    ("a@bücher.example", "a@XN--BCHER-KVA.example"),
    ("σοφος@acme.example", "ΣΟΦΟΣ@acme.example"),
    ("σοφος@acme.example", "σοφοσ@acme.example"),
    ("ẞ@acme.example", "ß@acme.example"),
    # No domain of DNS, yet one address.
    ("a@my_host.example", "A@MY_HOST.example"),
]
OTHERS = [
    ("ap@acme.example", "ar@acme.example"),
    ("straße@acme.example", "strasse@acme.example"),
    ("kontakt@straße.example", "kontakt@strasse.example"),
    ("jose@acme.example", "josé@acme.example"),
    ("irem@acme.example", "İrem@acme.example"),
    ("ilk@acme.example", "ılk@acme.example"),
    ("ap+1@acme.example", "ap@acme.example"),
    ("a.p@acme.example", "ap@acme.example"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_address_has_one_key(one, other):
    assert email_key(one) == email_key(other)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_other_addresses_have_others(one, other):
    assert email_key(one) != email_key(other)


def test_no_address_has_no_key():
    assert [email_key(""), email_key("nobody")] == ["", ""]


def test_a_name_is_the_same_in_any_case_and_with_any_blanks():
    assert name_key(" ACME   Köln ") == name_key("Acme KÖLN")
    assert name_key("Straße GmbH") != name_key("Strasse GmbH")
