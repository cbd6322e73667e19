"""Importing files: a check that changes nothing, and the import itself, all or nothing per file.

Unlike other services these functions take ``Sessions`` and manage their own transactions: a file is read into a
temporary table first, while others may write, and only then changes our tables in one short transaction.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Table
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database import Sessions, turns
from billing_core.database.engine import change_from_now_on
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind, Lines, merging, parts, rejections, sources
from billing_core.imports import mapping as mappings
from billing_core.imports.history import recording
from billing_core.imports.incoming import COMPARING, WRITING, Incoming, reading
from billing_core.imports.incoming.reading import Read
from billing_core.imports.kinds import line_modes, statuses
from billing_core.imports.models import ImportRun
from billing_core.imports.outcome import Outcome, audited, of_everyone
from billing_core.imports.reading import shown
from billing_core.imports.rows import left_out as left_out_orders
from billing_core.imports.rows.following import followed

SHOWN_REJECTIONS = 200
SHOWN_CHANGES = 200
SHOWN_BILLED = 20


def _nothing_else(_session: Session, _outcome: Outcome) -> None:
    pass


def check(sessions: Sessions, actor: Actor, incoming: Incoming, *, now: datetime) -> Outcome:
    """What the import would do. Changes nothing."""
    actor.require(Permission.IMPORT)
    with _connection(sessions) as connection:
        (read,) = reading.read_or_raise(connection, [incoming], now=now)
        incoming.progress(COMPARING, 0, 1)
        with connection.begin():
            outcome, _resolved = _compare(connection, read, [])
    return outcome


def rehearse(
    sessions: Sessions, actor: Actor, files: Sequence[Incoming], *, now: datetime
) -> list[Outcome | BillingError]:
    """What these files would do one after the other, rolled back: each file sees the changes of those before it.

    A file that cannot be read at all is answered with its failure.
    """
    actor.require(Permission.IMPORT)
    outcomes: list[Outcome | BillingError] = []
    with _connection(sessions) as connection:
        staged = reading.read(connection, files, now=now)
        left_out = [read.staged.left_out for read in staged if isinstance(read, Read)]
        for incoming in files:
            incoming.progress(COMPARING, 0, 1)
        change_from_now_on(connection)
        with connection.begin() as taken_back:
            turns.keep_imports_out(connection)
            added: dict[tuple[Kind, str], str] = {}
            for read in staged:
                if isinstance(read, BillingError):
                    outcomes.append(read)
                    continue
                if (twice := line_modes.added_twice(read.incoming, added)) is not None:
                    outcomes.append(twice)
                    continue
                outcome, resolved = _compare(connection, read, left_out)
                if not outcome.refused:
                    with Session(connection) as session:
                        _merge(session, read, resolved, outcome)
                outcomes.append(outcome)
            taken_back.rollback()
    return outcomes


def apply(
    sessions: Sessions,
    actor: Actor,
    incoming: Incoming,
    *,
    now: datetime,
    also: Callable[[Session, Outcome], None] = _nothing_else,
) -> Outcome:
    """Import the file. With an undecided order, or a single rejected row that is not left out, nothing is written, and
    the outcome is not ``applied``.

    Importing the same file again changes nothing: it adds a line to the history of imports and no audit entry. What
    ``also`` writes is committed together with what is imported.
    """
    return apply_together(sessions, actor, [incoming], now=now, also=lambda session, found: also(session, found[0]))[0]


def apply_together(
    sessions: Sessions,
    actor: Actor,
    files: Sequence[Incoming],
    *,
    now: datetime,
    also: Callable[[Session, list[Outcome]], None],
) -> list[Outcome]:
    """Import what files hold, one kind after the other in the order in which they depend on each other: all of it, or
    nothing, where one is refused, whose outcome is the last. See ``apply`` otherwise.
    """
    actor.require(Permission.IMPORT)
    outcomes: list[Outcome] = []
    run_ids: list[int] = []
    with _connection(sessions) as connection:
        staged = reading.read_or_raise(connection, files, now=now)
        # What one file holds of several kinds is one stream.
        checksums = {id(incoming.stream): parts.checksum(incoming.stream) for incoming in files}
        # Before the transaction: on SQLite nobody else writes until it ends, not even how far the import is.
        for incoming in files:
            incoming.progress(COMPARING, 0, 1)
        change_from_now_on(connection)
        with connection.begin() as transaction, Session(connection, expire_on_commit=False) as session:
            turns.write_alone(connection)
            for read in staged:
                outcome, resolved = _compare(connection, read, [one.staged.left_out for one in staged])
                outcomes.append(outcome)
                if outcome.refused:
                    transaction.rollback()
                    return outcomes
                line_modes.refuse_again(session, read.incoming)
                read.incoming.progress(WRITING, 0, 1)
                run_ids.append(_write(session, actor, read, resolved, outcome, checksums[id(read.incoming.stream)]))
            outcomes = [replace(one, applied=True, run_id=by) for one, by in zip(outcomes, run_ids, strict=True)]
            also(session, outcomes)
            session.flush()
    for incoming in files:
        incoming.progress(WRITING, 1, 1)
    return outcomes


@contextmanager
def _connection(sessions: Sessions) -> Iterator[Connection]:
    """One connection for all steps, closed at the end: its temporary tables go with it."""
    with sessions.engine.connect() as connection:
        connection.detach()
        yield connection


def _compare(connection: Connection, read: Read, left_out: Sequence[Table | None]) -> tuple[Outcome, Table]:
    """Compare the staged rows with our tables: counts, rejections, a sample of the changes. ``left_out``: the orders
    that were left out of files that come with it.
    """
    definition, staged = read.definition, read.staged
    with_orders = 0
    if definition.kind is Kind.ORDER_ITEMS:
        before = read.incoming.left_out_before
        with_orders = left_out_orders.leave_lines_out(connection, staged.table, left_out, before)
    resolved = merging.resolve(connection, definition, staged)
    rules = definition.checks
    if merging.count_rows(connection, resolved) < merging.count_rows(connection, staged.table):
        rules = (*definition.references, *rules)
    for rule in rules:
        merging.add_rejections(connection, read.rejections, rule(staged))
    passed_over = merging.PassedOver()
    if definition.repeats:
        merging.number_repeated_keys(connection, definition, resolved)
        if read.incoming.lines is Lines.ADD:
            line_modes.continue_positions(connection, resolved)
    else:
        which = (read.incoming.repeats or read.rules.repeats) if definition.one_counts else None
        passed_over = merging.keep_one_of_each_key(
            connection, definition, staged.table, resolved, read.rejections, which
        )
    stay = merging.leave_existing(connection, definition, resolved) if read.rules.only_new else 0
    counts = merging.count_effects(connection, definition, resolved)
    for merge_rule in definition.merge_checks if counts.changed or not definition.of_changes else ():
        rows = merging.beside(definition, resolved)
        merging.add_rejections(connection, read.rejections, merge_rule(rows))
    rejected = rejections.count(connection, read.rejections)
    if rejected:
        merging.leave_out(connection, resolved, read.rejections)
        counts = merging.count_effects(connection, definition, resolved)
    if staged.left_out is not None and read.incoming.left_out_orders is not None:
        left_out_orders.write(connection, staged.left_out, read.incoming.left_out_orders)
    if rejected and (target := read.incoming.rejected_rows) is not None:
        batches = followed(sources.batches(read.incoming.stream, read.layout), read.layout, read.rules.following)
        rejections.write_rows(connection, read.rejections, read.mapping, batches, read.layout, target)
    changes: list[merging.Change] = []
    if counts.changed:
        changes = merging.changes(connection, definition, staged, resolved, limit=SHOWN_CHANGES)
    outcome = Outcome(
        kind=definition.kind,
        file_name=read.incoming.file_name,
        mapping=read.mapping,
        new=counts.new,
        changed=counts.changed,
        unchanged=counts.unchanged + stay + (0 if read.rules.shared else passed_over.same),
        rejected=rejected,
        rejections=rejections.first(connection, read.rejections, read.mapping, limit=SHOWN_REJECTIONS),
        changes=changes,
        repeated=passed_over.asked if definition.one_counts else 0,
        passed_over=passed_over.other,
        asked=list(staged.words.asked),
        waiting=staged.words.waiting,
        left_out=staged.words.left_out + with_orders,
        read=list(staged.words.read),
        groups=rejections.groups(connection, read.rejections, read.mapping) if rejected else [],
        may_set_aside=read.incoming.may_set_aside,
        questions=read.remarks.questions,
        notes=[
            *(*read.layout.doubts, *read.remarks.source.sentences(), *read.remarks.notes),
            *(of_everyone(*merging.count_customers(connection, resolved)) if staged.every_customer else []),
        ],
        no_rows=read.remarks.source.no_rows,
        odd_lines=read.remarks.source.odd_lines,
    )
    return _beside_what_is_there(connection, read, resolved, outcome), resolved


def _beside_what_is_there(connection: Connection, read: Read, resolved: Table, outcome: Outcome) -> Outcome:
    """With the lines that go, the orders in question, and those that are billed already."""
    lines = read.incoming.lines
    if outcome.kind is Kind.ORDER_ITEMS:
        if lines is Lines.REPLACE:
            gone = line_modes.count_gone(connection, resolved)
            first = line_modes.first_gone(connection, resolved, limit=SHOWN_CHANGES) if gone else []
            outcome = replace(outcome, gone=gone, gone_lines=first)
            if read.incoming.gone_rows is not None and gone:
                line_modes.write_gone(connection, resolved, read.incoming.gone_rows)
        elif lines is None:
            outcome = replace(outcome, undecided=line_modes.undecided(connection, read.definition, resolved))
    elif outcome.kind is not Kind.ORDERS:
        return outcome
    elif outcome.new:
        unsaid = statuses.count_unsaid(connection, read.definition, read.staged, resolved, new=outcome.new)
        outcome = replace(outcome, unsaid=unsaid, telling=statuses.telling_columns(read.layout, read.mapping))
    if outcome.kind is Kind.ORDERS and not outcome.changed:
        return outcome
    billed, named = line_modes.billed(connection, read.definition, resolved, lines, limit=SHOWN_BILLED)
    return replace(outcome, billed=billed, billed_orders=named)


def _merge(session: Session, read: Read, resolved: Table, outcome: Outcome, run: ImportRun | None = None) -> None:
    connection = session.connection()
    if outcome.gone:
        if run is not None:
            recording.removing(connection, read.definition, line_modes.gone(resolved), run)
        line_modes.remove_gone(session, resolved)
    merging.write(connection, read.definition, resolved, outcome.counts, run=run, now=read.staged.setting.now)


def _write(session: Session, actor: Actor, read: Read, resolved: Table, outcome: Outcome, checksum: str) -> int:
    definition, now = read.definition, read.staged.setting.now
    run = ImportRun(
        kind=definition.kind.value,
        file_name=shown(read.incoming.file_name),
        checksum=checksum,
        new_count=outcome.new,
        changed_count=outcome.changed,
        unchanged_count=outcome.unchanged,
        gone_count=outcome.gone,
        set_aside_count=outcome.set_aside,
        lines=read.incoming.lines,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
        mapping=mappings.to_json(read.mapping),
        batch=secrets.randbits(62) if definition.kind is Kind.USAGE else None,
    )
    session.add(run)
    mappings.remember(session, definition, read.layout, read.mapping)
    session.flush()
    if not outcome.new and not outcome.changed and not outcome.gone:
        return run.id
    before, after = audited(outcome, read.incoming.lines, read.incoming.repeats)
    rows = merging.beside(definition, resolved, run.id)
    with recording.written(session, definition, rows, run), definition.around(session, rows):
        _merge(session, read, resolved, outcome, run)
    audit.record(
        session,
        actor,
        Permission.IMPORT,
        ("import", run.id),
        label=f"{definition.title} from {shown(read.incoming.file_name)}",
        before=before,
        after=after,
        now=now,
    )
    return run.id
