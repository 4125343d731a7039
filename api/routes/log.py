"""The transparency log: its newest checkpoint, its entries, and the proofs that they are in it."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from pydantic import BeforeValidator

from api.authorisation import Guarded, requires
from api.entry_index import index_in_path
from api.examples import CHECKPOINT, ENVELOPE, HEALTH, PROOF
from api.openapi import open_answer, other_answer, shown
from api.proofs import served_checkpoint
from api.schemas.log import Health
from api.service import Running

entries = APIRouter(route_class=Guarded, prefix="/log/entries/{index}", tags=["log"], dependencies=[requires("read")])
open_to_all = APIRouter(tags=["log"])
TEXT: Final = "text/plain; charset=utf-8"
ENVELOPE_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
Index = Annotated[int, BeforeValidator(index_in_path), Path(ge=0, lt=2**63, description="From 0.")]


@open_to_all.get(
    "/checkpoint", response_class=Response, responses=open_answer("text/plain", CHECKPOINT, what="A signed note.")
)
@open_to_all.head("/checkpoint", include_in_schema=False)
def read_checkpoint(service: Running) -> Response:
    """Give the newest signed checkpoint (C2SP tlog-checkpoint), with its cosignatures; no token is needed.

    Where the log has witnesses, it is the newest checkpoint that their quorum has cosigned.
    """
    return Response(served_checkpoint(service.home), media_type=TEXT, headers={"Cache-Control": "public, max-age=1"})


@open_to_all.get("/healthz", responses=open_answer("application/json", shown(HEALTH)))
def read_health(service: Running, response: Response) -> Health:
    """Tell whether the database can be read, is no older copy, and how long the log is; no token is needed."""
    service.home.log.checkpoint()
    response.headers["Cache-Control"] = "no-store"
    stamping = service.home.time.report
    return Health(
        status="ok",
        log_size=service.home.log.size(),
        timestamps=stamping.state if stamping else "off",
        timestamps_since=stamping.since if stamping else "",
    )


@entries.get(
    "",
    response_class=Response,
    responses=other_answer(ENVELOPE_TYPE, ENVELOPE, HTTPStatus.NOT_FOUND, what="The entry, byte for byte."),
)
def read_entry(index: Index, service: Running) -> Response:
    """Give an entry as it is stored: a DSSE envelope with an in-toto statement."""
    return Response(service.home.log.entry(index).data, media_type=ENVELOPE_TYPE)


@entries.get(
    "/proof",
    response_class=Response,
    responses=other_answer("text/plain", PROOF, HTTPStatus.NOT_FOUND, what="A .tlog-proof file."),
)
def read_proof(index: Index, service: Running) -> Response:
    """Give the proof that an entry is in the log (C2SP tlog-proof), against the newest checkpoint."""
    name = {"Content-Disposition": f'attachment; filename="{index}.tlog-proof"'}
    return Response(service.home.proof(index).format(), media_type=TEXT, headers=name)
