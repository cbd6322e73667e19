"""Routes that silently ignore nothing that an address says after its question mark."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic.fields import FieldInfo
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response

from billing_core.text import control_character
from billing_core.web.requests.mistakes import EMPTY, UNKNOWN

_STRANGE: Final = "has a character in it that is not allowed"
_REPEATED: Final = "is given more than once"


class StrictRoute(APIRoute):
    """Refuses parameters that the route does not know, that are empty, or that are repeated where one is meant, and
    characters that no column could store.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        fields = dict(_query_parameters(self.dependant))
        lists = {name for name, field in fields.items() if _is_list(field)}

        async def strictly(request: Request) -> Response:
            if any(control_character(str(value)) for value in request.path_params.values()):
                raise HTTPException(404)
            if query := request.scope["query_string"]:
                # The framework would replace what is no text. Half characters are refused as those that nothing keeps.
                given = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
                if mistakes := _mistakes(QueryParams(given), fields.keys(), lists):
                    raise RequestValidationError(mistakes)
            return await handle(request)

        return strictly


def _mistakes(given: QueryParams, known: Iterable[str], lists: set[str]) -> list[dict[str, Any]]:
    reasons = {
        **{name: EMPTY for name, value in given.multi_items() if not value},
        **{name: _REPEATED for name in given if name not in lists and len(given.getlist(name)) > 1},
        **{name: _STRANGE for name, value in given.multi_items() if control_character(name + value)},
        **{name: UNKNOWN for name in given if name not in known},
    }
    return [
        {"type": "parameter", "loc": ("query", name.encode(errors="replace").decode()), "msg": reason}
        for name, reason in reasons.items()
    ]


def _query_parameters(dependant: Dependant) -> Iterable[tuple[str, FieldInfo]]:
    for parameter in dependant.query_params:
        members = getattr(parameter.field_info.annotation, "model_fields", None)
        if members is None:
            yield parameter.alias, parameter.field_info
        else:
            yield from members.items()
    for inner in dependant.dependencies:
        yield from _query_parameters(inner)


def _is_list(field: FieldInfo) -> bool:
    return getattr(field.annotation, "__origin__", None) in (list, tuple)
