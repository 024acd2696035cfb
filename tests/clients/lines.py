"""A line between a client and the server where something happens in the middle of whatever is on its way."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

Act = Callable[[], None]


class Broken(Exception):
    """The line breaks here; an act of a test raises it."""


def breaks() -> None:
    """The act that is nothing but that."""
    raise Broken


class Line:
    """Carries connections to `target`, a port of this machine that may move; once in a while a test's act comes in."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._due: dict[bool, tuple[int, Act]] = {}  # is_up → octets left until the act
        self._lock = threading.Lock()
        self._open = 0  # connections that the server has not closed
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Line":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def after(self, octets: int, act: Act, *, up: bool = False) -> None:
        """Do this once, so many octets from now from the server, or towards it; nothing more is carried until then."""
        with self._lock:
            self._due[up] = (octets, act)

    def is_due(self) -> bool:
        """Whether there is an act that has not come."""
        return bool(self._due)

    def settle(self) -> None:
        """Wait until the server has noticed that everybody is gone."""
        ends = time.monotonic() + 30
        while self._open:
            assert time.monotonic() < ends, "the server holds on to a client that is gone"
            time.sleep(0.01)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                with self._lock:
                    self._open += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as server:
            upwards = threading.Thread(target=self._carry, args=(client, server, True), daemon=True)
            upwards.start()
            self._carry(server, client, False)
            _shut(server, socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while server.recv(1 << 14):  # until it closes; nobody waits for what it says
                    pass
            upwards.join()
        with self._lock:
            self._open -= 1

    def _carry(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        """Until the source says no more, or the line breaks. The client's side is closed then, both ways."""
        with contextlib.suppress(OSError, Broken):
            while data := source.recv(1 << 14):
                now, act = self._split(data, up)
                sink.sendall(data[:now])
                if act is not None:
                    act()
                    sink.sendall(data[now:])
        _shut(source if up else sink, socket.SHUT_RDWR)
        if up:
            _shut(sink, socket.SHUT_WR)

    def _split(self, data: bytes, up: bool) -> tuple[int, Act | None]:
        """How much goes through before what is to be done here."""
        with self._lock:
            if up not in self._due:
                return len(data), None
            left, act = self._due[up]
            if left <= len(data):
                del self._due[up]
                return left, act
            self._due[up] = (left - len(data), act)
            return len(data), None


def _shut(end: socket.socket, how: int) -> None:
    """Where it is open still."""
    with contextlib.suppress(OSError):
        end.shutdown(how)
