"""Apple's profile: what is in it, and its signature as OpenSSL sees it."""

import plistlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailhost.autoconfig import apple
from mailhost.limits import Rules
from mailhost.network.certificates import CertificateFiles, ensure_certificates, is_named_in
from tests.autoconfig.test_documents import settings_of
from tests.running import needs

ADDRESS = "ann@example.com"


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    made, _ = ensure_certificates(tmp_path, ["mail.example.com"], datetime.now(UTC))
    return made


def payloads(profile: bytes) -> dict[str, dict[str, object]]:
    return {each["PayloadType"]: each for each in plistlib.loads(profile)["PayloadContent"]}


def test_what_the_profile_sets_up() -> None:
    mail = payloads(apple.profile(settings_of(), ADDRESS, name="Ann Example"))["com.apple.mail.managed"]
    expected = {
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountName": "Ann Example",
        "EmailAddress": ADDRESS,
        "IncomingMailServerHostName": "imap.example.com",
        "IncomingMailServerPortNumber": 993,
        "IncomingMailServerUseSSL": True,
        "IncomingMailServerUsername": ADDRESS,
        "OutgoingMailServerHostName": "smtp.example.com",
        "OutgoingMailServerPortNumber": 465,
        "OutgoingMailServerUseSSL": True,
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    assert expected.items() <= mail.items()
    assert "IncomingPassword" not in mail


def test_a_password_is_in_it_only_when_given_and_changes_no_identifier() -> None:
    without, within = (plistlib.loads(apple.profile(settings_of(), ADDRESS, password=p)) for p in ("", "abcd"))
    assert within["PayloadContent"][0].pop("IncomingPassword") == "abcd"
    assert within == without
    other = plistlib.loads(apple.profile(settings_of(), "bob@example.com"))
    assert other["PayloadUUID"] != without["PayloadUUID"]
    assert without["PayloadContent"][0]["PayloadUUID"] != without["PayloadUUID"]


def test_pop_alone_and_nothing_to_send_with() -> None:
    mail = payloads(apple.profile(settings_of(rules=Rules(imap=False)), ADDRESS))["com.apple.mail.managed"]
    assert (mail["EmailAccountType"], mail["IncomingMailServerPortNumber"]) == ("EmailTypePOP", 995)
    with pytest.raises(apple.CannotMakeProfile):
        apple.profile(settings_of(rules=Rules(smtp=False)), ADDRESS)


def test_the_signature_verifies_and_shows_a_change(files: CertificateFiles, tmp_path: Path) -> None:
    authority = files.authority.read_bytes()
    unsigned = apple.profile(settings_of(), ADDRESS, password="abcd", authority=authority)
    signed = apple.sign(unsigned, files.certificate.read_bytes(), files.key.read_bytes())

    def verify(profile: bytes) -> tuple[int, bytes]:
        (tmp_path / "mail.mobileconfig").write_bytes(profile)
        command = [
            needs("openssl", "openssl"),
            "cms",
            "-verify",
            "-inform",
            "DER",
            "-in",
            tmp_path / "mail.mobileconfig",
        ]
        command += ["-CAfile", files.authority, "-purpose", "any", "-binary"]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        return done.returncode, done.stdout

    assert verify(signed) == (0, unsigned)
    assert verify(signed.replace(b"imap.example.com", b"imap.example.org"))[0] != 0
    assert payloads(unsigned)["com.apple.security.root"]["PayloadContent"]


def test_a_key_of_another_kind_is_told(files: CertificateFiles) -> None:
    with pytest.raises(apple.CannotMakeProfile):
        apple.sign(b"profile", files.certificate.read_bytes(), b"no key")


def test_names_in_a_certificate(files: CertificateFiles) -> None:
    chain = files.certificate.read_bytes()
    assert is_named_in(chain, "mail.example.com")
    assert not is_named_in(chain, "imap.example.com")
    assert not is_named_in(b"nonsense", "mail.example.com")
