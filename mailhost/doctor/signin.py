"""Signing in, only when asked: one try on a server, then what a mail program does first; refusals become leaves."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mailhost.doctor.catalogue import found
from mailhost.doctor.conversation import Conversation, Reply, mechanisms
from mailhost.doctor.messages import meaning_of
from mailhost.doctor.probe import Path, Probe, Stopped
from mailhost.doctor.providers import Provider
from mailhost.doctor.targets import Protocol
from mailhost.doctor.wire import Closed, HandshakeFailed, Silent
from mailhost.doctor.world import World
from mailhost.findings import Finding, Severity

MAX_TRIES: Final = 2  # for one account in one diagnosis: a third wrong password locks some of them
_FOLDER: Final = re.compile(r'\* (?:LIST|LSUB) \(([^)]*)\) (?:"[^"]*"|NIL) (.+)', re.IGNORECASE)
_QUOTA: Final = re.compile(r"STORAGE (\d+) (\d+)", re.IGNORECASE)
_SPECIAL: Final = ("\\sent", "\\trash", "\\drafts")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to sign in with; never shown."""

    user: str
    secret: str = field(repr=False)
    is_oauth: bool = False


class SignIn:
    """One try on one healthy path; what went wrong ends in `path.finding`, what is odd in `path.notes`."""

    def __init__(self, world: World, path: Path, address: str, provider: Provider | None) -> None:
        self._world = world
        self._path = path
        self._address = address
        self._provider = provider

    async def run(self, credentials: Credentials) -> None:
        """Sign in, look around, leave."""
        probe = Probe(self._world, self._path)
        try:
            talk = await probe.open()
        except Stopped as stopped:
            self._path.finding = stopped.finding
            return
        try:
            reply = await self._authenticate(talk, credentials)
            probe.step("sign-in", "accepted" if reply.is_ok else reply.text)
            if not reply.is_ok:
                self._path.finding = self._refusal(reply, credentials)
                return
            await self._look_around(talk)
            probe.step("after sign-in", "done")
        except (Closed, Silent, HandshakeFailed) as error:
            self._path.finding = found("F7", self._path.where, f"the conversation ended: {error}")
        except Stopped as stopped:
            self._path.finding = stopped.finding
        finally:
            talk.wire.close()

    # Signing in

    async def _authenticate(self, talk: Conversation, credentials: Credentials) -> Reply:
        ways = mechanisms(self._path.offered)
        if credentials.is_oauth:
            way = "XOAUTH2" if "XOAUTH2" in ways or "OAUTHBEARER" not in ways else "OAUTHBEARER"
            return await self._sasl(talk, way, _bearer(way, credentials))
        if "PLAIN" in ways:
            return await self._sasl(talk, "PLAIN", f"\0{credentials.user}\0{credentials.secret}")
        match talk.protocol:
            case Protocol.IMAP:
                return await talk.command(f"LOGIN {_quoted(credentials.user)} {_quoted(credentials.secret)}")
            case Protocol.POP:
                first = await talk.command(f"USER {credentials.user}")
                return await talk.command(f"PASS {credentials.secret}") if first.is_ok else first
            case Protocol.SMTP:
                reply = await talk.command("AUTH LOGIN")
                for each in (credentials.user, credentials.secret):
                    reply = await talk.say(_base64(each)) if reply.is_ok else reply
                return reply

    async def _sasl(self, talk: Conversation, way: str, message: str) -> Reply:
        """One message of the client; a challenge after it is the server's reason, answered with an empty line."""
        verb = "AUTHENTICATE" if talk.protocol is Protocol.IMAP else "AUTH"
        if talk.protocol is Protocol.IMAP and "SASL-IR" not in self._path.offered:
            reply = await talk.command(f"{verb} {way}")
            if not reply.last.startswith("+"):
                return reply
            reply = await talk.say(_base64(message))
        else:
            reply = await talk.command(f"{verb} {way} {_base64(message)}")
        if reply.last.startswith(("+ ", "334 ")):
            reason = _decoded(reply.last.partition(" ")[2])
            reply = await talk.say("")
            return Reply(False, (*reply.lines, f"the server's reason: {reason}"))
        return reply

    def _refusal(self, reply: Reply, credentials: Credentials) -> Finding:
        name = self._provider.name if self._provider else ""
        meaning = meaning_of(reply.text, name, "EF")
        leaf = meaning.leaves[0] if meaning else "E1"
        if credentials.is_oauth and leaf == "E1":
            leaf = "E9"
        hints = _hints(credentials, self._provider) if leaf == "E1" else []
        return self._find(leaf, reply.text, *hints)

    def _find(self, leaf: str, *evidence: str) -> Finding:
        page = self._provider.help.get(leaf, "") if self._provider else ""
        return found(leaf, self._path.where, *evidence, help_page=page)

    # Afterwards

    async def _look_around(self, talk: Conversation) -> None:
        match talk.protocol:
            case Protocol.IMAP:
                await self._look_at_mailboxes(talk)
            case Protocol.POP:
                await self._expect(talk, "STAT", "F1")
                await talk.command("QUIT")
            case Protocol.SMTP:
                await self._expect(talk, f"MAIL FROM:<{self._address}>", "F4")
                await self._expect(talk, f"RCPT TO:<{self._address}>", "")
                await talk.command("RSET")
                await talk.command("QUIT")

    async def _expect(self, talk: Conversation, command: str, otherwise: str) -> Reply:
        reply = await talk.command(command)
        if not reply.is_ok:
            meaning = meaning_of(reply.text, self._provider.name if self._provider else "", "EF")
            if not (leaf := meaning.leaves[0] if meaning else otherwise):
                return reply  # a refusal that says nothing of the program
            raise Stopped(self._find(leaf, f"{command.partition(' ')[0]}: {reply.text}"))
        return reply

    async def _look_at_mailboxes(self, talk: Conversation) -> None:
        opened = await talk.command("EXAMINE INBOX")
        if not opened.is_ok and "unsafe login" in opened.text.lower():
            await talk.command('ID ("name" "mailhost-doctor")')
            again = await talk.command("EXAMINE INBOX")
            finding = self._find("E8", opened.text, "with ID it " + ("works" if again.is_ok else "is refused, too"))
            if not again.is_ok:
                raise Stopped(finding)
            self._path.notes.append(
                found("E8", self._path.where, *finding.evidence, severity=Severity.WARNING, help_page=finding.help)
            )
        elif not opened.is_ok:
            meaning = meaning_of(opened.text, self._provider.name if self._provider else "", "EF")
            raise Stopped(self._find(meaning.leaves[0] if meaning else "E11", f"EXAMINE INBOX: {opened.text}"))
        listed = await self._expect(talk, 'LIST "" "*"', "E11")
        self._judge_folders(_folders(listed.lines), _folders((await talk.command('LSUB "" "*"')).lines))
        if "QUOTA" in self._path.offered:
            self._judge_quota((await talk.command("GETQUOTAROOT INBOX")).text)
        if "IDLE" in self._path.offered:
            await self._idle(talk)
        await talk.command("LOGOUT")

    def _judge_folders(self, listed: dict[str, str], subscribed: dict[str, str]) -> None:
        marks = " ".join(listed.values()).lower()
        missing = [mark for mark in _SPECIAL if mark not in marks]
        if missing:
            self._path.notes.append(found("F6", self._path.where, f"no folder is marked {' '.join(missing)}"))
        hidden = [name for name, flags in listed.items() if name not in subscribed and "\\no" not in flags.lower()]
        if hidden:
            said = f"not subscribed: {', '.join(hidden[:5])}{' …' if len(hidden) > 5 else ''}"
            self._path.notes.append(found("F8", self._path.where, said))

    def _judge_quota(self, text: str) -> None:
        if (quota := _QUOTA.search(text)) and int(quota[1]) >= int(quota[2]) > 0:
            self._path.notes.append(
                found("F3", self._path.where, f"{quota[1]} of {quota[2]} KiB are used", severity=Severity.WARNING)
            )

    async def _idle(self, talk: Conversation) -> None:
        """IDLE must last; a server or a device that ends it at once does so to every program."""
        if not (await talk.command("IDLE")).is_ok:
            return
        seconds = self._world.deadlines.idle
        ended = ""
        try:
            while not ended:
                line = await talk.wire.read_line(seconds)
                ended = line.decode("utf-8", "replace") if line[:5].upper() == b"* BYE" else ""
        except Silent:
            await talk.say("DONE")
        except Closed as error:
            ended = str(error)
        if ended:
            raise Stopped(self._find("F7", f"IDLE lasted less than {seconds:g} s: {ended}"))


def _folders(lines: Sequence[str]) -> dict[str, str]:
    """Mailbox names → their attributes, out of LIST or LSUB."""
    matches = [match for line in lines if (match := _FOLDER.match(line))]
    return {match[2].strip('"'): match[1] for match in matches}


def _hints(credentials: Credentials, provider: Provider | None) -> list[str]:
    """What the credentials look like, without showing them."""
    hints = []
    if credentials.secret != credentials.secret.strip():
        hints.append("the password begins or ends with a blank")
    if "@" not in credentials.user:
        hints.append("the user name has no @: try the whole address")
    if provider is not None and provider.password in ("app-password", "authorization-code"):
        kind = "an authorization code" if provider.password == "authorization-code" else "an app password"  # noqa: S105 - a kind
        hints.append(f"{provider.title} takes {kind}")
    return hints


def _bearer(way: str, credentials: Credentials) -> str:
    if way == "XOAUTH2":
        return f"user={credentials.user}\x01auth=Bearer {credentials.secret}\x01\x01"
    return f"n,a={credentials.user},\x01auth=Bearer {credentials.secret}\x01\x01"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
