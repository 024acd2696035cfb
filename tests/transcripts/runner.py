"""Plays a transcript: text of what both sides say, as an administrator would read it in a log.

    # RFC 9051 §5.2: the other session hears of a flag at its next command
    INBOX has 3 messages; 1 and 2 have selected it
    C1: a STORE 2 +FLAGS (\\Seen)
    S1: * 2 FETCH (FLAGS (\\Seen))
    S1: a OK ...

The folder names the protocol. `C:` and `S:` are client 1. Sentences before the first line of a client say what is in
place (`house.py` lists them). Between the lines `C1 starts TLS`, `C1 compresses`, `C1 compresses, flushing in part`,
`C1 compresses no more`, `C1 goes away`, `S1 closes`, `S1 is silent`.

Each `C:` line is sent with CRLF. In it ␀ is a NUL, ␠ a blank, ␊ LF alone, which ends the line without CRLF,
and `«x × 300»` is 300 of x. In an `S:` line `...` is any text, also none, and ␀ a NUL too.
"""

import asyncio
import re
import ssl
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mailhost.network.listener import Listener
from tests.transcripts.house import PREPARED, SENTENCES, SETTINGS, SUCCESS, House

PATIENCE: Final = 10.0
SILENCE: Final = 0.05

_SPOKEN: Final = re.compile(r"([CS])(\d*): ?(.*)")
_ACTION: Final = re.compile(
    r"([CS])(\d*) (starts TLS|compresses(?:, flushing in part| no more)?|goes away|closes|is silent)"
)
_PREPARED: Final = re.compile(r"([\d, and]+) ha(?:s|ve) (.+)")
_REPEATED: Final = re.compile(r"«(.+?) × (\d+)»")


@dataclass
class Client:
    """One connection of the transcript."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    deflate: "zlib._Compress | None" = None
    inflate: "zlib._Decompress | None" = None
    inflated: bytes = b""
    flush: int = zlib.Z_SYNC_FLUSH

    async def line(self) -> str:
        """The server's next line; empty at the end."""
        async with asyncio.timeout(PATIENCE):
            data = await self._inflated_line() if self.inflate else await self.reader.readline()
        return data.decode("utf-8", "backslashreplace").removesuffix("\r\n")

    async def _inflated_line(self) -> bytes:
        assert self.inflate is not None
        while b"\n" not in self.inflated and (received := await self.reader.read(65536)):
            self.inflated += self.inflate.decompress(received)
        line, end, self.inflated = self.inflated.partition(b"\n")
        return line + end

    def compress(self) -> None:
        """From here on both sides compress (RFC 4978)."""
        self.deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.inflate = zlib.decompressobj(-15)

    async def say(self, text: str) -> None:
        """Send one line of the transcript."""
        text = _REPEATED.sub(lambda found: found[1] * int(found[2]), text).replace("␀", "\0").replace("␠", " ")
        data = text.replace("␊", "\n").encode()
        data = data if text.endswith("␊") else data + b"\r\n"
        if self.deflate is not None:
            data = self.deflate.compress(data) + self.deflate.flush(self.flush)
        self.writer.write(data)
        with suppress(ConnectionError):  # the server may hang up; what it said is still to be read
            await self.writer.drain()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


@dataclass
class Transcript:
    """One file being played."""

    path: Path
    house: House
    authority: str
    clients: dict[int, Client] = field(default_factory=dict)
    place: int = 0

    @property
    def protocol(self) -> str:
        return self.path.parent.name

    async def play(self) -> None:
        """Play the file; raises AssertionError that names the line where the server said something else."""
        lines = [
            (number, line)
            for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1)
            if line.strip() and not line.startswith("#")
        ]
        start = next(index for index, (_, line) in enumerate(lines) if _SPOKEN.fullmatch(line))
        sentences = [sentence.strip() for _, line in lines[:start] for sentence in line.split(";")]
        sentences = [sentence for sentence in sentences if not self._set(sentence)]
        await self.house.build()
        listener = await self.house.open_listener(self.protocol)
        try:
            for sentence in sentences:
                await self._prepare(sentence, listener)
            for self.place, line in lines[start:]:
                await self._play_line(line, listener)
            for number, client in self.clients.items():
                left = client.reader._buffer  # type: ignore[attr-defined]  # of asyncio, which tells it by no other name
                assert not left, f"{self.path}: unexpected from S{number}: {left!r}"
        finally:
            for client in self.clients.values():
                await client.close()
            listener.stop()
            await listener.drain(PATIENCE)
            await self.house.close()

    def _set(self, sentence: str) -> bool:
        for pattern, act in SETTINGS:
            if (found := pattern.fullmatch(sentence)) is not None:
                act(self.house, found)
                return True
        return False

    async def _prepare(self, sentence: str, listener: Listener) -> None:
        for pattern, act in SENTENCES:
            if (found := pattern.fullmatch(sentence)) is not None:
                await act(self.house, found)
                return
        found = _PREPARED.fullmatch(sentence)
        assert found is not None, f"{self.path}: no such sentence: {sentence}"
        assert found[2] in PREPARED[self.protocol], f"{self.path}: no such sentence: {sentence}"
        for number in re.findall(r"\d+", found[1]):
            client = await self._client(int(number), listener)
            await client.line()
            for line in PREPARED[self.protocol][found[2]]:
                await client.say(line)
                while not SUCCESS[self.protocol].match(answer := await client.line()):
                    assert answer, f"{self.path}: the server closed before the transcript began"

    async def _client(self, number: int, listener: Listener) -> Client:
        if number not in self.clients:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=1 << 24)
            self.clients[number] = Client(reader, writer)
        return self.clients[number]

    async def _play_line(self, line: str, listener: Listener) -> None:
        if (spoken := _SPOKEN.fullmatch(line)) is not None:
            client = await self._client(int(spoken[2] or 1), listener)
            if spoken[1] == "C":
                await client.say(spoken[3])
            else:
                await self._expect(client, spoken[3])
            return
        action = _ACTION.fullmatch(line)
        assert action is not None, f"{self.path}:{self.place}: cannot read: {line}"
        await self._act(await self._client(int(action[2] or 1), listener), action[3])

    async def _act(self, client: Client, action: str) -> None:
        match action:
            case "starts TLS":
                context = ssl.create_default_context(cafile=self.authority)
                await client.writer.start_tls(context, server_hostname="imap.example.test")
            case "compresses":
                client.compress()
            case "compresses, flushing in part":
                client.flush = zlib.Z_PARTIAL_FLUSH
                client.compress()
            case "compresses no more":
                client.deflate = client.inflate = None
            case "goes away":
                await client.close()
            case "closes":
                rest = await client.line()
                assert rest == "", f"{self.path}:{self.place}: expected the end, got: {rest}"
            case _:
                try:
                    async with asyncio.timeout(SILENCE):
                        said = await client.line()
                except TimeoutError:
                    return
                raise AssertionError(f"{self.path}:{self.place}: expected silence, got: {said}")

    async def _expect(self, client: Client, expected: str) -> None:
        try:
            said = await client.line()
        except TimeoutError:
            said = "(nothing)"
        pattern = ".*".join(re.escape(piece) for piece in expected.replace("␀", "\0").split("..."))
        where = f"{self.path}:{self.place}"
        assert re.fullmatch(pattern, said), f"{where}\n  expected: {expected}\n  said:     {said}"
