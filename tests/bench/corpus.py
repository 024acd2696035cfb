"""Mail for the benchmark, the same for every server and every run: message `n` of a seed is always the same bytes."""

import base64
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

SEED = 20261124
BODIES = 2_000
START = datetime(2024, 1, 1, 8, 0, tzinfo=UTC)
NAMES = """
    Ana Bruno Carla Dieter Elif Farid Grete Hugo Ines Jonas Keiko Lena Malik Nora Otto Paula Quentin Rosa
    Sven Tara
""".split()  # noqa: SIM905 - a word list reads as words
PLACES = """
    atelier bakery clinic depot estate forge garden harbour institute kiosk
""".split()  # noqa: SIM905 - a word list reads as words
WORDS = """
    the and a to of in we you for is on that with it be this are your have will from our as at not by can
    please meeting tomorrow report invoice number order delivery time project plan review team week thanks
    regards attached question answer update version release schedule budget contract customer price list
    draft final signed office travel ticket
""".split()  # noqa: SIM905 - a word list reads as words


def sentence(dice: random.Random, words: int) -> str:
    """Some words with a capital and a full stop."""
    return " ".join(dice.choices(WORDS, k=words)).capitalize() + "."


def paragraph(dice: random.Random, octets: int) -> str:
    """Lines of at most 76 characters, together about `octets` long."""
    lines, length = [], 0
    while length < octets:
        line = " ".join(dice.choices(WORDS, k=11))[:76]
        lines.append(line)
        length += len(line) + 2
    return "\r\n".join(lines) + "\r\n"


@cache
def body(number: int) -> tuple[str, str]:
    """(content headers, body): most are plain, a third are alternatives, one in ten carries a file."""
    dice = random.Random(SEED * 1_000_003 + number)
    text = paragraph(dice, dice.randrange(300, 2_500))
    kind = number % 10
    if kind < 6:
        return 'Content-Type: text/plain; charset="utf-8"\r\n', text
    boundary = f"=_{dice.getrandbits(96):024x}"
    parts = [f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"]
    if kind < 9:
        subtype = "alternative"
        markup = f"<html><body><p>{text.replace(chr(13), '<br>' + chr(13))}</p></body></html>\r\n"
        parts.append(f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{markup}")
    else:
        subtype = "mixed"
        file = base64.encodebytes(dice.randbytes(1_500)).decode().replace("\n", "\r\n")
        parts.append(
            f'Content-Type: application/pdf; name="scan-{number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment; filename="scan-{number}.pdf"\r\n\r\n{file}'
        )
    whole = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
    return f'MIME-Version: 1.0\r\nContent-Type: multipart/{subtype}; boundary="{boundary}"\r\n', whole


def message(number: int) -> bytes:
    """The whole message `number`, 1.2 to 6 KB, CRLF line ends."""
    dice = random.Random(SEED + number)
    sender, receiver = dice.sample(NAMES, 2)
    place = dice.choice(PLACES)
    moment = START + timedelta(minutes=7 * number)
    content_headers, text = body(number % BODIES)
    reply = f"<{dice.getrandbits(64):016x}@{place}.example>"
    references = f"In-Reply-To: {reply}\r\nReferences: {reply}\r\n" if number % 3 == 0 else ""
    head = (
        f"Received: from out{number % 9}.{place}.example (out{number % 9}.{place}.example [192.0.2.{number % 250}])\r\n"
        f"\tby mx.example.test with ESMTPS id {dice.getrandbits(48):012x};\r\n\t{format_datetime(moment)}\r\n"
        f"From: {sender} {place.title()} <{sender.lower()}@{place}.example>\r\n"
        f"To: {receiver} Test <{receiver.lower()}@example.test>, office@example.test\r\n"
        f"Cc: {dice.choice(NAMES)} <list@{place}.example>\r\n"
        f"Subject: {'Re: ' if references else ''}{sentence(dice, 6)}\r\n"
        f"Date: {format_datetime(moment)}\r\n"
        f"Message-ID: <{number}.{dice.getrandbits(64):016x}@{place}.example>\r\n"
        f"{references}User-Agent: Example Mail 3.1\r\n"
    )
    return (head + content_headers + "\r\n" + text).encode()


@cache
def ten_kilobytes(number: int) -> bytes:
    """A plain message of 10 KB, for the lines that count deliveries."""
    head, _, _ = message(number * 10).partition(b"\r\n\r\n")
    text = paragraph(random.Random(SEED - number), 10_240).encode()
    return head + b"\r\n\r\n" + text[: 10_240 - len(head) - 6] + b"\r\n"


def large(octets: int) -> bytes:
    """A message with one attachment so that the whole is about `octets` long."""
    head, _, _ = message(0).partition(b"\r\n\r\n")
    line = base64.b64encode(random.Random(SEED).randbytes(57)) + b"\r\n"
    return head + b"\r\n\r\n" + line * (octets // len(line))
