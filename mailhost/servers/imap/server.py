"""The IMAP door: what the listener calls for each connection."""

from contextlib import suppress

from mailhost import observe
from mailhost.network.stream import Stream
from mailhost.protocols.imap import responses
from mailhost.servers.imap.conversation import converse
from mailhost.servers.imap.session import ImapServices, Session, SessionOver

log = observe.logger()


class ImapServer:
    """Serves IMAP clients, each in the task that the listener made for it."""

    def __init__(self, services: ImapServices) -> None:
        self._services = services

    async def serve(self, stream: Stream) -> None:
        """One session from greeting to close. A mistake of ours ends this session and no other."""
        session = Session(stream, self._services)
        reason = "connection-lost"
        try:
            await converse(session)
        except SessionOver as over:
            reason = str(over)
        except ConnectionError:
            pass
        except Exception:
            reason = "crashed"
            log.exception("session.crashed", protocol="imap", connection=stream.id)
            await self._apologise(session)
        finally:
            if session.identity is not None:
                session.forget_identity()
            log.info("session.ended", protocol="imap", connection=stream.id, peer=stream.peer[0], reason=reason)
            await stream.close()

    async def _apologise(self, session: Session) -> None:
        with suppress(ConnectionError):
            await session.write(responses.untagged("BYE", "System Error"))
