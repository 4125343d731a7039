"""Reading a log over HTTP: what is there is given, and what is not is named."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ledger.errors import RemoteAnswerTooLongError, RemoteError, RemoteTimeoutError
from ledger.log_source import HttpSource
from ledger.note import MAX_NOTE_BYTES
from ledger.tile import TilePath


@contextmanager
def answering(status: int, body: bytes, asked: list[str] | None = None) -> Iterator[str]:
    """A server that gives one answer to everything; gives a log's prefix on it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/log"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_files_of_a_log_lie_behind_its_prefix() -> None:
    asked: list[str] = []
    with answering(200, b"what it is", asked) as url:
        source = HttpSource(url)
        assert source.checkpoint() == source.tile(TilePath(0, 1, 44)) == source.tile(TilePath(None, 2)) == b"what it is"
    assert asked == ["/log/checkpoint", "/log/tile/0/001.p/44", "/log/tile/entries/002"]


@pytest.mark.parametrize(
    ("ask", "path", "meaning"),
    [
        (HttpSource.checkpoint, "/checkpoint", "the URL is not the prefix of a log"),
        (lambda source: source.tile(TilePath(0, 1, 44)), "/tile/0/001.p/44", "dropped because the log has grown"),
        (lambda source: source.tile(TilePath(None, 2)), "/tile/entries/002", "not published or mirrored yet"),
    ],
)
def test_what_is_not_there_is_named(ask: Callable[[HttpSource], bytes], path: str, meaning: str) -> None:
    with answering(404, b"nothing\x1b[2J") as url, pytest.raises(RemoteError) as caught:
        ask(HttpSource(url))
    said = str(caught.value)
    assert said.startswith(f"The log at {url} has no {path} (404: ")
    assert meaning in said
    assert "\x1b" not in said
    assert ("Check the URL" in said, "prefix" in said) == (False, path == "/checkpoint")


@pytest.mark.parametrize("status", [301, 403, 429, 500, 503])
def test_any_other_status_is_only_told(status: int) -> None:
    with (
        answering(status, b"why") as url,
        pytest.raises(RemoteError, match=f"answers {status} for /checkpoint") as caught,
    ):
        HttpSource(url).checkpoint()
    assert "prefix" not in str(caught.value)


def test_what_was_asked_for_is_named_whatever_goes_wrong() -> None:
    with answering(200, bytes(MAX_NOTE_BYTES + 1)) as url:
        with pytest.raises(RemoteAnswerTooLongError, match=f"{url} was asked for /checkpoint. It answered with more"):
            HttpSource(url).checkpoint()
        with pytest.raises(RemoteTimeoutError, match=r"was asked for /checkpoint\. It did not answer in time"):
            HttpSource(url, answer_seconds=0).checkpoint()
    with pytest.raises(RemoteError, match=f"{url} was asked for /checkpoint. It could not be asked"):
        HttpSource(url).checkpoint()
