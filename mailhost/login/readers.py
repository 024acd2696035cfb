"""Who may read what of the sign-in diary: owners their own, administrators their domain's, nobody else anything."""

from mailhost import accounts, domains
from mailhost.accounts import NoSuchAccount
from mailhost.accounts.audit.model import DOORSTEP, NOBODY, Occurrence, SignIn
from mailhost.accounts.audit.sql import NEWEST, list_doorstep_of, list_sign_ins, list_unknown_names
from mailhost.errors import MailhostError
from mailhost.storage.database import Tx

Diary = list[tuple[SignIn, Occurrence]]
"""Rows, the newest first."""


class NotYours(MailhostError):
    """The diary is somebody else's."""


def own_diary(
    tx: Tx, account_id: int, *, now: int, at_most: int = 100, before: int = NEWEST, failures_only: bool = False
) -> Diary:
    """What an owner reads: their own sign-ins, and what went wrong before a name was known where they are at home.

    The doorstep is told only of networks (/24, /48) from which they signed in within a day; elsewhere are strangers.
    """
    own = list_sign_ins(tx, account_id, at_most=at_most, before=before, failures_only=failures_only)
    near = list_doorstep_of(tx, account_id, now=now, at_most=at_most, before=before)
    return sorted(own + near, key=lambda row: row[1].id, reverse=True)[:at_most]


def diary_for(tx: Tx, reader_id: int, account_id: int, *, now: int, at_most: int = 100) -> Diary:
    """The diary of an account, or of NOBODY or the DOORSTEP, as somebody who is signed in may read it. Raises NotYours.

    An administrator reads the accounts of their domain and who tried unknown names of it; the doorstep is told by
    address to the administrator of the first domain, whose server it is.
    """
    if account_id == reader_id:
        return own_diary(tx, reader_id, now=now, at_most=at_most)
    reader = accounts.get_account(tx, reader_id)
    domain = domains.get_domain(tx, reader.domain_id)
    if domain.administrator_id != reader_id:
        raise NotYours
    if account_id == NOBODY:
        return list_unknown_names(tx, domain.name, at_most=at_most)
    if account_id == DOORSTEP:
        if domains.list_domains(tx, 1) != [domain]:
            raise NotYours
        return list_sign_ins(tx, DOORSTEP, at_most=at_most)
    try:
        account = accounts.get_account(tx, account_id)
    except NoSuchAccount:
        raise NotYours from None  # the numbers of accounts tell nothing
    if account.domain_id != domain.id:
        raise NotYours
    return list_sign_ins(tx, account_id, at_most=at_most)
