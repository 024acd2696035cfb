"""Mail for the benchmark, the same for every server and every run: message `n` is always the same octets."""

import base64
import random
from functools import cache

from mailhost.message.generate import generate

SEED = 20261124
DISTINCT = 2_000
AVERAGE = 3_000
TEN_KILOBYTES = 10_240
HEAD = (
    b"From: Ana Harbour <ana@harbour.example>\r\nTo: Otto Test <otto@example.test>\r\n"
    b"Subject: Minutes of meeting %d\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <minutes.%d@harbour.example>\r\n\r\n"
)


@cache
def letters() -> list[bytes]:
    """The messages that all others are copies of; a generator of them would take half a minute for 100,000."""
    return list(generate(SEED, DISTINCT, AVERAGE))


def message(number: int) -> bytes:
    """Message `number`: one of the letters under a Message-ID of its own."""
    return letters()[number % DISTINCT].replace(b"Message-ID: <", b"Message-ID: <%d." % number, 1)


@cache
def ten_kilobytes(number: int) -> bytes:
    """A plain message of 10 KB that compresses like text, for the lines that count deliveries."""
    words = b" ".join(letters()[number % DISTINCT].split()[:400]) or b"word"
    lines = random.Random(number).choices([words[start : start + 74] for start in range(0, len(words), 74)], k=200)
    head = HEAD % (number, number)
    return (head + b"\r\n".join(lines))[: TEN_KILOBYTES - 2].rstrip(b"\r\n") + b"\r\n"


def large(octets: int) -> bytes:
    """A message of about `octets` whose body is lines of base64."""
    line = base64.b64encode(random.Random(SEED).randbytes(57)) + b"\r\n"
    return HEAD % (0, 0) + line * (octets // len(line))
