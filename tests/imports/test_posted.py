"""Files that programs post: checked, shown, and imported as they were shown, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.imports import Kind, inbox, service, steps, upkeep
from billing_core.imports.models import Holds, ImportFile, ImportFilePart, ImportRun, PostedImport
from billing_core.imports.posted import queries
from billing_core.imports.posted import service as posting
from billing_core.imports.posted.queries import PostedState, Poster
from tests.at_once import at_once
from tests.imports.expected_cases import CASES, what_there_is
from tests.imports.files import incoming
from tests.imports.sources.workbooks import zipped

SHOP = Poster(actor_with(Role.ADMIN, user_id=None, name="API key shop"), "key:1")
OTHER = Poster(actor_with(Role.ADMIN, user_id=None, name="API key other"), "key:2")
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
ORDERS = b"order_number,customer_ref,order_date,status\nSO-1,ACME,2025-03-04,shipped\n"
TWO_RATHER_LIKE_ONE = b"customer_ref,name\nACME,Acme Inc\nACME,Acme Ltd\n"


def nothing(_session):
    pass


@pytest.fixture
def post(sessions):
    """Post a file and have it checked; its id."""

    def one(name, content, given=None, *, when_certain=False, poster=SHOP, now=NOW, work=True) -> int:
        posted, job = posting.post(
            sessions, poster, name, [content], given or {}, when_certain=when_certain, now=now, also=nothing
        )
        if work:
            steps.work_off(sessions, job)
        return posted

    return one


@pytest.fixture
def see(sessions):
    def one(posted, poster=SHOP):
        with sessions() as session:
            return queries.one(session, poster, posted)

    return one


@pytest.fixture
def act(sessions):
    """Do this with one that was posted, and what job it begins."""

    def do(verb, posted, *arguments, poster=SHOP):
        with sessions.begin() as session:
            job = verb(session, poster, posted, *arguments, now=NOW)
        steps.work_off(sessions, job)

    return do


def names(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(Customer.name).order_by(Customer.id)))


def about(posted) -> list[str]:
    return [doubt["about"] for file in posted.found["files"] for doubt in file["unsure"] if doubt["must_be_answered"]]


def test_a_file_is_checked_shown_and_imported_when_that_is_confirmed(post, see, act, sessions):
    posted = post("customers.csv", CUSTOMERS)
    shown = see(posted)
    (part,) = shown.found["files"][0]["parts"]
    assert (shown.state, part["result"]["new"]) == (PostedState.WAITING_FOR_CONFIRMATION, 1)
    assert names(sessions) == []
    act(posting.confirm, posted, shown.confirm_token)
    done = see(posted)
    assert (done.state, done.confirm_token, names(sessions)) == (PostedState.IMPORTED, "", ["Acme Inc"])
    with sessions() as session:
        run = session.scalars(select(ImportRun)).one()
        assert done.found["files"][0]["parts"][0]["import"] == run.id
        assert run.created_by == "API key shop"
        assert session.scalars(select(ImportFilePart)).all() == []


def test_what_comes_in_many_pieces_is_the_same_file(sessions, see):
    pieces = [CUSTOMERS[place : place + 3] for place in range(0, len(CUSTOMERS), 3)]
    posted, job = posting.post(sessions, SHOP, "c.csv", pieces, {}, when_certain=True, now=NOW, also=nothing)
    steps.work_off(sessions, job)
    assert (see(posted).size, names(sessions)) == (len(CUSTOMERS), ["Acme Inc"])


def test_when_certain_a_file_goes_in_by_itself_only_where_nothing_is_unsure(post, see, sessions):
    sure = post("customers.csv", CUSTOMERS, when_certain=True)
    assert (see(sure).state, names(sessions)) == (PostedState.IMPORTED, ["Acme Inc"])
    # Nobody has said that this layout is meant so.
    guessed = post("people.csv", b"Kundennr,Name,Extra\nB,Bolt,x\n", when_certain=True)
    assert see(guessed).state in (PostedState.WAITING_FOR_CONFIRMATION, PostedState.NEEDS_ANSWERS)
    rejected = post("bad.csv", b"customer_ref,name\nC,\n", when_certain=True)
    assert (see(rejected).state, about(see(rejected))) == (PostedState.NEEDS_ANSWERS, ["rejected"])
    assert names(sessions) == ["Acme Inc"]


def test_answers_are_checked_anew_and_take_the_place_of_those_before(post, see, act, sessions):
    posted = post("customers.csv", TWO_RATHER_LIKE_ONE)
    assert (see(posted).state, about(see(posted))) == (PostedState.NEEDS_ANSWERS, ["repeats", "rejected"])
    act(posting.answer, posted, {"repeats": ["first"]})
    first = see(posted)
    act(posting.answer, posted, {"repeats": ["last"]})
    last = see(posted)
    assert first.confirm_token != last.confirm_token
    with pytest.raises(Conflict, match="not the token"):
        act(posting.confirm, posted, first.confirm_token)
    act(posting.confirm, posted, last.confirm_token)
    assert names(sessions) == ["Acme Ltd"]


def test_what_would_be_otherwise_than_it_was_shown_is_shown_again_instead(post, see, act, sessions):
    posted = post("customers.csv", CUSTOMERS)
    before = see(posted).confirm_token
    service.apply(sessions, SYSTEM, incoming("customers", "customer_ref,name\nACME,Somebody else\n"), now=NOW)
    act(posting.confirm, posted, before)
    again = see(posted)
    assert (again.state, again.changed) == (PostedState.WAITING_FOR_CONFIRMATION, True)
    assert again.found["files"][0]["parts"][0]["result"]["changed"] == 1
    assert names(sessions) == ["Somebody else"]
    with pytest.raises(Conflict, match="not the token"):
        act(posting.confirm, posted, before)
    act(posting.confirm, posted, again.confirm_token)
    assert (see(posted).changed, names(sessions)) == (False, ["Acme Inc"])


def test_a_token_is_of_one_import_and_is_used_once(post, see, act, sessions):
    one, other = post("customers.csv", CUSTOMERS), post("customers.csv", CUSTOMERS)
    token = see(one).confirm_token
    assert token != see(other).confirm_token
    with pytest.raises(Conflict, match="not the token"):
        act(posting.confirm, other, token)
    act(posting.confirm, one, token)
    with pytest.raises(Conflict, match="imported already"):
        act(posting.confirm, one, token)


def test_of_two_who_confirm_at_once_one_is_told_that_it_is_under_way(post, see, sessions):
    posted = post("customers.csv", CUSTOMERS)
    token = see(posted).confirm_token

    def confirm():
        try:
            with sessions.begin() as session:
                return posting.confirm(session, SHOP, posted, token, now=NOW)
        except Conflict as refusal:
            return str(refusal)

    answers = at_once(confirm, confirm)
    (job,) = [answer for answer in answers if isinstance(answer, int)]
    assert "It is being worked on" in answers
    steps.work_off(sessions, job)
    steps.work_off(sessions, job)
    with sessions() as session:
        assert len(session.scalars(select(ImportRun)).all()) == 1


def test_several_files_of_an_archive_go_in_together_or_not_at_all(post, see, act, sessions):
    packed = zipped({"customers.csv": CUSTOMERS, "orders.csv": ORDERS})
    posted = post("export.zip", packed)
    act(posting.confirm, posted, see(posted).confirm_token)
    with sessions() as session:
        runs = session.execute(select(ImportRun.kind, ImportRun.checksum).order_by(ImportRun.id)).all()
    assert [run.kind for run in runs] == ["customers", "orders"]
    assert runs[0].checksum != runs[1].checksum
    wrong = zipped({"customers.csv": b"customer_ref,name\nB,Bolt\n", "orders.csv": ORDERS.replace(b"ACME", b"NONE")})
    refused = post("export.zip", wrong, when_certain=True)
    assert (see(refused).state, names(sessions)) == (PostedState.NEEDS_ANSWERS, ["Acme Inc"])
    act(posting.answer, refused, {"member": ["customers.csv"]})
    act(posting.confirm, refused, see(refused).confirm_token)
    assert names(sessions) == ["Acme Inc", "Bolt"]


def test_rejected_rows_are_listed_and_can_be_set_aside(post, see, act, sessions):
    posted = post("customers.csv", b"customer_ref,name\nACME,Acme Inc\nB,\n")

    def rejected(**chosen):
        with sessions() as session:
            return b"".join(
                queries.listed(session, SHOP, posted, Holds.REJECTED, **({"kind": None, "file_name": None} | chosen))
            )

    assert b"B," in rejected()
    assert rejected(kind=Kind.CUSTOMERS) == rejected()
    with pytest.raises(NotFound):
        rejected(kind=Kind.ORDERS)
    act(posting.answer, posted, {"set-aside": ["1"]})
    assert b"B," in rejected()
    act(posting.confirm, posted, see(posted).confirm_token)
    assert names(sessions) == ["Acme Inc"]
    assert b"B," in rejected()


def test_nobody_but_its_poster_sees_it_or_does_anything_with_it(post, see, act, sessions):
    posted = post("customers.csv", CUSTOMERS)
    token = see(posted).confirm_token
    with sessions() as session:
        assert queries.newest(session, OTHER, before=None, limit=10) == []
        assert inbox.files_of(session, actor_with(Role.ADMIN, user_id=1, name="Ada")) == []
    for attempt in (
        lambda: see(posted, OTHER),
        lambda: act(posting.confirm, posted, token, poster=OTHER),
        lambda: act(posting.answer, posted, {}, poster=OTHER),
    ):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(NotFound), sessions.begin() as session:
        posting.call_off(session, OTHER, posted)
    reader = Poster(actor_with(Role.MANAGER, user_id=None, name="API key reader"), "key:1")
    with pytest.raises(Forbidden):
        see(posted, reader)
    with pytest.raises(Forbidden):
        act(posting.confirm, posted, token, poster=reader)
    with pytest.raises(Forbidden):
        posting.post(sessions, reader, "c.csv", [CUSTOMERS], {}, when_certain=True, now=NOW, also=nothing)
    assert names(sessions) == []


def test_what_is_called_off_is_not_imported_and_is_forgotten_after_a_day(post, see, act, sessions):
    now = utc_now()
    posted = post("customers.csv", CUSTOMERS, now=now)
    token = see(posted).confirm_token
    with sessions.begin() as session:
        posting.call_off(session, SHOP, posted)
    upkeep.forget(sessions, now=now)
    assert (see(posted).state, see(posted).found) == (PostedState.CALLED_OFF, None)
    with sessions() as session:
        assert session.scalars(select(ImportFilePart)).all() == []
    with pytest.raises(Conflict, match="called off"):
        act(posting.confirm, posted, token)
    upkeep.forget(sessions, now=now + timedelta(days=1, seconds=1))
    upkeep.forget(sessions, now=now + timedelta(days=1, seconds=1))
    with sessions() as session:
        assert session.scalars(select(PostedImport)).all() == []
        assert session.scalars(select(ImportFile)).all() == []


def test_one_that_waits_unconfirmed_for_a_day_is_forgotten_with_its_lists(post, sessions):
    now = utc_now()
    post("customers.csv", b"customer_ref,name\nACME,Acme Inc\nB,\n", now=now)
    for _ in range(3):
        upkeep.forget(sessions, now=now + timedelta(days=1, hours=1))
    with sessions() as session:
        assert [session.scalars(select(each)).all() for each in (PostedImport, ImportFile, ImportFilePart)] == [[]] * 3


def test_what_is_called_off_while_it_waits_is_not_checked(post, see, sessions):
    posted = post("customers.csv", CUSTOMERS, when_certain=True, work=False)
    assert see(posted).state is PostedState.CHECKING
    with sessions() as session:
        ((job, _attempt),) = steps.unfinished(session)
    with sessions.begin() as session:
        posting.call_off(session, SHOP, posted)
    steps.work_off(sessions, job)
    assert (see(posted).state, names(sessions)) == (PostedState.CALLED_OFF, [])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"colour": ["red"]}, "colour"),
        ({"kind": ["cats"]}, "kind"),
        ({"set-aside": ["-1"]}, "set-aside"),
        ({"set-aside": ["١"]}, "set-aside"),
        ({"header-line": ["x"]}, "header-line"),
        ({"separator": ["ab"]}, "separator"),
        ({"encoding": ["klingon"]}, "encoding"),
        ({"map": ["nonsense=x"]}, "map"),
        ({"word": ["nonsense:x=y"]}, "word"),
        ({"lines": ["add", "replace"]}, "lines"),
        ({"no-customer": [" "]}, "no-customer"),
    ],
)
def test_answers_that_say_nothing_are_refused_before_anything_is_stored(post, sessions, given, field):
    with pytest.raises(Invalid) as refusal:
        post("customers.csv", CUSTOMERS, given)
    assert list(refusal.value.fields) == [field]
    with sessions() as session:
        assert session.scalars(select(ImportFile)).all() == []


def test_a_profile_that_is_not_there_and_a_file_that_cannot_be_read_are_told(post, see):
    no_profile = see(post("customers.csv", CUSTOMERS, {"profile": ["no_such_shop"]}))
    assert (no_profile.state, about(no_profile)) == (PostedState.NEEDS_ANSWERS, ["unreadable"])
    unreadable = see(post("empty.csv", b"customer_ref,name\n"))
    assert (unreadable.state, about(unreadable)) == (PostedState.NEEDS_ANSWERS, ["unreadable"])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_file_that_once_came_out_wrong_gives_its_right_value(case, post, see, act, sessions):
    for kind, content in case.before:
        service.apply(sessions, SYSTEM, incoming(kind, content), now=utc_now())
    with sessions() as session:
        before = what_there_is(session)
    posted = post(case.file, case.content)
    if case.asks:
        assert (see(posted).state, tuple(about(see(posted)))) == (PostedState.NEEDS_ANSWERS, case.asks)
        given: dict[str, list[str]] = {}
        for option, value in case.answers:
            given.setdefault(option, []).append(value)
        act(posting.answer, posted, given)
    with sessions() as session:
        assert what_there_is(session) == before
    act(posting.confirm, posted, see(posted).confirm_token)
    assert (see(posted).state, see(posted).found["files"][0]["kinds"]) == (PostedState.IMPORTED, list(case.kinds))
    with sessions() as session:
        assert what_there_is(session) == case.holds
