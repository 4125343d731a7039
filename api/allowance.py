"""How many bytes a request may carry: little, until a handler that takes files asks for more."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi import HTTPException
from starlette.datastructures import Headers

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_DOCUMENT_BYTES: Final = 64 * 1024
_KEY: Final = "linernotes.allowance"


class Allowance:
    """What one request may carry.

    Attributes:
        limit: In bytes, of the whole body.
        used: Of it, so far.
    """

    def __init__(self, declared: int) -> None:
        self.limit = MAX_DOCUMENT_BYTES
        self.used = 0
        self._declared = declared

    def spend(self, size: int) -> None:
        """Count bytes that arrive; a body that says it will be too large is refused at its first bytes.

        Raises:
            HTTPException: 413, the body is too large.
        """
        self.used += size
        if max(self.used, self._declared) > self.limit:
            detail = (
                f"The request carries more than the {self.limit} bytes that are taken here. Send less; large files "
                "can be given to the linernotes command instead."
            )
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, {"Connection": "close"})


class Allowances:
    """ASGI middleware that counts what every request carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        allowance = Allowance(int(declared) if declared.isdecimal() else 0)

        async def counted() -> Message:
            message = await receive()
            allowance.spend(len(message.get("body", b"")))
            return message

        await self._app({**scope, _KEY: allowance}, counted, send)


def allow(request: Request, size: int) -> None:
    """Let this request carry up to ``size`` bytes; nothing of its body has been read yet."""
    allowance: Allowance = request.scope[_KEY]
    allowance.limit = size
