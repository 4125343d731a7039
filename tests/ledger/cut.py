"""A connection to PostgreSQL that breaks in the middle of a commit: a proxy that reads along."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto

from sqlalchemy import URL, make_url

_CHUNK = 1 << 16
_LATE_SECONDS = 0.2


class Fault(Enum):
    """What happens to a statement; `Proxy.at` says to which."""

    LOSE_IT = auto()
    """It never reaches the server, which sees the connection end."""
    LOSE_REPLY = auto()
    """The server's answer never comes back."""
    LATE = auto()
    """The client sees the connection end a little before the server gets it."""
    SILENCE = auto()
    """The client sees the connection end, and the server sees nothing at all."""


class Proxy:
    """Stands between clients and a server.

    Attributes:
        fault: What happens to the next statement that contains `at`; None once it has.
        at: Part of a statement.
        shuts: Whether the fault is the end of all connections.
        shut: Whether new connections are refused.
    """

    def __init__(self, target: URL) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._mutex = threading.Lock()
        self.fault: Fault | None = None
        self.at = b"COMMIT\0"  # and no level of isolation
        self.shuts = False
        self.shut = False

    @property
    def url(self) -> str:
        """Of the same database, through the proxy."""
        host, port = self._listener.getsockname()
        query = {name: value for name, value in self._target.query.items() if name not in {"host", "port"}}
        query |= {"sslmode": "disable", "gssencmode": "disable"}
        url = self._target.set(host=host, port=port, query=query)
        return url.render_as_string(hide_password=False)

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                if self.shut:
                    client.close()
                    continue
                server = _connect(self._target)
                self._open += (client, server)
                _thread(lambda c=client, s=server: self._to_server(c, s))
                _thread(lambda c=client, s=server: _pump(s, c))

    def close(self) -> None:
        for each in self._open:
            _end(each)

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                fault = self._taken() if self.at in data else None
                if fault is None:
                    server.sendall(data)
                else:
                    _break(fault, data, client, server)
                    return
        _end(server)

    def _taken(self) -> Fault | None:
        with self._mutex:
            fault, self.fault = self.fault, None
            self.shut = self.shut or (fault is not None and self.shuts)
        return fault


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """Brings up a proxy for the server of a URL."""
    made = Proxy(make_url(url))
    thread = _thread(made.serve)
    try:
        yield made
    finally:
        made.close()
        thread.join()


def _break(fault: Fault, data: bytes, client: socket.socket, server: socket.socket) -> None:
    _end(client)
    if fault is Fault.LOSE_IT:
        _end(server)
    elif fault is not Fault.SILENCE:
        if fault is Fault.LATE:
            threading.Event().wait(_LATE_SECONDS)
        server.sendall(data)
        server.shutdown(socket.SHUT_WR)  # the other thread takes the answer, and has nobody to give it to


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Passes everything on; what nobody takes is lost."""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            with suppress(OSError):
                target.sendall(data)
    _end(target)


def _connect(url: URL) -> socket.socket:
    host = url.host or str(url.query.get("host", ""))
    port = url.port or int(str(url.query.get("port", 5432)))
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread
