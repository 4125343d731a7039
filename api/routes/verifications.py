"""Is this file or package genuine?"""

import zipfile
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends

from api.authorisation import Guarded, requires
from api.errors import NothingThereError, UsageError
from api.examples import REPORT
from api.inspection import inspect
from api.openapi import json_answer
from api.refusals import outward
from api.schemas.request import NoFields
from api.schemas.verification import CheckResult, VerificationReport
from api.service import Running, Service
from api.trust import trust_of
from api.uploads import Part, Received, Upload
from ledger.policy import MAX_POLICY_BYTES
from ledger.timestamp import MAX_ROOTS_BYTES
from provenance.anchor import MAX_ANCHOR_BYTES
from provenance.bundle import MAX_BUNDLE_BYTES

_MAX_BESIDE_BYTES: Final = 1 << 20
"""Of the evidence of one file: hundreds of entries, where it needs about five."""
_KEYS_SECONDS: Final = 60.0
"""For the evidence of keys: the most that its format allows takes a fifth of it, if it is honest."""

router = APIRouter(route_class=Guarded, tags=["evidence"])
_FORM = Upload(
    NoFields,
    {"file": "an audio file, or a package as a zip file"},
    {
        "policy": Part("a C2SP tlog-policy: the logs you accept", MAX_POLICY_BYTES),
        "trust_anchors": Part("PEM: the C2PA roots you accept", MAX_ANCHOR_BYTES),
        "tsa_roots": Part("PEM: the time-stamping roots you accept", MAX_ROOTS_BYTES),
        "evidence": Part("what travels beside the file, as `linernotes log evidence` writes it", _MAX_BESIDE_BYTES),
        "keys": Part("what the log says about its keys, as `linernotes key evidence` writes it", MAX_BUNDLE_BYTES),
    },
)


@router.post(
    "/verifications",
    dependencies=[requires("read")],
    openapi_extra=_FORM.described,
    responses=json_answer(REPORT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)
async def verify_file(service: Running, received: Annotated[Received[NoFields], Depends(_FORM)]) -> VerificationReport:
    """Check a file with nothing but the file, and what you accept; without a policy, this home's own log is accepted.

    The command `linernotes verify` does the same on your own machine, where you need not trust this service.
    """
    return await service.workshop.run(lambda: _report(service, received))


def _report(service: Service, received: Received[NoFields]) -> VerificationReport:
    home = service.home
    with received.staged(home) as paths:
        _refuse_bomb(paths["file"], home.settings.max_upload_bytes)
        brought = [paths.get(name) for name in ("policy", "trust_anchors", "tsa_roots", "keys")]
        trust = trust_of(home.settings, *brought, seconds=_KEYS_SECONDS)
        try:
            found = inspect(paths["file"], trust, paths.get("evidence"))
        except NothingThereError as error:
            raise UsageError(str(error)) from error
    return VerificationReport(
        path=received.name("file"),
        recording_id=found.recording_id,
        verified=found.verified,
        checks=[
            CheckResult(id=check.id, result=check.result, detail=outward(check.detail, home)) for check in found.checks
        ],
    )


def _refuse_bomb(path: Path, limit: int) -> None:
    """Packages are stored, not compressed: one that unpacks to much more than it weighs is none of ours."""
    if not zipfile.is_zipfile(path):
        return
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > limit:
            raise UsageError(
                f"The package unpacks to {size} bytes, and {limit} are taken here. Check it with the command: "
                "linernotes verify PACKAGE"
            )
