"""Where a monitor reads a log: another machine's `/checkpoint` and `/tile/…` (C2SP tlog-tiles)."""

import time
from dataclasses import dataclass
from http import HTTPStatus

from ledger.errors import RemoteError, shown
from ledger.merkle import MAX_ENTRY_BYTES
from ledger.note import MAX_NOTE_BYTES
from ledger.remote import Remote
from ledger.tile import TILE_BYTES, TILE_WIDTH, TilePath

ANSWER_SECONDS = 30.0
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
        return self._get("/checkpoint", MAX_NOTE_BYTES)

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
        finally:
            remote.close()
        if answer.status != HTTPStatus.OK:
            said = shown(answer.body[:200].decode("utf-8", "replace"))
            raise RemoteError(
                f"{self.url} answers {answer.status} for {path}: {said}. Check the URL: it is the log's prefix, "
                "without /checkpoint."
            )
        return answer.body
