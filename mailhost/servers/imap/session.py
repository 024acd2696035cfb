"""One client being served: its stream, its conversation, who it is and what it has open."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from mailhost import observe
from mailhost.accounts.audit.model import Cause, Facts
from mailhost.errors import MailhostError
from mailhost.login.authenticate import DoorKeeper
from mailhost.login.live import Ended, Ending, Live
from mailhost.login.model import Clock, Identity
from mailhost.login.wire import last_words
from mailhost.mailstore.flags import Keywords
from mailhost.mailstore.indexer import TextIndex
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.layout import LabelSettings
from mailhost.mailstore.sharing import rights_of, rights_topic
from mailhost.network.prompt import acknowledge
from mailhost.network.stream import Stream
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.compression import Compression, CompressionBroken
from mailhost.protocols.imap.connection import ImapConnection, Limits
from mailhost.protocols.imap.events import Event
from mailhost.protocols.imap.rights import Right
from mailhost.servers.imap.contexts import Contexts
from mailhost.servers.imap.rights import permanent_flags
from mailhost.servers.imap.view import MailboxView
from mailhost.servers.imap.watching import Watching
from mailhost.servers.serving import SessionOver
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Watch
from mailhost.storage.errors import StorageError

log = observe.logger()

WRITE_AT = 16384
"""Octets of answers that are gathered before they are written, so that pipelined commands share a packet."""

_MINUTE = 60.0
HEARD_AT_LEAST = 8192
"""Octets that buy the rest of a command more time: a slow line sends them in a minute, one octet a second does not."""

FAIR = 32
"""Pipelined commands after which other sessions get their turn, though nothing was waited for."""


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """What an operator decides about the IMAP door; seconds and octets."""

    help_url: str = "https://localhost/help"
    unusual_url: str = "https://localhost/account/unusual"  # where owners say whether a held sign-in was theirs
    append_limit: int = 35_651_584
    plaintext_sign_in: bool = False
    sign_in_seconds: float = 180.0
    idle_seconds: float = 1860.0  # RFC 9051 §5.4 wants 30 minutes; clients that renew IDLE just in time may be late
    command_seconds: float = 60.0  # for each HEARD_AT_LEAST octets of a command that has begun
    progress_seconds: float = 10.0  # between two signs of life of a command that takes long (RFC 9585 §4)
    message_limit: int = 1_000_000  # messages that one COPY, MOVE or STORE may change (RFC 9738)
    recheck_seconds: float = 240.0  # IDLE looks for changes after so long even when nothing woke it
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class ImapServices:
    """What every IMAP session works with."""

    database: Database
    blobs: Blobs
    index: TextIndex
    known: KnownMailboxes
    door_keeper: DoorKeeper
    clock: Clock
    tls_context: Callable[[], ssl.SSLContext] | None  # for STARTTLS; None where it is not offered
    settings: ImapSettings


class Session:
    """What the files of this door share. Answers are gathered by `say` and leave before the next wait."""

    __slots__ = (
        "_commands",
        "_compression",
        "_heard",
        "_in_a_row",
        "_minute_began",
        "_pending",
        "_rest_by",
        "_rights_watch",
        "_sign_in_by",
        "client_id",
        "connection",
        "contexts",
        "is_writing",
        "knows_condstore",
        "knows_labels",
        "knows_metadata",
        "knows_qresync",
        "labels",
        "live",
        "rights_in_doubt",
        "services",
        "speaks_rev2",
        "stream",
        "told_keywords",
        "uid_only",
        "view",
        "watching",
        "withheld",
    )

    def __init__(self, stream: Stream, services: ImapServices) -> None:
        self.stream = stream
        self.services = services
        self.connection = ImapConnection(services.settings.limits)
        self.live: Live | None = None  # once somebody is signed in
        self.view: MailboxView | None = None
        self.knows_condstore = False  # the client has used CONDSTORE: it hears MODSEQ from now on (RFC 7162 §3.1)
        self.knows_qresync = False  # ENABLE QRESYNC: it hears VANISHED for EXPUNGE, and UIDs always (RFC 7162 §3.2)
        self.speaks_rev2 = False  # ENABLE IMAP4rev2: ESEARCH for SEARCH, no RECENT, LIST at SELECT (RFC 9051 App. A)
        self.uid_only = False  # ENABLE UIDONLY: no sequence numbers, either way (RFC 9586)
        self.labels: LabelSettings | None = None  # of an account that shows labels, as they were at sign-in
        self.knows_labels = False  # the client has used X-GM-LABELS: it hears of changes
        self.told_keywords: Keywords = ()  # those of the last FLAGS response
        self.contexts: Contexts | None = None  # searches that stay open (RFC 5267)
        self.watching: Watching | None = None  # what NOTIFY asked for, once the client has used it
        self.knows_metadata = False  # the client has asked for annotations: it hears when others change them
        self.client_id = ""
        self.withheld: frozenset[str] = frozenset()  # capabilities this program breaks over, in upper case
        self.is_writing = False
        self._compression: Compression | None = None
        self.rights_in_doubt = False  # somebody changed them for the selected mailbox
        self._rights_watch: Watch | None = None
        self._pending = b""
        self._commands = 0  # since the minute began
        self._minute_began = asyncio.get_running_loop().time()
        self._in_a_row = 0
        self._heard = 0  # octets since `_rest_by` was set
        self._rest_by: float | None = None  # when more of a command that has begun must have come
        self._sign_in_by = asyncio.get_running_loop().time() + services.settings.sign_in_seconds

    @property
    def identity(self) -> Identity | None:
        """Who is signed in, if anybody is."""
        return None if self.live is None else self.live.identity

    @property
    def account_id(self) -> int:
        """Whose session this is; only once signed in."""
        assert self.live is not None
        return self.live.identity.account_id

    @property
    def is_read_only(self) -> bool:
        """Whether the credential lets nothing be changed."""
        return self.live is not None and self.live.identity.read_only

    @property
    def selected(self) -> MailboxView:
        """The selected mailbox; only in that state."""
        assert self.view is not None
        return self.view

    def forget_identity(self) -> None:
        """Nobody is signed in any more, and what the client enabled is off."""
        assert self.live is not None
        self.services.door_keeper.live.leave(self.live)
        self.live = None
        self.close_view()
        if self.watching is not None:
            self.watching.close()
            self.watching = None
        self.knows_condstore = self.knows_qresync = self.speaks_rev2 = self.uid_only = False
        self.knows_labels, self.labels = False, None
        self.knows_metadata = False
        self._sign_in_by = asyncio.get_running_loop().time() + self.services.settings.sign_in_seconds

    def open_view(self, view: MailboxView) -> None:
        """A mailbox is selected. Of another's, the rights are watched; they may have changed since they were read."""
        self.close_view()
        self.view = view
        if view.account_id != self.account_id:
            topic = rights_topic(view.account_id, view.mailbox_id)
            self._rights_watch = self.services.database.watch(topic, self._doubt_rights)
            self.rights_in_doubt = True

    def close_view(self) -> None:
        """No mailbox is selected any more."""
        self.view = None
        self.contexts = None
        self.rights_in_doubt = False
        if self._rights_watch is not None:
            self._rights_watch.close()
            self._rights_watch = None

    def note_trouble(self, error: MailhostError) -> None:
        """A command failed by it; the operator hears where it is the store that could not."""
        if isinstance(error, StorageError):
            log.warning("session.troubled", protocol="imap", connection=self.stream.id, reason=type(error).__name__)

    async def apologise(self) -> None:
        """Say that we made a mistake."""
        await self.write(responses.untagged("BYE", "System Error"))

    async def leave(self) -> None:
        """However the session ended: it counts no longer."""
        if self.live is not None:
            self.forget_identity()

    async def say(self, data: bytes) -> None:
        """Send `data`, at the latest when the session waits again."""
        if len(self._pending) + len(data) < WRITE_AT:
            self._pending += data
            return
        data, self._pending = self._pending + data, b""
        await self.write(data)

    async def flush(self) -> None:
        """Send what was gathered."""
        if self._pending:
            data, self._pending = self._pending, b""
            await self.write(data)

    async def write(self, data: bytes) -> None:
        """Send `data` now, compressed where the client wants that."""
        if self._compression is not None:
            data = self._compression.deflate(data)
        if self.live is not None:
            self.live.sent += len(data)
        self.is_writing = True
        await self.stream.write(data)
        self.is_writing = False

    async def read(self, seconds: float) -> bytes | None:
        """The client's next octets as `Stream.read` gives them, inflated. Raises SessionOver where they cannot be."""
        layer = self._compression
        if layer is None:
            return await self._hear(seconds)
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        try:
            while not (data := layer.take()):
                received = await self._hear(max(until - clock(), 0.001))
                if not received:
                    return received
                layer.feed(received)
        except CompressionBroken:
            raise await self.bye("What you sent is not compressed by DEFLATE.", "bad-input") from None
        await asyncio.sleep(0)  # few octets may stand for many: others get their turn between the pieces
        return data

    async def _hear(self, seconds: float) -> bytes | None:
        """The client's next octets as they come, counted; meanwhile the session may have to make room for another."""
        if self.connection.is_inside_command:
            acknowledge(self.stream)
        live = self.live
        if live is None:
            return await self.stream.read(seconds)
        live.is_waiting = self.connection.is_idling or not self.connection.is_inside_command
        data = await self.stream.read(seconds)
        live.is_waiting = False
        if data:
            live.received += len(data)
            live.heard_at = asyncio.get_running_loop().time()
        return data

    @property
    def compresses(self) -> bool:
        """Whether COMPRESS is in force."""
        return self._compression is not None

    def start_compression(self) -> None:
        """From here on octets are compressed both ways (RFC 4978 §3); what was said before is sent already."""
        self._compression = Compression()

    def stop_compression(self) -> None:
        """Nothing is compressed any more, either way (RFC 8437 §4.1); what was said before is sent already."""
        assert self._compression is not None
        self.connection.receive_data(self._compression.left())
        self._compression = None

    def rest(self) -> None:
        """The session is about to sleep: keep nothing that can be made again."""
        if self.view is not None:
            self.view.rest()
        if self._compression is not None:
            self._compression.rest()

    async def bye(self, text: str, reason: str, code: str | None = None) -> SessionOver:
        """Say BYE; raise what this returns."""
        await self.say(responses.untagged("BYE", text, code))
        await self.flush()
        return SessionOver(reason)

    async def next_event(self) -> Event:
        """The next thing the client does. Raises SessionOver, and at once where the client was cut off: it will look
        what has become of what it sent, and must not find that grow meanwhile."""
        if self.stream.was_cut:
            raise SessionOver("closed-by-client")
        while (event := self.connection.next_event()) is None:
            self._in_a_row = 0
            await self.receive(self._patience())
        await self.be_fair()
        return event

    async def be_fair(self) -> None:
        """An event came. Rights in doubt are looked at before it is obeyed; and now and then others get their turn,
        though nothing was waited for."""
        if self.rights_in_doubt:
            await self._look_at_rights()
        self._in_a_row += 1
        if self._in_a_row % FAIR == 0:
            await asyncio.sleep(0)

    async def receive(self, seconds: float) -> None:
        """Wait for octets and hand them to the conversation; an interruption counts. Raises SessionOver."""
        await self.flush()
        if self.view is not None:
            self.view.rest()
        try:
            data = await self.read(max(seconds, 0.001))
        except TimeoutError:
            raise await self.bye("Autologout; you said nothing for too long.", "timeout") from None
        await self._take(data)

    async def doze(self, until: float, farewell: str) -> bool:
        """Wait for octets or an interruption, but no longer than it takes to miss a lost one: False then.

        At the time `until` of the loop the client is sent away with `farewell`. Raises SessionOver.
        """
        clock = asyncio.get_running_loop().time
        await self.flush()
        self.rest()
        try:
            data = await self.read(min(self.services.settings.recheck_seconds, max(until - clock(), 0.001)))
        except TimeoutError:
            if clock() >= until:
                raise await self.bye(farewell, "timeout") from None
            return False
        await self._take(data)
        return True

    async def _take(self, data: bytes | None) -> None:
        if data is None:
            await self._heed_interruption()
        elif data:
            self._heard += len(data)
            self.connection.receive_data(data)
        else:
            raise SessionOver("closed-by-client")

    async def _heed_interruption(self) -> None:
        """Somebody interrupted the wait: is the server stopping, or is the credential not good any more?"""
        if self.stream.draining:
            raise await self.bye("The server is restarting. Connect again.", "draining")
        if self.live is not None and (ended := await self.services.door_keeper.live.why_over(self.live)) is not None:
            code = "OVERQUOTA" if ended.ending is Ending.OVER_LIMIT else None
            raise await self.bye(last_words(ended), ended.ending.value, code)
        if self.rights_in_doubt:
            await self._look_at_rights()

    async def reads_still(self) -> bool:
        """Whether the selected mailbox may still be read; asked amid an answer, when nothing can be told."""
        view = self.selected
        rights = await self.services.database.point(rights_of, view.account_id, view.mailbox_id, self.account_id)
        return bool(rights & Right.READ)

    async def look_at_others_rights(self) -> None:
        """Before each command in a mailbox of another: who has taken a right away need not wait for our wake-up."""
        if self.view is not None and not self.view.is_own:
            await self._look_at_rights()

    async def _look_at_rights(self) -> None:
        """Tell what the client may do from now on with the mailbox it has open. Raises SessionOver if that is nothing.

        The connection ends then, for hardly any client understands another end of its mailbox (RFC 4314 §5.1.1).
        """
        self.rights_in_doubt = False
        view = self.view
        if view is None:
            return
        rights = await self.services.database.point(rights_of, view.account_id, view.mailbox_id, self.account_id)
        if not rights & Right.READ:
            raise await self.bye("You may not read the selected mailbox any more.", "rights-withdrawn")
        if rights == view.rights:
            return
        was_read_only, view.rights = view.is_read_only, rights
        flags = () if view.is_read_only else permanent_flags(rights, view.keywords)
        await self.say(responses.untagged("OK", "Your rights changed.", f"PERMANENTFLAGS ({' '.join(flags)})"))
        if view.is_read_only != was_read_only:
            code = "READ-ONLY" if view.is_read_only else "READ-WRITE"
            await self.say(responses.untagged("OK", "Your rights changed.", code))

    def _doubt_rights(self) -> None:
        self.rights_in_doubt = True
        self.stream.interrupt()

    async def count_command(self) -> None:
        """One more command; who gives too many within a minute is sent away. Raises SessionOver."""
        self._commands += 1
        live = self.live
        if live is None or self._commands <= (live.identity.rules.commands_a_minute or self._commands):
            return
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._minute_began >= _MINUTE:
            self._minute_began = loop_time
            self._commands = 1
            return
        until = int(self.services.clock() + _MINUTE - (loop_time - self._minute_began))
        limit = live.identity.rules.commands_a_minute or 0
        facts: Facts = {"limit": limit, "until_at": until}
        self.services.door_keeper.tell(Cause.OVER_COMMANDS, live.visit, live.identity, facts)
        ended = Ended(Ending.OVER_LIMIT, f"{limit} commands a minute", until)
        raise await self.bye(last_words(ended), "over-commands", "OVERQUOTA")

    def _patience(self) -> float:
        settings, now = self.services.settings, asyncio.get_running_loop().time()
        if self.identity is None:
            return self._sign_in_by - now
        if not self.connection.is_inside_command:
            self._rest_by = None
            return settings.idle_seconds
        if self._rest_by is None or self._heard >= HEARD_AT_LEAST:
            self._rest_by = now + settings.command_seconds
            self._heard = 0
        return self._rest_by - now
