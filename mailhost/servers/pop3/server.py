"""The POP3 door: what the listener calls for each connection, and which file answers which command."""

from typing import assert_never

from mailhost import observe
from mailhost.accounts.audit.model import Cause
from mailhost.errors import MailhostError
from mailhost.network.stream import Stream
from mailhost.protocols.pop3 import commands as c
from mailhost.protocols.pop3.answers import err, ok
from mailhost.protocols.sasl import Credentials
from mailhost.servers.pop3 import maildrop, signin
from mailhost.servers.pop3.maildrop import NoSuchMessage
from mailhost.servers.pop3.session import Pop3Services, Session
from mailhost.servers.serving import SessionOver, serve_session
from mailhost.storage.errors import StorageFull

log = observe.logger()


class Pop3Server:
    """Serves POP3 clients, each in the task that the listener made for it."""

    def __init__(self, services: Pop3Services) -> None:
        self._services = services

    async def serve(self, stream: Stream) -> None:
        """One session from greeting to close."""
        session = Session(stream, self._services)
        await serve_session(stream, "pop3", session, converse(session))


async def converse(session: Session) -> None:
    """From greeting to QUIT. Raises SessionOver."""
    stream = session.stream
    await session.say(ok(f"Mailhost POP3 ready for requests from {stream.peer[0]} {stream.id}"))
    while True:
        event = await session.next_event()
        try:
            answer = await (_inside(session, event) if session.identity else _before(session, event))
        except NoSuchMessage as problem:
            answer = err(str(problem))
        except MailhostError as problem:
            log.warning("session.troubled", protocol="pop3", connection=stream.id, reason=type(problem).__name__)
            text = "Temporary system problem."
            if isinstance(problem, StorageFull):
                text = "The server is out of storage space."
            answer = err(f"{text} Please try again later.", "SYS/TEMP")
        await session.say(answer)
        match event:
            case c.Quit():
                await session.flush()
                raise SessionOver("quit")
            case c.WrongProtocol():
                await session.flush()
                raise SessionOver("wrong-protocol")
            case c.Mistake():
                await session.count_mistake()
            case _:
                pass


async def _before(session: Session, event: c.Event) -> bytes:
    match event:
        case c.Capa():
            return signin.capabilities(session)
        case c.Stls():
            return await signin.start_tls(session)
        case c.User():
            return signin.user(session)
        case c.Pass(user, secret):
            return await signin.sign_in(session, Credentials("USER", user, secret))
        case c.Auth():
            return await signin.authenticate(session, event)
        case c.Utf8():
            return ok("UTF8 enabled")
        case c.Quit():
            return await maildrop.leave(session)
        case c.Mistake(problem):
            return err(problem.value)
        case c.WrongProtocol(protocol):
            signin.tell(session, Cause.WRONG_PROTOCOL, spoken=protocol.value)
            return err(f"This port speaks POP3, and you speak {protocol.value}: another port or host?")
        case _:
            raise AssertionError(f"not legal before sign-in: {event}")


async def _inside(session: Session, event: c.Event) -> bytes:
    match event:
        case c.Stat():
            return maildrop.stat(session)
        case c.List():
            return await maildrop.list_sizes(session, event)
        case c.Uidl():
            return await maildrop.list_unique_ids(session, event)
        case c.Retr():
            return await maildrop.retrieve(session, event)
        case c.Top():
            return await maildrop.top(session, event)
        case c.Dele():
            return maildrop.delete(session, event)
        case c.Rset():
            return maildrop.undelete(session)
        case c.Noop():
            return ok("")
        case c.Capa() | c.Quit() | c.Mistake() | c.WrongProtocol():
            return await _anywhere(session, event)
        case _:
            raise AssertionError(f"not legal after sign-in: {event}")


async def _anywhere(session: Session, event: c.Capa | c.Quit | c.Mistake | c.WrongProtocol) -> bytes:
    match event:
        case c.Capa():
            return signin.capabilities(session)
        case c.Quit():
            return await maildrop.leave(session)
        case c.Mistake(problem):
            return err(problem.value)
        case c.WrongProtocol(protocol):
            return err(f"This port speaks POP3, and you speak {protocol.value}: another port or host?")
        case _:
            assert_never(event)
