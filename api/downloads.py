"""Files on their way out: whole or in part, named by their digest, read a piece at a time."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio
from fastapi import HTTPException, Response
from fastapi.concurrency import run_in_threadpool

from api.ranges import RangeError, Span, is_fresh, requested_span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fastapi import Request
    from starlette.types import Receive, Scope, Send

_PIECE: Final = 1 << 16


class FileAnswer(Response):
    """A file, or a span of it.

    Attributes:
        path: Where it lies.
        span: Which of its bytes are sent.
        after: Called when nothing more will be sent, however that came about.
    """

    def __init__(
        self,
        path: Path,
        span: Span,
        headers: Mapping[str, str],
        *,
        status_code: int = HTTPStatus.OK,
        after: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(status_code=status_code, headers={**headers, "content-length": str(span.length)})
        self.path = path
        self.span = span
        self.after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send it."""
        try:
            async with await anyio.open_file(self.path, "rb") as file:
                await file.seek(self.span.start)
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                left = 0 if scope["method"] == "HEAD" else self.span.length
                while left:
                    piece = await file.read(min(_PIECE, left))
                    left = left - len(piece) if piece else 0
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        finally:
            with anyio.CancelScope(shield=True):
                if self.after is not None:
                    await run_in_threadpool(self.after)


def stored(request: Request, path: Path, digest: str, media_type: str, name: str) -> Response:
    """Answer with a stored file, which never changes: its digest is its entity tag.

    Args:
        request: Its ``Range``, ``If-Range`` and ``If-None-Match`` are followed.
        path: Where it lies.
        digest: Of its bytes.
        media_type: What it is.
        name: What to call it when it is saved.

    Raises:
        HTTPException: 416, the range lies beyond the file.
    """
    etag = f'"{digest}"'
    headers = {"etag": etag, "cache-control": "private, no-cache", "accept-ranges": "bytes"}
    if is_fresh(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers |= attachment(media_type, name)
    size = path.stat().st_size
    asked = request.headers.get("range", "") if request.method == "GET" else ""
    if request.headers.get("if-range", etag).strip() != etag:
        asked = ""
    try:
        span = requested_span(asked, size)
    except RangeError as error:
        beyond = {"content-range": f"bytes */{size}"}
        raise HTTPException(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, str(error), beyond) from error
    if span is None:
        return FileAnswer(path, Span(0, size), headers)
    headers["content-range"] = span.content_range(size)
    return FileAnswer(path, span, headers, status_code=HTTPStatus.PARTIAL_CONTENT)


def attachment(media_type: str, name: str) -> dict[str, str]:
    """Return the headers of a file that a browser saves, and does not interpret."""
    return {
        "content-type": media_type,
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
    }
