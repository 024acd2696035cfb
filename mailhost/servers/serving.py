"""What every door does with a connection: serve it to its end, whatever that is, and say in the log how it ended."""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Protocol

from mailhost import observe
from mailhost.login.model import Protocol as MailProtocol
from mailhost.login.model import Visit
from mailhost.network.stream import Stream

log = observe.logger()


class SessionOver(Exception):
    """The session ends here; whatever had to be said was said. The message is the reason, for the log."""


class Leaving(Protocol):
    """What a session can do at its end."""

    async def apologise(self) -> None:
        """Say that we made a mistake."""

    async def leave(self) -> None:
        """Give back what the session held, however it ended."""


def visit_of(stream: Stream, protocol: MailProtocol, mechanism: str = "", client_id: str = "") -> Visit:
    """One client's attempt, as the diary tells it."""
    tls = stream.tls
    return Visit(
        protocol,
        stream.local[1],
        stream.peer[0],
        stream.id,
        tls_version=tls.version if tls else None,
        mechanism=mechanism,
        client_id=client_id,
        server_name=tls.server_name if tls else None,
    )


async def serve_session(stream: Stream, protocol: str, session: Leaving, conversation: Awaitable[None]) -> None:
    """One session from greeting to close. A mistake of ours ends this session and no other."""
    reason = "connection-lost"
    try:
        await conversation
    except SessionOver as over:
        reason = str(over)
    except ConnectionError:
        pass
    except Exception:
        reason = "crashed"
        log.exception("session.crashed", protocol=protocol, connection=stream.id)
        with suppress(ConnectionError, TimeoutError):
            await session.apologise()
    finally:
        await session.leave()
        log.info("session.ended", protocol=protocol, connection=stream.id, peer=stream.peer[0], reason=reason)
        await stream.close()
