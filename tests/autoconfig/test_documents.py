"""What programs are told, read by our own readers, who are as strict as the strictest program, and held to schemas."""

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from mailhost.autoconfig import addon, autodiscover, codes, markup, mozilla, pacc, records
from mailhost.autoconfig.settings import DOORS, ClientSettings, Encryption, Protocol, client_settings, hosts_of
from mailhost.doctor.discovery.documents import read_autoconfig, read_autodiscover, read_pacc
from mailhost.doctor.targets import Target
from mailhost.limits import Rules
from tests.running import needs, run

SCHEMAS = Path(__file__).parent / "schemas"
PORTS = {"imaps": 993, "imap": 143, "pop3s": 995, "pop3": 110, "submissions": 465, "submission": 587, "smtp": 25}
SITE = "https://mail.example.com"
NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
EXPECTED = [
    Target(Protocol.IMAP, "imap.example.com", 993, Encryption.TLS),
    Target(Protocol.POP, "pop.example.com", 995, Encryption.TLS),
    Target(Protocol.SMTP, "smtp.example.com", 465, Encryption.TLS),
]


def settings_of(domain: str = "example.com", *, site: str = SITE, rules: Rules | None = None) -> ClientSettings:
    return client_settings(
        domain, PORTS, lambda prefix: f"{prefix}.{domain}", site=site, has_oauth=True, rules=rules or Rules()
    )


def validate(document: bytes, schema: str, *, is_valid: bool = True) -> None:
    """By xmllint and the schema of that name."""
    command = [needs("xmllint", "libxml2-utils"), "--noout", "--nonet", "--relaxng", SCHEMAS / f"{schema}.rng", "-"]
    run(command, document, codes=(0,) if is_valid else (3, 4))


@pytest.mark.parametrize("site", [SITE, ""])
@pytest.mark.parametrize("domain", ["example.com", "xn--bcher-kva.example"])
def test_autoconfig_is_valid_and_read_without_a_complaint(domain: str, site: str) -> None:
    document = mozilla.autoconfig(settings_of(domain, site=site))
    validate(document, "autoconfig")
    read = read_autoconfig(document, f"ann@{domain}")
    assert not read.problems
    assert [str(each).replace(domain, "example.com") for each in read.targets] == [str(each) for each in EXPECTED]
    assert (b"OAuth2" in document) == bool(site)


def test_the_schemas_can_refuse() -> None:
    document = mozilla.autoconfig(settings_of())
    validate(document.replace(b"<socketType>SSL<", b"<socketType>plain<"), "autoconfig", is_valid=False)
    validate(document.replace(b'id="example.com"', b'id="our mail"'), "autoconfig", is_valid=False)
    answer = autodiscover.answer(settings_of(), "ann@example.com")
    validate(answer.replace(b"<SPA>off<", b"<SPA>no<"), "autodiscover", is_valid=False)


def test_a_password_comes_before_a_token_and_imap_before_pop() -> None:
    text = mozilla.autoconfig(settings_of()).decode()
    assert 0 < text.index("password-cleartext") < text.index("OAuth2")
    assert 0 < text.index('"imap"') < text.index('"pop3"')
    assert "如何设置邮件程序" in text


def test_protocols_that_a_domain_switches_off_are_not_offered() -> None:
    settings = settings_of(rules=Rules(pop3=False))
    assert [each.protocol for each in settings.chosen] == [Protocol.IMAP, Protocol.SMTP]
    assert b"pop3" not in mozilla.autoconfig(settings)
    assert "_pop3s._tcp.example.com. IN SRV 0 0 0 ." in records.services(settings)


@pytest.mark.parametrize("address", ["ann@example.com", 'a<b>&"c@example.com', "用户@example.com"])
def test_autodiscover_gives_every_server_in_one_account(address: str) -> None:
    document = autodiscover.answer(settings_of(), address)
    validate(document, "autodiscover")
    assert read_autodiscover(document).targets == EXPECTED
    login = {each.text for each in markup.parse(document).iter(f"{{{autodiscover.OUTLOOK}}}LoginName")}
    assert login == {address}


@pytest.mark.parametrize(
    "trouble", [autodiscover.NO_SUCH_ADDRESS, autodiscover.INVALID_REQUEST, autodiscover.UNKNOWN_SCHEMA]
)
def test_errors_of_autodiscover_are_valid(trouble: tuple[int, str]) -> None:
    document = autodiscover.refusal(trouble, NOON)
    validate(document, "autodiscover")
    assert f"<ErrorCode>{trouble[0]}</ErrorCode>".encode() in document
    assert not read_autodiscover(document).targets


def request(address: str, schema: str, head: str = "", namespace: str = "outlook") -> str:
    return (
        f'{head}<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/{namespace}/requestschema/2006">'
        f"<Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{schema}</AcceptableResponseSchema>"
        "</Request></Autodiscover>"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("namespace", ["outlook", "mobilesync"])
def test_requests_are_read(encoding: str, namespace: str) -> None:
    body = request("ann@example.com", autodiscover.MOBILESYNC, namespace=namespace).encode(encoding)
    asked = autodiscover.read_request(body)
    assert asked == autodiscover.Asked("ann@example.com", autodiscover.MOBILESYNC)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "<html><body>hello</body></html>",
        request("a@b", autodiscover.OUTLOOK, '<!DOCTYPE a [<!ENTITY x "y">]>'),
        request("&x;", autodiscover.OUTLOOK, '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'),
        request("&x;", autodiscover.OUTLOOK),
        "<a>" * 10_000,
        request("a@b", "x" * markup.MAX_OCTETS),
        '<?xml version="1.0" encoding="no-such-code"?><a/>',
    ],
    ids=["nothing", "text", "html", "entity", "file", "unknown-entity", "deep", "long", "code"],
)
def test_what_is_no_request_is_refused(text: str, encoding: str) -> None:
    assert autodiscover.read_request(text.encode(encoding)) is None


def test_autodiscover_in_json_leads_to_the_document() -> None:
    assert autodiscover.answer_json("autodiscoverV1", "autodiscover.example.com") == {
        "Protocol": "AutodiscoverV1",
        "Url": "https://autodiscover.example.com/autodiscover/autodiscover.xml",
    }
    assert autodiscover.answer_json("ActiveSync", "autodiscover.example.com") is None
    assert autodiscover.refusal_json("ActiveSync")["ErrorCode"] == "ProtocolNotSupported"


def test_pacc_names_hosts_and_its_record_their_digest() -> None:
    settings = settings_of()
    assert read_pacc(pacc.document(settings)).targets == EXPECTED
    assert pacc.document(settings) == pacc.document(settings_of())
    assert pacc.record(settings) != pacc.record(settings_of(site=""))
    assert "oauth" not in pacc.document(settings).decode()
    assert '"oauth-public": {' in pacc.document(replace(settings, has_registration=True)).decode()
    moved = client_settings("example.com", PORTS | {"imaps": 1993}, lambda prefix: f"{prefix}.example.com")
    assert [each.protocol for each in read_pacc(pacc.document(moved)).targets] == [Protocol.POP, Protocol.SMTP]


def test_services_lead_to_the_same_servers_which_are_no_aliases() -> None:
    lines = records.services(settings_of(), ("mail.example.com", 443))
    assert "_imaps._tcp.example.com. IN SRV 0 1 993 imap.example.com." in lines
    assert "_submissions._tcp.example.com. IN SRV 0 1 465 smtp.example.com." in lines
    assert "_autodiscover._tcp.example.com. IN SRV 0 0 443 mail.example.com." in lines
    names = records.names("example.com", "mail.example.com", ["192.0.2.1", "2001:db8::1"])
    assert {"imap.example.com. IN A 192.0.2.1", "imap.example.com. IN AAAA 2001:db8::1"} < set(names)
    assert "autoconfig.example.com. IN CNAME mail.example.com." in names
    assert not [line for line in names if line.startswith("mail.example.com.")]
    targets = {line.split()[-1] for line in lines if "_autodiscover" not in line}
    assert not {line.split()[0] for line in names if "CNAME" in line} & targets


def test_a_domain_gets_its_own_names_where_the_certificate_has_them() -> None:
    host = hosts_of("own.example", "example.com", lambda name: name.startswith("imap."))
    assert (host("imap"), host("smtp")) == ("imap.own.example", "smtp.example.com")


def test_the_code_is_what_thunderbird_for_android_reads() -> None:
    code = codes.thunderbird_code(settings_of(), "ann@example.com", name="Ann Example", password="abcd")
    assert json.loads(code) == [
        1,
        [1, 1],
        [0, "imap.example.com", 993, 3, 1, "ann@example.com", "", "abcd"],
        [[[0, "smtp.example.com", 465, 3, 1, "ann@example.com", "abcd"], ["ann@example.com", "Ann Example"]]],
    ]
    bare = json.loads(codes.thunderbird_code(settings_of(), "ann@example.com"))
    assert bare[2:] == [
        [0, "imap.example.com", 993, 3, 1, "ann@example.com"],
        [[[0, "smtp.example.com", 465, 3, 1, "ann@example.com"], ["ann@example.com", "ann@example.com"]]],
    ]


@pytest.mark.parametrize(("address", "name"), [("用户@example.com", "Ann"), ("ann@example.com", "Ann " * 250)])
def test_what_does_not_fit_into_a_code_is_told(address: str, name: str) -> None:
    with pytest.raises(codes.CannotMakeCode, match="type the settings"):
        codes.thunderbird_code(settings_of(), address, name=name)


def test_a_picture_stands_in_a_page_without_style() -> None:
    picture = codes.svg("https://mail.example.com/setup?address=ann%40example.com")
    assert picture.startswith("<svg")
    assert "style" not in picture
    assert "http:" not in picture


def test_the_add_on_has_one_key_and_always_the_same_bytes() -> None:
    manifest = addon.manifest(settings_of(), "client", "1.0")
    packed = addon.package(manifest)
    assert packed == addon.package(manifest)
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        read = json.loads(archive.read("manifest.json"))
    provider = read["oauth_provider"]
    assert provider["issuerIdentifier"] == SITE
    assert provider["usePKCE"] is True
    assert provider["hostnames"] == ["imap.example.com", "pop.example.com", "smtp.example.com"]


def test_every_door_for_mail_programs_is_told() -> None:
    assert [door.name for door in DOORS] == [name for name in PORTS if name != "smtp"]
    assert len(settings_of().servers) == len(DOORS)
