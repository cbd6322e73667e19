"""Passwords: which are acceptable, how they are kept, how they are compared."""

import unicodedata
from functools import cache
from threading import BoundedSemaphore

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from billing_core.errors import Invalid

SHORTEST = 12
LONGEST = 128

_HASHES = PasswordHash((Argon2Hasher(),))
# Each hash takes 64 MiB while it is computed; a crowd at the sign-in page must not take all the memory.
_AT_ONCE = BoundedSemaphore(4)
_OFTEN_TRIED = (
    "password",
    "passw0rd",
    "qwerty",
    "qwertz",
    "azerty",
    "letmein",
    "welcome",
    "iloveyou",
    "administrator",
    "changeme",
    "billing",
)
_SEQUENCES = ("0123456789" * 13, "9876543210" * 13, "abcdefghijklmnopqrstuvwxyz" * 5)


def acceptable(password: str, *, email: str = "", name: str = "") -> str:
    """The password in its normal form; Invalid, with the field ``password``, where it is easy to guess."""
    normal = _normal(password)
    if reason := _weakness(normal, {email, *email.split("@")[:1], name}):
        raise Invalid(f"Choose another password: {reason}", fields={"password": reason})
    return normal


def hashed(password: str) -> str:
    """The Argon2id hash to keep. Takes tens of milliseconds by design: call it outside a transaction."""
    with _AT_ONCE:
        return _HASHES.hash(_normal(password))


def matches(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a newer hash to keep where today's parameters are stronger.

    Without a kept hash the answer is no, after the same work: the time taken does not tell whether an account exists.
    """
    if len(password) > LONGEST:
        password, kept = "", None
    compared_with = kept or _nobodys_hash()
    try:
        with _AT_ONCE:
            right, newer = _HASHES.verify_and_update(_normal(password), compared_with)
    except UnknownHashError:
        return False, None
    return (True, newer) if right and kept else (False, None)


def _weakness(password: str, personal: set[str]) -> str:
    folded = password.casefold()
    letters = "".join(filter(str.isalnum, folded))
    if len(password) < SHORTEST:
        return f"it needs at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"it may have at most {LONGEST} characters"
    if len(set(folded)) < 5:
        return "it repeats too few characters"
    if any(folded in sequence for sequence in _SEQUENCES):
        return "it is a sequence"
    if any(_mostly(letters, word) for word in _OFTEN_TRIED):
        return "it is one that is tried first"
    if any(len(text) >= 4 and _mostly(folded, text.casefold()) for text in personal):
        return "it is your name or address"
    return ""


def _mostly(password: str, word: str) -> bool:
    """Whether little is left of the password without this word: fewer than six characters."""
    return word in password and len(password.replace(word, "")) < 6


def _normal(password: str) -> str:
    """The same key presses give the same characters on every system."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys_hash() -> str:
    return _HASHES.hash("no account has this password")
