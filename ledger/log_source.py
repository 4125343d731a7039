"""Where a monitor reads a log: another machine's `/checkpoint` and `/tile/…` (C2SP tlog-tiles)."""

import time
from dataclasses import dataclass
from http import HTTPStatus

from ledger.errors import RemoteError, shown
from ledger.merkle import MAX_ENTRY_BYTES
from ledger.note import MAX_NOTE_BYTES
from ledger.remote import Remote, RemoteAnswer
from ledger.tile import TILE_BYTES, TILE_WIDTH, TilePath

ANSWER_SECONDS = 30.0
_CHECKPOINT = "/checkpoint"
MAX_BUNDLE_BYTES = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A log that is served over HTTP.

    Attributes:
        url: Its prefix: what `/checkpoint` and `/tile/…` are put behind.
        answer_seconds: How long one answer may take.
    """

    url: str
    answer_seconds: float = ANSWER_SECONDS

    def checkpoint(self) -> bytes:
        """Returns the newest checkpoint, a signed note.

        Raises:
            RemoteError: The server cannot be reached, or does not give one.
        """
        return self._get(_CHECKPOINT, MAX_NOTE_BYTES)

    def tile(self, path: TilePath) -> bytes:
        """Returns a tile or a bundle of entries.

        Raises:
            RemoteError: The server cannot be reached, or does not give it.
        """
        return self._get(f"/{path.format()}", TILE_BYTES if path.level is not None else MAX_BUNDLE_BYTES)

    def _get(self, path: str, most: int) -> bytes:
        remote = Remote(self.url, time.monotonic() + self.answer_seconds, max_answer_bytes=most)
        try:
            answer = remote.get(path)
        except RemoteError as fault:
            raise type(fault)(f"The log at {self.url} was asked for {path}. {fault}") from fault
        finally:
            remote.close()
        if answer.status != HTTPStatus.OK:
            raise RemoteError(_refused(self.url, path, answer))
        return answer.body


def _refused(url: str, path: str, answer: RemoteAnswer) -> str:
    said = shown(answer.body[:200].decode("utf-8", "replace"))
    if answer.status != HTTPStatus.NOT_FOUND:
        return f"The log at {url} answers {answer.status} for {path}: {said}."
    if path == _CHECKPOINT:
        meaning = (
            "Most likely the URL is not the prefix of a log, which is what /checkpoint is put behind; or the log has "
            "published no checkpoint yet."
        )
    else:
        meaning = (
            "Its checkpoint covers this file, so it should be there. Most likely it is not published or mirrored yet, "
            "was lost, or, if it ends in .p and a width, was dropped because the log has grown. Ask again, or ask a "
            "mirror."
        )
    return f"The log at {url} has no {path} (404: {said}). {meaning}"
