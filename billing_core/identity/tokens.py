"""Secrets in cookies and links. Only their hashes are stored."""

import hashlib
import secrets


def fresh() -> str:
    """256 random bits that fit into a cookie or an address."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """What the database stores: 64 hexadecimal digits. A random token needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
