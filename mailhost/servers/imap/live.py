"""The sessions of each account: how many there may be, and who must hear that a credential is not good any more."""

from collections.abc import Hashable
from typing import Protocol

from mailhost.accounts.sql import topic
from mailhost.storage.database import Database, Watch


class Rechecked(Hashable, Protocol):
    """A session as this register sees it."""

    def recheck(self) -> None:
        """Ask whether the credential is still good."""


class _Account:
    """One account's sessions and the one watch for all of them."""

    __slots__ = ("sessions", "watch")

    def __init__(self, database: Database, account_id: int) -> None:
        self.sessions: set[Rechecked] = set()
        self.watch: Watch = database.watch(topic(account_id), self.recheck)

    def recheck(self) -> None:
        for session in tuple(self.sessions):
            session.recheck()


class LiveSessions:
    """Every session that is signed in, by account."""

    def __init__(self, database: Database, most_per_account: int) -> None:
        self._database = database
        self._most = most_per_account
        self._accounts: dict[int, _Account] = {}

    def enter(self, account_id: int, session: Rechecked) -> bool:
        """Count a session in; False when the account has its most."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = _Account(self._database, account_id)
        elif len(account.sessions) >= self._most:
            return False
        account.sessions.add(session)
        return True

    def leave(self, account_id: int, session: Rechecked) -> None:
        """Count a session out."""
        account = self._accounts[account_id]
        account.sessions.discard(session)
        if not account.sessions:
            account.watch.close()
            del self._accounts[account_id]
