"""The IMAP door: what the listener calls for each connection."""

from mailhost.network.stream import Stream
from mailhost.servers.imap.conversation import converse
from mailhost.servers.imap.session import ImapServices, Session
from mailhost.servers.serving import serve_session


class ImapServer:
    """Serves IMAP clients, each in the task that the listener made for it."""

    def __init__(self, services: ImapServices) -> None:
        self._services = services

    async def serve(self, stream: Stream) -> None:
        """One session from greeting to close."""
        session = Session(stream, self._services)
        await serve_session(stream, "imap", session, converse(session))
