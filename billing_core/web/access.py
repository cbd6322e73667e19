"""The dependencies by which a route gets its actor and the database, and which addresses have their own."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.identity import Actor
from billing_core.identity.sessions import SignedIn

# The addresses of the published APIs, all that is below them.
APIS = ("/api/", "/v1/")
# Where the authentication stores the signed-in person.
SCOPE_KEY = "billing.signed_in"


def _signed_in(request: Request) -> SignedIn:
    signed_in = request.scope.get(SCOPE_KEY)
    if not isinstance(signed_in, SignedIn):
        raise HTTPException(401, "Sign in first.")
    return signed_in


def _actor(signed_in: Annotated[SignedIn, Depends(_signed_in)]) -> Actor:
    return signed_in.actor


def _reading() -> Iterator[Session]:
    with runtime.sessions()() as session:
        yield session


CurrentActor = Annotated[Actor, Depends(_actor)]

# For an answer that is complete when the route returns. One that streams opens its own session.
# scope="function": the transaction ends before the answer leaves, not after it.
Reading = Annotated[Session, Depends(_reading, scope="function")]
