"""Evidence in Chinese: our sentences are known again by their shape, what servers said stays as it was."""

from __future__ import annotations

import re

import pytest

from mailhost.doctor.catalogue import Language
from mailhost.doctor.evidence import SENTENCES, said
from tests.house.source import modules

CHINESE = re.compile(r"[\u4e00-\u9fff]")
SOURCE = "\n".join(module.text for module in modules() if module.room in ("doctor", "app"))
FROM_OTHERS = re.compile(
    r"Connection refused|unreachable|No route|certificate|mismatch"
)  # of the system and of OpenSSL


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_translated_with_what_was_measured(sentence: str) -> None:
    holes = re.findall(r"\{(\w+)\}", sentence)
    line = sentence.format(**{hole: f"<{hole.upper()}>" for hole in holes})
    shown = said(line, Language.CHINESE)
    assert CHINESE.search(shown)
    assert sorted(re.findall(r"<[A-Z]+>", shown)) == sorted(f"<{hole.upper()}>" for hole in holes)
    assert said(line, Language.ENGLISH) == line


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_still_one_that_the_doctor_says(sentence: str) -> None:
    longest = max(re.split(r"\{\w+\}", sentence), key=len).strip(" :()")
    pieces = [piece for piece in re.split(r"[:;(),.]| s$", longest) if piece.strip()]
    assert FROM_OTHERS.search(sentence) or all(piece.strip() in SOURCE for piece in pieces[:1])


@pytest.mark.parametrize(
    "line",
    [
        "535 5.7.8 Username and Password not accepted.",
        "d2 NO [ALERT] Application-specific password required: https://support.google.com (Failure)",
        "https://autoconfig.example.test/mail/config-v1.1.xml: 404, text/plain",
        "v=spf1 mx -all",
        "IMAP imap.example.test:993 SSL/TLS (192.0.2.10)",
        "{seconds} %s {}",
        "",
    ],
)
def test_what_servers_said_stays_as_it_was(line: str) -> None:
    assert said(line, Language.CHINESE) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("connect to port 993: no answer within 5 s", "连接端口 993：5 秒内没有应答"),
        ("verification: certificate has expired", "验证结果：证书已过期"),
        ("DNS imap.example.test A: NXDOMAIN: the name does not exist", "DNS imap.example.test A：NXDOMAIN，名称不存在"),
        ("with ID it works", "先发送 ID 命令就可以"),
        ("192.0.2.1 works", "192.0.2.1 正常"),
        ("probing IMAP imap.gmail.com:993 SSL/TLS", "正在检查 IMAP imap.gmail.com:993 SSL/TLS"),
        ("offered: {seconds} {0}", "提供的功能：{seconds} {0}"),
    ],
)
def test_sentences_within_sentences(line: str, shown: str) -> None:
    assert said(line, Language.CHINESE) == shown
