"""The data: leaves in both languages, providers written from facts, messages that users quote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailhost.doctor.catalogue import found, help_for, leaves, severity_of
from mailhost.doctor.isp_database import NothingToImport, import_folder
from mailhost.doctor.messages import _entries, decode_reply, meaning_of
from mailhost.doctor.providers import (
    built_in,
    known_providers,
    named,
    provider_of_domain,
    provider_of_exchangers,
)
from mailhost.doctor.targets import BadSetting, Encryption, Protocol, Target, parse_target
from mailhost.errors import MailhostError
from tests.doctor.zoo.world import AUTOCONFIG

TREE = {"A": 5, "B": 5, "C": 6, "D": 12, "E": 15, "F": 8, "G": 11, "H": 9, "I": 4}


def test_the_catalogue_is_the_whole_tree() -> None:
    assert list(leaves()) == [f"{chapter}{number}" for chapter, count in TREE.items() for number in range(1, count + 1)]


@pytest.mark.parametrize("leaf", leaves())
def test_a_leaf_says_in_both_languages_what_is_wrong_and_what_to_do(leaf: str) -> None:
    texts = leaves()[leaf]
    assert severity_of(leaf) is not None
    for text in (texts.title, texts.remedy):
        assert not re.search(r"[\u4e00-\u9fff]", text.en.replace("授权码", ""))
        assert re.search(r"[\u4e00-\u9fff]", text.zh)
    assert texts.remedy.en.endswith(".")
    assert texts.remedy.zh.endswith("。")
    assert help_for(found(leaf)) == f"docs/doctor-leaves.md#{leaf.lower()}"


@pytest.mark.parametrize("name", built_in())
def test_a_provider_is_whole(name: str) -> None:
    provider = built_in()[name]
    assert provider.rules is not None
    assert provider.domains or provider.mx
    for protocol in (Protocol.IMAP, Protocol.SMTP):
        targets = provider.targets(protocol)
        assert targets
        assert all(target.encryption is not Encryption.NONE for target in targets)
    assert set(provider.help) <= {"setup", *leaves()}
    assert all(page.startswith("https://") for page in provider.help.values())
    hosts = {target.host for protocol in Protocol for target in provider.targets(protocol)}
    assert not hosts & set(provider.not_for_mail)


def test_no_domain_belongs_to_two_providers() -> None:
    domains = [domain for provider in built_in().values() for domain in provider.domains]
    assert len(domains) == len(set(domains))
    assert len(built_in()) >= 25


@pytest.mark.parametrize(
    ("exchangers", "name"),
    [
        (["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "google-workspace"),
        (["smtp.google.com"], "google-workspace"),
        (["example-com.mail.protection.outlook.com"], "microsoft-365"),
        (["outlook-com.olc.protection.outlook.com"], "outlook"),
        (["mxbiz1.qq.com"], "exmail"),
        (["in1-smtp.messagingengine.com"], "fastmail"),
        (["mail.example.test"], None),
        (["notgoogle.com"], None),
    ],
)
def test_a_domain_of_one_s_own_is_known_by_its_mail_exchanger(exchangers: list[str], name: str | None) -> None:
    provider = provider_of_exchangers(built_in(), exchangers)
    assert (provider.name if provider else None) == name


def test_a_provider_is_known_by_its_domain() -> None:
    provider = provider_of_domain(built_in(), "foxmail.com")
    assert provider is not None
    assert provider.name == "qq"
    with pytest.raises(MailhostError, match="gmail"):
        named(built_in(), "gmial")


@pytest.mark.parametrize(
    ("text", "leaf"),
    [
        ("0x800CCC0D", "A1"),
        ("0x800CCC0E", "B1"),
        ("0x800CCC0F", "B5"),
        ("0x800CCC19", "B2"),
        ("0x800CCC1A", "D2"),
        ("0x800CCC18", "E13"),
        ("0x800CCC01", "D2"),
        ("0x800CCC02", "D1"),
        ("0x800CCCDD: Your IMAP server closed the connection", "F7"),
        ("授权码错误", "E7"),
        ("登录失败", "E1"),
        ("NO [ALERT] Application-specific password required: https://support.google.com (Failure)", "E2"),
        ("534 5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor x - gsmtp", "E2"),
        ("Something went wrong. We couldn't connect to the incoming (IMAP) server", "E1"),
        ("could not find the settings for your email account", "G1"),
        ("Unable to log in at server. Probably wrong configuration, username or password.", "E1"),
        ("Cannot Get Mail. The connection to the server failed", "B1"),
        ("Cannot Verify Server Identity", "D2"),
        ('The user name or password for "iCloud" is incorrect', "E1"),
        ("java.net.ConnectException: Connection refused", "B1"),
        ("javax.net.ssl.SSLHandshakeException: Connection closed by peer", "D10"),
        ("CertPathValidatorException: Trust anchor for certification path not found.", "D4"),
        ("smtplib.SMTPNotSupportedError: STARTTLS extension not supported by server.", "D11"),
        ("smtplib.SMTPAuthenticationError: (535, b'5.7.8 Username and Password not accepted')", "E1"),
        ("ssl.SSLCertVerificationError: self-signed certificate in certificate chain", "D5"),
        ("ssl.SSLCertVerificationError: Hostname mismatch, certificate is not valid for 'x'", "D2"),
        ("socket.gaierror: [Errno -2] Name or service not known", "A1"),
        ("OSError: [Errno 101] Network is unreachable", "B4"),
        ("TimeoutError: [Errno 110] Connection timed out", "B2"),
        ("AADSTS50173: The provided grant has expired", "E10"),
    ],
)
def test_what_users_quote_leads_to_the_likeliest_leaf(text: str, leaf: str) -> None:
    meaning = meaning_of(text)
    assert meaning is not None
    assert meaning.leaves[0] == leaf


def test_what_one_provider_means_by_few_words() -> None:
    bare = "a1 NO LOGIN failed."
    of_microsoft, of_others = meaning_of(bare, "microsoft-365"), meaning_of(bare)
    assert of_microsoft is not None
    assert of_others is not None
    assert (of_microsoft.leaves[0], of_others.leaves[0]) == ("E4", "E1")


def test_an_unknown_message_means_nothing() -> None:
    assert meaning_of("The weather is fine") is None


def test_messages_name_leaves_and_providers_that_exist() -> None:
    for _, entry in _entries():
        assert set(entry.leaves) <= set(leaves())
        assert entry.provider in ("", *built_in())


def test_replies_of_chinese_providers_are_readable() -> None:
    assert decode_reply("请使用授权码登录".encode("gb18030")) == "请使用授权码登录"
    assert decode_reply("请使用授权码登录".encode()) == "请使用授权码登录"
    assert decode_reply(b"\xff\xff") == "\xff\xff"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("imap.example.test", Target(Protocol.IMAP, "imap.example.test", 993, Encryption.TLS)),
        ("IMAP.Example.Test.:143", Target(Protocol.IMAP, "imap.example.test", 143, Encryption.STARTTLS)),
        ("mail.example.test/none", Target(Protocol.IMAP, "mail.example.test", 143, Encryption.NONE)),
        ("[2001:db8::1]:1993/tls", Target(Protocol.IMAP, "2001:db8::1", 1993, Encryption.TLS)),
    ],
)
def test_a_setting_is_read_as_people_write_it(text: str, target: Target) -> None:
    assert parse_target(Protocol.IMAP, text) == target


@pytest.mark.parametrize("text", ["", "a b", "host:0", "host:99999", "host/ssl3", "host:993:994"])
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="HOST"):
        parse_target(Protocol.IMAP, text)


def test_an_operator_s_copy_of_mozilla_s_database(tmp_path: Path) -> None:
    folder, data = tmp_path / "autoconfig", tmp_path / "data"
    folder.mkdir()
    with pytest.raises(NothingToImport):
        import_folder(folder, data)
    (folder / "example.test.xml").write_text(AUTOCONFIG, encoding="utf-8")
    (folder / "README").write_text("no XML", encoding="utf-8")
    assert import_folder(folder, data) == (1, 1)
    provider = provider_of_domain(known_providers(data), "example.test")
    assert provider is not None
    assert provider.title == "Zoo"
    assert provider.targets(Protocol.IMAP) == [Target(Protocol.IMAP, "imap.example.test", 993, Encryption.TLS)]
    assert b"Mozilla Public License" in (data / "providers.json").read_bytes()
    (data / "providers.json").write_bytes(b"{")
    with pytest.raises(MailhostError, match="import-providers"):
        known_providers(data)
