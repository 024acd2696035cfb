"""The submission doors, 465 and 587 (RFC 6409, RFC 8314): our own people hand in what they send."""

import asyncio
from typing import assert_never

from mailhost.accounts.audit.model import Cause
from mailhost.delivery.model import NotOurs, NoWayOut
from mailhost.delivery.route import route
from mailhost.delivery.submit import Submission, check_daily_limit, check_sender
from mailhost.errors import MailhostError
from mailhost.login.live import Live
from mailhost.login.model import Identity, Reason, Refused
from mailhost.login.wire import last_words
from mailhost.mailstore import Incoming, OverQuota
from mailhost.network.stream import Stream
from mailhost.protocols.sasl import (
    TOKEN_MECHANISMS,
    Cancelled,
    Challenge,
    Credentials,
    Exchange,
    Malformed,
    Step,
    refused_token,
)
from mailhost.protocols.smtp import events as e
from mailhost.protocols.smtp.addresses import Address
from mailhost.protocols.smtp.replies import challenge, reply
from mailhost.servers.smtp.answers import answer_for, quotable, sign_in_refusal
from mailhost.servers.smtp.session import Session, Sink, SmtpServices, Transaction, log


class SubmissionSession(Session):
    """Sign-in first; then mail from the account's own addresses, to anybody."""

    def __init__(self, stream: Stream, services: SmtpServices) -> None:
        super().__init__(stream, services)
        self._live: Live | None = None  # once somebody is signed in
        self._submission: Submission | None = None

    @property
    def is_signed_in(self) -> bool:
        """Whether AUTH succeeded."""
        return self._live is not None

    @property
    def _is_private(self) -> bool:
        return self.stream.tls is not None or self.settings.plaintext_sign_in

    @property
    def _mechanisms(self) -> tuple[str, ...]:
        return ("PLAIN", "LOGIN", *(TOKEN_MECHANISMS if self.services.door_keeper.offers_tokens else ()))

    def keywords(self) -> list[str]:
        """AUTH, as soon as a password is safe."""
        return ["AUTH " + " ".join(self._mechanisms)] if self._is_private else []

    # Sign-in (RFC 4954).

    async def authenticate(self, event: e.Auth) -> bytes:
        """AUTH, with or without an initial response; after a refusal the connection goes on."""
        if not self._is_private:
            self.tell(Cause.PLAIN_TEXT_REFUSED, event.mechanism)
            return reply(530, "Must issue a STARTTLS command first.", "5.7.0")
        if self._live is not None:
            return reply(503, "No identity changes permitted", "5.7.0")
        if event.mechanism not in ("PLAIN", "LOGIN", *TOKEN_MECHANISMS):  # announced a little after the first token
            self.tell(Cause.MECHANISM_UNKNOWN, event.mechanism)
            return reply(504, f"Unrecognized Authentication Type; known are {' '.join(self._mechanisms)}", "5.7.4")
        exchange = Exchange(event.mechanism)
        step = await self._run(exchange, exchange.begin(event.initial))
        self.connection.auth_ended()
        match step:
            case Credentials():
                return await self._sign_in(step)
            case Cancelled():
                self.tell(Cause.SIGN_IN_MALFORMED, event.mechanism)
                return reply(501, "Authentication cancelled", "5.7.0")
            case Malformed(problem, is_for_another):
                self.tell(Cause.SIGN_IN_MALFORMED, event.mechanism)
                broken = reply(501, f"Cannot Decode response: {problem}", "5.5.2")
                await self.say(reply(535, problem, "5.7.8") if is_for_another else broken)
                await self.count_mistake()
                return b""
            case _:
                assert_never(step)

    async def _run(self, exchange: Exchange, step: Step) -> Credentials | Cancelled | Malformed:
        while isinstance(step, Challenge):
            line = await self._ask(step)
            step = Malformed("the line is too long") if line is None else exchange.respond(line)
        return step

    async def _ask(self, step: Challenge) -> bytes | None:
        """The client's line after a challenge; None when it is too long."""
        self.connection.auth_started()
        await self.say(challenge(step.text))
        event = await self.next_event()
        return event.line if isinstance(event, e.AuthResponse) else None

    async def _sign_in(self, credentials: Credentials) -> bytes:
        visit = self.visit(credentials.mechanism)
        try:
            keeper = self.services.door_keeper
            self._live = await keeper.sign_in(credentials, visit, self.stream.interrupt)
        except Refused as refused:
            if refused.reason is Reason.BAD_TOKEN:
                await self._ask(refused_token(credentials.mechanism))
                self.connection.auth_ended()
            settings = self.settings
            said = sign_in_refusal(refused, settings.help_url, settings.unusual_url, self.office.clock())
            await self.say(quotable(said, self.stream.id))
            await self.count_mistake()
            return b""
        return reply(235, "Accepted", "2.7.0")

    # Messages.

    @property
    def identity(self) -> Identity:
        """Who sends; the transaction began only because somebody signed in."""
        if self._live is None:
            raise AssertionError("nobody has signed in")
        return self._live.identity

    async def heed_interruption(self) -> None:
        """The credential may not be good any more."""
        if self._live is None:
            return
        ended = await self.services.door_keeper.live.why_over(self._live)
        if ended is not None:
            raise await self.bye(421, last_words(ended), "4.7.0", ended.ending.value)

    def _refused(self, transaction: Transaction, reason: str, answer: bytes) -> bytes:
        """Its owner reads in the diary when the account is full."""
        if self._live is not None and reason == OverQuota.__name__:
            self.services.door_keeper.tell(Cause.STORAGE_FULL, self._live.visit, self._live.identity)
        return super()._refused(transaction, reason, answer)

    async def leave(self) -> None:
        """However the session ended: it counts no longer."""
        await super().leave()
        if self._live is not None:
            self.services.door_keeper.live.leave(self._live)
            self._live = None

    async def admit_sender(self, mail: e.Mail) -> bytes | None:
        """The account's own address, from somebody whose credential is still good, within the day's limit."""
        if self._live is None:
            if not self._is_private:
                self.tell(Cause.PLAIN_TEXT_REFUSED)
                return reply(530, "Must issue a STARTTLS command first.", "5.7.0")
            self.tell(Cause.SENDING_WITHOUT_SIGN_IN)
            text = f"Authentication Required. For more information, go to\n{self.settings.help_url}/authentication"
            return reply(530, text, "5.7.0")
        database = self.office.database
        self._live.heard_at = asyncio.get_running_loop().time()
        self._live.must_look = True  # what is sent cannot be called back, so a wake-up that was lost must not matter
        await self.heed_interruption()
        try:
            check_sender(self.identity.address, mail.sender)
            limit = self.office.daily_messages
            await database.point(check_daily_limit, self.identity.account_id, limit, int(self.office.clock()))
        except MailhostError as error:
            return answer_for(error, self.settings.help_url)
        return None

    async def admit_recipient(self, transaction: Transaction, address: Address) -> None:
        """One of ours, or somebody the smarthost carries mail to."""
        try:
            transaction.recipients.append(await self.office.database.point(route, address))
        except NotOurs:
            if self.office.smarthost is None:
                raise NoWayOut(str(address)) from None
            transaction.elsewhere.append(address)

    def open_sink(self, transaction: Transaction) -> Sink:
        """Looked at and completed on its way in."""
        identity = self.identity
        self._submission = Submission(self.office, identity.account_id, identity.address, transaction.origin)
        return self._submission

    async def accept(self, transaction: Transaction, incoming: Incoming) -> bytes:
        """250 once it is queued or delivered to everybody, and filed in Sent."""
        if self._submission is None:
            raise AssertionError("a message has a sink")
        await self._submission.send(incoming, transaction.recipients, transaction.elsewhere)
        origin = transaction.origin
        log.info(
            "message.submitted",
            connection=self.stream.id,
            transaction=origin.transaction_id,
            account=self.identity.account_id,
            octets=incoming.blob.size,
            recipients=len(transaction.recipients) + len(transaction.elsewhere),
        )
        return reply(250, f"OK {int(self.office.clock())} {origin.transaction_id}", "2.0.0")
