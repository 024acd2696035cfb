"""The one door-keeper: every sign-in by IMAP, POP3 and SMTP is judged here and told to the diary.

A right app password costs one read by key. Everything else costs one slow check, of the account's own hash or of one
that nobody has, so that an unknown user and a wrong password differ neither in the answer nor in the time it takes.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from mailhost.accounts.audit.model import DOORSTEP, NOBODY, Cause, Facts
from mailhost.accounts.held.sql import hold
from mailhost.accounts.model import Candidate, LastUse
from mailhost.crypto import PasswordChecks, SecretKey, TooBusy, app_password_letters
from mailhost.limits import Unusual, rules_of
from mailhost.login import throttle
from mailhost.login.diary import Diary
from mailhost.login.judge import REASONS, Verdict, Wrong, asked_for, cause_of_wrong, why_closed, why_dead
from mailhost.login.live import Live, LiveSessions, TooManySessions
from mailhost.login.lookup import APP_PASSWORD, MARK_OCTETS, WRONG_SECRET, look_up
from mailhost.login.model import Clock, Identity, Limits, Reason, Refused, Visit
from mailhost.login.names import network_of, printable, program_of, read_user_name
from mailhost.login.notice import Messenger
from mailhost.login.owners import Owners
from mailhost.login.tokens import judge_token, look_up_token
from mailhost.login.unusual import ALERT_FROM, HOLD_FROM, Signs, weigh
from mailhost.login.web import WebSignIn
from mailhost.network.atlas import NOWHERE, Atlas
from mailhost.oauth import has_clients
from mailhost.oauth.server import TOKEN
from mailhost.protocols.sasl import Credentials
from mailhost.storage.database import Database
from mailhost.storage.errors import StorageError

_PROGRAM_SECONDS: Final = 10.0


class DoorKeeper:
    """Judges sign-ins. `run` writes the diary until `close`, which the app awaits when it drains."""

    def __init__(
        self,
        database: Database,
        key: SecretKey,
        limits: Limits,
        clock: Clock,
        messenger: Messenger | None = None,
        atlas: Atlas = NOWHERE,
        process: str = "",
    ) -> None:
        """Without a messenger owners read of unusual sign-ins only in the diary; a `process` without name gets one."""
        self._database = database
        self._key = key
        self._limits = limits
        self._clock = clock
        self._checks = PasswordChecks(limits.checks_at_once, limits.checks_waiting)
        self._diary = Diary(database, limits, clock)
        self.owners = Owners(messenger, clock, atlas)
        self._atlas = atlas
        self.live = LiveSessions(database, self._diary, clock, process or secrets.token_hex(8))
        self.web = WebSignIn(database, key, limits, clock, self._checks, self._diary, self.owners, atlas)
        self.rules = limits.rules
        """What holds for accounts whose own and whose domain's rules say nothing."""
        self.offers_tokens = False
        """Whether sign-in by token is announced: only where a program could get one, as some try nothing else then."""

    async def run(self) -> None:
        """Write the diary and watch over the sessions until `close`."""
        loop = asyncio.get_running_loop()
        watching = [loop.create_task(self.live.run()), loop.create_task(self._look_for_programs())]
        try:
            await self._diary.run()
        finally:
            for task in watching:
                task.cancel()

    async def _look_for_programs(self) -> None:
        while True:
            with suppress(StorageError):
                await self.look_for_programs()
            await asyncio.sleep(_PROGRAM_SECONDS)

    async def look_for_programs(self) -> None:
        """See whether any program may sign in by token. Raises StorageError."""
        self.offers_tokens = await self._database.point(has_clients)

    async def close(self) -> None:
        """Write what the diary still holds, and let `run` end."""
        with suppress(StorageError):  # who watches the processes sees that this one is gone, be it later
            await self.live.close()
        await self.owners.close()
        await self._diary.close()
        self._checks.close()

    def tell(self, cause: Cause, visit: Visit, identity: Identity | None = None, facts: Facts | None = None) -> None:
        """Note in the diary what a door has to say of a visit; without an identity it happened on the doorstep."""
        account_id = DOORSTEP if identity is None else identity.account_id
        credential_id = None if identity is None else identity.credential_id
        self._diary.tell(Verdict(cause, facts or {}), visit, self._clock(), account_id, credential_id)

    def learn_client(self, live: Live, client_id: str) -> None:
        """A program told its name only after signing in, as most do."""
        live.visit = replace(live.visit, client_id=client_id)
        identity = live.identity
        self._diary.note_use(identity.account_id, identity.credential_id, _use(live.visit, self._clock()))
        self.live.tell_again(live)

    async def sign_in(self, credentials: Credentials, visit: Visit, interrupt: Callable[[], None]) -> Live:
        """Who this is, as a session that counts from now on; its door gives it back by `live.leave`. Raises Refused.

        `interrupt` makes the door ask `live.why_over`.
        """
        judge = self._judge_token if credentials.is_token else self._judge
        identity = await judge(credentials.user, credentials.secret, visit)
        signs = await self._consider(identity, visit)
        try:
            live = await self.live.enter(identity, visit, interrupt)
        except TooManySessions as full:
            verdict = Verdict(Cause.TOO_MANY_CONNECTIONS, full.facts, limit=str(full.facts["limit"]))
            raise self._refused(verdict, visit, identity.account_id, identity.credential_id) from None
        self._welcome(identity, visit, signs)
        return live

    async def authenticate(self, user: str, secret: str, visit: Visit) -> Identity:
        """Who this is, for one deed without a session. Raises Refused."""
        identity = await self._judge(user, secret, visit)
        self._welcome(identity, visit, await self._consider(identity, visit))
        return identity

    async def _consider(self, identity: Identity, visit: Visit) -> Signs:
        """What is unusual about a right sign-in. Raises Refused when it has to wait for its owner's word."""
        rules, network, program = identity.rules, network_of(visit.peer), program_of(visit.client_id)
        account_id, credential_id = identity.account_id, identity.credential_id
        if rules.unusual is Unusual.ALLOW or self._diary.is_home((account_id, credential_id, network, program)):
            return Signs()
        now = int(self._clock())
        signs = await self._database.point(weigh, account_id, credential_id, network, program, now, self._atlas)
        if signs.weight < HOLD_FROM or rules.unusual is not Unusual.HOLD:
            return signs
        is_new = await self._database.write_relaxed(
            hold,
            account_id,
            credential_id,
            network=network,
            client=program,
            peer=visit.peer,
            protocol=visit.protocol,
            why=signs.why,
            now=now,
        )
        verdict = Verdict(Cause.HELD, {"why": signs.why})
        if is_new:
            await self.owners.tell_sign_in(verdict, visit, account_id, identity.address, credential_id)
        raise self._refused(verdict, visit, account_id, credential_id)

    def _welcome(self, identity: Identity, visit: Visit, signs: Signs) -> None:
        now = self._clock()
        verdict = _SIGNED_IN
        if signs.weight >= ALERT_FROM:
            verdict = Verdict(Cause.SIGNED_IN_UNUSUALLY, {"why": signs.why})
            self.owners.soon(
                self.owners.tell_sign_in(verdict, visit, identity.account_id, identity.address, identity.credential_id)
            )
        self._diary.tell(verdict, visit, now, identity.account_id, identity.credential_id)
        self._diary.note_use(identity.account_id, identity.credential_id, _use(visit, now))

    async def _judge(self, user: str, secret: str, visit: Visit) -> Identity:
        """Who this is. Raises Refused."""
        name = read_user_name(user)
        letters = app_password_letters(secret)
        digest = self._key.digest(APP_PASSWORD, letters.encode()) if letters else b""
        now = self._clock()
        try:
            address, candidate = await self._database.point(look_up, name, visit.server_name, digest)
            found = candidate.found if candidate is not None else None
            dead = why_dead(found, visit, now) if found is not None else None
            if candidate is None or found is None or dead is not None:
                has_domain = name is not None and name[1] is not None
                wrong = Wrong(address, has_domain, letters or secret, digest, dead)
                raise await self._refusal(wrong, candidate, visit)
        except StorageError as error:
            self._diary.tell(Verdict(Cause.STORE_AWAY), visit, now, DOORSTEP)
            raise Refused(Reason.TEMPORARY) from error
        rules = rules_of(candidate.rules, candidate.domain_rules, self._limits.rules)
        closed = why_closed(candidate, found, rules, visit.protocol, now)
        if closed is not None:
            raise self._refused(closed, visit, candidate.account_id, found.id)
        return Identity(
            candidate.account_id,
            candidate.address,
            found.id,
            visit.protocol,
            found.read_only,
            found.expires_at,
            rules=rules,
        )

    async def _judge_token(self, user: str, secret: str, visit: Visit) -> Identity:
        """Who this is by their token. Raises Refused."""
        name = read_user_name(user)
        now = self._clock()
        try:
            address, found, account_id = await self._database.point(
                look_up_token, name, visit.server_name, self._key.digest(TOKEN, secret.encode("utf-8", "surrogatepass"))
            )
        except StorageError as error:
            self._diary.tell(Verdict(Cause.STORE_AWAY), visit, now, DOORSTEP)
            raise Refused(Reason.TEMPORARY) from error
        if found is None:
            raise self._refused(Verdict(Cause.TOKEN_UNKNOWN), visit, account_id or NOBODY)
        judged = judge_token(found, address, is_named=user != "", visit=visit, settings=self._limits.rules, now=now)
        if isinstance(judged, Verdict):
            raise self._refused(judged, visit, found.token.account_id, found.token.grant_id)
        return judged

    async def _refusal(self, wrong: Wrong, candidate: Candidate | None, visit: Visit) -> Refused:
        """The refusal of what opens nothing: one slow check, unless it has to wait."""
        mark = self._key.digest(WRONG_SECRET, f"{wrong.asked}\0{wrong.secret}".encode("utf-8", "surrogatepass"))
        account_id = candidate.account_id if candidate is not None else None
        attempt = throttle.Attempt(
            wrong.asked, account_id, network_of(visit.peer), mark[:MARK_OCTETS], now=self._clock()
        )
        waiting = await self._database.point(throttle.must_wait, self._limits, attempt)
        until = None
        if waiting is not None:
            until = waiting.until
            verdict = Verdict(waiting.cause, {"until_at": int(until)})
        else:
            try:
                is_password = await self._checks.verify(candidate.password_hash if candidate else None, wrong.secret)
            except TooBusy:
                verdict = Verdict(Cause.TOO_BUSY)
            else:
                times = await self._database.write_relaxed(throttle.count, self._limits, attempt)
                verdict = await self._database.point(cause_of_wrong, wrong, candidate, is_password, times)
        asked = await self._database.point(asked_for, wrong) if candidate is None else ""
        if candidate is None:
            return self._refused(verdict, visit, verdict.account_id or NOBODY, None, asked, until)
        return self._refused(
            verdict, visit, candidate.account_id, candidate.found.id if candidate.found else None, "", until
        )

    def _refused(
        self,
        verdict: Verdict,
        visit: Visit,
        account_id: int,
        credential_id: int | None = None,
        asked: str = "",
        until: float | None = None,
    ) -> Refused:
        self._diary.tell(verdict, visit, self._clock(), account_id, credential_id, asked)
        return Refused(REASONS[verdict.cause], until or verdict.until, verdict.limit)


_SIGNED_IN: Final = Verdict(Cause.SIGNED_IN)


def _use(visit: Visit, now: float) -> LastUse:
    client_id = printable(visit.client_id)
    return LastUse(int(now), visit.peer, visit.protocol, network_of(visit.peer), client_id, visit.tls_version)
