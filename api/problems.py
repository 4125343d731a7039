"""Errors as people and programs meet them: exit codes, and RFC 9457 problem documents."""

from __future__ import annotations

import errno
import logging
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel, ConfigDict

from api.errors import (
    ApiError,
    HomeBusyError,
    HomeError,
    JobError,
    NothingThereError,
    TokenError,
    UsageError,
)
from fingerprint.errors import FingerprintError, InsufficientEvidenceError
from generator.errors import GeneratorError
from ledger.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    EntryError,
    InDoubtError,
    LedgerError,
    LogDamagedError,
    NoSuchEntryError,
    NotPublishedError,
    RolledBackError,
    SuccessionError,
    TileError,
    WrongLogError,
)
from licensing.errors import LicensingError
from provenance.errors import (
    DamagedObjectError,
    ObjectError,
    OversizedEntryError,
    ProvenanceError,
    UnknownRecordingError,
)

TYPE_PREFIX: Final = "https://linernotes.org/problems/"
KNOWN: Final = (ApiError, LedgerError, FingerprintError, GeneratorError, ProvenanceError, LicensingError)
"""Errors that explain themselves; anything else is a defect of ours."""

USED_WRONGLY: Final = 2
NOTHING_THERE: Final = 3
_NOTHING: Final = (NothingThereError, UnknownRecordingError, NoSuchEntryError)
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_log = logging.getLogger("linernotes")

_STATUS: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (TokenError, HTTPStatus.FORBIDDEN),
    (JobError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (HomeBusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DatabaseBusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (InDoubtError, HTTPStatus.SERVICE_UNAVAILABLE),
    (HomeError, HTTPStatus.INSUFFICIENT_STORAGE),
    (DatabaseUnavailableError, HTTPStatus.INSUFFICIENT_STORAGE),
    (RolledBackError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (LogDamagedError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (WrongLogError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (SuccessionError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (DamagedObjectError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (ObjectError, HTTPStatus.INSUFFICIENT_STORAGE),
    (NothingThereError, HTTPStatus.NOT_FOUND),
    (UnknownRecordingError, HTTPStatus.NOT_FOUND),
    (NoSuchEntryError, HTTPStatus.NOT_FOUND),
    (TileError, HTTPStatus.NOT_FOUND),
    (NotPublishedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (EntryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InsufficientEvidenceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (FingerprintError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (GeneratorError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (LicensingError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (OversizedEntryError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (ProvenanceError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class Problem(BaseModel):
    """A problem document (RFC 9457).

    Attributes:
        type: A name for the kind of problem; not a web page.
        detail: What was wrong, where, and what to do.
    """

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str


def problem_of(error: Exception) -> Problem:
    """Describe an error to an HTTP client; what is no client's fault is logged, and the unexpected not disclosed."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            if status == HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.error("%s", error)
            return Problem(type=TYPE_PREFIX + _name(type(error)), title=status.phrase, status=status, detail=str(error))
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        status = HTTPStatus.INSUFFICIENT_STORAGE
        detail = f"The service cannot store anything: {error.strerror}. Nothing was recorded; try again later."
        return Problem(type=TYPE_PREFIX + "storage", title=status.phrase, status=status, detail=detail)
    _log.error("an unexpected error", exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    detail = "Something went wrong that is not your fault. It was logged; nothing was recorded that is not in the log."
    return Problem(type=TYPE_PREFIX + "internal", title=status.phrase, status=status, detail=detail)


def exit_code_of(error: Exception) -> int:
    """Return the exit code that the interface contract gives an error."""
    return NOTHING_THERE if isinstance(error, _NOTHING) else USED_WRONGLY


def _name(kind: type[Exception]) -> str:
    words = "".join(f"-{char.lower()}" if char.isupper() else char for char in kind.__name__.removesuffix("Error"))
    return words.strip("-")
