"""Faults of databases, disks and pipes, each in one sentence for the person at the terminal."""


def sentence(error: Exception) -> str | None:
    """What failed, without any value of a row or address; None where it is a bug of ours."""
    match error:
        case BrokenPipeError():
            return "The output was closed before everything was written to it"
        case UnicodeError():
            return "The input or the output is not text in UTF-8"
        case OSError(filename=None):
            return f"Reading or writing failed: {error.strerror or error}"
        case OSError():
            return f"{error.filename} cannot be read or written: {error.strerror}"
    # The libraries of databases take longer to load than most commands' help.
    from billing_core.commands import database_faults

    return database_faults.sentence(error)
