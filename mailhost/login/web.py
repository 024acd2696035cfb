"""Signing in on a page: the account password, then a second step. Waits, checks and diary are those of the mail doors.

An account password can be guessed, other than an app password: so not even the right one is looked at during a wait.
"""

from typing import Final, NoReturn

from mailhost.accounts.audit.model import NOBODY, Cause, Facts
from mailhost.accounts.model import Candidate, LastUse
from mailhost.crypto import PasswordChecks, SecretKey, TooBusy, app_password_letters
from mailhost.login import throttle
from mailhost.login.diary import Diary
from mailhost.login.judge import Verdict, Wrong, asked_for, cause_of_wrong
from mailhost.login.lookup import APP_PASSWORD, MARK_OCTETS, WRONG_SECRET, look_up
from mailhost.login.model import Clock, Limits, Reason, Refused, Visit
from mailhost.login.names import network_of, printable, program_of, read_user_name
from mailhost.login.owners import Change, Owners
from mailhost.login.passkeys import Site, take_passkey
from mailhost.login.second_step import judge_code
from mailhost.login.unusual import ALERT_FROM, weigh
from mailhost.network.atlas import Atlas
from mailhost.storage.database import Database
from mailhost.storage.errors import StorageError

WEB_CREDENTIAL: Final = 0
"""The account password among an account's credentials, where the diary and the known places number them."""
_MAX_CODE: Final = 100


class WebSignIn:
    """Judges what is typed on the sign-in pages."""

    def __init__(
        self,
        database: Database,
        key: SecretKey,
        limits: Limits,
        clock: Clock,
        checks: PasswordChecks,
        diary: Diary,
        owners: Owners,
        atlas: Atlas,
    ) -> None:
        self._database = database
        self._key = key
        self._limits = limits
        self._clock = clock
        self._checks = checks
        self._diary = diary
        self._owners = owners
        self._atlas = atlas

    async def check_password(self, user: str, password: str, visit: Visit) -> Candidate:
        """Whose account password this is. One slow check, whoever it is. Raises Refused."""
        now = self._clock()
        name = read_user_name(user)
        letters = app_password_letters(password)
        digest = self._key.digest(APP_PASSWORD, letters.encode()) if letters else b""
        try:
            address, candidate = await self._database.point(look_up, name, visit.server_name, digest)
            mark = self._key.digest(WRONG_SECRET, f"{address}\0{letters or password}".encode("utf-8", "surrogatepass"))
            account_id = candidate.account_id if candidate is not None else None
            attempt = throttle.Attempt(address, account_id, network_of(visit.peer), mark[:MARK_OCTETS], now=now)
            waiting = await self._database.point(throttle.must_wait, self._limits, attempt)
            if waiting is not None:
                self.tell(waiting.cause, visit, account_id or NOBODY, {"until_at": int(waiting.until)})
                raise Refused(Reason.THROTTLED, waiting.until)
            if await self._checks.verify(candidate.password_hash if candidate else None, password) and candidate:
                if candidate.is_live:
                    return candidate
                self.tell(Cause.SUSPENDED, visit, candidate.account_id)
                raise Refused(Reason.ACCOUNT_SUSPENDED)
            times = await self._database.write_relaxed(throttle.count, self._limits, attempt)
            has_domain = name is not None and name[1] is not None
            wrong = Wrong(address, has_domain, letters or password, digest, None)
            await self._note_wrong(wrong, candidate, times, visit)
        except TooBusy:
            self.tell(Cause.TOO_BUSY, visit, NOBODY)
            raise Refused(Reason.TEMPORARY) from None
        except StorageError as error:
            self.tell(Cause.STORE_AWAY, visit, NOBODY)
            raise Refused(Reason.TEMPORARY) from error
        raise Refused(Reason.WRONG_CREDENTIALS)

    async def _note_wrong(self, wrong: Wrong, candidate: Candidate | None, times: int, visit: Visit) -> None:
        # Looked up for known names as well, so that both take the same time.
        verdict = await self._database.point(cause_of_wrong, wrong, candidate, False, times)
        asked = await self._database.point(asked_for, wrong)
        if candidate is None:
            self._diary.tell(verdict, visit, self._clock(), verdict.account_id or NOBODY, None, asked)
        elif candidate.found is not None:
            self.tell(Cause.APP_PASSWORD_IN_WEB, visit, candidate.account_id, {"password": candidate.found.name})
        else:
            self.tell(Cause.WRONG_PASSWORD_IN_WEB, visit, candidate.account_id, {"times": times})

    async def check_code(self, account_id: int, address: str, typed: str, visit: Visit) -> None:
        """The second step by a code of the app or a backup code. Raises Refused."""
        try:
            judged = await self._database.write(
                judge_code, self._key, self._limits, account_id, typed[:_MAX_CODE], self._clock()
            )
        except StorageError as error:
            raise Refused(Reason.TEMPORARY) from error
        if judged.until is not None:
            self.tell(Cause.THROTTLED, visit, account_id, {"until_at": int(judged.until)})
            raise Refused(Reason.THROTTLED, judged.until)
        if judged.is_alarming:
            verdict = Verdict(Cause.SECOND_STEP_WRONG)
            self._owners.soon(self._owners.tell_sign_in(verdict, visit, account_id, address, WEB_CREDENTIAL))
        if not judged.is_right:
            self._refuse_step(account_id, visit)

    async def check_passkey(self, account_id: int, session_id: int, site: Site, answer: str, visit: Visit) -> None:
        """The second step by a passkey. Raises Refused."""
        try:
            is_right = await self._database.write(
                take_passkey, site, account_id, session_id, answer, int(self._clock())
            )
        except StorageError as error:
            raise Refused(Reason.TEMPORARY) from error
        if not is_right:
            self._refuse_step(account_id, visit)

    def _refuse_step(self, account_id: int, visit: Visit) -> NoReturn:
        """A second step was wrong. Raises Refused."""
        self.tell(Cause.SECOND_STEP_WRONG, visit, account_id)
        raise Refused(Reason.WRONG_CREDENTIALS)

    async def welcome(self, account_id: int, address: str, visit: Visit) -> None:
        """Somebody has signed in, with every step that it takes; its owner hears of it where that is unusual."""
        now, network, program = int(self._clock()), network_of(visit.peer), program_of(visit.client_id)
        signs = await self._database.point(weigh, account_id, WEB_CREDENTIAL, network, program, now, self._atlas)
        verdict = Verdict(Cause.SIGNED_IN)
        if signs.weight >= ALERT_FROM:
            verdict = Verdict(Cause.SIGNED_IN_UNUSUALLY, {"why": signs.why})
            self._owners.soon(self._owners.tell_sign_in(verdict, visit, account_id, address, WEB_CREDENTIAL))
        self._diary.tell(verdict, visit, now, account_id)
        use = LastUse(now, visit.peer, visit.protocol, network, printable(visit.client_id))
        self._diary.note_use(account_id, WEB_CREDENTIAL, use)

    def note_change(self, change: Change, account_id: int, address: str, visit: Visit) -> None:
        """What guards an account was changed: its owner hears of it."""
        self._owners.note_change(change, account_id, address, visit)

    def tell(self, cause: Cause, visit: Visit, account_id: int, facts: Facts | None = None) -> None:
        """Note it in the diary."""
        self._diary.tell(Verdict(cause, facts or {}), visit, self._clock(), account_id)
