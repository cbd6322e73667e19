"""Which passwords are acceptable, and how they are compared."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from billing_core.errors import Invalid
from billing_core.identity import passwords

KNOWN = ("ana@example.com", "Ana Lima", "Northwind Fulfilment")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "Bäckerei-am-Markt",
        "zwölf Zeichen",
        "a billing clerk from Lyon",
        "🐎🔋📎 und noch drei",
    ],
)
def test_long_phrases_are_acceptable(password):
    assert passwords.acceptable(password, personal=KNOWN)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "elevenchars",
        "x" * 129,
        "aaaaaaaaaaaa",
        "abababababab",
        "123456789012",
        "Password1234",
        "password12345",
        "abcdefghijklm",
        "ana@example.com",
        "Ana Lima 2026",
        "qwerty-qwerty",
        "password123456",
        "Northwind123456",
        "northwind-fulfilment",
        "Sommer2026!!",
    ],
)
def test_what_is_tried_first_is_refused(password):
    with pytest.raises(Invalid) as refusal:
        passwords.acceptable(password, personal=KNOWN)
    assert refusal.value.fields["password"]


def test_the_hash_is_argon2id_and_never_the_same():
    first, second = passwords.hashed("correct horse battery"), passwords.hashed("correct horse battery")
    assert first.startswith("$argon2id$")
    assert first != second


def test_the_same_characters_match_however_they_are_composed():
    assert passwords.matches("Ba\u0308ckerei am Markt", passwords.hashed("Bäckerei am Markt")) == (True, None)


def test_a_wrong_password_does_not_match():
    assert passwords.matches("correct horse", passwords.hashed("correct horse battery")) == (False, None)


def test_an_older_hash_is_replaced():
    weak = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8192),)).hash("correct horse battery")
    right, newer = passwords.matches("correct horse battery", weak)
    assert right
    assert newer is not None
    assert passwords.matches("correct horse battery", newer) == (True, None)


@pytest.mark.parametrize("kept", [None, ""])
def test_without_an_account_the_same_work_is_done(monkeypatch, kept):
    compared = []
    real = passwords._HASHES

    class Counting:
        hash = staticmethod(real.hash)

        def verify_and_update(self, password, hash_):
            compared.append(hash_)
            return real.verify_and_update(password, hash_)

    monkeypatch.setattr(passwords, "_HASHES", Counting())
    assert passwords.matches("no account has this password", kept) == (False, None)
    assert len(compared) == 1


def test_a_hash_of_another_kind_matches_nothing():
    assert passwords.matches("secret", "not a hash at all") == (False, None)


def test_a_huge_password_is_not_even_hashed():
    assert passwords.matches("x" * 10_000_000, passwords.hashed("correct horse battery")) == (False, None)


def long_one(length):
    """Hard to guess from its beginning on."""
    return ("zv9#Kq2!mXp7-" * 10)[:length]


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (11, "it needs at least 12 characters"),
        (12, None),
        (128, None),
        (129, "it may have at most 128 characters"),
    ],
)
def test_a_password_has_twelve_to_a_hundred_and_twenty_eight_characters(length, reason):
    if reason is None:
        assert passwords.acceptable(long_one(length)) == long_one(length)
        return
    with pytest.raises(Invalid) as refusal:
        passwords.acceptable(long_one(length))
    assert refusal.value.fields == {"password": reason}


@pytest.mark.parametrize(("length", "matches"), [(128, True), (129, False)])
def test_no_longer_one_is_compared(length, matches):
    kept = passwords.hashed(long_one(length))
    assert passwords.matches(long_one(length), kept) == (matches, None)


@pytest.mark.parametrize(("score", "reason"), [(3, "easy to guess"), (4, None)])
def test_its_beginning_is_judged_with_what_is_known_of_its_owner(monkeypatch, score, reason):
    judged = []

    def judge(password, *, user_inputs):
        judged.append((password, user_inputs))
        return {"score": score}

    monkeypatch.setattr(passwords, "zxcvbn", judge)
    if reason is None:
        assert passwords.acceptable("x" * 33, personal=["Li Lim", "ab"])
    else:
        with pytest.raises(Invalid, match=reason):
            passwords.acceptable("x" * 33, personal=["Li Lim", "ab"])
    assert judged == [("x" * 32, ["Li Lim", "Lim"])]


def test_four_are_hashed_at_once_and_the_fifth_waits(monkeypatch):
    hashing, go_on = threading.Semaphore(0), threading.Event()

    class Slow:
        def hash(self, _password):
            hashing.release()
            assert go_on.wait(300)
            return "hash"

    monkeypatch.setattr(passwords, "_HASHES", Slow())
    with ThreadPoolExecutor(4) as pool:
        four = [pool.submit(passwords.hashed, "x") for _ in range(4)]
        try:
            assert all(hashing.acquire(timeout=300) for _ in four)
            fifth = passwords._AT_ONCE.acquire(blocking=False)
        finally:
            go_on.set()
    assert fifth is False
    assert passwords._AT_ONCE.acquire(blocking=False)
    passwords._AT_ONCE.release()
