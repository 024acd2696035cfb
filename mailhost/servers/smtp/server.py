"""The three SMTP doors: what the listeners call for each connection."""

import contextlib

from mailhost import observe
from mailhost.network.stream import Stream
from mailhost.protocols.smtp.replies import reply
from mailhost.servers.smtp.lmtp import LmtpSession
from mailhost.servers.smtp.mx import MxSession
from mailhost.servers.smtp.session import Session, SessionOver, SmtpServices
from mailhost.servers.smtp.submission import SubmissionSession

log = observe.logger()


class SmtpServer:
    """Serves one of the doors, each client in the task that the listener made for it."""

    def __init__(self, kind: type[MxSession] | type[LmtpSession] | type[SubmissionSession], services: SmtpServices):
        self._kind = kind
        self._services = services

    async def serve(self, stream: Stream) -> None:
        """One session from greeting to close. A mistake of ours ends this session and no other."""
        session: Session = self._kind(stream, self._services)
        reason = "connection-lost"
        try:
            await session.converse()
        except SessionOver as over:
            reason = str(over)
        except ConnectionError:
            pass
        except Exception:
            reason = "crashed"
            log.exception("session.crashed", protocol="smtp", connection=stream.id)
            await self._apologise(stream)
        finally:
            log.info("session.ended", protocol="smtp", connection=stream.id, peer=stream.peer[0], reason=reason)
            await stream.close()

    async def _apologise(self, stream: Stream) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            await stream.write(reply(421, "Temporary System Problem. Try again later.", "4.3.0"))
