"""APPEND and REPLACE: messages stream in and are placed all at once (RFC 9051 §6.3.12, RFC 3502, RFC 8508)."""

from dataclasses import dataclass
from datetime import datetime

from mailhost.errors import MailhostError
from mailhost.mailstore.account import usage
from mailhost.mailstore.append import append_from_client, replace_message
from mailhost.mailstore.binary import BinaryIntake
from mailhost.mailstore.flags import system_mask
from mailhost.mailstore.intake import Intake
from mailhost.mailstore.model import (
    SYSTEM_FLAGS,
    Appended,
    NewMessage,
    NoSuchMailbox,
    NoSuchMessage,
    NotSelectable,
    OverQuota,
    Usage,
)
from mailhost.mailstore.rows import live_rows
from mailhost.mailstore.sharing import rights_of
from mailhost.mailstore.store import KEYWORD_BITS
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.events import AppendFinished, AppendMessage, Hangup, Mistake, Replaced
from mailhost.protocols.imap.rights import REMOVES, Right
from mailhost.protocols.imap.sets import SequenceSet, format_numbers
from mailhost.servers.imap.answers import MAY_ONLY_READ, UID_REQUIRED, Answer, NoPermission, answer_for, completed
from mailhost.servers.imap.catenate import AppendRefused, take_literal, take_parts
from mailhost.servers.imap.progress import Progress
from mailhost.servers.imap.reach import Reached, reach_selectable
from mailhost.servers.imap.rights import changeable, require, right_for
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.view import NoSuchNumber, ReadOnlyView
from mailhost.storage.database import Tx
from mailhost.storage.errors import StorageError, StorageFull

_DELETED_MEANWHILE = Answer("NO", "TRYCREATE", "The mailbox was deleted meanwhile.")
MAX_MESSAGES = 256
"""In one MULTIAPPEND; small messages wait for its end in memory, and one transaction takes all. interimap sends 128."""
MAX_HELD = 32 * 1024 * 1024
"""Octets in memory of all messages of one MULTIAPPEND: small contents, and what FETCH is answered with."""


async def append(session: Session, first: AppendMessage) -> Answer:
    """Take the messages of one command. Whatever is wrong is said at once, before the octets where that is possible."""
    services = session.services
    if session.is_read_only:
        return await _give_up(session, MAY_ONLY_READ)
    try:
        replaced = None if first.replaces is None else await _find_replaced(session, first.replaces)
        target, used = await services.database.point(_look_up, session.account_id, first)
    except (NoSuchMailbox, NotSelectable):
        return await _give_up(session, Answer("NO", "TRYCREATE", "There is no such mailbox."))
    except (NoPermission, NoSuchMessage, NoSuchNumber, ReadOnlyView, AppendRefused) as error:
        return await _give_up(session, _answer_for(error))
    room, places = used.free_octets, used.free_messages
    if replaced is not None and replaced.account_id == target.account_id:
        room, places = room + replaced.octets, places + 1
    messages: list[NewMessage] = []
    try:
        refusal = await _take(session, first, target, room, places, messages)
    except BaseException:
        await _drop(session, messages)
        raise
    if refusal is not None:
        await _drop(session, messages)
        return refusal
    async with Progress(session, first.tag):
        try:
            answer = await (
                _place(session, target, messages)
                if replaced is None
                else _replace(session, target, messages[0], replaced)
            )
        except MailhostError as error:
            if not isinstance(error, StorageError) or isinstance(error, StorageFull):  # after others it may be kept
                await _drop(session, messages)
            raise
        await _drop(session, messages)
        return answer


def _held(message: NewMessage) -> int:
    """What a message takes in memory until it is placed."""
    blob, digest = message.incoming.blob, message.incoming.digest
    return sum(map(len, (blob.payload or b"", digest.envelope, digest.bodystructure, digest.fields, digest.parts)))


async def _drop(session: Session, messages: list[NewMessage]) -> None:
    """Leave no file behind of what was taken and not placed, or was there before."""
    for message in messages:
        await session.services.blobs.drop(message.incoming.blob)


async def _take(
    session: Session, first: AppendMessage, target: Reached, room: int, places: int, messages: list[NewMessage]
) -> Answer | None:
    """Take the messages of the command one by one; returns why not, where one is refused."""
    held = 0
    event: AppendMessage | AppendFinished | Mistake = first
    while isinstance(event, AppendMessage):
        intake = _intake(session, event)
        try:
            _admit(session, event, len(messages), room, places)
            if event.size is None:
                await take_parts(session, intake, room, event.tag)
            else:
                await take_literal(session, intake, event.size)
            message = await _finish(session, intake, event, target)
            room -= message.octets
            held += _held(message)
            messages.append(message)
            if held > MAX_HELD and len(messages) > 1:
                raise AppendRefused(
                    Answer("NO", "LIMIT", "One APPEND takes less than that. Send fewer messages at once.")
                )
            event = await _next_message(session)
        except MailhostError as error:
            session.note_trouble(error)
            return await _give_up(session, _answer_for(error))
        finally:
            intake.discard()
    if isinstance(event, Mistake):
        return Answer(event.status, event.code, event.text)
    return None


@dataclass(frozen=True, slots=True)
class _Old:
    """The message to be replaced."""

    account_id: int
    mailbox_id: int
    uid: int
    octets: int


async def _find_replaced(session: Session, replaced: Replaced) -> _Old:
    """Raises NoSuchMessage, NoSuchNumber, ReadOnlyView, NoPermission."""
    view, database = session.selected, session.services.database
    if session.uid_only and not replaced.by_uid:
        raise AppendRefused(UID_REQUIRED)
    if view.is_examined:
        raise ReadOnlyView
    require(view.rights, REMOVES)
    asked = SequenceSet(((replaced.number, replaced.number),))
    ranges = await view.named_ranges(database, asked, by_uid=replaced.by_uid)
    if not ranges:
        raise NoSuchMessage
    [(uid, _)] = ranges
    rows = await database.point(live_rows, view.account_id, view.mailbox_id, uid, uid, ("octets",), 1)
    if not rows:
        raise NoSuchMessage
    return _Old(view.account_id, view.mailbox_id, uid, rows[0][0])


def _look_up(tx: Tx, account_id: int, command: AppendMessage) -> tuple[Reached, Usage]:
    reached = reach_selectable(tx, account_id, command.mailbox, right_for(command))
    return reached, usage(tx, reached.account_id)


def _intake(session: Session, message: AppendMessage) -> Intake | BinaryIntake:
    """What takes the message; parts of CATENATE are as they were stored or sent, and must stay so."""
    services = session.services
    if message.is_binary or message.size is None:
        return BinaryIntake(services.blobs, services.settings.append_limit)
    return Intake(services.blobs, services.settings.append_limit, normalise=True)


def _admit(session: Session, message: AppendMessage, count: int, room: int, places: int) -> None:
    """Refuse a message that is only announced where it is known that it cannot be taken. Raises AppendRefused."""
    limit = session.services.settings.append_limit
    if message.size is not None and message.size > limit:
        raise AppendRefused(Answer("NO", "TOOBIG", f"A message holds at most {limit} octets."))
    if (message.size or 0) > room or count >= places:
        raise OverQuota
    if message.size == 0:
        raise AppendRefused(Answer("NO", None, "An empty message cancels the APPEND."))
    if count >= MAX_MESSAGES:
        raise AppendRefused(Answer("NO", "LIMIT", f"One APPEND takes at most {MAX_MESSAGES} messages."))


def _answer_for(error: MailhostError) -> Answer:
    """Raises the error where no command may end in it."""
    answer = error.answer if isinstance(error, AppendRefused) else answer_for(error)
    if answer is None:
        raise error
    return answer


async def _give_up(session: Session, answer: Answer) -> Answer:
    if not session.connection.abandon_append():
        raise await session.bye(answer.text, "literal-too-large")
    return answer


async def _finish(
    session: Session, intake: Intake | BinaryIntake, message: AppendMessage, target: Reached
) -> NewMessage:
    """The message, whole and on the disk, with those of its flags that may be set (RFC 4314 §4)."""
    if not intake.size:
        raise AppendRefused(Answer("NO", None, "An empty message cancels the APPEND."))
    changeable_bits = changeable(target.rights)
    shows_labels = session.labels is not None and target.place.is_own
    return NewMessage(
        await intake.finish(),
        _seconds(message.internal_date, int(session.services.clock()), shows_labels=shows_labels),
        flags=system_mask(flag for flag in message.flags if flag in SYSTEM_FLAGS) & changeable_bits,
        keywords=tuple(flag for flag in message.flags if flag not in SYSTEM_FLAGS and changeable_bits & KEYWORD_BITS),
    )


async def _next_message(session: Session) -> AppendMessage | AppendFinished | Mistake:
    """What comes behind a whole message."""
    behind = await session.next_event()
    if isinstance(behind, Hangup):
        raise await session.bye(behind.text, "bad-input")
    assert isinstance(behind, AppendMessage | AppendFinished | Mistake)
    return behind


def _seconds(moment: datetime | None, now: int, *, shows_labels: bool) -> int:
    """INTERNALDATE; mail cannot have arrived before 1970 nor, as Gmail has it, later than now."""
    seconds = -1 if moment is None else int(moment.timestamp())
    return now if seconds < 0 or (shows_labels and seconds > now) else seconds


async def _replace(session: Session, target: Reached, message: NewMessage, old: _Old) -> Answer:
    services = session.services
    source, now = (old.account_id, old.mailbox_id, old.uid), int(services.clock())

    def work(tx: Tx) -> Appended:
        _check_again(tx, session.account_id, target)
        require(rights_of(tx, old.account_id, old.mailbox_id, session.account_id), REMOVES)
        there = target.account_id, target.mailbox.id
        return replace_message(tx, services.blobs, there[0], source, there[1], message, now)

    try:
        appended = await services.database.write(work)
    except NoSuchMailbox:
        return _DELETED_MEANWHILE
    _note(session, target, appended)
    # The client must know the new message before it hears that the old one is gone (RFC 8508 §3.3).
    await session.say(responses.untagged("OK", "The new message is in place.", _append_uid(appended)))
    return completed("REPLACE")


async def _place(session: Session, target: Reached, messages: list[NewMessage]) -> Answer:
    services = session.services
    now = int(services.clock())

    def work(tx: Tx) -> Appended:
        _check_again(tx, session.account_id, target)
        return append_from_client(tx, services.blobs, target.account_id, target.mailbox.id, messages, now)

    try:
        appended = await services.database.write(work)
    except NoSuchMailbox:
        return _DELETED_MEANWHILE
    _note(session, target, appended)
    return Answer("OK", _append_uid(appended), "APPEND completed.")


def _note(session: Session, target: Reached, appended: Appended) -> None:
    if session.watching is not None:
        session.watching.note_own(target.account_id, target.mailbox.id, appended.uids)


def _check_again(tx: Tx, account_id: int, target: Reached) -> None:
    """While the message came, the right may have gone. Costs nothing for one's own mailboxes. Raises NoPermission."""
    require(rights_of(tx, target.account_id, target.mailbox.id, account_id), Right.INSERT)


def _append_uid(appended: Appended) -> str:
    return f"APPENDUID {appended.uid_validity} {format_numbers(appended.uids).decode()}"
