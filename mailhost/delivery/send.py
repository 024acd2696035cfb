"""One message to the smarthost: connect, TLS, sign in, envelope, content; an outcome for each recipient."""

import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.delivery.model import Smarthost
from mailhost.network.dial import dial
from mailhost.network.stream import Stream
from mailhost.protocols.dots import DotEncoder
from mailhost.protocols.smtp.addresses import Address, parse_address
from mailhost.protocols.smtp.client import (
    Garbage,
    Reply,
    SmtpReplies,
    auth_plain,
    ehlo,
    mail_from,
    rcpt_to,
)
from mailhost.protocols.smtp.events import Body
from mailhost.queue.model import Outgoing

_REPLY_SECONDS: Final = 300.0  # RFC 5321 §4.5.3.2
_END_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Sent:
    """How the attempt ended for one recipient, in the words of whoever decided it."""

    code: int
    status: str
    text: str

    @property
    def is_delivered(self) -> bool:
        """The other side answers for the message now."""
        return self.code // 100 == 2

    @property
    def is_permanent(self) -> bool:
        """There is no point in trying again."""
        return self.code // 100 == 5


class _Stopped(Exception):
    """The conversation ended before the message's end; the same outcome for everybody who has none yet."""

    def __init__(self, outcome: Sent) -> None:
        self.outcome = outcome


async def send(
    smarthost: Smarthost,
    context: ssl.SSLContext,
    hello: str,
    message: Outgoing,
    recipients: Sequence[Address],
    content: AsyncIterator[bytes],
) -> dict[Address, Sent]:
    """Try to hand the message over; returns an outcome for every recipient and raises nothing about the other side.

    `content` is the message behind its prefix; `hello` is the name we go by.
    """
    outcomes: dict[Address, Sent] = {}
    try:
        stream = await dial(smarthost.host, smarthost.port, context if smarthost.implicit_tls else None)
    except OSError as error:  # TimeoutError and TlsFailed are such
        return dict.fromkeys(recipients, _unreachable(smarthost, error))
    try:
        conversation = _Conversation(stream, smarthost, hello)
        keywords = await conversation.begin(context)
        await conversation.envelope(message, recipients, keywords, outcomes)
        accepted = [recipient for recipient in recipients if recipient not in outcomes]
        if accepted:
            end = await conversation.content(message.prefix, content)
            outcomes |= dict.fromkeys(accepted, end)
        await conversation.quit()
    except _Stopped as stopped:
        outcomes = dict.fromkeys(recipients, stopped.outcome) | outcomes
    except OSError as error:
        outcomes = dict.fromkeys(recipients, _unreachable(smarthost, error)) | outcomes
    finally:
        stream.abort()
    return outcomes


def _unreachable(smarthost: Smarthost, error: OSError) -> Sent:
    reason = str(error) or type(error).__name__
    return Sent(421, "4.4.1", f"{smarthost.host}:{smarthost.port} could not be reached: {reason}")


class _Conversation:
    """What we say to the smarthost, step by step."""

    def __init__(self, stream: Stream, smarthost: Smarthost, hello: str) -> None:
        self._stream = stream
        self._smarthost = smarthost
        self._hello = hello
        self._replies = SmtpReplies()

    async def begin(self, context: ssl.SSLContext) -> dict[str, str]:
        """Greeting, EHLO, STARTTLS and AUTH; returns what the server announces in the end."""
        self._need(await self._reply(), 220)
        keywords = self._need(await self._ask(ehlo(self._hello)), 250).keywords
        if not self._smarthost.implicit_tls and "STARTTLS" in keywords:
            self._need(await self._ask(b"STARTTLS\r\n"), 220)
            await self._stream.start_tls(context, server_name=self._smarthost.host)
            self._replies.tls_started()
            keywords = self._need(await self._ask(ehlo(self._hello)), 250).keywords
        if self._stream.tls is None and self._smarthost.requires_tls:
            raise _Stopped(Sent(451, "4.7.4", f"{self._smarthost.host} offers no TLS, which our settings require"))
        if self._smarthost.user:
            reply = await self._ask(auth_plain(self._smarthost.user, self._smarthost.secret))
            if reply.code != 235:  # our operator can mend that, so the mail waits
                raise _Stopped(Sent(451, "4.7.8", f"{self._smarthost.host} refused our sign-in: {reply.text}"))
        return keywords

    async def envelope(
        self, message: Outgoing, recipients: Sequence[Address], keywords: dict[str, str], outcomes: dict[Address, Sent]
    ) -> None:
        """MAIL and RCPT, in one packet where the server allows; notes the recipients that are refused."""
        if message.is_utf8 and "SMTPUTF8" not in keywords:
            raise _Stopped(Sent(550, "5.6.7", f"{self._smarthost.host} cannot carry addresses outside ASCII"))
        sender = parse_address(message.sender) if message.sender else None
        body = Body.EIGHT_BIT if message.is_8bit else Body.SEVEN_BIT
        mail = mail_from(sender, keywords, size=message.octets, body=body, utf8=message.is_utf8)
        commands = [mail, *(rcpt_to(recipient) for recipient in recipients)]
        if "PIPELINING" in keywords:
            await self._stream.write(b"".join(commands))
            replies = [await self._reply() for _ in commands]
            self._need(replies[0], 250)
        else:
            replies = [self._need(await self._ask(mail), 250)]
            for command in commands[1:]:
                replies.append(await self._ask(command))
        for recipient, reply in zip(recipients, replies[1:], strict=True):
            if reply.code // 100 != 2:
                outcomes[recipient] = _outcome(reply)

    async def content(self, prefix: bytes, content: AsyncIterator[bytes]) -> Sent:
        """DATA and the message; the reply to its end."""
        self._need(await self._ask(b"DATA\r\n"), 354)
        dots = DotEncoder()
        await self._stream.write(dots.feed(prefix))
        async for piece in content:
            await self._stream.write(dots.feed(piece))
        await self._stream.write(dots.finish())
        return _outcome(await self._reply(_END_SECONDS))

    async def quit(self) -> None:
        """The polite end; what is answered changes nothing any more."""
        await self._stream.write(b"QUIT\r\n")
        await self._stream.close()

    async def _ask(self, command: bytes) -> Reply:
        await self._stream.write(command)
        return await self._reply()

    async def _reply(self, seconds: float = _REPLY_SECONDS) -> Reply:
        while (reply := self._replies.next_event()) is None:
            data = await self._stream.read(seconds)
            if data == b"":
                raise _Stopped(Sent(421, "4.4.2", f"{self._smarthost.host} closed the connection"))
            self._replies.receive_data(data or b"")
        if isinstance(reply, Garbage):
            raise _Stopped(Sent(451, "4.5.0", f"{self._smarthost.host} does not speak SMTP: {reply.line!r}"))
        return reply

    def _need(self, reply: Reply, code: int) -> Reply:
        if reply.code != code:
            raise _Stopped(_outcome(reply))
        return reply


def _outcome(reply: Reply) -> Sent:
    code = reply.code if reply.code // 100 in (2, 4, 5) else 451
    return Sent(code, reply.status, reply.text)
