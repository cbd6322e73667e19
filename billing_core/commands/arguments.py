"""What can be typed after ``python -m billing_core``.

Each command names its function as text, ``topic:function`` in this package. It is imported once it has been chosen,
so nobody waits for what another command needs; for the same reason nothing here imports a library, nor more of a
feature than its names.
"""

from argparse import ArgumentParser, ArgumentTypeError, _SubParsersAction
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, TypeAlias

from billing_core.bill_runs import RunGoal
from billing_core.identity import Role
from billing_core.imports import Kind, Lines, Repeats
from billing_core.reports.exports.formats import Format

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"

_RESTORE: Final = "Fill the empty database in use from a backup. Nothing is overwritten, and everybody signs in again."
_MOVE: Final = (
    "Copy the database in use into another, empty one: from SQLite to PostgreSQL, or back. Stop the product and its "
    "workers first: nobody else can write while it is copied, and what is written afterwards is not in the new one."
)
_WORKER: Final = (
    "Deliver mails, call webhooks and gateways, apply incoming webhooks, send reminders and seal the ledger, until "
    "SIGTERM or Ctrl-C. The product does all of that by itself; any number of workers may help it, and nothing is done "
    "twice. Workers on other machines need a PostgreSQL, and the "
    "product's settings, its secret among them."
)
_ARCHIVE: Final = (
    "Move the events of whole months of UTC out of the database, each month into a Parquet file. No figure changes: "
    "totals, digests and the events' ids stay, and an event that is told again is known. Nothing is taken out before "
    "its file was read back. An archived event cannot be withdrawn, nor a part of an archived day be asked for, until "
    "its file is brought back."
)
_RUN: Final = (
    "Make reports, drafts or sent invoices of all or of the named customers. The run is the same as the one that the "
    "dashboard starts: where the same is unfinished, this command joins it, whoever began it, and works on it beside "
    "the product and its workers. Interrupted, it leaves the rest to them, or to the same command typed again. A "
    "rehearsal makes nothing, and tells what has changed since the period before."
)
_AUTO: Final = (
    "Import files of which it is found out what they hold, each whole or not at all, as the dashboard does when nobody "
    "touches anything. What is unsure is told with the options that answer it; where somebody must decide, or rows are "
    "rejected, nothing of the file is imported, and the exit code is 1. One file holds up no other, unless that needs "
    "what it would have brought. In --map, --word and --reading a field may have its kind before it, as in "
    "orders.status."
)
_BACK: Final = (
    "Take an import back: what it made goes, what it changed or removed is as before. Refused, and nothing is changed, "
    "where anything relies on it by now, such as an invoice, or what it changed was changed again since. It tells what "
    "people have changed of rows that go."
)
_RENEWALS: Final = (
    "End trials, begin periods with their invoices, and charge what is due on those, as the product and its workers do "
    "by themselves. Whatever is done is done once, however often and by however many it is asked for. With --now, "
    "which is refused where real money is collected, what is due at that instant."
)
_INVOICE: Final = (
    "Make a draft of what each customer used on these days of its billing zone: once for each customer and period. "
    "Typed again, it makes what is missing and shows what was made before. A period that comes to nothing is closed "
    "without an invoice."
)


def parser() -> ArgumentParser:
    """The whole command line. ``function`` of what it parses carries the command out."""
    made = ArgumentParser(prog="python -m billing_core", description="The billing engine's commands.")
    made.add_argument("--json", action="store_true", help="write machine-readable output to stdout and nothing else")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _command(commands, "migrate", "database:migrate_database", "bring the database up to date")
    _command(commands, "demo", "demo:fill", "fill an empty database with a demo company and three accounts")
    _add_user(_verbs(commands, "user", "people who may sign in"))
    _create_key(_verbs(commands, "key", "keys with which programs use the HTTP APIs"))
    _import(commands)
    _past_imports(_verbs(commands, "imports", "what was imported before"))
    _merge_customers(_verbs(commands, "customer", "customers as a whole"))
    reports = _verbs(commands, "report", "make billing reports")
    _generate_report(reports)
    _run(reports)
    usage = _verbs(commands, "usage", "what customers used")
    _show_usage(usage)
    _export_usage(usage)
    _invoice_usage(usage)
    _archive_usage(usage)
    _run_renewals(_verbs(commands, "renewals", "what is due of subscriptions"))
    _command(commands, "verify", "verify:verify", "prove the ledger, and that every stored total agrees with its rows")
    _backup(commands)
    restore = _command(commands, "restore", "copies:restore", "fill the empty database in use from a backup", _RESTORE)
    restore.add_argument("file", type=Path, metavar="FILE", help="a backup of this version or of an older one")
    move = _command(commands, "move", "copies:move", "copy everything into another database", _MOVE)
    move.add_argument(
        "url", metavar="URL", help="the other database, as in BILLING_DATABASE_URL; “-” reads it from stdin"
    )
    _command(
        commands,
        "jobs",
        "jobs:show",
        "say what runs, waits, failed and is paused in the background, and which processes live",
    )
    _command(commands, "worker", "worker:work", "run the background jobs without the dashboard", _WORKER)
    return made


def _command(commands: Commands, name: str, function: str, summary: str, details: str | None = None) -> ArgumentParser:
    command = commands.add_parser(name, help=summary, description=details or f"{summary[0].upper()}{summary[1:]}.")
    command.set_defaults(function=f"billing_core.commands.{function}")
    return command


def _verbs(commands: Commands, name: str, summary: str) -> Commands:
    return commands.add_parser(name, help=summary).add_subparsers(dest="verb", required=True, metavar="VERB")


def _add_user(verbs: Commands) -> None:
    add = _command(verbs, "add", "access:add_user", "add a person and print the link with which they choose a password")
    add.add_argument("email", metavar="EMAIL")
    add.add_argument("--role", required=True, choices=[role.value for role in Role])
    add.add_argument("--name", help="the name that others see; by default the part of the address before the @")
    add.add_argument(
        "--password-stdin", action="store_true", help="read the password from the first line of stdin; prints no link"
    )


def _create_key(verbs: Commands) -> None:
    create = _command(verbs, "create", "access:create_key", "create a key and print it; it is never shown again")
    create.add_argument("--name", required=True, metavar="N", help="what it is for")
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.add_argument("--customer", metavar="C", help="the only customer it may see: ref or integer id")
    create.add_argument("--expires", type=_day, metavar="D", help="its last day (UTC), YYYY-MM-DD")
    create.add_argument("--test", action="store_true", help="a test key: refused where Stripe collects real money")


def _import(commands: Commands) -> None:
    verbs = commands.add_parser("import", help="import a table, all or nothing").add_subparsers(
        dest="kind", required=True, metavar="KIND"
    )
    first, *others = (kind.value for kind in Kind)
    command = verbs.add_parser(
        first,
        aliases=others,
        help="a file of these",
        description="Import a table, all or nothing.",
    )
    command.set_defaults(function="billing_core.commands.imports.one_kind:import_file")
    command.add_argument("file", type=Path, metavar="FILE", help="a workbook or a text with separators, also zipped")
    _import_options(command)
    _import_auto(verbs)
    template = _command(
        verbs, "template", "imports.one_kind:show_template", "print a file to begin with: columns and examples"
    )
    template.add_argument("of", choices=[first, *others], metavar="KIND", help=", ".join(Kind))


def _import_auto(verbs: Commands) -> None:
    command = _command(
        verbs, "auto", "imports.found_out:import_files", "any files: it is found out what they hold", _AUTO
    )
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="any form of table, also zipped")
    command.add_argument(
        "--profile",
        metavar="NAME",
        help="the layout that the files must have: shopify_orders and others that are known, or the number of an "
        "import, whose columns are read as they were then",
    )
    command.add_argument(
        "--kind", action="append", default=[], dest="kind_of", choices=list(Kind), metavar="KIND", help="what they hold"
    )
    command.add_argument(
        "--no-customer",
        default="",
        metavar="REF",
        help="the customer_ref of the customer to whom orders belong that name none, such as sales at a till",
    )
    command.add_argument("--when-certain", action="store_true", help="import nothing of which anything is unsure")
    _import_options(command)


def _import_options(command: ArgumentParser) -> None:
    command.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="field=column",
        help="the column that holds a field; field==VALUE gives every row that value; field= leaves it out",
    )
    command.add_argument(
        "--word",
        action="append",
        default=[],
        metavar="field:word=ours",
        help="what a word of the file stands for, such as “status:On Hold=submitted”; field:word=leave-out leaves out "
        "the rows that have it; “any date” is a word for every date, and an empty word for a blank cell",
    )
    command.add_argument(
        "--reading",
        action="append",
        default=[],
        metavar="field=how",
        help="how a field's column is written, where the file does not show it: point or comma of numbers, day-first "
        "or month-first of dates, and others that the check names",
    )
    command.add_argument(
        "--lines",
        choices=[each.value for each in Lines],
        help="of order-items: add to the lines that orders have, replace all lines of the orders in the file, or "
        "change what it names; without it, a file for which that matters is refused",
    )
    command.add_argument(
        "--repeats",
        choices=[each.value for each in Repeats],
        help="which row counts where several have one key and differ: the first, the last, or the newest by a column "
        "of days, as --map newest_by=COLUMN says; without it, they are rejected",
    )
    command.add_argument("--rejected", type=Path, metavar="FILE", help="write the rejected rows to this CSV file")
    command.add_argument(
        "--set-aside",
        type=int,
        default=0,
        metavar="N",
        help="where at most N rows are rejected, set them aside and import the others; without it nothing is",
    )
    command.add_argument("--removed", type=Path, metavar="FILE", help="write the lines that go to this CSV file")
    command.add_argument("--dry-run", action="store_true", help="only say what the import would do")
    command.add_argument("--member", metavar="NAME", help="the file that is read, of a ZIP file with several")
    command.add_argument("--sheet", metavar="NAME", help="the sheet that is read, of a workbook with several")
    command.add_argument("--encoding", metavar="NAME", help="of a text: utf-8-sig, cp1252, …; else it is found out")
    command.add_argument("--separator", metavar="C", help="of a text: the character, tab, comma, semicolon or pipe")
    command.add_argument(
        "--header-line", type=int, metavar="N", help="the line that names the columns; 0: none, they are numbered"
    )
    command.add_argument(
        "--keep-line", type=int, action="append", default=[], metavar="N", help="a row, though it looks like a total"
    )
    command.add_argument("--drop-line", type=int, action="append", default=[], metavar="N", help="no row: left out")


def _past_imports(verbs: Commands) -> None:
    listed = _command(verbs, "list", "imports.past:show_past", "list what was imported, newest first")
    listed.add_argument("--kind", choices=[kind.value for kind in Kind], metavar="KIND", help=", ".join(Kind))
    listed.add_argument("--limit", type=_count, default=50, metavar="N", help="so many of them; by default 50")
    shown = _command(verbs, "show", "imports.past:show_one", "say what an import made, changed and removed")
    shown.add_argument("run", type=_count, metavar="IMPORT", help="its number in the list")
    shown.add_argument("-o", "--output", type=Path, metavar="FILE", help="write all of it to this CSV file")
    back = _command(verbs, "take-back", "imports.past:take_back", "take an import back, all or nothing", _BACK)
    back.add_argument("run", type=_count, metavar="IMPORT", help="its number in the list")
    back.add_argument("--dry-run", action="store_true", help="only say what would go and return, or what is in the way")


def _merge_customers(verbs: Commands) -> None:
    merge = _command(verbs, "merge", "customers:merge", "merge a customer into another one, for good")
    merge.add_argument("customer", metavar="CUSTOMER", help="the one that is no more: ref or integer id")
    merge.add_argument("--into", required=True, metavar="C", help="the one that stays: ref or integer id")
    merge.add_argument("--dry-run", action="store_true", help="only say what would move, stay and hold")


def _generate_report(verbs: Commands) -> None:
    generate = _command(verbs, "generate", "reports:generate", "bill one customer for a period")
    generate.add_argument("--customer", required=True, metavar="C", help="the customer's ref or integer id")
    _add_period(generate)
    formats = [each.value for each in Format]
    generate.add_argument("--format", choices=formats, default=Format.JSON.value, dest="output_format")
    generate.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to this file instead of stdout")


def _run(verbs: Commands) -> None:
    run = _command(verbs, "run", "bill_runs:run", "bill every customer who has orders in a period", _RUN)
    _add_period(run)
    run.add_argument(
        "--customer", action="append", default=[], metavar="C", help="only this one: ref or integer id; may be repeated"
    )
    goals = [goal.value for goal in RunGoal]
    run.add_argument("--goal", choices=goals, default=RunGoal.REPORTS.value, help="how far to go; by default: reports")
    run.add_argument("--links", action="store_true", help="with the goal “sent”: with a payment link each")
    run.add_argument("--tax-rate", type=_percent, default=Decimal(0), metavar="P", help="of the drafts, in percent")


def _run_renewals(verbs: Commands) -> None:
    run = _command(verbs, "run", "renewals:run", "do what is due of subscriptions, and say what was done", _RENEWALS)
    run.add_argument("--now", type=_instant, metavar="T", help="as at this instant, such as 2026-03-31T12:00:00Z")


def _show_usage(verbs: Commands) -> None:
    summary = "print the statement of one customer's usage on these days of UTC, and what it costs"
    show = _command(verbs, "show", "usage:show", summary)
    show.add_argument("--customer", required=True, metavar="C", help="the customer's ref or integer id")
    _add_period(show)


def _export_usage(verbs: Commands) -> None:
    summary = "write one customer's events on these days of its billing zone into a file, as JSON, one a line"
    export = _command(verbs, "export", "usage:export", summary)
    export.add_argument("--customer", required=True, metavar="C", help="the customer's ref or integer id")
    _add_period(export)
    export.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="where they go")


def _invoice_usage(verbs: Commands) -> None:
    invoice = _command(verbs, "invoice", "usage_invoices:invoice", "invoice what customers used in a period", _INVOICE)
    _add_period(invoice)
    invoice.add_argument(
        "--customer", action="append", default=[], metavar="C", help="only this one: ref or integer id; may be repeated"
    )
    invoice.add_argument("--send", action="store_true", help="send the drafts, by mail where there is an address")
    invoice.add_argument("--tax-rate", type=_percent, default=Decimal(0), metavar="P", help="in percent; by default: 0")


def _archive_usage(verbs: Commands) -> None:
    archive = _command(
        verbs, "archive", "usage_archives:archive", "move the events of past months into files", _ARCHIVE
    )
    archive.add_argument(
        "--before", required=True, type=_month, metavar="M", help="the first month that stays, YYYY-MM"
    )
    archive.add_argument(
        "--to", required=True, type=Path, dest="folder", metavar="DIR", help="where the files go, one for each month"
    )
    summary = "put the events of an archive back into the database"
    bring_back = _command(verbs, "bring-back", "usage_archives:bring_back", summary)
    bring_back.add_argument("file", type=Path, metavar="FILE", help="as “usage archive” has written it")


def _backup(commands: Commands) -> None:
    backup = _command(commands, "backup", "copies:backup", "write everything into one file, while the product runs")
    backup.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="a new file; by default one in backups/ of the data folder"
    )


def _add_period(command: ArgumentParser) -> None:
    for name, dest, ordinal in (("--from", "start", "first"), ("--to", "end", "last")):
        command.add_argument(name, required=True, dest=dest, type=_day, metavar="D", help=f"{ordinal} day, YYYY-MM-DD")


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not an instant such as 2026-03-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not a month such as 1998-04") from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise ArgumentTypeError(f"“{text}” is not a number such as 12")
    return int(text)


def _percent(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError(f"“{text}” is not a rate such as 19 or 7.5") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not a day such as 1998-04-30") from None
