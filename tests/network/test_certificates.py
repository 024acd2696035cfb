"""The authority of our own and the certificate it signs."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from mailhost.network.certificates import ensure_certificates, names_of

NOW = datetime(2027, 3, 1, tzinfo=UTC)


def test_a_first_start_names_the_services_and_this_machine(tmp_path: Path) -> None:
    files, new = ensure_certificates(tmp_path / "tls", names_of(["example.test"]), NOW)
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert new
    assert names.get_values_for_type(x509.DNSName) == [
        *("example.test", "imap.example.test", "pop.example.test", "smtp.example.test", "mail.example.test"),
        *("autoconfig.example.test", "autodiscover.example.test", "ua-auto-config.example.test"),
        "localhost",
    ]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(files.authority.read_bytes()))
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    files, _ = ensure_certificates(tmp_path / "tls", ["localhost"], NOW)
    for key in (files.key, tmp_path / "tls" / "ca-key.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_later_starts_change_nothing(tmp_path: Path) -> None:
    files, _ = ensure_certificates(tmp_path, ["a.test", "localhost"], NOW)
    before = files.certificate.read_bytes(), files.key.read_bytes(), files.authority.read_bytes()
    _, new = ensure_certificates(tmp_path, ["localhost"], NOW + timedelta(days=300))
    assert not new
    assert before == (files.certificate.read_bytes(), files.key.read_bytes(), files.authority.read_bytes())


def test_a_new_name_or_an_end_in_sight_makes_a_new_one_by_the_same_authority(tmp_path: Path) -> None:
    files, _ = ensure_certificates(tmp_path, names_of(["a.test"]), NOW)
    authority = files.authority.read_bytes()
    _, new = ensure_certificates(tmp_path, names_of(["a.test", "b.test"]), NOW)
    assert new
    _, new = ensure_certificates(tmp_path, names_of(["a.test"]), NOW + timedelta(days=380))
    assert new
    assert files.authority.read_bytes() == authority


def test_a_damaged_certificate_is_replaced(tmp_path: Path) -> None:
    files, _ = ensure_certificates(tmp_path, ["localhost"], NOW)
    files.certificate.write_bytes(b"not a certificate")
    _, new = ensure_certificates(tmp_path, ["localhost"], NOW)
    assert new
