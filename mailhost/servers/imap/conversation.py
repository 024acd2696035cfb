"""One session from greeting to goodbye: each command goes to its file, news is told, the answer ends it."""

from dataclasses import replace
from typing import Final, assert_never

from mailhost.accounts.audit.model import Cause
from mailhost.errors import MailhostError
from mailhost.mailstore.search import set_keys
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import (
    AccessCommand,
    Authenticate,
    CancelUpdate,
    Capability,
    Check,
    Close,
    Command,
    Compress,
    Copy,
    Create,
    Delete,
    Enable,
    Expunge,
    Fetch,
    GetAcl,
    GetMetadata,
    GetQuota,
    GetQuotaRoot,
    Id,
    Idle,
    List,
    ListRights,
    Login,
    Logout,
    Lsub,
    MailboxCommand,
    MessageCommand,
    MetadataCommand,
    MultiSearch,
    MyRights,
    Namespace,
    Noop,
    Notify,
    Rename,
    Search,
    Select,
    SessionCommand,
    SetQuota,
    Sort,
    StartTls,
    Status,
    Store,
    StoreLabels,
    Subscribe,
    Thread,
    Unauthenticate,
)
from mailhost.protocols.imap.events import (
    AppendFinished,
    AppendMessage,
    CatenateEnd,
    CatenateText,
    CatenateUrl,
    ContinuationNeeded,
    Event,
    Hangup,
    IdleDone,
    LiteralChunk,
    Mistake,
    Replaced,
    SaslResponse,
)
from mailhost.protocols.imap.search import UidIn
from mailhost.protocols.imap.sets import SequenceSet
from mailhost.servers.imap import (
    access,
    capability,
    enable,
    listing,
    mailboxes,
    messages,
    metadata,
    quota,
    selecting,
    signin,
)
from mailhost.servers.imap.answers import MAY_ONLY_READ, Answer, answer_for, completed
from mailhost.servers.imap.append import append
from mailhost.servers.imap.idle import idle
from mailhost.servers.imap.multisearch import multi_search
from mailhost.servers.imap.notices import tell_heard
from mailhost.servers.imap.notify import next_event, notify, tell_events
from mailhost.servers.imap.rights import require_on_selected
from mailhost.servers.imap.search import uses_numbers
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.updates import cancel
from mailhost.servers.imap.view import MailboxGone, ViewBroken
from mailhost.servers.serving import SessionOver
from mailhost.storage.errors import StorageError


async def converse(session: Session) -> None:
    """Serve one client until one side ends it. Raises SessionOver, ConnectionError."""
    stream = session.stream
    greeting = f"Mailhost ready for requests from {stream.peer[0]} {stream.id}"
    await session.say(responses.untagged("OK", greeting, f"CAPABILITY {capability.capabilities(session)}"))
    while True:
        try:
            event = await next_event(session)
            await _heed(session, event)
        except MailboxGone:
            raise await session.bye("The selected mailbox was deleted.", "mailbox-gone") from None
        except StorageError as error:
            raise await session.bye("Temporary System Problem. Connect again.", f"storage: {error}") from error
        except ViewBroken as error:
            raise await session.bye("System Error. Connect again.", f"view-broken: {error}") from error


async def _heed(session: Session, event: Event) -> None:
    match event:
        case ContinuationNeeded():
            await session.say(responses.continuation(b"Go ahead"))
        case AppendMessage():
            await _carry_out(session, event)
        case Mistake(tag, status, code, text, empties_saved):
            if empties_saved and session.view is not None:
                session.view.saved = ()
            await session.count_command()
            await session.say(responses.tagged(tag, status, text, code))
        case Hangup(text, spoken):
            if spoken is not None:
                signin.tell(session, Cause.WRONG_PROTOCOL, spoken=spoken.value)
            raise await session.bye(text, "bad-input")
        case LiteralChunk() | AppendFinished() | CatenateText() | CatenateUrl() | CatenateEnd():
            raise AssertionError(f"out of place: {event}")
        case SaslResponse() | IdleDone():
            raise AssertionError(f"out of place: {event}")
        case Logout(tag):
            await session.say(responses.untagged("BYE", "LOGOUT Requested"))
            await session.say(responses.tagged(tag, "OK", "good day (Success)"))
            await session.flush()
            raise SessionOver("logout")
        case _:
            await _carry_out(session, event)


async def _carry_out(session: Session, command: Command | AppendMessage) -> None:
    """Obey, tell what happened meanwhile, answer."""
    if session.watching is not None:
        session.watching.begin_command(_names_changed_by(command))
    await session.count_command()
    try:
        await session.look_at_others_rights()
        if _names_the_untold(session, command):
            await tell_events(session)
        answer = await _obey(session, command)
    except (MailboxGone, ViewBroken):
        raise
    except MailhostError as error:
        answer = answer_for(error)
        if answer is None:
            raise
        session.note_trouble(error)
    if answer is None:
        return
    if answer.code == "OVERQUOTA" and session.live is not None:
        session.services.door_keeper.tell(Cause.STORAGE_FULL, session.live.visit, session.live.identity)
    # News first: what a client reads before the tagged answer is true when it reads that (RFC 9051 §7.5.1).
    # But not with SELECT, which tells of one moment: VANISHED and EXISTS in it are about that.
    removes = (
        isinstance(command, Expunge)
        or (isinstance(command, Copy) and command.moves)
        or (isinstance(command, AppendMessage) and command.replaces is not None)
    )
    try:
        if not isinstance(command, Select):
            await tell_events(
                session,
                permits_expunge=not _counts_on_numbers(session, command),
                removes=removes,
                told_modseq=session.knows_condstore and isinstance(command, Fetch | Store | StoreLabels),
            )
    except MailhostError:
        # The session ends, but its client knows what is done and need not be done again.
        await session.say(_tagged(command, answer))
        raise
    if removes and session.knows_qresync and answer.status == "OK":
        # VANISHED bears no MODSEQ (RFC 7162 §3.2.7, RFC 6851 §4.4, RFC 8508 §4.5).
        if answer.code is None:
            answer = replace(answer, code=f"HIGHESTMODSEQ {session.selected.heard}")
        else:
            await tell_heard(session, session.selected)
    await session.say(_tagged(command, answer))


def _tagged(command: Command | AppendMessage, answer: Answer) -> bytes:
    return responses.tagged(command.tag, answer.status, answer.text, answer.code)


def _counts_on_numbers(session: Session, command: Command | AppendMessage) -> bool:
    """Whether no sequence number may change while the command is answered (RFC 9051 §7.5.1, RFC 7162 §3.2.10.2).

    COPY to Trash may take a label away, and scripts that go on by number to set \\Deleted would hit the next message.
    """
    match command:
        case Fetch() | Store() | StoreLabels():
            return not command.by_uid
        case Search() | Sort() | Thread():
            return not command.by_uid or uses_numbers(command.key)
        case MultiSearch():
            return uses_numbers(command.search.key)
        case Copy(moves=False):
            return not command.by_uid and session.selected.shows_labels
        case _:
            return False


def _names_the_untold(session: Session, command: Command | AppendMessage) -> bool:
    """Whether the client names UIDs that this session has not told it of, for it heard of them from another one.

    They are told first, or the command would leave out what it means: Apple Mail moves new mail so, and who polls looks
    for new mail by `UID SEARCH UID 7:*`. Not where numbers stand beside them: those are of messages told before.
    """
    if _counts_on_numbers(session, command):
        return False
    match command:
        case Fetch() | Store() | StoreLabels() | Copy() if command.by_uid:
            asked = [command.numbers]
        case Search() | Sort() | Thread() if command.by_uid:
            asked = [key.uids for key in set_keys(command.key) if isinstance(key, UidIn)]
        case Expunge(uids=SequenceSet() as uids):
            asked = [uids]
        case AppendMessage(replaces=Replaced(number=uid, by_uid=True)):
            asked = [SequenceSet(((uid, uid),))]
        case _:
            return False
    return session.view is not None and any(uids.beyond(session.view.uid_next - 1) for uids in asked)


def _names_changed_by(command: Command | AppendMessage) -> set[str]:
    """The names of mailboxes that a client need not be told of when this is done, for it is its own doing."""
    if not isinstance(command, Create | Delete | Rename | Subscribe):
        return set()
    names = {command.mailbox, command.new_name} if isinstance(command, Rename) else {command.mailbox}
    return names | {parent for name in names for parent in listing.parents_of(name)}


async def _obey(session: Session, command: Command | AppendMessage) -> Answer | None:
    """The file of this door that knows the command. None when the answer was given already."""
    if session.is_read_only and not isinstance(command, _READING):
        return MAY_ONLY_READ
    if isinstance(command, AppendMessage):
        return await append(session, command)
    if isinstance(command, MessageCommand):
        require_on_selected(session.selected.rights, command)
        return await _obey_about_messages(session, command)
    if isinstance(command, MailboxCommand):
        return await _obey_about_mailboxes(session, command)
    if isinstance(command, AccessCommand):
        return await access.obey(session, command)
    if isinstance(command, MetadataCommand):
        return await metadata.obey(session, command)
    return await _obey_about_session(session, command)


_READING: Final = (
    Search | Sort | Thread | Fetch | List | Lsub | Status | GetQuota | GetQuotaRoot | Select | Close | Noop | Check
    | Idle | Notify | CancelUpdate | MultiSearch
    | Capability | Id | Enable | Namespace | StartTls | Login | Authenticate | Compress | Unauthenticate
    | GetAcl | ListRights | MyRights | GetMetadata
    # These three find the mailbox opened to be read only, and APPEND has octets to give up.
    | Store | StoreLabels | Expunge | AppendMessage
)  # fmt: skip
"""What a credential that may only read is obeyed in; whatever else there is changes something."""


async def _obey_about_messages(session: Session, command: MessageCommand) -> Answer:
    match command:
        case Check():
            return completed("CHECK")
        case CancelUpdate():
            return await cancel(session, command)
        case Close():
            return await selecting.close(session, command)
        case Expunge():
            return await selecting.expunge_deleted(session, command)
        case Search() | Sort() | Thread() | Fetch() | Store() | StoreLabels() | Copy():
            return await messages.obey(session, command)
        case _:
            assert_never(command)


async def _obey_about_mailboxes(session: Session, command: MailboxCommand) -> Answer:
    match command:
        case Select():
            return await selecting.select(session, command)
        case Create():
            return await mailboxes.create(session, command)
        case Delete():
            return await mailboxes.delete(session, command)
        case Rename():
            return await mailboxes.rename(session, command)
        case Subscribe():
            return await mailboxes.change_subscription(session, command)
        case List():
            return await listing.list_names(session, command)
        case Lsub():
            return await listing.list_subscribed(session, command)
        case MultiSearch():
            return await multi_search(session, command)
        case Status():
            return await mailboxes.tell_status(session, command)
        case GetQuota():
            return await quota.tell_quota(session, command)
        case GetQuotaRoot():
            return await quota.tell_quota_root(session, command)
        case SetQuota():
            return await quota.change_quota(session, command)
        case _:
            assert_never(command)


async def _obey_about_session(session: Session, command: SessionCommand) -> Answer | None:
    match command:
        case Noop():
            return completed("NOOP")
        case Idle():
            return await idle(session)
        case Notify():
            return await notify(session, command)
        case Capability():
            return await capability.tell_capabilities(session)
        case Id():
            return await enable.exchange_ids(session, command)
        case Enable():
            return await enable.enable(session, command)
        case Namespace():
            return await enable.tell_namespace(session)
        case StartTls():
            return await signin.start_tls(session, command)
        case Login():
            return await signin.log_in(session, command)
        case Authenticate():
            return await signin.authenticate(session, command)
        case Compress():
            return await enable.compress(session, command)
        case Unauthenticate():
            return await signin.sign_out(session, command)
        case Logout():
            raise AssertionError("LOGOUT ends the conversation")
        case _:
            assert_never(command)
