"""``verify``: prove that every stored total agrees with its rows."""

from argparse import ArgumentParser, Namespace, _SubParsersAction

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.reports import verification


def register(subcommands: "_SubParsersAction[ArgumentParser]") -> None:
    command = subcommands.add_parser("verify", help="prove that every stored total agrees with its rows")
    command.set_defaults(run=_verify)


def _verify(_arguments: Namespace) -> Answer:
    with runtime.sessions()() as session:
        if session.get_bind().dialect.name == "postgresql":
            # All checks look at one moment; on SQLite every transaction does.
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        checks = verification.verify(session)
    lines = []
    for check in checks:
        lines.append(f"{'does not hold' if check.wrong else 'holds':<14}{check.name} ({check.proven:,})")
        lines += [f"{'':<14}  {wrong}" for wrong in check.wrong]
    data = [{"check": check.name, "proven": check.proven, "wrong": list(check.wrong)} for check in checks]
    return Answer(data, "\n".join(lines), refused=any(check.wrong for check in checks))
