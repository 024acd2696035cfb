"""Mailboxes: made, renamed, deleted, listed, subscribed (RFC 9051 §6.3)."""

from mailhost.mailstore.account import add_row, mailboxes_topic, raise_modseq, take_turn
from mailhost.mailstore.labelnames import ROOT, SYSTEM_BOXES, is_system, label_name, refuse_excess_blanks
from mailhost.mailstore.model import (
    DEFAULT_QUOTA,
    DELIMITER,
    INBOX,
    MAX_DEPTH,
    MAX_MAILBOXES,
    MAX_NAME_OCTETS,
    BadMailboxName,
    Flag,
    HasChildren,
    Mailbox,
    MailboxExists,
    NoSuchMailbox,
    NotSelectable,
    SpecialUseRefused,
    TooManyMailboxes,
)
from mailhost.mailstore.sharing import WHOLE_ACCOUNT, forget_mailbox, inherit_rights
from mailhost.protocols.imap.names import OTHER_USERS
from mailhost.storage.database import Row, Tx

DEFAULT_MAILBOXES = (
    (INBOX, ""),
    ("Sent", "\\Sent"),
    ("Drafts", "\\Drafts"),
    ("Junk", "\\Junk"),
    ("Trash", "\\Trash"),
    ("Archive", "\\Archive"),
)

GMAIL_MAILBOXES = ((INBOX, ""), (ROOT, ""), *((box.gmail, box.special_use) for box in SYSTEM_BOXES))

_SPECIAL_USES = {use.lower(): use for _, use in DEFAULT_MAILBOXES if use}

COLUMNS = """id, name, uid_validity, uid_next, highest_modseq, messages, unseen, deleted, octets, special_use,
    is_selectable"""


def mailbox_topic(account_id: int, mailbox_id: int) -> str:
    """Woken when something happens in the mailbox."""
    return f"mailbox:{account_id}:{mailbox_id}"


def canonical_name(name: str) -> str:
    """The name as it is stored. Raises BadMailboxName with the reason."""
    head, slash, rest = name.partition(DELIMITER)
    if head.upper() == INBOX:
        name = INBOX + slash + rest
    name = name.removesuffix(DELIMITER)  # RFC 9051 §6.3.4: a trailing delimiter only announces children
    levels = name.split(DELIMITER)
    if not name:
        raise BadMailboxName("A mailbox needs a name.")
    if any(not level or level != level.strip() for level in levels):
        raise BadMailboxName("A level of a mailbox name can neither be empty nor start or end with a blank.")
    if len(levels) > MAX_DEPTH:
        raise BadMailboxName(f"A mailbox name has at most {MAX_DEPTH} levels.")
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_OCTETS:
        raise BadMailboxName(f"A mailbox name has at most {MAX_NAME_OCTETS} octets.")
    if any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in name):
        raise BadMailboxName("A mailbox name cannot hold control characters.")
    if any(0xD800 <= ord(character) < 0xE000 or ord(character) in (0x2028, 0x2029) for character in name):
        raise BadMailboxName("A mailbox name must be valid Unicode on one line.")
    if "*" in name or "%" in name:
        raise BadMailboxName("A mailbox name cannot hold * or %, which stand for other characters in LIST.")
    return name


def _own_name(name: str) -> str:
    """The canonical name, which the mailboxes of others must not hide. Raises BadMailboxName."""
    name = canonical_name(name)
    if name.partition(DELIMITER)[0] == OTHER_USERS:
        raise BadMailboxName(f"Below {OTHER_USERS} stand the mailboxes of other accounts.")
    return name


def open_store(
    tx: Tx, account_id: int, now: int, quota_octets: int = DEFAULT_QUOTA, *, shows_labels: bool = False
) -> None:
    """Make an account's mail store with INBOX, Sent, Drafts, Junk, Trash and Archive, or what the gmail layout has.

    All of them are subscribed (RFC 6154).
    """
    add_row(tx, account_id, now, quota_octets, layout="gmail" if shows_labels else "classic")
    modseq = raise_modseq(tx, account_id)
    for name, special_use in GMAIL_MAILBOXES if shows_labels else DEFAULT_MAILBOXES:
        insert_mailbox(tx, account_id, name, special_use, modseq, is_selectable=name != ROOT)
        if name != ROOT:
            subscribe(tx, account_id, name)


def create_mailbox(tx: Tx, account_id: int, name: str, special_use: str = "") -> Mailbox:
    """Make the mailbox and the levels above it.

    Raises MailboxExists, BadMailboxName, TooManyMailboxes, SpecialUseRefused.
    """
    turn = take_turn(tx, account_id)
    if turn.is_gmail:
        refuse_excess_blanks(name)
    name = _own_name(name)
    if turn.is_gmail:
        name = label_name(name)
    if special_use:
        special_use = _free_special_use(tx, account_id, special_use)
    existing = _find(tx, account_id, name)
    if existing is not None and existing.is_selectable:
        raise MailboxExists
    _make_parents(tx, account_id, name, turn.modseq, is_selectable=not turn.is_gmail)
    if existing is not None:
        # The name held only children. The new mailbox is another one: whoever still has the old one open must not
        # reach its messages, and the old one's tombstones let the owner undo what was in it.
        tx.execute(
            "delete from mailbox where account_id = :account_id and id = :id", account_id=account_id, id=existing.id
        )
        forget_mailbox(tx, account_id, existing.id)
    insert_mailbox(tx, account_id, name, special_use, turn.modseq, is_selectable=True)
    if turn.is_gmail:
        subscribe(tx, account_id, name)
    tx.wake(mailboxes_topic(account_id))
    return find_mailbox(tx, account_id, name)


def _free_special_use(tx: Tx, account_id: int, special_use: str) -> str:
    """The special use in its canonical case. Raises SpecialUseRefused.

    One mailbox has it at most: mail is filed into that one, and a second would only look as if it were.
    """
    known = _SPECIAL_USES.get(special_use.lower())
    if known is None:
        raise SpecialUseRefused(f"A mailbox can be {' '.join(_SPECIAL_USES.values())} here.")
    rows = tx.execute(
        "select name from mailbox where account_id = :account_id and special_use = :special_use",
        account_id=account_id,
        special_use=known,
    )
    if rows:
        raise SpecialUseRefused(f"Another mailbox is {known} already.")
    return known


def find_mailbox(tx: Tx, account_id: int, name: str) -> Mailbox:
    """The mailbox of that name. Raises NoSuchMailbox."""
    head, slash, rest = name.partition(DELIMITER)
    mailbox = _find(tx, account_id, INBOX + slash + rest if head.upper() == INBOX else name)
    if mailbox is None:
        raise NoSuchMailbox
    return mailbox


def inbox_of(tx: Tx, account_id: int) -> int:
    """The id of INBOX, for deliveries. Raises NoSuchMailbox."""
    rows = tx.execute("select id from mailbox where account_id = :account_id and name = 'INBOX'", account_id=account_id)
    if not rows:
        raise NoSuchMailbox
    return int(rows[0][0])


def find_selectable(tx: Tx, account_id: int, name: str) -> Mailbox:
    """The mailbox of that name, which can hold messages. Raises NoSuchMailbox, NotSelectable."""
    mailbox = find_mailbox(tx, account_id, name)
    if not mailbox.is_selectable:
        raise NotSelectable
    return mailbox


def load_mailbox(tx: Tx, account_id: int, mailbox_id: int) -> Mailbox:
    """The mailbox of that id. Raises NoSuchMailbox."""
    rows = tx.execute(
        f"select {COLUMNS} from mailbox where account_id = :account_id and id = :id and is_selectable = 1",
        account_id=account_id,
        id=mailbox_id,
    )
    if not rows:
        raise NoSuchMailbox
    return _mailbox(rows[0])


def find_special(tx: Tx, account_id: int, special_use: str) -> Mailbox:
    """The mailbox with that special use (RFC 6154), made under its default name where the owner deleted it."""
    if (mailbox := _find_special(tx, account_id, special_use)) is not None:
        return mailbox
    try:
        return create_mailbox(tx, account_id, _default_name(special_use), special_use)
    except (MailboxExists, SpecialUseRefused):
        # Another session made it while this one waited for its turn.
        if (mailbox := _find_special(tx, account_id, special_use)) is None:
            raise
        return mailbox


def _default_name(special_use: str) -> str:
    return next(name for name, use in DEFAULT_MAILBOXES if use == special_use)


def _find_special(tx: Tx, account_id: int, special_use: str) -> Mailbox | None:
    rows = tx.execute(
        f"""select {COLUMNS} from mailbox
        where account_id = :account_id and special_use = :special_use and is_selectable = 1 order by id limit 1""",
        account_id=account_id,
        special_use=special_use,
    )
    if rows:
        return _mailbox(rows[0])
    existing = _find(tx, account_id, _default_name(special_use))
    return existing if existing is not None and existing.is_selectable else None


def placements(tx: Tx, account_id: int) -> int:
    """How many messages the account's mailboxes hold, copies counted each; also those that are being emptied."""
    [(count,)] = tx.execute(
        """select cast(coalesce((select sum(messages) from mailbox where account_id = :account_id), 0)
            + coalesce((select sum(messages) from emptying where account_id = :account_id), 0) as bigint)""",
        account_id=account_id,
    )
    return int(count)


def change_special_use(tx: Tx, account_id: int, mailbox_id: int, special_use: str) -> None:
    """Give a mailbox another special use, or none with the empty text (RFC 6154 §4). Raises SpecialUseRefused."""
    turn = take_turn(tx, account_id)
    mailbox = load_mailbox(tx, account_id, mailbox_id)
    if special_use.lower() == mailbox.special_use.lower():
        return
    if turn.is_gmail:
        raise SpecialUseRefused("With labels, each special use belongs to one mailbox for good.")
    if mailbox.name == INBOX:
        raise SpecialUseRefused("INBOX has no special use.")
    tx.execute(
        "update mailbox set special_use = :special_use where account_id = :account_id and id = :id",
        account_id=account_id,
        id=mailbox_id,
        special_use=_free_special_use(tx, account_id, special_use) if special_use else "",
    )
    tx.wake(mailboxes_topic(account_id))


def octets_of_deleted(tx: Tx, account_id: int, mailbox_id: int) -> int:
    """RFC822.SIZE of all that carries \\Deleted in the mailbox (RFC 9208 §4.1.4)."""
    [(octets,)] = tx.execute(
        f"""select cast(coalesce(sum(octets), 0) as bigint) from placement
        join message on message.account_id = placement.account_id and message.id = placement.message_id
        where placement.account_id = :account_id and mailbox_id = :mailbox_id
            and flags & {int(Flag.DELETED)} <> 0""",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    return int(octets)


def list_mailboxes(tx: Tx, account_id: int) -> list[Mailbox]:
    """Every mailbox, INBOX first, then by name."""
    rows = tx.execute(
        f"""select {COLUMNS} from mailbox where account_id = :account_id
        order by case when name = 'INBOX' then 0 else 1 end, name""",
        account_id=account_id,
    )
    return [_mailbox(row) for row in rows]


def changed_mailboxes(tx: Tx, account_id: int, since: int) -> list[Mailbox]:
    """The mailboxes in which something happened to messages after modseq `since`, by name."""
    rows = tx.execute(
        f"""select {COLUMNS} from mailbox
        where account_id = :account_id and highest_modseq > :since and is_selectable = 1 order by name""",
        account_id=account_id,
        since=since,
    )
    return [_mailbox(row) for row in rows]


def rename_mailbox(tx: Tx, account_id: int, old: str, new: str) -> None:
    """Rename a mailbox with everything below it; UIDVALIDITY stays. INBOX cannot be renamed here (RFC 9051 §6.3.6).

    In the gmail layout subscriptions go along.

    Raises NoSuchMailbox, MailboxExists, BadMailboxName, TooManyMailboxes.
    """
    turn = take_turn(tx, account_id)
    if turn.is_gmail:
        refuse_excess_blanks(new)
    new = _own_name(new)
    mailbox = find_mailbox(tx, account_id, old)
    if turn.is_gmail:
        new = label_name(new)
        if is_system(mailbox.name):
            raise BadMailboxName("This mailbox keeps its name.")
    if mailbox.name == INBOX or new == INBOX:
        raise BadMailboxName("INBOX keeps its name; move its messages instead.")
    if _find(tx, account_id, new) is not None:
        raise MailboxExists
    if new.startswith(mailbox.name + DELIMITER):
        raise BadMailboxName("A mailbox cannot move below itself.")
    _make_parents(tx, account_id, new, turn.modseq, is_selectable=not turn.is_gmail)
    # What the gmail layout subscribes by itself it keeps subscribed; else a label would be gone from many a client.
    subscribed = subscriptions(tx, account_id) if turn.is_gmail else set()
    for child in [mailbox, *_children(tx, account_id, mailbox.name)]:
        name = canonical_name(new + child.name[len(mailbox.name) :])
        if child.name in subscribed:
            unsubscribe(tx, account_id, child.name)
            subscribe(tx, account_id, name)
        tx.execute(
            """update mailbox set name = :name,
                other_name = case when other_name like :system then other_name else '' end
            where account_id = :account_id and id = :id""",
            account_id=account_id,
            id=child.id,
            name=name,
            system=f"{ROOT}/%",
        )
    if turn.is_gmail:
        drop_empty_parents(tx, account_id, mailbox.name)
    tx.wake(mailboxes_topic(account_id))


def subscribe(tx: Tx, account_id: int, name: str) -> None:
    """Remember the name as subscribed, whether or not a mailbox has it (RFC 9051 §6.3.7).

    Raises BadMailboxName, TooManyMailboxes.
    """
    [(count,)] = tx.execute("select count(*) from subscription where account_id = :account_id", account_id=account_id)
    if count >= MAX_MAILBOXES:
        raise TooManyMailboxes
    tx.execute(
        """insert into subscription (account_id, name) values (:account_id, :name)
        on conflict (account_id, name) do nothing""",
        account_id=account_id,
        name=canonical_name(name),
    )
    tx.wake(mailboxes_topic(account_id))


def unsubscribe(tx: Tx, account_id: int, name: str) -> None:
    """Forget the subscription; no error when there was none."""
    tx.execute(
        "delete from subscription where account_id = :account_id and name = :name",
        account_id=account_id,
        name=canonical_name(name),
    )
    tx.wake(mailboxes_topic(account_id))


def subscriptions(tx: Tx, account_id: int) -> set[str]:
    """The subscribed names."""
    rows = tx.execute("select name from subscription where account_id = :account_id", account_id=account_id)
    return {row[0] for row in rows}


def drop_empty_parents(tx: Tx, account_id: int, name: str) -> None:
    """The gmail layout: a name above that only held this one goes with it."""
    while DELIMITER in name:
        name = name.rpartition(DELIMITER)[0]
        parent = _find(tx, account_id, name)
        if parent is None or parent.is_selectable or is_system(name) or _children(tx, account_id, name):
            return
        tx.execute(
            "delete from mailbox where account_id = :account_id and id = :id", account_id=account_id, id=parent.id
        )
        forget_mailbox(tx, account_id, parent.id)


def take_name_away(tx: Tx, account_id: int, mailbox: Mailbox, modseq: int) -> None:
    """The mailbox is no more, for anybody; its placements are the caller's. Raises HasChildren.

    A name with children stays for them, under another id: what the old one holds must be out of reach at once.
    """
    has_children = bool(_children(tx, account_id, mailbox.name))
    if has_children and not mailbox.is_selectable:
        raise HasChildren
    tx.execute("delete from mailbox where account_id = :account_id and id = :id", account_id=account_id, id=mailbox.id)
    if has_children:
        insert_mailbox(tx, account_id, mailbox.name, "", modseq, is_selectable=False)
    tx.execute(
        "delete from flag_change where account_id = :account_id and mailbox_id = :id",
        account_id=account_id,
        id=mailbox.id,
    )
    forget_mailbox(tx, account_id, mailbox.id)
    tx.wake(mailboxes_topic(account_id))
    tx.wake(mailbox_topic(account_id, mailbox.id))


def _find(tx: Tx, account_id: int, name: str) -> Mailbox | None:
    rows = tx.execute(
        f"select {COLUMNS} from mailbox where account_id = :account_id and name = :name",
        account_id=account_id,
        name=name,
    )
    return _mailbox(rows[0]) if rows else None


def _mailbox(row: Row) -> Mailbox:
    return Mailbox(*(*row[:-1], bool(row[-1])))


def _children(tx: Tx, account_id: int, name: str) -> list[Mailbox]:
    rows = tx.execute(
        f"""select {COLUMNS} from mailbox
        where account_id = :account_id and substr(name, 1, cast(:width as integer)) = :prefix""",
        account_id=account_id,
        width=len(name) + 1,
        prefix=name + DELIMITER,
    )
    return [_mailbox(row) for row in rows]


def _make_parents(tx: Tx, account_id: int, name: str, modseq: int, *, is_selectable: bool) -> None:
    """Raises TooManyMailboxes when there is no room for these levels and one more."""
    levels = name.split(DELIMITER)
    [(count,)] = tx.execute("select count(*) from mailbox where account_id = :account_id", account_id=account_id)
    if count + len(levels) > MAX_MAILBOXES:
        raise TooManyMailboxes
    for depth in range(1, len(levels)):
        parent = DELIMITER.join(levels[:depth])
        if _find(tx, account_id, parent) is None:
            insert_mailbox(tx, account_id, parent, "", modseq, is_selectable=is_selectable)


def insert_mailbox(tx: Tx, account_id: int, name: str, special_use: str, modseq: int, *, is_selectable: bool) -> int:
    """Make a mailbox's row, under a name nobody has; returns its id."""
    [(mailbox_id, uid_validity)] = tx.execute(
        """update mail_account set next_mailbox_id = next_mailbox_id + 1, next_uid_validity = next_uid_validity + 1
        where account_id = :account_id returning next_mailbox_id - 1, next_uid_validity - 1""",
        account_id=account_id,
    )
    tx.execute(
        """insert into mailbox (account_id, id, name, uid_validity, uid_next, highest_modseq, messages, unseen, deleted,
            octets, special_use, is_selectable, log_floor, purged_below)
        values (:account_id, :id, :name, :uid_validity, 1, :modseq, 0, 0, 0, 0, :special_use, :is_selectable, :modseq,
            :modseq)""",
        account_id=account_id,
        id=mailbox_id,
        name=name,
        uid_validity=uid_validity,
        modseq=modseq,
        special_use=special_use,
        is_selectable=int(is_selectable),
    )
    above = _find(tx, account_id, name.rpartition(DELIMITER)[0])
    inherit_rights(tx, account_id, mailbox_id, WHOLE_ACCOUNT if above is None else above.id)
    return int(mailbox_id)
