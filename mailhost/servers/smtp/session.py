"""What MX, LMTP and submission share: one client's conversation, its transaction, the way of the content."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, assert_never

from mailhost import observe
from mailhost.accounts.audit.model import Cause
from mailhost.delivery.model import Office, Origin, Recipient
from mailhost.errors import MailhostError
from mailhost.login.authenticate import DoorKeeper
from mailhost.login.model import Visit
from mailhost.login.wire import printable_mechanism
from mailhost.mailstore import Incoming
from mailhost.network.stream import Stream
from mailhost.network.tls import TlsFailed
from mailhost.protocols.smtp import events as e
from mailhost.protocols.smtp.addresses import Address
from mailhost.protocols.smtp.commands import State
from mailhost.protocols.smtp.replies import greeting, hello, reply
from mailhost.protocols.smtp.server import SmtpConnection
from mailhost.servers.serving import SessionOver, visit_of
from mailhost.servers.smtp.answers import answer_for, defect_answer

log = observe.logger()

WRITE_AT: Final = 16384
"""Octets of replies that are gathered before they are written, so that pipelined commands share a packet."""
_IN_CONTENT: Final = (State.DATA, State.CHUNK, State.CHUNKS)


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """What an operator decides about the SMTP doors; octets and seconds."""

    help_url: str = "https://localhost/help"
    unusual_url: str = "https://localhost/account/unusual"  # where owners say whether a held sign-in was theirs
    max_recipients: int = 100
    max_mistakes: int = 20
    plaintext_sign_in: bool = False
    command_seconds: float = 300.0  # RFC 5321 §4.5.3.2.7
    message_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class SmtpServices:
    """What every SMTP session works with. `tls_context` makes the context of STARTTLS; None where it is not offered."""

    office: Office
    door_keeper: DoorKeeper
    tls_context: Callable[[], ssl.SSLContext] | None
    settings: SmtpSettings


class Sink(Protocol):
    """Where a message's content goes."""

    def write(self, chunk: bytes) -> None:
        """Take the next octets, or raise why the message is refused."""

    async def finish(self) -> Incoming:
        """The stored content."""

    def discard(self) -> None:
        """Forget it."""


@dataclass(slots=True)
class Transaction:
    """One message on its way: who sends it to whom, and what was wrong with it so far."""

    origin: Origin
    recipients: list[Recipient] = field(default_factory=list)
    elsewhere: list[Address] = field(default_factory=list)
    sink: Sink | None = None
    failure: MailhostError | None = None

    def discard(self) -> None:
        """Nothing of it is kept."""
        if self.sink is not None:
            self.sink.discard()
            self.sink = None


class Session(ABC):
    """One client being served. What the three doors do differently is in the methods their files define."""

    is_lmtp: ClassVar[bool] = False

    def __init__(self, stream: Stream, services: SmtpServices) -> None:
        self.stream = stream
        self.services = services
        self.office = services.office
        self.settings = services.settings
        self.connection = SmtpConnection(max_size=services.office.max_message, lmtp=self.is_lmtp)
        self.hello: e.Hello | None = None
        self.mistakes = 0
        self._transaction: Transaction | None = None
        self._transactions = 0
        self._replies = b""
        self._loop = asyncio.get_running_loop()
        self._deadline = 0.0
        self._in_message = False  # the deadline is that of a message, from its first octet to its last

    # What the doors define.

    @abstractmethod
    def keywords(self) -> list[str]:
        """What EHLO announces beyond what every door does."""

    @abstractmethod
    async def admit_sender(self, mail: e.Mail) -> bytes | None:
        """None to go on, or the reply of refusal."""

    @abstractmethod
    async def admit_recipient(self, transaction: Transaction, address: Address) -> None:
        """Add the recipient, or raise why not."""

    @abstractmethod
    def open_sink(self, transaction: Transaction) -> Sink:
        """Where this message's content goes."""

    @abstractmethod
    async def accept(self, transaction: Transaction, incoming: Incoming) -> bytes:
        """Answer for the message: the reply after its end. May raise why it is refused."""

    @abstractmethod
    async def authenticate(self, event: e.Auth) -> bytes:
        """AUTH."""

    async def heed_interruption(self) -> None:  # noqa: B027 - where nobody signs in there is nothing to heed
        """Somebody interrupted the wait for the client. Raises SessionOver when that ends the session."""

    def refuse(self, transaction: Transaction, answer: bytes) -> bytes:  # noqa: ARG002 - LMTP looks at it
        """The reply after the end of a message that nobody gets."""
        return answer

    # The conversation.

    async def converse(self) -> None:
        """From greeting to close. Raises SessionOver, ConnectionError."""
        await self.say(greeting(self.office.host, self.stream.id, lmtp=self.is_lmtp))
        self._reset_patience()
        while True:
            event = await self.next_event()
            await self.say(await self._answer(event))
            if isinstance(event, e.Mistake):
                await self.count_mistake(fatal=event.fatal)
            elif isinstance(event, e.Quit | e.WrongProtocol):
                await self.flush()
                raise SessionOver("quit" if isinstance(event, e.Quit) else "wrong-protocol")

    def visit(self, mechanism: str = "") -> Visit:
        """This client's attempt, as the diary tells it."""
        client_id = self.hello.name if self.hello else ""
        return visit_of(self.stream, "smtp", printable_mechanism(mechanism), client_id)

    def tell(self, cause: Cause, mechanism: str = "", **facts: str) -> None:
        """The diary hears why somebody could not sign in or send, before they said who they are."""
        self.services.door_keeper.tell(cause, self.visit(mechanism), None, {**facts})

    async def apologise(self) -> None:
        """Say that we made a mistake."""
        await self.stream.write(reply(421, "Temporary System Problem. Try again later.", "4.3.0"))

    async def leave(self) -> None:
        """However the session ended: nothing is left of a message that did not come whole."""
        self._end_transaction()

    async def next_event(self) -> e.Event:
        """The next thing the client does. Raises SessionOver."""
        while (event := self.connection.next_event()) is None:
            in_content = self.connection.state in _IN_CONTENT
            if self.stream.draining and not in_content:
                raise await self.bye(421, "The server is stopping. Try again in a moment.", "4.3.2", "stopping")
            if in_content and self._transaction is not None and not self._in_message:  # DATA or the first BDAT
                self._in_message = True
                self._deadline = self._loop.time() + self.settings.message_seconds
            await self.flush()
            try:
                data = await self.stream.read(max(0.001, self._deadline - self._loop.time()))
            except TimeoutError:
                raise await self.bye(421, "Timeout - closing connection.", "4.4.2", "timeout") from None
            if data == b"":
                raise SessionOver("closed-by-client")
            if data:
                self.connection.receive_data(data)
            elif not in_content:
                await self.heed_interruption()
        if self.connection.state not in _IN_CONTENT:
            self._reset_patience()
        return event

    async def say(self, data: bytes) -> None:
        """Send a reply, at the latest when the session waits again."""
        self._replies += data
        if len(self._replies) >= WRITE_AT:
            await self.flush()

    async def flush(self) -> None:
        """Send what was gathered."""
        if self._replies:
            data, self._replies = self._replies, b""
            await self.stream.write(data)

    async def bye(self, code: int, text: str, status: str, reason: str) -> SessionOver:
        """Say the last words; raise what this returns."""
        await self.say(reply(code, text, status))
        await self.flush()
        return SessionOver(reason)

    async def count_mistake(self, *, fatal: bool = False) -> None:
        """Whoever makes nothing but mistakes is sent away. Raises SessionOver."""
        self.mistakes += 1
        if fatal:
            await self.flush()
            raise SessionOver("bad-input")
        if self.mistakes > self.settings.max_mistakes:
            raise await self.bye(421, "Too many bad commands, goodbye", "4.7.0", "too-many-mistakes")

    def _reset_patience(self) -> None:
        self._in_message = False
        self._deadline = self._loop.time() + self.settings.command_seconds

    # Answers.

    async def _answer(self, event: e.Event) -> bytes:
        match event:
            case e.Chunk(content):
                self._take(content)
                return b""
            case e.Mail():
                return await self._mail(event)
            case e.Rcpt(address):
                return await self._rcpt(address)
            case e.Data():
                self.connection.data_started()
                return reply(354, "Go ahead")
            case e.ChunkEnd(size, defect):
                if defect:
                    return defect_answer(defect, self.settings.help_url)
                return reply(250, f"OK {size} octets received", "2.0.0")
            case e.MessageEnd(defect=defect):
                return await self._message_end(defect)
            case e.Hello():
                return self._hello(event)
            case e.StartTls():
                return await self._start_tls()
            case e.Auth():
                return await self.authenticate(event)
            case e.Mistake(problem):
                code, status, text = problem.value
                return reply(code, text, status)
            case _:
                return self._simple(event)

    def _simple(self, event: e.Reset | e.Noop | e.Verify | e.Help | e.Quit | e.AuthResponse | e.WrongProtocol) -> bytes:
        match event:
            case e.Reset():
                self._end_transaction()
                return reply(250, "Flushed", "2.1.5")
            case e.Noop():
                return reply(250, "OK", "2.0.0")
            case e.Verify():
                return reply(252, "Send some mail, it will be tried", "2.1.5")
            case e.Help():
                return reply(214, self.settings.help_url, "2.0.0")
            case e.Quit():
                return reply(221, f"closing connection {self.stream.id}", "2.0.0")
            case e.WrongProtocol(protocol):
                self.tell(Cause.WRONG_PROTOCOL, spoken=protocol.value)
                return reply(421, f"This port speaks SMTP, and you speak {protocol.value}: another port?", "4.3.2")
            case e.AuthResponse():
                raise AssertionError("a response outside an exchange")
            case _:
                assert_never(event)

    def _hello(self, event: e.Hello) -> bytes:
        self._end_transaction()
        self.hello = event
        self.connection.hello_accepted()
        if event.verb == "HELO":
            return hello(self.office.host, self.stream.peer[0], [])
        common = [f"SIZE {self.office.max_message}", "8BITMIME"]
        if self.services.tls_context is not None and self.stream.tls is None:
            common.append("STARTTLS")
        extensions = [*common, *self.keywords(), "ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING", "SMTPUTF8"]
        return hello(self.office.host, self.stream.peer[0], extensions)

    async def _start_tls(self) -> bytes:
        if self.stream.tls is not None:
            return reply(503, "TLS is active already", "5.5.1")
        if self.services.tls_context is None:
            return reply(502, "STARTTLS is not offered here", "5.5.1")
        await self.flush()
        try:
            await self.stream.start_tls(self.services.tls_context(), reply(220, "Ready to start TLS", "2.0.0"))
        except TlsFailed as failure:
            raise SessionOver("tls-failed") from failure
        self.connection.tls_started()
        self.hello = None
        return b""

    async def _mail(self, mail: e.Mail) -> bytes:
        if mail.size > self.office.max_message:
            return defect_answer(e.Defect.TOO_LARGE, self.settings.help_url)
        if (refusal := await self.admit_sender(mail)) is not None:
            return refusal
        self._transactions += 1
        transaction_id = f"{self.stream.id}-{self._transactions}"
        tls = self.stream.tls
        self._transaction = Transaction(
            Origin(
                transaction_id,
                mail.sender,
                self._protocol(utf8=mail.utf8),
                self.hello.name if self.hello else "",
                self.stream.peer[0],
                tls.version if tls else None,
            )
        )
        self.connection.mail_accepted(mail)
        return reply(250, f"OK {transaction_id}", "2.1.0")

    def _protocol(self, *, utf8: bool) -> str:
        """How the message came, in the words of RFC 3848 and RFC 6531 §4.3."""
        if self.hello is not None and self.hello.verb == "HELO":
            return "SMTP"
        base = "LMTP" if self.is_lmtp else "ESMTP"
        if utf8:
            base = "UTF8" + base.removeprefix("E")
        return base + ("S" if self.stream.tls else "") + ("A" if self.is_signed_in else "")

    @property
    def is_signed_in(self) -> bool:
        """Whether AUTH succeeded."""
        return False

    async def _rcpt(self, address: Address) -> bytes:
        transaction = self.transaction
        if len(transaction.recipients) + len(transaction.elsewhere) >= self.settings.max_recipients:
            limit = self.settings.max_recipients
            return reply(452, f"Your message has too many recipients: {limit} at a time, then the next.", "4.5.3")
        try:
            await self.admit_recipient(transaction, address)
        except MailhostError as error:
            log.info(
                "message.refused",
                connection=self.stream.id,
                peer=self.stream.peer[0],
                recipient=str(address),
                reason=type(error).__name__,
            )
            answer = answer_for(error, self.settings.help_url)
            if self.is_lmtp:  # the server before us asks for whom it must, however many are unknown
                return answer
            await self.say(answer)
            await self.count_mistake()
            return b""
        self.connection.rcpt_accepted()
        return reply(250, f"OK {transaction.origin.transaction_id}", "2.1.5")

    # Content.

    @property
    def transaction(self) -> Transaction:
        """The transaction that is under way; the core sees to it that there is one."""
        if self._transaction is None:
            raise AssertionError("no MAIL was accepted")
        return self._transaction

    def _take(self, content: bytes) -> None:
        transaction = self.transaction
        if transaction.failure is not None:
            return
        try:
            if transaction.sink is None:
                transaction.sink = self.open_sink(transaction)
            transaction.sink.write(content)
        except MailhostError as failure:  # told at the end of the message: there is no earlier moment for it
            transaction.failure = failure
            transaction.discard()

    async def _message_end(self, defect: e.Defect | None) -> bytes:
        transaction = self.transaction
        try:
            if defect is not None:
                return self._refused(transaction, defect.name, defect_answer(defect, self.settings.help_url))
            self._take(b"")  # an empty message has had no chunk
            if transaction.failure is not None:
                raise transaction.failure
            if transaction.sink is None:
                raise AssertionError("a message without failure has a sink")
            incoming = await transaction.sink.finish()
            transaction.sink = None
            answer = await self.accept(transaction, incoming)
        except MailhostError as error:
            return self._refused(transaction, type(error).__name__, answer_for(error, self.settings.help_url))
        else:
            self.mistakes = 0
            return answer
        finally:
            self._end_transaction()

    def _refused(self, transaction: Transaction, reason: str, answer: bytes) -> bytes:
        log.info(
            "message.refused",
            connection=self.stream.id,
            peer=self.stream.peer[0],
            transaction=transaction.origin.transaction_id,
            reason=reason,
        )
        return self.refuse(transaction, answer)

    def _end_transaction(self) -> None:
        if self._transaction is not None:
            self._transaction.discard()
            self._transaction = None
