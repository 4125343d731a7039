"""How an error leaves over HTTP: always as a problem document (RFC 9457), never with a path of ours in it."""

from __future__ import annotations

import re
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import HTTPException, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as PlainHTTPException
from starlette.requests import ClientDisconnect

from api.problems import KNOWN, TYPE_PREFIX, Problem, problem_of

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from api.home import Home

MEDIA_TYPE: Final = "application/problem+json"
ABOUT_BLANK: Final = "about:blank"
"""The type of problems that say no more than their status does (RFC 9457, section 4.2.1)."""

_EXPLAINED: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address. What there is, /openapi.json tells.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take {method}; it takes {allowed}.",
    HTTPStatus.BAD_REQUEST: "The body of the request cannot be read. Send it as /openapi.json describes it.",
}
_NAMED: Final = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TYPE_PREFIX + "oversized-body"}
"""Types of problems that are found before anybody reads what a request is about."""
_UNPACKED: Final = re.compile(re.escape(str(Path(tempfile.gettempdir()) / "linernotes-")) + r"[^/\s]+/")


def install(app: FastAPI, home: Home) -> None:
    """Make every error of the service leave as a problem document."""

    async def known(_request: Request, error: Exception) -> Response:
        return answer(problem_of(error), home)

    async def plain(request: Request, error: Exception) -> Response:
        if not isinstance(error, PlainHTTPException):
            return await known(request, error)
        status = HTTPStatus(error.status_code)
        detail = error.detail
        if detail == status.phrase or not isinstance(error, HTTPException) or status == HTTPStatus.BAD_REQUEST:
            allowed = (error.headers or {}).get("Allow", "something else")
            detail = _EXPLAINED.get(status, detail).format(method=request.method[:20], allowed=allowed)
        problem = Problem(type=_NAMED.get(status, ABOUT_BLANK), title=status.phrase, status=status, detail=detail)
        return answer(problem, home, dict(error.headers or {}))

    async def invalid(_request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        detail = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in found[:5])
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        problem = Problem(type=ABOUT_BLANK, title=status.phrase, status=status, detail=f"{detail[:1000]}.")
        return answer(problem, home)

    async def gone(_request: Request, _error: Exception) -> Response:
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    for kind in (*KNOWN, OSError, Exception):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(PlainHTTPException, plain)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientDisconnect, gone)


def answer(problem: Problem, home: Home, headers: dict[str, str] | None = None) -> Response:
    """Return the response of a problem."""
    headers = headers or {}
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        headers["Connection"] = (
            "close"  # the server hangs up after a defect; a client that reuses it would lose a request
        )
    shown = problem.model_copy(update={"detail": outward(problem.detail, home)})
    return Response(shown.model_dump_json(), problem.status, headers, MEDIA_TYPE)


def outward(text: str, home: Home) -> str:
    """Return a message without the paths of this machine, which a client has no use for."""
    staged = re.compile(re.escape(str(home.objects.root / "staging")) + r"/[^/\s]+/(\w+)")
    text = staged.sub(lambda found: f"{'the' if found.start() else 'The'} uploaded {found[1]}", text)
    return _UNPACKED.sub("", text).replace(str(home.root), "this home")
