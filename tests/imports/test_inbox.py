"""Dropped files: kept apart from each other and from other people, worked on in the background, found again."""

import gzip
import io
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import Role, actor_with
from billing_core.imports import Kind, claims, inbox, parts, queries, service, sources, steps, upkeep
from billing_core.imports.mapping import Fixed, from_column
from billing_core.imports.models import FileState, Holds, ImportFile, ImportFilePart, ImportJob, ImportRun
from billing_core.imports.received import PREVIEWED_CHARACTERS
from billing_core.orders.models import Order, Product
from billing_core.processes import service as processes
from billing_core.processes.models import ProcessKind
from tests.at_once import at_once
from tests.imports.files import row_count
from tests.imports.sources.workbooks import xlsx, zipped

ADA = actor_with(Role.ADMIN, user_id=1, name="Ada")
EVE = actor_with(Role.ADMIN, user_id=2, name="Eve")
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
ORDERS = b"order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n"
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def receive(sessions):
    def one(name: str, content: bytes, actor=ADA, now=NOW):
        return inbox.receive(sessions, actor, name, io.BytesIO(content), now=now)

    return one


@pytest.fixture
def requested(sessions):
    """Have the actor's files checked or imported, once a process comes; the job's id."""

    def one(request, *tokens: str, actor=ADA) -> int:
        with sessions.begin() as session:
            chosen = tokens or [received.token for received in inbox.files_of(session, actor)]
            return request(session, actor, chosen, now=NOW)

    return one


@pytest.fixture
def files(sessions):
    def of(actor=ADA):
        with sessions() as session:
            return inbox.files_of(session, actor)

    return of


def rejected(sessions, token, actor=ADA) -> bytes:
    with sessions() as session:
        return b"".join(inbox.rejected_rows(session, actor, token))


def test_files_are_listed_in_the_order_in_which_they_depend_on_each_other(receive, files):
    receive("orders.csv", ORDERS)
    receive("customers.csv", CUSTOMERS)
    assert [received.file_name for received in files()] == ["customers.csv", "orders.csv"]
    assert files(EVE) == []


def test_files_are_checked_and_imported_in_the_background(receive, requested, files, sessions):
    receive("orders.csv", ORDERS)
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.check)
    assert [received.state for received in files()] == [FileState.WAITING, FileState.WAITING]
    steps.work_off(sessions, job)
    assert [received.state for received in files()] == [FileState.READY, FileState.READY]
    assert [received.outcome.new for received in files()] == [1, 1]
    assert row_count(sessions, Order) == 0
    steps.work_off(sessions, requested(inbox.import_))
    assert [(received.state, received.outcome.applied) for received in files()] == [(FileState.IMPORTED, True)] * 2
    assert row_count(sessions, Order) == 1
    assert row_count(sessions, ImportFilePart) == 0, "what was imported is not kept a second time"


def test_what_was_found_is_shown_as_it_was_found(receive, requested, files, sessions):
    """What a check tells is the same after it was stored, up to the values that become texts."""
    steps.work_off(sessions, requested(inbox.import_, receive("customers.csv", CUSTOMERS).token))
    changed = receive("c.csv", b"customer_ref,name,tax_id\nACME,Acme Ltd,T1\nBETA,,\n")
    steps.work_off(sessions, requested(inbox.check, changed.token))
    (stored,) = [received.outcome for received in files() if received.token == changed.token]
    assert (stored.kind, stored.new, stored.changed, stored.unchanged, stored.rejected) == (Kind.CUSTOMERS, 0, 1, 0, 1)
    assert [(row.line, row.column, row.value, row.reason) for row in stored.rejections] == [(3, "name", "", "is empty")]
    assert sorted((one.line, one.row, one.column, one.old, one.new) for one in stored.changes) == [
        (2, "ACME", "name", "Acme Inc", "Acme Ltd"),
        (2, "ACME", "tax_id", "", "T1"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"customer_ref,name\n", "has no rows below them"),
        (b"customer_ref,name\n\n\n\n\n\n\n\n", "has no rows below them"),
        (b"customer_ref,name\nACME," + 200_000 * b"x", "Line 2, column “name”: the cell is longer than 131,072"),
        ("customer_ref,name\nACME,Köln, Gießen\n".encode() + b"C\xfc\n", "Line 3 is not UTF-8"),
        (b"", "The file is empty"),
    ],
)
def test_a_file_whose_rows_cannot_be_read_says_so_as_soon_as_it_is_dropped(receive, files, content, reason):
    receive("customers.csv", content)
    (received,) = files()
    assert received.state is FileState.REFUSED
    assert reason in received.problem
    assert received.layout is None, "whoever sees columns to choose would look for the fault there"


def test_what_no_database_can_hold_is_stored_without_it(receive, files):
    receive("cust\0omers\ud800.csv", b"customer_ref,name\n" + 70_000 * b"\n" + b"A,a\0b\n")
    (received,) = files()
    assert received.file_name == "cust\ufffdomers?.csv"
    assert received.preview == [["A", "a\0b"]]


def test_rows_of_megabytes_are_previewed_in_brief(receive, files):
    receive("customers.csv", b"customer_ref,name\nACME," + 100_000 * b"x" + b"," * 1000 + b"\n")
    (received,) = files()
    assert [len(cell) for cell in received.preview[0]] == [4, PREVIEWED_CHARACTERS]


def test_blank_lines_below_the_header_are_no_end_of_the_file(receive):
    received = receive("customers.csv", b"customer_ref,name\n" + 20 * b"\n" + b"ACME,Acme Inc\n")
    assert received.state is FileState.NEW
    assert received.preview == [["ACME", "Acme Inc"]]


def test_a_choice_is_kept_and_discards_an_earlier_check(receive, requested, files, sessions):
    token = receive("customers.csv", b"customer_ref,name,note\nACME,Acme Inc,hello\n").token
    steps.work_off(sessions, requested(inbox.check))
    with sessions.begin() as session:
        inbox.choose_origins(session, ADA, token, {"name": from_column("name")})
    assert files()[0].state is FileState.READY, "nothing has changed"
    with sessions.begin() as session:
        inbox.choose_origins(
            session, ADA, token, {"name": from_column("note"), "currency": Fixed("EUR"), "email": None}
        )
    (received,) = files()
    assert (received.state, received.outcome) == (FileState.NEW, None)
    steps.work_off(sessions, requested(inbox.import_))
    with sessions() as session:
        assert session.execute(select(Customer.name, Customer.currency)).one() == ("hello", "EUR")


def test_another_kind_begins_with_its_own_mapping(receive, files, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    with sessions.begin() as session:
        inbox.choose_kind(session, ADA, token, Kind.ORDERS)
    (received,) = files()
    assert (received.kind, received.missing) == (Kind.ORDERS, ["order_number", "order_date"])


def test_what_is_being_worked_on_is_not_changed_and_not_begun_twice(receive, requested, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    job = requested(inbox.check)
    with pytest.raises(Conflict, match="being worked on"):
        requested(inbox.import_, token)
    with pytest.raises(Conflict, match="being worked on"), sessions.begin() as session:
        inbox.choose_kind(session, ADA, token, Kind.ORDERS)
    steps.work_off(sessions, job)
    steps.work_off(sessions, requested(inbox.import_, token))
    with pytest.raises(Conflict, match="it is imported"):
        requested(inbox.import_, token)


def test_of_two_who_press_at_once_one_begins(receive, requested, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    answers = at_once(*[lambda: requested(inbox.import_, token)] * 3)
    (job,) = [answer for answer in answers if isinstance(answer, int)]
    assert [type(answer) for answer in answers if answer != job] == [Conflict, Conflict]
    steps.work_off(sessions, job)
    assert row_count(sessions, ImportRun) == 1


@pytest.mark.parametrize("request_", [inbox.check, inbox.import_])
def test_a_refused_file_holds_up_those_alone_that_need_it(receive, requested, files, sessions, request_):
    """The services need nothing, the orders a customer, and their lines the orders."""
    receive("lines.csv", b"order_number,sku,quantity\nSO-1,A,1\n")
    receive("orders.csv", ORDERS)
    receive("services.csv", b"service_code,name,cost_type\nPICK,Picking,per_item\n")
    refused = receive("customers.csv", CUSTOMERS.replace(b"Acme Inc", b""))
    steps.work_off(sessions, requested(request_))
    again = "that are not there. Once they are, check it again."
    assert [(received.state, received.problem) for received in files()] == [
        (FileState.REFUSED, ""),
        (FileState.READY if request_ is inbox.check else FileState.IMPORTED, ""),
        (FileState.REFUSED, f"Waits for customers.csv, which was refused: 1 of its rows name customers {again}"),
        (FileState.REFUSED, f"Waits for orders.csv, which was refused: 1 of its rows name orders {again}"),
    ]
    assert rejected(sessions, refused.token).decode("utf-8-sig") == (
        "customer_ref,name,Not imported because\r\nACME,,name: is empty\r\n"
    )


@pytest.mark.parametrize("request_", [inbox.check, inbox.import_])
def test_what_is_for_every_customer_waits_for_those_that_were_refused(receive, requested, files, sessions, request_):
    """There is one customer already, for whom alone the product would be."""
    receive("before.csv", CUSTOMERS)
    steps.work_off(sessions, requested(inbox.import_))
    receive("customers.csv", b"customer_ref,name\nBOLT,\n")
    token = receive("products.csv", b"sku,name\nA,Anvil\n").token
    with sessions.begin() as session:
        inbox.choose_kind(session, ADA, token, Kind.PRODUCTS)
        inbox.choose_origins(session, ADA, token, {"customer_ref": Fixed("*")})
    steps.work_off(sessions, requested(request_, *[f.token for f in files() if f.state is FileState.NEW]))
    (held_up,) = [received for received in files() if received.token == token]
    assert held_up.state is FileState.REFUSED
    assert held_up.problem.startswith("Waits for customers.csv, which was refused: this file is for every customer")
    assert row_count(sessions, Product) == 0


def test_a_rejected_formula_is_harmless_in_a_spreadsheet(receive, requested, sessions):
    token = receive("customers.csv", b"customer_ref,name,email\nA,B,=1+1\n").token
    steps.work_off(sessions, requested(inbox.check))
    assert "A,B,'=1+1,email: “=1+1” is not an e-mail address" in rejected(sessions, token).decode("utf-8-sig")


def test_the_list_of_rejected_rows_is_whole_however_long(receive, requested, sessions):
    content = b"customer_ref,name\n" + b"".join(b"%030d,\n" % number for number in range(60_000))
    token = receive("customers.csv", content).token
    steps.work_off(sessions, requested(inbox.check))
    lines = rejected(sessions, token).decode("utf-8-sig").splitlines()
    assert lines[0] == "customer_ref,name,Not imported because"
    assert lines[1:] == [f"{number:030},,name: is empty" for number in range(60_000)]
    with sessions() as session:
        rows = session.scalars(select(ImportFilePart.number).where(ImportFilePart.holds == Holds.REJECTED)).all()
    assert sorted(rows) == [0, 1, 2]  # of 3 MB


def test_rejected_rows_of_a_former_check_are_no_longer_told(receive, requested, sessions):
    token = receive("customers.csv", b"customer_ref,name,email\nA,B,Atlantis\n").token
    steps.work_off(sessions, requested(inbox.check))
    assert b"Atlantis" in rejected(sessions, token)
    with sessions.begin() as session:
        inbox.choose_origins(session, ADA, token, {"email": None})
    steps.work_off(sessions, requested(inbox.check))
    with pytest.raises(NotFound):
        rejected(sessions, token)


def test_files_are_for_whoever_dropped_them(receive, requested, sessions):
    received = receive("customers.csv", b"customer_ref,name\nA,\n")
    job = requested(inbox.check)
    steps.work_off(sessions, job)
    for actor, token in ((EVE, received.token), (ADA, "another")):
        with pytest.raises(NotFound):
            rejected(sessions, token, actor)
        with pytest.raises(NotFound):
            requested(inbox.check, token, actor=actor)
        for verb in (
            lambda session, actor=actor, token=token: inbox.choose_kind(session, actor, token, Kind.ORDERS),
            lambda session, actor=actor, token=token: inbox.choose_origins(session, actor, token, {}),
            lambda session, actor=actor, token=token: inbox.discard(session, actor, [token]),
        ):
            with pytest.raises(NotFound), sessions.begin() as session:
                verb(session)
    mario = actor_with(Role.MANAGER, user_id=1, name="Mario")
    with pytest.raises(Forbidden):
        rejected(sessions, received.token, mario)
    with pytest.raises(Forbidden):
        receive("customers.csv", CUSTOMERS, mario)
    with pytest.raises(Forbidden):
        requested(inbox.check, received.token, actor=mario)


def test_nothing_to_work_on_is_refused(requested):
    with pytest.raises(Invalid, match="Drop a file first"):
        requested(inbox.check)


def test_an_unexpected_failure_leaves_no_file_busy_and_a_reference_to_the_log(
    receive, requested, files, sessions, monkeypatch, capsys
):
    receive("customers.csv", CUSTOMERS)

    def broken(*_arguments, **_named):
        raise ZeroDivisionError

    real = service.apply_together
    monkeypatch.setattr(service, "apply_together", broken)
    failed = requested(inbox.import_)
    steps.work_off(sessions, failed)
    (received,) = files()
    assert received.state is FileState.REFUSED
    told = "Something went wrong that is not the file's fault. Nothing of it was imported. Reference "
    assert received.problem.startswith(told)
    assert received.problem.removeprefix(told) in capsys.readouterr().out

    monkeypatch.setattr(service, "apply_together", real)
    with sessions.begin() as session:
        assert upkeep.retry_failed(session, EVE, limit=10, now=NOW) == 1
        assert upkeep.retry_failed(session, EVE, limit=10, now=NOW) == 0
    steps.work_off(sessions, failed)
    assert files()[0].state is FileState.IMPORTED
    with sessions() as session:
        assert session.scalars(select(ImportRun.created_by)).all() == ["Ada"]
        assert session.scalars(
            select(AuditEntry.action).where(AuditEntry.actor_id == EVE.user_id).order_by(AuditEntry.id)
        ).all() == ["jobs.retry"]


def test_what_its_owner_has_begun_anew_is_not_tried_again_by_others(receive, requested, files, sessions, monkeypatch):
    token = receive("customers.csv", CUSTOMERS).token

    def broken(*_arguments, **_named):
        raise ZeroDivisionError

    monkeypatch.setattr(service, "apply_together", broken)
    steps.work_off(sessions, requested(inbox.import_))
    with sessions.begin() as session:
        inbox.choose_origins(session, ADA, token, {"currency": Fixed("EUR")})
    with sessions.begin() as session:
        assert upkeep.retry_failed(session, EVE, limit=10, now=NOW) == 0
    assert files()[0].state is FileState.NEW


def test_everything_that_waits_can_be_called_off(receive, requested, files, sessions):
    receive("customers.csv", CUSTOMERS)
    receive("customers.csv", CUSTOMERS, EVE)
    for actor in (ADA, EVE):
        requested(inbox.check, actor=actor)
    mario = actor_with(Role.MANAGER, user_id=3, name="Mario")
    with pytest.raises(Forbidden), sessions.begin() as session:
        upkeep.cancel_waiting(session, mario, limit=10, now=NOW)
    with sessions.begin() as session:
        assert upkeep.cancel_waiting(session, EVE, limit=10, now=NOW) == 2
        assert upkeep.cancel_waiting(session, EVE, limit=10, now=NOW) == 0
    assert [received.state for actor in (ADA, EVE) for received in files(actor)] == [FileState.NEW, FileState.NEW]


def test_what_waits_can_be_called_off_by_its_owner(receive, requested, files, sessions):
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.import_)
    with pytest.raises(NotFound), sessions.begin() as session:
        inbox.cancel(session, ADA, job + 1, now=NOW)
    with sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)
    assert files()[0].state is FileState.NEW
    steps.work_off(sessions, job)
    assert row_count(sessions, Customer) == 0
    with pytest.raises(Conflict, match="over already"), sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)


def test_what_a_process_has_taken_up_is_not_called_off_until_that_process_is_lost(
    receive, requested, files, sessions, monkeypatch
):
    token = receive("customers.csv", CUSTOMERS).token
    job = requested(inbox.import_)

    class Killed(BaseException):
        pass

    progress = steps._Progress.__call__

    def killed(told, step, done, total):
        progress(told, step, done, total)
        raise Killed

    monkeypatch.setattr(steps._Progress, "__call__", killed)

    with sessions.begin() as session:
        processes.register(session, "worker-1", ProcessKind.WORKER, host="here", pid=1, version="1")
    with pytest.raises(Killed):
        steps.work_off(sessions, job, process_id="worker-1")
    with sessions() as session:
        (progress,) = queries.under_way(session, ADA)
        assert (progress.worked_on, progress.taken_up, progress.state) == (True, True, FileState.RUNNING)
        assert queries.under_way(session, EVE) == []
    with pytest.raises(Conflict, match="taken up"), sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)
    with pytest.raises(Conflict, match="being worked on"), sessions.begin() as session:
        inbox.discard(session, ADA, [token])

    with sessions.begin() as session:
        assert claims.free(session, ["worker-1", "worker-2"]) == {"worker-1": 1}

    with sessions() as session:
        (progress,) = queries.under_way(session, ADA)
        assert (progress.worked_on, progress.taken_up, progress.state) == (False, False, FileState.WAITING)
    with sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)
    assert files()[0].state is FileState.NEW


def test_a_file_that_is_removed_while_it_waits_leaves_the_rest_of_its_job(receive, requested, files, sessions):
    waiting = receive("customers.csv", CUSTOMERS)
    receive("more.csv", CUSTOMERS.replace(b"ACME", b"BETA"))
    job = requested(inbox.import_)
    with sessions.begin() as session:
        inbox.discard(session, ADA, [waiting.token])
    steps.work_off(sessions, job)
    assert [(received.file_name, received.state) for received in files()] == [("more.csv", FileState.IMPORTED)]
    with sessions() as session:
        assert session.scalars(select(Customer.ref)).all() == ["BETA"]


def test_whoever_loses_the_file_while_importing_it_imports_nothing(receive, requested, files, sessions, monkeypatch):
    """A process that was taken for dead goes on beside the one that took over: one of them imports."""
    receive("customers.csv", CUSTOMERS)
    receive("more.csv", CUSTOMERS.replace(b"ACME", b"BETA"))
    job = requested(inbox.import_)
    beside = {"left": 1}
    real = service._read

    def read_beside(*arguments, **named):
        read = real(*arguments, **named)
        if beside["left"]:
            beside["left"] = 0
            steps.work_off(sessions, job, process_id="another")
        return read

    monkeypatch.setattr(service, "_read", read_beside)
    steps.work_off(sessions, job, process_id="taken for dead")
    assert [received.state for received in files()] == [FileState.IMPORTED, FileState.IMPORTED]
    with sessions() as session:
        assert sorted(session.scalars(select(ImportRun.file_name))) == ["customers.csv", "more.csv"]


def test_a_database_that_fails_is_tried_again_for_so_long(receive, requested, files, sessions, monkeypatch):
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.import_)
    gone = sessions.engine.dialect.loaded_dbapi.OperationalError("the connection is lost")

    def lost(*_arguments, **_named):
        raise gone

    real = service.apply_together
    monkeypatch.setattr(service, "apply_together", lost)
    with pytest.raises(type(gone)):
        steps.work_off(sessions, job)
    assert files()[0].busy
    assert steps.begin_again(sessions, job, 1) == 2
    assert steps.begin_again(sessions, job, 1) is None, "somebody else was first"
    for attempt in range(2, steps.MOST_ATTEMPTS):
        assert steps.begin_again(sessions, job, attempt) == attempt + 1
    steps.work_off(sessions, job)
    assert files()[0].state is FileState.REFUSED
    monkeypatch.setattr(service, "apply_together", real)


def test_a_job_that_kills_every_process_is_given_up(receive, requested, files, sessions):
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.import_)
    for attempt in range(1, steps.MOST_ATTEMPTS):
        assert steps.begin_again(sessions, job, attempt) == attempt + 1
    assert steps.begin_again(sessions, job, steps.MOST_ATTEMPTS) is None
    assert files()[0].state is FileState.REFUSED
    with sessions() as session:
        assert steps.unfinished(session) == []
        assert session.get_one(ImportJob, job).reason.startswith("Something went wrong on our side. Reference ")


def test_progress_is_told_once_a_second_and_never_waited_for(receive, requested, sessions, monkeypatch):
    """Also while the import's own transaction lets nobody else write."""
    content = b"customer_ref,name\n" + b"".join(b"C%d,Name\n" % number for number in range(5_000))
    receive("customers.csv", content)
    job = requested(inbox.import_)
    told, clock = [], iter(range(10_000))
    monkeypatch.setattr(steps.time, "monotonic", lambda: next(clock) / 4)

    def watch(_connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith("UPDATE import_files SET state") and "step" in statement:
            told.append(parameters)

    event.listen(sessions.engine, "before_cursor_execute", watch)
    steps.work_off(sessions, job)
    event.remove(sessions.engine, "before_cursor_execute", watch)
    # 17 batches of 300 rows, a quarter of a second each, the first at once; and the steps after the reading.
    reading = [each for each in map(str, told) if service.READING in each]
    assert 4 <= len(reading) <= 6
    assert any(service.COMPARING in each for each in map(str, told))


def test_a_removed_file_leaves_nothing_behind(receive, files, sessions):
    kept = receive("orders.csv", ORDERS)
    removed = receive("customers.csv", CUSTOMERS * 100_000)
    with sessions.begin() as session:
        inbox.discard(session, ADA, [removed.token])
    assert [received.token for received in files()] == [kept.token]
    upkeep.forget(sessions, now=NOW)
    with sessions() as session:
        assert session.scalars(select(ImportFile.token)).all() == [kept.token]
        assert session.scalars(select(ImportFilePart.file_id)).all() == [kept.id]


def test_files_and_finished_jobs_are_kept_for_a_day(receive, requested, files, sessions):
    tomorrow = NOW + timedelta(seconds=upkeep.KEPT_SECONDS + 1)
    receive("customers.csv", CUSTOMERS)
    steps.work_off(sessions, requested(inbox.import_))
    waiting = receive("orders.csv", ORDERS)
    receive("orders2.csv", ORDERS)
    fresh = receive("orders3.csv", ORDERS, now=tomorrow)
    job = requested(inbox.check, waiting.token)
    upkeep.forget(sessions, now=NOW + timedelta(seconds=upkeep.KEPT_SECONDS - 1))
    assert len(files()) == 4
    with sessions.begin() as session:
        session.query(ImportJob).filter(ImportJob.id != job).update({"finished_at": NOW})

    upkeep.forget(sessions, now=tomorrow)

    assert [received.token for received in files()] == [waiting.token, fresh.token]
    with sessions() as session:
        assert session.scalars(select(ImportJob.id)).all() == [job]
        assert set(session.scalars(select(ImportFilePart.file_id))) == {waiting.id, fresh.id}
    assert row_count(sessions, ImportRun) == 1


def test_a_file_is_read_from_its_parts_as_it_was(receive, sessions):
    size = 2 * parts.PART_BYTES + 17
    content = bytes(range(256)) * (size // 256 + 1)
    received = receive("bytes", content[:size])
    with parts.opened(sessions, received.id, size) as stream:
        assert stream.read() == content[:size]
        for place, count in ((parts.PART_BYTES - 3, 7), (0, 5), (size - 4, 100), (2 * parts.PART_BYTES, 17)):
            assert stream.seek(place) == place
            assert stream.read(count) == content[place : min(place + count, size)]
            assert stream.tell() == min(place + count, size)
        assert stream.seek(0, io.SEEK_END) == size
        assert stream.seek(-4, io.SEEK_CUR) == size - 4
        with pytest.raises(io.UnsupportedOperation):
            stream.write(b"x")


class Endless(io.RawIOBase):
    """A CSV file of customers of so many bytes, which is nowhere whole."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, count: int = -1) -> bytes:
        row = b"ACME,Acme Incorporated\n"
        given = (row * (count // len(row) + 1))[: min(count, self.left)]
        self.left -= len(given)
        return given


def test_a_large_file_is_never_whole_in_memory(sessions):
    size, most = 50_000_000, 8_000_000
    tracemalloc.start()
    try:
        received = inbox.receive(sessions, ADA, "customers.csv", Endless(size), now=NOW)
        with parts.opened(sessions, received.id, size) as stream:
            read = sum(len(piece) for piece in iter(lambda: stream.read(65_536), b""))
        with sessions.begin() as session:
            inbox.discard(session, ADA, [received.token])
        upkeep.forget(sessions, now=NOW)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (received.size, read) == (size, size)
    assert peak < most
    assert row_count(sessions, ImportFilePart) == 0


def test_jobs_whose_files_are_gone_are_forgotten_too(receive, requested, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    steps.work_off(sessions, requested(inbox.check))
    with sessions.begin() as session:
        session.execute(update(ImportJob).values(finished_at=NOW))
        inbox.discard(session, ADA, [token])
    for seconds, left in ((1, 1), (upkeep.KEPT_SECONDS + 1, 0)):
        upkeep.forget(sessions, now=NOW + timedelta(seconds=seconds))
        assert (row_count(sessions, ImportFile), row_count(sessions, ImportJob)) == (0, left)


def test_a_layout_that_was_never_imported_is_guessed(take_in, receive):
    file = b"customer_ref,name\nACME,Acme Inc\n"
    assert receive("customers.csv", file).guessed is True
    take_in("customers", file)
    assert receive("customers.csv", file).guessed is False


def test_each_sheet_and_each_file_of_an_archive_is_one_of_its_own(sessions, files):
    rows = [["order_number", "customer_ref", "order_date"], ["SO-1", "ACME", "2026-03-04"]]
    book = xlsx({"People": [["customer_ref", "name"], ["ACME", "Acme Inc"]], "Sales": rows, "Notes": [["Hello"]]})
    content = zipped({"export/book.xlsx": book, "export/more.csv": b"customer_ref,name\nBETA,Beta\n"})
    inbox.receive_all(sessions, ADA, "export.zip", io.BytesIO(content), now=NOW)
    assert [(one.file_name, one.kind, one.preview) for one in files()] == [
        ("book.xlsx · People", Kind.CUSTOMERS, [["ACME", "Acme Inc"]]),
        ("more.csv", Kind.CUSTOMERS, [["BETA", "Beta"]]),
        ("book.xlsx · Sales", Kind.ORDERS, [["SO-1", "ACME", "2026-03-04"]]),
    ]
    one = inbox.receive(sessions, ADA, "export.zip", io.BytesIO(content), now=NOW)
    assert "archive" in one.problem, "who sends one file is not answered with several"


def test_an_archive_that_is_damaged_is_kept_with_its_problem(sessions, files):
    content = gzip.compress(CUSTOMERS * 1_000)
    inbox.receive_all(sessions, ADA, "customers.csv.gz", io.BytesIO(content[:-9]), now=NOW)
    (one,) = files()
    assert (one.file_name, one.state, one.size) == ("customers.csv", FileState.REFUSED, 0)
    assert "was cut off" in one.problem
    assert row_count(sessions, ImportFilePart) == 0


def test_how_a_file_is_read_can_be_chosen(receive, requested, files, sessions):
    token = receive("customers.csv", "customer_ref;name\nC1;Łódź\nTotal;\n".encode("iso8859-2")).token
    steps.work_off(sessions, requested(inbox.check))
    assert [line.line for line in files()[0].outcome.odd_lines] == [3]
    inbox.choose_reading(sessions, ADA, token, sources.Chosen(encoding="iso8859-2", kept=(3,)))
    (one,) = files()
    assert (one.state, one.outcome, one.preview) == (FileState.NEW, None, [["C1", "Łódź"], ["Total", ""]])
    steps.work_off(sessions, requested(inbox.check))
    assert [(row.line, row.reason) for row in files()[0].outcome.rejections] == [(3, "is empty")]
    with pytest.raises(NotFound):
        inbox.choose_reading(sessions, EVE, token, sources.NOTHING_CHOSEN)


def test_a_text_that_was_read_wrongly_can_be_read_otherwise(receive, files, sessions):
    token = receive("customers.csv", "customer_ref,name\nC1,Müller\n".encode("latin-1")).token
    inbox.choose_reading(sessions, ADA, token, sources.Chosen(encoding="utf-8-sig"))
    assert (files()[0].state, files()[0].layout) == (FileState.REFUSED, None)
    inbox.choose_reading(sessions, ADA, token, sources.NOTHING_CHOSEN)
    assert (files()[0].problem, files()[0].preview, files()[0].kind) == ("", [["C1", "Müller"]], Kind.CUSTOMERS)
