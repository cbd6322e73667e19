"""A file of usage while programs tell of the same: each event counts once, whichever way is the quicker."""

from functools import partial

import pytest

from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.imports import service
from tests.at_once import at_once
from tests.imports.files import incoming
from tests.invoices.company import a_customer
from tests.metering.used import TOLD, an_event, calls, record, used, wrong_in

pytestmark = pytest.mark.slow
NUMBERS = range(300)


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session)


def take_in(sessions, user="ana"):
    rows = "".join(f"{number},ACME,{TOLD},{user}\n" for number in NUMBERS)
    file = incoming("usage", f"event_id,customer_ref,time,user\n{rows}")
    return service.apply(sessions, SYSTEM, file, now=utc_now())


def tell(sessions, step):
    """The same events in batches of a hundred, forwards or backwards."""
    batches = [NUMBERS[first : first + 100][::step] for first in range(0, len(NUMBERS), 100)][::step]
    return [record(sessions, *(an_event(str(number), user="ana") for number in batch)) for batch in batches]


def test_a_file_and_programs_that_tell_of_the_same_count_it_once(sessions, acme):
    outcome, *told = at_once(partial(take_in, sessions), partial(tell, sessions, 1), partial(tell, sessions, -1))
    batches = [recorded for one in told for recorded in one]
    assert (outcome.new + outcome.unchanged, outcome.rejected) == (300, 0)
    assert [one.accepted + one.repeated for one in batches] == [100] * 6
    # What the file found new while it compared, a program may have told before it wrote.
    assert 300 - outcome.new <= sum(one.accepted for one in batches) <= 300
    assert used(sessions, acme) == calls(300, users=1)
    with sessions() as session:
        assert wrong_in(session) == []


def test_two_files_of_the_same_at_once_count_once(sessions, acme):
    outcomes = at_once(partial(take_in, sessions), partial(take_in, sessions))
    assert sorted((one.new, one.unchanged) for one in outcomes) == [(0, 300), (300, 0)]
    assert used(sessions, acme) == calls(300, users=1)


def test_of_a_file_and_a_program_with_other_content_one_is_kept_whole(sessions, acme):
    file, told = at_once(partial(take_in, sessions, user="ben"), partial(tell, sessions, 1))
    accepted = sum(one.accepted for one in told)
    if isinstance(file, Conflict) or not file.applied:
        assert accepted == 300
    else:
        assert (file.new, accepted, sum(len(one.refused) for one in told)) == (300, 0, 300)
    assert used(sessions, acme) == calls(300, users=1)
    with sessions() as session:
        assert wrong_in(session) == []
