"""Bearer tokens of the HTTP interface: random, scoped, shown once, kept as digests only."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal, get_args

from api import store
from api.errors import TokenError, UsageError
from api.store import Token
from provenance.identity import digest, new_id, now
from provenance.text import require_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.home import Home

Scope = Literal["read", "generate", "edit", "check", "export", "audit", "submit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
MAX_NAME = 200
_PREFIX = "ln_"
_SHOWN = 200


def create(home: Home, name: str, scopes: Sequence[str]) -> tuple[Token, str]:
    """Make a token.

    Returns:
        The token's record, and the secret, which is stored nowhere.

    Raises:
        UsageError: A scope does not exist, or none was given.
        TextError: The name is none: empty, too long, or with characters that no name has.
    """
    name = require_line(name, "The name of a token", most=MAX_NAME)
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        given = ", ".join(unknown)[:_SHOWN] or "none"
        raise UsageError(f"The scopes of a token are some of {', '.join(SCOPES)}; not {given}.")
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = Token(new_id(), name, digest(secret.encode()), tuple(sorted(set(scopes))), now(), "")
    with home.writing() as connection:
        store.add_token(connection, token)
    return token, secret


def revoke(home: Home, token_id: str) -> None:
    """End a token at once.

    Raises:
        UsageError: There is no such token.
    """
    with home.writing() as connection:
        if not store.revoke_token(connection, token_id, now()):
            raise UsageError(f"There is no token {token_id[:80]!r}. List them with: linernotes token list")


def identify(home: Home, secret: str) -> Token:
    """Return the token that a secret belongs to.

    Raises:
        TokenError: It is unknown or was revoked.
    """
    with home.reading() as connection:
        token = store.find_token(connection, digest(secret.encode()))
    if token is None or token.revoked:
        raise TokenError("The bearer token is unknown or was revoked. Make one with: linernotes token create")
    return token


def authorise(token: Token, *scopes: Scope) -> None:
    """Refuse what a token may not do.

    Args:
        token: As :func:`identify` found it.
        scopes: Any one of them is enough; ``admin`` always is.

    Raises:
        TokenError: The token has none of them.
    """
    if not {*scopes, "admin"} & set(token.scopes):
        raise TokenError(
            f"The token {token.name!r} has no scope {' or '.join(map(repr, scopes))}; it has {', '.join(token.scopes)}."
        )
