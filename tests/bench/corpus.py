"""Mail for the benchmark, the same for every server and every run: message `n` is always the same octets."""

import base64
import quopri
import random
from functools import cache

from mailhost.message.dates import internal_date_text
from mailhost.message.generate import generate

SEED = 20261124
DISTINCT = 2_000
AVERAGE = 3_000
TEN_KILOBYTES = 10_240
FIRST_DAY = 1_451_606_400  # 2016-01-01
BETWEEN = 3_000  # seconds from one message of the big mailbox to the next: 100,000 take nine and a half years
RARE, COMMON, CHINESE = "quagmirefinch", "harbourmaster", "\u53d1\u7968"
"""Words of one message in 10,000, of every ninth, and of every ninety-third (two Han characters)."""
_STYLE = (
    "<html><head><style>\r\np.MsoNormal, li.MsoNormal, div.MsoNormal {margin:0cm; font-size:11.0pt;\r\n"
    "font-family:'Calibri',sans-serif;}\r\na:link, span.MsoHyperlink {color:#0563C1;}\r\n</style></head>\r\n<body>\r\n"
)
_PARAGRAPH = (
    '<p class="MsoNormal"><span lang="EN-GB" style="font-size:11.0pt;font-family:\'Calibri\',sans-serif;'
    'color:#1F497D">{}</span></p>\r\n'
)
_QUOTED = b"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%b\r\n"
_ALTERNATIVE = (
    b'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=-alternative"\r\n\r\n'
    b"--=-alternative\r\nContent-Type: text/plain; "
    + _QUOTED
    + b"--=-alternative\r\nContent-Type: text/html; "
    + _QUOTED
    + b"--=-alternative--\r\n"
)
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


def append_words(number: int) -> bytes:
    """What APPEND says of a message of the big mailbox: two in three are read, and none came at the same time."""
    is_seen = (number * 2_654_435_761 >> 8) % 3
    moment = internal_date_text(FIRST_DAY + number * BETWEEN)
    return b'(%b) "%b"' % (rb"\Seen" if is_seen else b"", moment)


@cache
def _vocabulary() -> tuple[list[str], str]:
    dice = random.Random(SEED)
    words = ["".join(dice.choices("abcdefghijklmnoprstuvw", k=dice.randint(3, 9))) for _ in range(8_000)]
    return words, "".join(map(chr, range(0x4E00, 0x5300)))


def wordy(number: int) -> bytes:
    """A letter of 200 words in text and HTML, for searches in bodies; every seventh has 60 Han characters, too."""
    lines = _lines(number)
    text = quopri.encodestring("\r\n".join(lines).encode())
    page = quopri.encodestring((_STYLE + "".join(map(_PARAGRAPH.format, lines)) + "</body></html>\r\n").encode())
    return (HEAD % (number, number)).replace(b"\r\n\r\n", _ALTERNATIVE % (text, page))


def words_of(number: int) -> str:
    """The text of that letter."""
    return "\n".join(_lines(number))


def _lines(number: int) -> list[str]:
    words, han = _vocabulary()
    dice = random.Random(number)
    # A few words are in most letters and most words in few, as in any language.
    chosen = [words[int(len(words) * dice.random() ** 3)] for _ in range(200)]
    if number % 9 == 0:
        chosen[50] = COMMON
    if number == 7_777:
        chosen[100] = RARE
    lines = [" ".join(chosen[start : start + 10]) for start in range(0, 200, 10)]
    if number % 7 == 0:
        lines.append("".join(dice.choices(han, k=60)))
    if number % 93 == 0:
        lines.append("\u8bf7\u67e5\u6536" + CHINESE + "\u8c22\u8c22")
    return lines
