"""What one session has been told of its selected mailbox, and what it must still hear (RFC 9051 §5.2, §7.5.1)."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mailhost.errors import MailhostError
from mailhost.mailstore.changes import changes, highest_modseq, vanished
from mailhost.mailstore.flags import Keywords, has_keywords, load_keywords
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.known import Detail, KnownMailbox
from mailhost.mailstore.mailboxes import load_mailbox
from mailhost.mailstore.model import Changes, Mailbox, NoSuchMailbox, SleptTooLong, Stored, UidRange
from mailhost.mailstore.ranges import as_ranges, intersection
from mailhost.mailstore.rows import live_uids
from mailhost.protocols.imap.rights import ALL_RIGHTS, CHANGES, Right
from mailhost.protocols.imap.sets import SequenceSet
from mailhost.servers.imap.numbers import NumberMap, Uids
from mailhost.storage.database import Database


class MailboxGone(MailhostError):
    """The selected mailbox was deleted; the session cannot go on with it."""


class ReadOnlyView(MailhostError):
    """The mailbox was opened with EXAMINE."""


class NoSuchNumber(MailhostError):
    """A command names a sequence number beyond the last message; the message says which and how many there are."""


class ViewBroken(MailhostError):
    """The number map cannot be what the session was told; only a new session can mend that."""


class MailboxView:
    """A selected mailbox as its session knows it: up to `modseq`, UIDs below `uid_next`, `exists` messages.

    The map of sequence numbers is that of the moment of `modseq`. It is made when a command needs it, from what the
    process knows of the mailbox, and not kept while the session waits for its client.
    """

    __slots__ = (
        "_numbers",
        "account_id",
        "exists",
        "first_uid",
        "flags_heard",
        "is_clipped",
        "is_examined",
        "keywords",
        "known",
        "mailbox_id",
        "modseq",
        "name",
        "prefix",
        "rights",
        "saved",
        "shows_labels",
        "special_use",
        "uid_next",
        "uid_validity",
        "utf8",
    )

    def __init__(
        self,
        known: KnownMailboxes,
        account_id: int,
        mailbox: Mailbox,
        keywords: Keywords,
        *,
        is_examined: bool,
        rights: Right = ALL_RIGHTS,
    ) -> None:
        self.known = known
        self.account_id = account_id
        self.mailbox_id = mailbox.id
        self.name = mailbox.name
        self.special_use = mailbox.special_use  # as it was when the mailbox was opened
        self.uid_validity = mailbox.uid_validity
        self.modseq = mailbox.highest_modseq
        self.uid_next = mailbox.uid_next
        self.exists = mailbox.messages
        self.keywords = keywords
        self.is_examined = is_examined
        self.rights = rights
        self.prefix = ""  # before the name, where the mailbox is another's
        self.saved: Sequence[int] = ()  # the UIDs that `$` stands for, ascending (RFC 5182)
        self.shows_labels = False  # the account is in the gmail layout
        self.first_uid = 1  # older messages are not shown, where the account's owner limits the size of folders
        self.is_clipped = False  # whether there is such a limit
        self.utf8 = False  # labels are told as UTF-8
        self.flags_heard: int | None = None  # up to which modseq flags are told, where that is less than `modseq`
        self._numbers: NumberMap | None = None

    @property
    def is_own(self) -> bool:
        """Whether the mailbox is the account's that is signed in."""
        return not self.prefix

    @property
    def heard(self) -> int:
        """The modseq up to which the client has heard everything."""
        return self.modseq if self.flags_heard is None else self.flags_heard

    async def learn_name(self, database: Database) -> str:
        """What the mailbox is called now, for it may have been renamed since. Raises MailboxGone."""
        try:
            mailbox = await database.point(load_mailbox, self.account_id, self.mailbox_id)
        except NoSuchMailbox as error:
            raise MailboxGone from error
        self.name = self.prefix + mailbox.name
        return self.name

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be changed here: EXAMINE, or no right to (RFC 4314 §5.2)."""
        return self.is_examined or not self.rights & CHANGES

    @property
    def marks_seen(self) -> bool:
        """Whether FETCH may set \\Seen."""
        return not self.is_examined and bool(self.rights & Right.SEEN)

    async def numbers(self, database: Database) -> NumberMap:
        """The map of sequence numbers. Raises ViewBroken."""
        if self._numbers is None:
            uids = await self._uids(database)
            self._numbers = NumberMap(uids[bisect_left(uids, self.first_uid) :] if self.first_uid > 1 else uids)
            if len(self._numbers) != self.exists:
                found = len(self._numbers)
                self._numbers = None
                raise ViewBroken(f"expected {self.exists} messages, found {found}")
        return self._numbers

    async def _uids(self, database: Database) -> Uids:
        """The UIDs of the messages that were there at `modseq`: those there now, and those gone since."""
        if self.exists == self.uid_next - 1:
            return range(1, self.uid_next)
        known = await self.present()
        if known is None:
            return await database.read(live_uids, self.account_id, self.mailbox_id, self.uid_next, self.modseq)
        if known.gone_modseq <= self.modseq:
            return known.uids_below(self.uid_next)
        uids = known.uids_below(self.uid_next)
        gone = await database.read(vanished, self.account_id, self.mailbox_id, self.modseq, self.uid_next)
        return sorted({*uids, *gone})

    async def present(self, details: Sequence[Detail] = ()) -> KnownMailbox | None:
        """The mailbox as it is now, for all sessions; None where only the rows can tell."""
        return await self.known.present(self.account_id, self.mailbox_id, details)

    def rest(self) -> None:
        """The session waits for its client: keep nothing that others can share."""
        self._numbers = None

    async def named_ranges(self, database: Database, asked: SequenceSet, *, by_uid: bool) -> list[UidRange]:
        """`uid_ranges` for a command that acts on the messages it names. Raises NoSuchNumber (RFC 9051 §9 seq-number).

        UIDs may name nobody, and so may `1:*` in an empty mailbox: clients ask before they look whether it is empty.
        """
        if not by_uid and (number := asked.beyond(self.exists)) and (self.exists or not asked.has_star):
            raise NoSuchNumber(f"There is no message {number}; there are {self.exists}.")
        return await self.uid_ranges(database, asked, by_uid=by_uid)

    async def uid_ranges(self, database: Database, asked: SequenceSet, *, by_uid: bool) -> list[UidRange]:
        """What a command's set means in this view, as ascending UID ranges; numbers beyond the end are left out.

        `*` is the last message the session knows of (RFC 9051 §6.4.9).
        """
        if self.exists == 0:
            return []
        if asked.is_saved:
            return as_ranges(self.saved)
        if by_uid and all(first and last for first, last in asked.ranges):
            known = [(self.first_uid, self.uid_next - 1)]  # without `*` no map is needed
            return intersection(asked.resolve(self.uid_next - 1), known)
        numbers = await self.numbers(database)
        if by_uid:
            return list(asked.resolve(numbers.uids[-1]))
        return numbers.uid_ranges(asked.resolve(len(numbers)))

    async def know_keywords(self, database: Database, masks: Iterable[int]) -> None:
        """Make sure that every keyword in the masks goes by the name it has now; other sessions make and free them."""
        if any(map(has_keywords, masks)):
            self.keywords = await database.point(load_keywords, self.account_id)

    def own_change(self, stored: Stored) -> None:
        """This session's own STORE is told by its answer: do not tell it again, unless there is more to tell."""
        if stored.previous_modseq <= self.modseq and not stored.has_echo:
            self.modseq = max(self.modseq, stored.modseq)

    async def has_news(self, database: Database) -> bool:
        """Whether something happened since `modseq`: the cheap question. Raises MailboxGone."""
        modseq = await database.point(highest_modseq, self.account_id, self.mailbox_id)
        if modseq is None:
            raise MailboxGone
        return modseq > self.modseq

    async def take_news(self, database: Database, *, permits_expunge: bool = True) -> tuple[list[int], Changes] | None:
        """Move on to the present. Returns the numbers to tell as expunged, and the changes.

        None, and nothing moves, where something is to be told as expunged and this is not permitted.

        Expunges are told first; EXISTS (when something arrived) and the numbers of flags count after them.
        Raises MailboxGone, ViewBroken.
        """
        try:
            news = await database.read(changes, self.account_id, self.mailbox_id, self.modseq, self.uid_next)
        except NoSuchMailbox as error:
            raise MailboxGone from error
        except SleptTooLong as error:
            raise ViewBroken("it asked for no news for too long") from error
        expunged: list[int] = []
        if self.first_uid > 1:
            news = replace(news, vanished=[uid for uid in news.vanished if uid >= self.first_uid])
        if news.vanished:
            if not permits_expunge:
                return None
            numbers = await self.numbers(database)
            expunged = numbers.numbers_to_expunge(news.vanished)
            self.exists -= len(expunged)
        self.exists += len(news.arrived)
        self._numbers = None
        self.modseq = news.highest_modseq
        self.uid_next = news.uid_next
        return expunged, news
