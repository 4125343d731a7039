"""The log as files: tiles and bundles of entries, for whoever mirrors or monitors it (C2SP tlog-tiles)."""

import gzip
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from api.content_coding import prefers_gzip
from api.openapi import content
from api.service import Running
from ledger.tile import TilePath

router = APIRouter(tags=["log"])
_BYTES: Final = "application/octet-stream"
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get(
    "/tile/{path:path}",
    response_class=Response,
    responses=content(
        {_BYTES: {"schema": {"type": "string", "format": "binary"}, "example": "256 hashes of 32 bytes"}},
        HTTPStatus.NOT_FOUND,
        what="The hashes of a tile, or the entries of a bundle, each after its length.",
    ),
)
@router.head("/tile/{path:path}", include_in_schema=False)
def read_tile(
    path: Annotated[
        str,
        Path(
            max_length=60,
            description="`<level>/<index>` or `entries/<index>`, the index in groups of three digits such as "
            "`x001/234`; partial ones end in `.p/<width>`.",
            examples=["0/x001/234", "entries/000.p/7"],
        ),
    ],
    request: Request,
    service: Running,
) -> Response:
    """Give a tile or a bundle, as far as the newest checkpoint covers it; no token is needed."""
    wanted = TilePath.parse(f"tile/{path}")
    data = service.home.log.tile(wanted)
    headers = dict(_FOR_EVER)
    if wanted.level is None:
        headers["Vary"] = "Accept-Encoding"
        if prefers_gzip(",".join(request.headers.getlist("accept-encoding")), len(data)):
            data = gzip.compress(data, compresslevel=6, mtime=0)
            headers["Content-Encoding"] = "gzip"
    return Response(data, media_type=_BYTES, headers=headers)
