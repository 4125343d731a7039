"""Who may ask: bearer tokens (RFC 6750) with scopes."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Security
from fastapi.params import Security as SecurityParameter
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from api import tokens
from api.errors import TokenError
from api.service import Running
from api.store import Token
from api.tokens import Scope

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token made by `linernotes token create`, with one of the scopes named, or with `admin`.",
)
_CHALLENGE = 'Bearer realm="linernotes"'


def requires(*scopes: Scope) -> SecurityParameter:
    """Return the dependency of a handler that needs a token with any one of these scopes.

    It comes first in a handler's decorator, so that nothing of a request's body is read before.
    """
    parameter: SecurityParameter = Security(_authorised, scopes=scopes)
    return parameter


def _authorised(
    wanted: SecurityScopes,
    service: Running,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Token:
    if credentials is None:
        detail = "This needs a bearer token: Authorization: Bearer ln_…. Make one with: linernotes token create"
        raise HTTPException(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": _CHALLENGE})
    try:
        token = tokens.identify(service.home, credentials.credentials)
    except TokenError as error:
        challenge = f'{_CHALLENGE}, error="invalid_token"'
        raise HTTPException(HTTPStatus.UNAUTHORIZED, str(error), {"WWW-Authenticate": challenge}) from error
    try:
        tokens.authorise(token, *wanted.scopes)  # type: ignore[arg-type] # `requires` takes scopes only
    except TokenError as error:
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{wanted.scope_str}"'
        raise HTTPException(HTTPStatus.FORBIDDEN, str(error), {"WWW-Authenticate": challenge}) from error
    return token
