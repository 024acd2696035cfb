"""The ports of the server, taken before anything else happens: what is busy is told before anything is changed."""

from __future__ import annotations

import itertools
import socket
from typing import Final

from mailhost.app.doors import LOCAL
from mailhost.config import Config, Ports
from mailhost.network.listener import CannotListen, bind_all

LOOPBACK: Final = ("127.0.0.1", "::1")
_HIGH: Final = 1000  # what is added to a port that this user may not open


class ClaimedPorts:
    """The listening sockets of all doors, by the door's name; processes that are forked share them."""

    def __init__(self, config: Config, *, any_ports: bool) -> None:
        """Take them; `any_ports` takes free ports instead of the set ones. Raises CannotListen."""
        self.sockets: dict[str, list[socket.socket]] = {}
        self.numbers: dict[str, int] = {}
        try:
            for name in Ports.__struct_fields__:
                self._claim(config, name, any_ports=any_ports)
        except CannotListen:
            self.close()
            raise

    def close(self) -> None:
        """Let go of them."""
        for bound in itertools.chain.from_iterable(self.sockets.values()):
            bound.close()

    def _claim(self, config: Config, name: str, *, any_ports: bool) -> None:
        """Take the port of a door; a low one that this user may not have is replaced by its high one."""
        hosts = LOOPBACK if name in LOCAL else config.listen
        port = 0 if any_ports else getattr(config.ports, name)
        try:
            sockets = bind_all(hosts, port)
        except CannotListen as refused:
            if not isinstance(refused.__cause__, PermissionError):
                raise
            sockets = bind_all(hosts, port + _HIGH)
        self.sockets[name] = sockets
        self.numbers[name] = sockets[0].getsockname()[1]
