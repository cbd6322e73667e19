"""Passwords: which are acceptable, how they are stored and compared."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from threading import BoundedSemaphore

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from zxcvbn import zxcvbn

from billing_core.errors import Invalid

SHORTEST = 12
LONGEST = 128

_HASHES = PasswordHash((Argon2Hasher(),))
# Each hash takes 64 MiB while it is computed; many sign-ins at once must not use up the memory.
_AT_ONCE = BoundedSemaphore(4)
# The required strength, from 0 to 4: 4 is ten thousand million guesses or more.
_HARD_TO_GUESS = 4
# Longer passwords take longer to judge, and one with a strong beginning is strong.
_JUDGED = 32


def acceptable(password: str, *, personal: Iterable[str] = ()) -> str:
    """The normalized password; Invalid, with the field ``password``, where it is easy to guess.

    ``personal``: what others know about its owner, such as the e-mail address and the names of person and business.
    """
    normal = _normal(password)
    if reason := _weakness(normal, personal):
        raise Invalid(f"Choose another password: {reason}", fields={"password": reason})
    return normal


def hashed(password: str) -> str:
    """The Argon2id hash to store. Takes tens of milliseconds by design: call it outside a transaction."""
    with _AT_ONCE:
        return _HASHES.hash(_normal(password))


def matches(password: str, stored_hash: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a newer hash to store where today's parameters are stronger.

    Without a stored hash the answer is no, after the same work: timing does not reveal whether an account exists.
    """
    if len(password) > LONGEST:
        password, stored_hash = "", None
    compared_with = stored_hash or _nobodys_hash()
    try:
        with _AT_ONCE:
            right, newer = _HASHES.verify_and_update(_normal(password), compared_with)
    except UnknownHashError:
        return False, None
    return (True, newer) if right and stored_hash else (False, None)


def _weakness(password: str, personal: Iterable[str]) -> str:
    if len(password) < SHORTEST:
        return f"it needs at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"it may have at most {LONGEST} characters"
    known = [part for text in personal for part in (text, *re.split(r"[\W_]+", text)) if len(part) > 2]
    if zxcvbn(password[:_JUDGED], user_inputs=known)["score"] < _HARD_TO_GUESS:
        return "it is easy to guess; several words that do not belong together are hard to"
    return ""


def _normal(password: str) -> str:
    """The same key presses give the same characters on every system."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys_hash() -> str:
    return _HASHES.hash("no account has this password")
