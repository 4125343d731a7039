"""Who may ask: bearer tokens (RFC 6750) with scopes.

Every operation that needs a token is a :class:`Guarded` route with :func:`requires` among its dependencies.
Its token and scope are looked at before anything else: nothing of a request's body is read, and nothing
is said of its size or form, to those who may not send it. Addresses and methods that do not exist are
refused as such to anybody; /openapi.json names the others anyway.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.params import Security as SecurityParameter
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api import tokens
from api.errors import TokenError
from api.service import service_of
from api.store import Token
from api.tokens import Scope

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token made by `linernotes token create`, with one of the scopes named, or with `admin`.",
)
_CHALLENGE = 'Bearer realm="linernotes"'


class Gate:
    """What stands before an operation.

    Attributes:
        scopes: A token needs any one of them.
    """

    def __init__(self, scopes: tuple[Scope, ...]) -> None:
        self.scopes = scopes

    async def admit(self, request: Request) -> None:
        """Let a request pass, or refuse it.

        Raises:
            HTTPException: 401, there is no token or it is not known; 403, it has none of the scopes.
        """
        credentials = await _BEARER(request)
        request.state.token = await run_in_threadpool(self._identified, request, credentials)

    def __call__(
        self, request: Request, _shown_in_openapi: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> Token:
        """Return the token of a request that passed, to a handler that wants it."""
        token = getattr(request.state, "token", None)
        if not isinstance(token, Token):
            raise TypeError(f"the route {request.url.path} has a gate and is not Guarded")
        return token

    def _identified(self, request: Request, credentials: HTTPAuthorizationCredentials | None) -> Token:
        if credentials is None:
            detail = "This needs a bearer token: Authorization: Bearer ln_…. Make one with: linernotes token create"
            raise HTTPException(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": _CHALLENGE})
        try:
            token = tokens.identify(service_of(request).home, credentials.credentials)
        except TokenError as error:
            challenge = f'{_CHALLENGE}, error="invalid_token"'
            raise HTTPException(HTTPStatus.UNAUTHORIZED, str(error), {"WWW-Authenticate": challenge}) from error
        try:
            tokens.authorise(token, *self.scopes)
        except TokenError as error:
            challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{" ".join(self.scopes)}"'
            raise HTTPException(HTTPStatus.FORBIDDEN, str(error), {"WWW-Authenticate": challenge}) from error
        return token


class Guarded(APIRoute):
    """A route whose gates come before its body: FastAPI itself reads and parses bodies before dependencies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind its gates."""
        handle = super().get_route_handler()
        gates = [each.call for each in self.dependant.dependencies if isinstance(each.call, Gate)]

        async def guarded(request: Request) -> Response:
            for gate in gates:
                await gate.admit(request)
            return await handle(request)

        return guarded


def requires(*scopes: Scope) -> SecurityParameter:
    """Return the dependency of a :class:`Guarded` route that needs a token with any one of these scopes."""
    parameter: SecurityParameter = Security(Gate(scopes), scopes=scopes)
    return parameter
