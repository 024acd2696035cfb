"""`doctor domain` and `doctor server`: records, mail exchangers, and what each port of our own serves."""

from __future__ import annotations

from pathlib import Path

from mailhost.doctor.domain import diagnose_domain
from mailhost.doctor.own import OwnServer, diagnose_server
from mailhost.doctor.report import Report
from tests.doctor.zoo import papers
from tests.doctor.zoo.world import BLACK_HOLE, DOMAIN, MAIL_HOST, Opened, Zoo
from tests.doctor.zoo.zone import SERVFAIL

PORTS = {"imaps": 993, "imap": 143, "pop3s": 995, "pop3": 110, "submissions": 465, "submission": 587, "smtp": 25}


def published(folder: Path) -> Zoo:
    """A domain with every record there is to have."""
    zoo = Zoo(folder).healthy()
    zoo.zone.add(DOMAIN, "TXT", "v=spf1 mx -all", "some-site-verification=1")
    zoo.zone.add(f"_dmarc.{DOMAIN}", "TXT", f"v=DMARC1; p=reject; rua=mailto:postmaster@{DOMAIN}")
    zoo.zone.add(f"s1._domainkey.{DOMAIN}", "TXT", "v=DKIM1; k=ed25519; p=AAAA")
    zoo.zone.add(f"_mta-sts.{DOMAIN}", "TXT", "v=STSv1; id=1")
    zoo.zone.add(f"_submission._tcp.{DOMAIN}", "SRV", f"10 1 587 smtp.{DOMAIN}")
    return zoo


async def ask(zoo: Zoo, domain: str = DOMAIN) -> Report:
    async with Opened(zoo) as world:
        return await diagnose_domain(domain, world)


async def server(zoo: Zoo, *, is_public: bool = False, has_own_authority: bool = False) -> Report:
    own = OwnServer(f"mail.{DOMAIN}", (MAIL_HOST,), PORTS, (DOMAIN,), is_public, has_own_authority)
    async with Opened(zoo) as world:
        return await diagnose_server(own, world)


def leaves(report: Report) -> list[str]:
    return [each.finding.leaf for each in report.findings]


async def test_a_domain_with_everything_has_no_leaf(tmp_path: Path) -> None:
    report = await ask(published(tmp_path))
    assert leaves(report) == []
    assert report.records == []
    assert [path.target.port for path in report.paths] == [25]


async def test_a_bare_domain_is_told_what_to_publish(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path)
    zoo.zone.add(DOMAIN, "A", "192.0.2.20")
    report = await ask(zoo)
    assert leaves(report)[0] == "H1"
    assert {"H1", "H2", "H3", "H4", "H5", "H6", "H7"} <= set(leaves(report))
    assert f"{DOMAIN}. IN MX 10 mail.{DOMAIN}." in report.records
    assert f"_imaps._tcp.{DOMAIN}. IN SRV 0 1 993 imap.{DOMAIN}." in report.records


async def test_what_is_wrong_with_single_records(tmp_path: Path) -> None:
    zoo = published(tmp_path)
    for number, (name, kind, text, leaf) in enumerate(
        (
            (DOMAIN, "TXT", "v=spf1 +all", "H2"),
            (f"_dmarc.{DOMAIN}", "TXT", "v=DMARC1; rua=mailto:x@example.test", "H3"),
            (DOMAIN, "MX", f"10 nowhere.{DOMAIN}", "H1"),
        )
    ):
        kept = zoo.zone.records[name, kind]
        zoo.zone.add(name, kind, text)
        assert leaves(await ask(zoo))[0] == leaf, number
        zoo.zone.records[name, kind] = kept
    zoo.zone.add(DOMAIN, "TXT", "v=spf1 mx -all", "v=spf1 a -all")
    assert leaves(await ask(zoo)) == ["H2"]


async def test_an_exchanger_that_is_an_alias(tmp_path: Path) -> None:
    zoo = published(tmp_path)
    zoo.zone.add(f"alias.{DOMAIN}", "CNAME", f"mail.{DOMAIN}")
    zoo.zone.add(DOMAIN, "MX", f"10 alias.{DOMAIN}")
    assert leaves(await ask(zoo))[0] in ("D2", "H1")


async def test_a_domain_that_is_not_there(tmp_path: Path) -> None:
    assert leaves(await ask(Zoo(tmp_path), "nothing.test")) == ["A1"]
    zoo = Zoo(tmp_path)
    zoo.zone.add(DOMAIN, "MX", SERVFAIL)
    assert leaves(await ask(zoo)) == ["A5"]


async def test_an_exchanger_behind_a_firewall(tmp_path: Path) -> None:
    zoo = published(tmp_path)
    zoo.servers[MAIL_HOST, 25] = BLACK_HOLE
    assert leaves(await ask(zoo)) == ["B2"]


async def test_our_own_server_is_whole(tmp_path: Path) -> None:
    report = await server(published(tmp_path), is_public=True)
    assert leaves(report) == []
    assert {path.target.port for path in report.paths} == set(PORTS.values())


async def test_a_private_server_asks_nothing_of_dns(tmp_path: Path) -> None:
    assert leaves(await server(Zoo(tmp_path).healthy())) == []


async def test_a_door_that_is_closed_and_a_certificate_as_it_is_served(tmp_path: Path) -> None:
    zoo = published(tmp_path)
    del zoo.servers[MAIL_HOST, 587]
    old = papers.issue(
        papers.NAMES, papers.intermediate(), begins=papers.NOW - 9 * papers.DAY, ends=papers.NOW - papers.DAY
    )
    zoo.mail("pop", 995, context=papers.context(zoo.folder, old, papers.intermediate()))
    report = await server(zoo)
    assert leaves(report) == ["B1", "D1"]
    assert "POP pop.example.test:995" in report.findings[1].finding.where


async def test_a_name_that_is_missing_in_the_certificate(tmp_path: Path) -> None:
    zoo = published(tmp_path)
    zoo.certify(papers.issue([f"imap.{DOMAIN}", f"pop.{DOMAIN}"], papers.intermediate()), papers.intermediate())
    report = await server(zoo)
    assert leaves(report) == ["D2"]
    assert f"mail.{DOMAIN}" in report.findings[0].finding.where
    assert f"imap.{DOMAIN}" not in report.findings[0].finding.where


async def test_a_public_server_with_an_authority_of_its_own(tmp_path: Path) -> None:
    assert leaves(await server(published(tmp_path), is_public=True, has_own_authority=True)) == ["D5"]


async def test_ports_one_thousand_higher_are_found(tmp_path: Path) -> None:
    zoo = published(tmp_path)

    def moved(place: tuple[str, int]) -> tuple[str, int]:
        return (place[0], place[1] + 1000) if place[0] == MAIL_HOST else place

    zoo.servers = {moved(place): serve for place, serve in zoo.servers.items()}
    report = await server(zoo)
    assert leaves(report) == []
    assert 1993 in {path.target.port for path in report.paths}
