"""One way to one server: connect, first bytes, TLS, what is offered. It stops at the first thing that is wrong."""

from __future__ import annotations

import errno
import ssl
import time
from dataclasses import dataclass, field
from enum import Enum

from mailhost.doctor.catalogue import found
from mailhost.doctor.certificates import days_left, describe, leaf_for
from mailhost.doctor.conversation import Conversation, Reply, identify, is_of, mechanisms
from mailhost.doctor.messages import meaning_of
from mailhost.doctor.targets import Encryption, Protocol, Target
from mailhost.doctor.wire import Closed, HandshakeFailed, Silent, TlsTrouble, Wire
from mailhost.doctor.world import World, looking_context
from mailhost.findings import Finding, Severity

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}
_VERSIONS = (
    (ssl.TLSVersion.TLSv1, "TLS 1.0"),
    (ssl.TLSVersion.TLSv1_1, "TLS 1.1"),
    (ssl.TLSVersion.TLSv1_2, "TLS 1.2"),
    (ssl.TLSVersion.TLSv1_3, "TLS 1.3"),
)
_DAYS_BEFORE_EXPIRY = 14
_CLIENT_MECHANISMS = {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"}


class Reach(Enum):
    """How the TCP connection went."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "no answer"
    UNREACHABLE = "no route"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done, how long it took in milliseconds, and what came of it."""

    name: str
    milliseconds: int
    said: str


@dataclass(slots=True)
class Path:
    """What one way to a server came to; without a `finding` it is whole up to the sign-in."""

    target: Target
    address: str
    is_set: bool = False
    """The user's own setting, not one of ours."""
    reach: Reach = Reach.OPEN
    finding: Finding | None = None
    notes: list[Finding] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    offered: frozenset[str] = frozenset()

    @property
    def where(self) -> str:
        """The target and the address, for people."""
        return str(self.target) if self.address in ("", self.target.host) else f"{self.target} ({self.address})"


class Stopped(Exception):
    """The path ends here, with this finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.leaf)
        self.finding = finding


class Probe:
    """Walks one path; `run` fills it."""

    def __init__(self, world: World, path: Path, *, expects_sign_in: bool = True) -> None:
        """Without `expects_sign_in` the port is one for other servers, as an MX has it."""
        self._world = world
        self._path = path
        self._expects_sign_in = expects_sign_in
        self._target = path.target
        self._since = time.monotonic()

    async def run(self) -> Path:
        """Walk it, without signing in."""
        try:
            talk = await self.open()
            talk.wire.close()
        except Stopped as stopped:
            self._path.finding = stopped.finding
        return self._path

    async def open(self) -> Conversation:
        """A conversation that stands ready for a sign-in, encrypted as the target says. Raises Stopped."""
        wire = await self._connect()
        try:
            if self._target.encryption is Encryption.TLS:
                await self._secure(wire)
            talk = await self._greet(wire)
            offered = await self._ask(talk)
            if self._target.encryption is Encryption.STARTTLS:
                await self._upgrade(talk, offered)
                offered = await self._ask(talk)
            self._path.offered = offered
            if self._expects_sign_in:
                self._judge_offer(offered)
        except (Closed, Silent, HandshakeFailed) as error:
            wire.close()
            raise Stopped(self._late_end(error)) from error
        except BaseException:
            wire.close()
            raise
        return talk

    def _find(self, leaf: str, *evidence: str) -> Finding:
        return found(leaf, self._path.where, *(each for each in evidence if each))

    def step(self, name: str, said: str) -> None:
        """Note what was done since the last step."""
        now = time.monotonic()
        self._path.steps.append(Step(name, round((now - self._since) * 1000), said[:300]))
        self._since = now

    # B: reach

    async def _connect(self) -> Wire:
        self._since = time.monotonic()
        try:
            wire = await Wire.open(self._world, self._path.address, self._target.port)
        except Silent as error:
            self._path.reach = Reach.SILENT
            self.step("connect", str(error))
            raise Stopped(self._find("B3", f"connect to port {self._target.port}: {error}")) from error
        except ConnectionResetError as error:
            self.step("connect", "reset at once")
            raise Stopped(self._find("B5", "the connection was reset as soon as it stood")) from error
        except OSError as error:
            self._path.reach = Reach.UNREACHABLE if error.errno in _UNREACHABLE else Reach.REFUSED
            said = f"connect to port {self._target.port}: {error.strerror or error}"
            self.step("connect", said)
            raise Stopped(self._find("B4" if self._path.reach is Reach.UNREACHABLE else "B1", said)) from error
        self.step("connect", "open")
        return wire

    # C: first bytes

    async def _greet(self, wire: Wire) -> Conversation:
        talk = Conversation(wire, self._target.protocol, self._world.deadlines.reply)
        try:
            reply = await talk.greeting(self._world.deadlines.greeting)
        except Silent:
            reply = await self._wait_longer(talk)
        except (Closed, HandshakeFailed) as error:
            if not wire.first or wire.tls_words != "no TLS":
                self.step("greeting", str(error))
                leaf = "D9" if isinstance(error, HandshakeFailed) else "B5"
                raise Stopped(self._find(leaf, f"before the greeting: {error}")) from error
            reply = Reply(False, (wire.first.decode("latin-1"),))
        self.step("greeting", reply.text)
        first = reply.text.encode() if wire.tls_words != "no TLS" else wire.first
        if not is_of(self._target.protocol, first):
            if identify(first) == "TLS":
                raise Stopped(self._find("C2", "the server's first bytes are TLS"))
            speaks = identify(first) or "something unknown"
            raise Stopped(self._find("C3", f"the server speaks {speaks}: {_shown(first)}"))
        if not reply.is_ok:
            meaning = meaning_of(reply.text, stages="EF")
            raise Stopped(self._find(meaning.leaves[0] if meaning else "B5", f"greeting: {reply.text}"))
        return talk

    async def _wait_longer(self, talk: Conversation) -> Reply:
        """Nothing came. A second connection asks whether the port waits for TLS; else this one is given its time."""
        seconds = self._world.deadlines.greeting
        self.step("greeting", f"nothing within {seconds:g} s")
        if self._target.encryption is not Encryption.TLS:
            first = await self._answer_to_hello()
            if identify(first) == "TLS":
                said = f"no greeting within {seconds:g} s, but a ClientHello is answered"
                raise Stopped(self._find("C2", said))
            if identify(first) and not is_of(self._target.protocol, first):  # its own protocol is only late
                said = f"no greeting, and the answer to a ClientHello is {identify(first)}: {_shown(first)}"
                raise Stopped(self._find("C3", said))
        patience = self._world.deadlines.patience
        try:
            reply = await talk.greeting(patience)
        except (Silent, Closed, HandshakeFailed) as error:
            said = f"no greeting within {seconds + patience:g} s ({error}), and a ClientHello is not answered"
            raise Stopped(self._find("C5", said)) from error
        late = f"the greeting came only after more than {seconds:g} s"
        self._path.notes.append(found("C5", self._path.where, late, severity=Severity.WARNING))
        return reply

    async def _answer_to_hello(self) -> bytes:
        """The first bytes that a ClientHello on a new connection is answered with."""
        try:
            wire = await Wire.open(self._world, self._path.address, self._target.port)
        except OSError:
            return b""
        try:
            await wire.start_tls(looking_context(), self._target.host)
        except HandshakeFailed as failed:
            return failed.first
        finally:
            wire.close()
        return wire.first

    # D: TLS

    async def _secure(self, wire: Wire) -> None:
        """Shake hands as a mail program does. Raises Stopped with the reason."""
        try:
            await wire.start_tls(self._world.checking_context(), self._target.host)
        except HandshakeFailed as failed:
            self.step("TLS", f"{failed.trouble.value}: {failed.reason}")
            wire.close()
            raise Stopped(await self._explain(failed)) from failed
        self.step("TLS", wire.tls_words)
        left = days_left(wire.chain(), self._world.now())
        if left is not None and left < _DAYS_BEFORE_EXPIRY:
            note = found("D1", self._path.where, *describe(wire.chain(), self._world.now()), severity=Severity.WARNING)
            self._path.notes.append(note)

    async def _explain(self, failed: HandshakeFailed) -> Finding:
        match failed.trouble:
            case TlsTrouble.CERTIFICATE:
                chain = await self._chain()
                evidence = [f"verification: {failed.reason}", *describe(chain, self._world.now())]
                return self._find(leaf_for(failed.code, chain), *evidence)
            case TlsTrouble.NOT_TLS:
                if is_of(self._target.protocol, failed.first):
                    return self._find("C1", f"the server answered TLS with {_shown(failed.first)}")
                speaks = identify(failed.first) or "something unknown"
                return self._find("C3", f"the server speaks {speaks}: {_shown(failed.first)}")
            case TlsTrouble.ALERT:
                return await self._explain_alert(failed.reason)
            case TlsTrouble.SILENT:
                return self._find("C5", f"no answer to a ClientHello within {self._world.deadlines.handshake:g} s")
            case TlsTrouble.CLOSED:
                return await self._explain_end(failed)

    async def _explain_alert(self, reason: str) -> Finding:
        if "VERSION" in reason or "PROTOCOL" in reason:
            return self._find("D6", f"TLS: {reason}", await self._versions())
        if "UNRECOGNIZED_NAME" in reason:
            return self._find("D8", f"TLS: {reason}", f"asked for {self._target.host}")
        if "HANDSHAKE_FAILURE" in reason or "CIPHER" in reason:
            return self._find("D7", f"TLS: {reason}")
        if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
            return self._find("D9", f"TLS: {reason}")
        return self._find("D10", f"TLS: {reason}")

    async def _explain_end(self, failed: HandshakeFailed) -> Finding:
        """It ended without an alert: does the server hang up on everybody, or only on a ClientHello?"""
        if not failed.first and self._target.encryption is Encryption.TLS and await self._hangs_up_by_itself():
            return self._find("B5", f"closed before any byte: {failed.reason}")
        return self._find("D10", f"in the handshake: {failed.reason}")

    async def _hangs_up_by_itself(self) -> bool:
        try:
            wire = await Wire.open(self._world, self._path.address, self._target.port)
        except OSError:
            return True
        try:
            await wire.read(min(1.0, self._world.deadlines.greeting))
        except Closed:
            return True
        except (Silent, HandshakeFailed):
            return False
        finally:
            wire.close()
        return False

    async def _chain(self) -> list[bytes]:
        """The chain as the server sends it to anybody."""
        wire = None
        try:
            wire = await Wire.open(self._world, self._path.address, self._target.port)
            if self._target.encryption is Encryption.STARTTLS:
                talk = Conversation(wire, self._target.protocol, self._world.deadlines.reply)
                await talk.greeting(self._world.deadlines.greeting)
                await talk.capabilities()
                await talk.begin_tls()
            await wire.start_tls(looking_context(), self._target.host)
            return wire.chain()
        except OSError:
            return []
        finally:
            if wire is not None:
                wire.close()

    async def _versions(self) -> str:
        """Which TLS versions the server speaks, asked one by one; only where TLS comes first."""
        if self._target.encryption is not Encryption.TLS:
            return ""
        spoken = []
        for version, name in _VERSIONS:
            try:
                wire = await Wire.open(self._world, self._path.address, self._target.port)
            except OSError:
                continue
            try:
                await wire.start_tls(looking_context(version), self._target.host)
            except HandshakeFailed:
                continue
            finally:
                wire.close()
            spoken.append(name)
        return f"the server speaks {', '.join(spoken) or 'no version that is known here'}; needed is TLS 1.2 or newer"

    # Capabilities

    async def _ask(self, talk: Conversation) -> frozenset[str]:
        reply, offered = await talk.capabilities()
        if self._target.protocol is Protocol.SMTP and not reply.is_ok and offered == frozenset():
            meaning = meaning_of(reply.text, stages="EF")
            raise Stopped(self._find(meaning.leaves[0] if meaning else "B5", f"EHLO: {reply.text}"))
        self.step("capabilities", " ".join(sorted(offered)))
        return offered

    async def _upgrade(self, talk: Conversation, offered: frozenset[str]) -> None:
        if "STARTTLS" not in offered:
            if masked := _masking(talk.wire.first, offered):
                raise Stopped(self._find("C6", masked))
            if self._target.protocol is Protocol.SMTP and not mechanisms(offered) and self._target.port == 25:
                raise Stopped(self._find("C4", "neither STARTTLS nor AUTH is offered"))
            raise Stopped(self._find("D11", f"offered: {' '.join(sorted(offered)) or 'nothing'}"))
        reply = await talk.begin_tls()
        if not reply.is_ok:
            raise Stopped(self._find("D12", f"STARTTLS: {reply.text}"))
        await self._secure(talk.wire)

    def _judge_offer(self, offered: frozenset[str]) -> None:
        """What is offered at the end must let a mail program sign in. Raises Stopped."""
        ways = mechanisms(offered)
        listed = f"offered: {' '.join(sorted(offered)) or 'nothing'}"
        if self._target.encryption is Encryption.NONE:
            has_none = self._target.protocol is Protocol.SMTP and not ways
            if "LOGINDISABLED" in offered or has_none:
                raise Stopped(self._find("E12", listed))
            return
        if self._target.protocol is Protocol.SMTP and not ways:
            raise Stopped(self._find("C4", listed))
        if "LOGINDISABLED" in offered and not ways & {"PLAIN", "LOGIN"}:
            raise Stopped(self._find("E4" if ways & {"XOAUTH2", "OAUTHBEARER"} else "E13", listed))
        plain_login = self._target.protocol is Protocol.IMAP or "USER" in offered or not ways
        if not ways & _CLIENT_MECHANISMS and not plain_login:
            raise Stopped(self._find("E13", listed))

    def _late_end(self, error: OSError) -> Finding:
        """The conversation broke after it had begun."""
        self.step("end", str(error))
        if isinstance(error, HandshakeFailed):
            return self._find("D10", f"inside TLS: {error.reason}")
        return self._find("C5" if isinstance(error, Silent) else "B5", f"after the greeting: {error}")


def _masking(first: bytes, offered: frozenset[str]) -> str:
    """The traces of a device that rewrites SMTP."""
    if b"***" in first:
        return f"the greeting is {_shown(first)}"
    masked = [word for word in offered if word.startswith("XXX")]
    return f"EHLO offers {masked[0]} in the place of STARTTLS" if masked else ""


def _shown(data: bytes) -> str:
    """Raw bytes for evidence: the first line, or hex."""
    line = data.splitlines()[0] if data.splitlines() else b""
    return repr(line.decode("ascii")) if line.isascii() and line.decode().isprintable() else data[:16].hex(" ")
