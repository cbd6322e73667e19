"""What tests of imports say: ``take_in("orders", text)`` and ``dry_run("orders", text)``."""

from collections.abc import Callable

import pytest

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.outcome import Outcome
from tests.imports.files import incoming


@pytest.fixture
def take_in(sessions) -> Callable[..., Outcome]:
    return lambda *file, **how: service.apply(sessions, SYSTEM, incoming(*file, **how), now=utc_now())


@pytest.fixture
def dry_run(sessions) -> Callable[..., Outcome]:
    return lambda *file, **how: service.check(sessions, SYSTEM, incoming(*file, **how), now=utc_now())


@pytest.fixture
def two_customers(take_in) -> None:
    """ACME, billed in USD, and BETA, billed in EUR."""
    take_in("customers", "customer_ref,name,currency\nACME,Acme Inc,USD\nBETA,Beta GmbH,EUR\n")


@pytest.fixture
def one_order(two_customers, take_in) -> None:
    """SO-1 of ACME."""
    take_in("orders", "order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n")
