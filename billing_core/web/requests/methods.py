"""The methods that an address takes. HEAD is among them where GET is: the same answer, whose body the server leaves
away.
"""

from collections.abc import Sequence
from copy import copy

from fastapi.routing import APIRoute


def with_head(route: APIRoute) -> APIRoute:
    """The route as it is served. A copy: the published description names the methods of the routes, without HEAD."""
    served = copy(route)
    served.methods = _methods(route)
    return served


def methods_at(routes: Sequence[APIRoute], path: str) -> list[str]:
    """All methods that the address takes. The framework names only those of its first matching route."""
    here = next((route.path for route in routes if route.path_regex.match(path)), "")
    return sorted({method for route in routes if route.path == here for method in _methods(route)})


def _methods(route: APIRoute) -> set[str]:
    methods = route.methods or set()
    return methods | ({"HEAD"} if "GET" in methods else set())
