"""From the name of a mailbox to the mailbox: the one place where a name leads into another account.

Names below `Other Users/` belong to others: `Other Users/anna@example.org/INBOX` is anna's INBOX. Whoever asks says
which right is needed; what may not be looked up is answered as what does not exist (RFC 4314 §6).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from mailhost import accounts, domains
from mailhost.login.enrol import account_at
from mailhost.mailstore.mailboxes import find_mailbox, list_mailboxes
from mailhost.mailstore.model import DELIMITER, Mailbox, NoSuchMailbox, NotSelectable
from mailhost.mailstore.sharing import WHOLE_ACCOUNT, rights_of, shared_with
from mailhost.protocols.imap.names import OTHER_USERS, canonical_name
from mailhost.protocols.imap.rights import ALL_RIGHTS, Right
from mailhost.servers.imap.answers import NoPermission
from mailhost.servers.imap.rights import require
from mailhost.storage.database import Tx

NOT_AN_ACCOUNT: Final = (accounts.NoSuchAccount, accounts.BadLocalPart, domains.BadDomainName)
"""What is wrong with a text that should have been the address of an account."""

_PREFIX: Final = OTHER_USERS + DELIMITER


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name leads: whose account, and the name there. `prefix` stands before it for the one who asks."""

    account_id: int
    name: str
    prefix: str = ""

    @property
    def is_own(self) -> bool:
        """Whether the account is that of the one who asks."""
        return not self.prefix

    def shown(self, mailbox: Mailbox) -> Mailbox:
        """A mailbox of the account as it is shown; another's special use is its owner's, not ours to file mail by."""
        return mailbox if self.is_own else replace(mailbox, name=self.prefix + mailbox.name, special_use="")


@dataclass(frozen=True, slots=True)
class Reached:
    """A mailbox, under the name by which the one who asked knows it, and what may be done with it."""

    place: Place
    mailbox: Mailbox
    rights: Right

    @property
    def account_id(self) -> int:
        """Whose mailbox it is."""
        return self.place.account_id

    @property
    def key(self) -> tuple[int, int]:
        """The account and the id there: what stays when a mailbox is renamed."""
        return self.place.account_id, self.mailbox.id


def reach(tx: Tx, account_id: int, name: str, needed: Right) -> Reached:
    """The mailbox that the account calls `name`. Raises NoSuchMailbox, NoPermission.

    One's own costs what it costs to find it: nothing is asked about rights.
    """
    place = find_place(tx, account_id, name)
    mailbox = find_mailbox(tx, place.account_id, place.name)
    if place.is_own:
        return Reached(place, mailbox, ALL_RIGHTS)
    rights = rights_of(tx, place.account_id, mailbox.id, account_id)
    require(rights, needed)
    return Reached(place, place.shown(mailbox), rights)


def reach_selectable(tx: Tx, account_id: int, name: str, needed: Right) -> Reached:
    """The same, and it can hold messages. Raises NoSuchMailbox, NotSelectable, NoPermission."""
    reached = reach(tx, account_id, name, needed)
    if not reached.mailbox.is_selectable:
        raise NotSelectable
    return reached


def reach_new(tx: Tx, account_id: int, name: str) -> Place:
    """Where a mailbox of this name may be made. Raises NoPermission.

    In another account that takes the right CREATE on the nearest mailbox above it, or on the account as a whole.
    """
    try:
        place = find_place(tx, account_id, name)
        if not place.is_own:
            above = _nearest_above(tx, place)
            require(rights_of(tx, place.account_id, above, account_id), Right.CREATE)
    except NoSuchMailbox:
        raise NoPermission("You cannot make mailboxes here.") from None
    return place


def reach_all(tx: Tx, account_id: int) -> Iterator[Reached]:
    """Every mailbox that can be selected: one's own, and those of others that the account may look up."""
    for mailbox in list_mailboxes(tx, account_id):
        if mailbox.is_selectable:
            yield Reached(Place(account_id, mailbox.name), mailbox, ALL_RIGHTS)
    for reached in reach_shared(tx, account_id):
        if reached.mailbox.is_selectable:
            yield reached


def reach_shared(tx: Tx, account_id: int) -> Iterator[Reached]:
    """Every mailbox of others that the account may look up, by address and name."""
    shared = {
        accounts.get_account(tx, owner_id).address: (owner_id, boxes)
        for owner_id, boxes in shared_with(tx, account_id).items()
    }
    for address, (owner_id, rights) in sorted(shared.items()):
        if not any(right & Right.LOOKUP for right in rights.values()):
            continue
        prefix = _PREFIX + address + DELIMITER
        for mailbox in list_mailboxes(tx, owner_id):
            right = rights.get(mailbox.id)
            if right is not None and right & Right.LOOKUP:
                place = Place(owner_id, mailbox.name, prefix)
                yield Reached(place, place.shown(mailbox), right)


def find_place(tx: Tx, account_id: int, name: str) -> Place:
    """Where a name leads, whether or not there is a mailbox. Raises NoSuchMailbox."""
    if name != OTHER_USERS and not name.startswith(_PREFIX):
        return Place(account_id, name)
    # An address can hold slashes, but only before its @.
    rest = name[len(_PREFIX) :]
    end = rest.find(DELIMITER, rest.find("@"))
    address, inner = (rest[:end], rest[end + 1 :]) if end > 0 and "@" in rest else ("", "")
    try:
        owner = account_at(tx, address)
    except NOT_AN_ACCOUNT:
        raise NoSuchMailbox from None
    if owner.id == account_id:
        raise NoSuchMailbox  # one's own mailboxes go by one name
    return Place(owner.id, canonical_name(inner), _PREFIX + owner.address + DELIMITER)


def _nearest_above(tx: Tx, place: Place) -> int:
    above = place.name
    while above := above.rpartition(DELIMITER)[0]:
        try:
            return find_mailbox(tx, place.account_id, above).id
        except NoSuchMailbox:
            continue
    return WHOLE_ACCOUNT
