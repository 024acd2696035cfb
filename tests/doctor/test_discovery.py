"""What each program concludes from an address, by the order in which it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailhost.doctor.discovery.documents import NotThatDocument, read_autoconfig
from mailhost.doctor.targets import Protocol
from tests.doctor.zoo.mail import Web
from tests.doctor.zoo.world import AUTOCONFIG, DOMAIN, HEALTHY_SOURCES, WEB_HOST, Zoo, sources

CONFIG = (f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml")
WELL_KNOWN = (DOMAIN, "/.well-known/autoconfig/mail/config-v1.1.xml")


async def test_every_program_finds_a_healthy_domain_in_its_own_way(tmp_path: Path) -> None:
    report = await Zoo(tmp_path).healthy().ask()
    assert sources(report) == HEALTHY_SOURCES


async def test_without_anything_published_programs_guess_and_apple_asks_its_user(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.pages.clear()
    zoo.zone.records = {key: value for key, value in zoo.zone.records.items() if key[1] not in ("SRV", "TXT")}
    report = await zoo.ask()
    found = sources(report)
    assert (found["Thunderbird"], found["Apple Mail"], found["Thunderbird for Android, K-9"]) == ("guess", "", "")
    assert [each.finding.leaf for each in report.findings] == ["G1"]


async def test_a_fault_costs_the_strict_program_the_whole_file(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.pages[CONFIG] = (200, "text/xml", AUTOCONFIG.replace(f"<domain>{DOMAIN}</domain>", "").encode())
    found = sources(await zoo.ask())
    assert (found["Thunderbird"], found["Thunderbird for Android, K-9"]) == ("autoconfig", "")


async def test_service_records_for_one_side_only_are_not_enough(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.zone.drop(f"_submissions._tcp.{DOMAIN}")
    assert sources(await zoo.ask())["FairEmail"] == "autoconfig"


@pytest.mark.parametrize("scheme", [443, 80])
async def test_the_second_address_of_autoconfig(tmp_path: Path, scheme: int) -> None:
    zoo = Zoo(tmp_path).healthy()
    del zoo.pages[CONFIG]
    pages = zoo.pages | {WELL_KNOWN: (200, "application/xml", AUTOCONFIG.encode())}
    zoo.servers[WEB_HOST, scheme] = Web(zoo.good if scheme == 443 else None, pages).serve
    report = await zoo.ask()
    assert sources(report)["Thunderbird"] == "autoconfig"
    assert report.findings == []


async def test_the_mail_exchanger_s_own_autoconfig(tmp_path: Path) -> None:
    """A customer's domain without anything but an MX at the provider, whose name is example.test."""
    zoo = Zoo(tmp_path).healthy()
    zoo.zone.add("customer.test", "MX", f"10 mx1.{DOMAIN}")
    report = await zoo.ask("anna@customer.test")
    assert sources(report)["Thunderbird"] == "autoconfig of the MX"
    assert {target.host for target in report.settings} == {f"imap.{DOMAIN}", f"smtp.{DOMAIN}"}
    assert [each.finding.leaf for each in report.findings] == ["G1"]


async def test_a_provider_known_by_its_exchanger_goes_first(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path)
    zoo.zone.add("customer.test", "MX", "1 smtp.google.com")
    report = await zoo.ask("anna@customer.test", protocols=(Protocol.IMAP,))
    assert report.provider is not None
    assert report.provider.name == "google-workspace"
    assert [str(target) for target in report.settings] == ["IMAP imap.gmail.com:993 SSL/TLS"]


async def test_a_redirect_is_followed(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    place = "http://autoconfig.example.test/elsewhere.xml"
    zoo.pages[f"autoconfig.{DOMAIN}", "/elsewhere.xml"] = zoo.pages[CONFIG]
    zoo.pages[CONFIG] = (302, "text/html", place.encode())
    report = await zoo.ask()
    assert sources(report)["Thunderbird"] == "autoconfig"
    assert report.findings == []


@pytest.mark.parametrize(
    "place", [f"https://{CONFIG[0]}{CONFIG[1]}", "ftp://x.test/", "http://[", "https://a..b/", "/.\t"]
)
async def test_a_redirect_that_leads_nowhere_ends(tmp_path: Path, place: str) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.pages[CONFIG] = (302, "text/html", place.encode())
    report = await zoo.ask()
    assert [each.finding.leaf for each in report.findings] == ["G1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_in_every_encoding(encoding: str) -> None:
    text = '<!DOCTYPE x [<!ENTITY y "z">]><clientConfig><emailProvider id="&y;"/></clientConfig>'
    with pytest.raises(NotThatDocument, match="document type"):
        read_autoconfig(text.encode(encoding), "ann@example.test")
