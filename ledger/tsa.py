"""Asking a time-stamping authority: RFC 3161 over HTTP (section 3.4), within a time that is never exceeded."""

import time
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus

from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from ledger.der import INTEGER, SEQUENCE, elements, parts
from ledger.errors import (
    RemoteAnswerTooLongError,
    RemoteError,
    RemoteTimeoutError,
    TimeStampError,
    TsaRefusedError,
    TsaUnreachableError,
    shown,
)
from ledger.remote import Remote, RemoteAnswer, split_url
from ledger.timestamp import MAX_TOKEN_BYTES, TimeStamp, TsaRoots, verify

QUERY_TYPE = "application/timestamp-query"
REPLY_TYPE = "application/timestamp-reply"
MAX_REPLY_BYTES = MAX_TOKEN_BYTES + 4096
"""A token, and the status and its reasons before it."""

_GRANTED = (b"\x00", b"\x01")
"""The statuses `granted` and `grantedWithMods`; whether it is what was asked for is verified in any case."""


@dataclass(frozen=True, slots=True)
class TimeStampAuthority:
    """An authority that can be asked.

    Attributes:
        url: Where it is asked, `http` or `https`, without a user name. What follows a question mark may be a secret,
            and is not shown.
        roots: What its tokens are verified with, before they are taken.
        limit_seconds: The longest that one question takes, as of `Remote`.
        name: The URL as it may be shown.

    Raises:
        TimeStampError: The URL is not one that can be asked.
    """

    url: str = field(repr=False)
    roots: TsaRoots = field(repr=False)
    limit_seconds: float = 10.0
    name: str = field(init=False)
    _server: str = field(init=False, repr=False)
    _target: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        url = split_url(self.url)
        if url is None:
            raise TimeStampError(
                "The URL of the time-stamping authority is not of the form http://host/path or https://host/path, or "
                "holds a user name; give the one that the authority publishes."
            )
        object.__setattr__(self, "_server", f"{url.scheme}://{url.netloc}")
        object.__setattr__(self, "_target", (url.path or "/") + (f"?{url.query}" if url.query else ""))
        object.__setattr__(self, "name", f"{self._server}{url.path}")

    def stamp(self, message: bytes) -> TimeStamp:
        """Has a message stamped: asks with a fresh nonce, and verifies what comes back.

        Args:
            message: What to stamp, at least one byte; only its SHA-256 leaves this machine.

        Raises:
            TsaUnreachableError: The authority cannot be reached, or has not answered in time.
            TsaRefusedError: It answered with anything but a time stamp of this message that holds.
        """
        request = TimestampRequestBuilder(message, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()
        try:
            return verify(_token(self._asked(request.as_bytes())), message, self.roots, request.nonce)
        except (TimeStampError, RemoteAnswerTooLongError) as fault:
            raise TsaRefusedError(f"{self.name} answered, but with no time stamp that can be kept. {fault}") from fault
        except RemoteTimeoutError as fault:
            raise self._unreachable(f"It did not answer within {self.limit_seconds:g} seconds.") from fault
        except RemoteError as fault:
            raise self._unreachable(str(fault)) from fault

    def _asked(self, query: bytes) -> RemoteAnswer:
        deadline = time.monotonic() + self.limit_seconds
        with closing(Remote(self._server, deadline, max_answer_bytes=MAX_REPLY_BYTES)) as server:
            return server.post(self._target, query, QUERY_TYPE, accept=REPLY_TYPE)

    def _unreachable(self, why: str) -> TsaUnreachableError:
        return TsaUnreachableError(
            f"The time-stamping authority {self.name} cannot be reached. {why} Nothing waits for it; check the URL, "
            "and whether this machine may connect to it."
        )


def _token(answer: RemoteAnswer) -> bytes:
    """Takes the token out of a TimeStampResp (RFC 3161, section 2.4.2)."""
    if answer.status != HTTPStatus.OK or answer.media_type != REPLY_TYPE:
        raise TimeStampError(
            f"The HTTP status is {answer.status} and the type {shown(answer.media_type)}, where an authority answers "
            f"with 200 and {REPLY_TYPE}; check the URL: redirections are not followed."
        )
    [response] = parts(answer.body, SEQUENCE)
    info, *tokens = parts(response.content, SEQUENCE, more=True)
    status, *reasons = parts(info.content, INTEGER, more=True)
    if status.content not in _GRANTED or len(tokens) != 1:
        texts = [text.content for group in reasons if group.tag == SEQUENCE for text in elements(group.content)]
        raise TimeStampError(
            f"It says {shown(b'; '.join(texts).decode(errors='replace'))} (status {status.content.hex()}); ask its "
            "operator, or choose another authority."
        )
    return tokens[0].whole
