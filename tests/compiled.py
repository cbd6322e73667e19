"""What is compiled once for all tests of a process: most statements are the same in each, and run faster than they are
compiled.
"""

from typing import Any

from sqlalchemy import Dialect, Engine, create_engine
from sqlalchemy.util import LRUCache

# The product's one engine keeps its statements likewise.
_statements: LRUCache[Any, Any] = LRUCache(3_000)
_dialects: dict[tuple[str, Any], Dialect] = {}


def engine_of_a_test(url: str, **options: Any) -> Engine:
    """``create_engine``, for an engine that knows the statements of those before it.

    A compiled statement belongs to the dialect that compiled it: it is that of the first engine that was connected.
    """
    engine = create_engine(url, execution_options={"compiled_cache": _statements}, **options)
    kind = (engine.dialect.name, options.get("isolation_level"))
    known = _dialects.setdefault(kind, engine.dialect)
    if known.server_version_info is None:
        _dialects[kind] = engine.dialect
    else:
        engine.dialect = known
    return engine
