"""The three SMTP doors: what the listeners call for each connection."""

from mailhost.network.stream import Stream
from mailhost.servers.serving import serve_session
from mailhost.servers.smtp.lmtp import LmtpSession
from mailhost.servers.smtp.mx import MxSession
from mailhost.servers.smtp.session import Session, SmtpServices
from mailhost.servers.smtp.submission import SubmissionSession


class SmtpServer:
    """Serves one of the doors, each client in the task that the listener made for it."""

    def __init__(self, kind: type[MxSession] | type[LmtpSession] | type[SubmissionSession], services: SmtpServices):
        self._kind = kind
        self._services = services

    async def serve(self, stream: Stream) -> None:
        """One session from greeting to close."""
        session: Session = self._kind(stream, self._services)
        await serve_session(stream, "smtp", session, session.converse())
