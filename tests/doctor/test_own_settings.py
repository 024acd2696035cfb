"""What we tell programs and what we print for DNS, put into the zoo: the doctor must find nothing to complain of."""

from pathlib import Path

from mailhost.autoconfig import autodiscover, mozilla, pacc, records
from mailhost.autoconfig.settings import client_settings
from mailhost.doctor.targets import Protocol
from tests.autoconfig.test_documents import PORTS
from tests.doctor.zoo.mail import Web
from tests.doctor.zoo.world import ADDRESS, DOMAIN, HEALTHY_SOURCES, MAIL_HOST, Zoo, sources

HOST = f"mail.{DOMAIN}"


def published(zoo: Zoo) -> Zoo:
    """The healthy zoo with our answers instead of its own, and every name of ours as our records say."""
    settings = client_settings(DOMAIN, PORTS, lambda prefix: f"{prefix}.{DOMAIN}", site=f"https://{HOST}")
    zoo.zone.records = {key: value for key, value in zoo.zone.records.items() if key[1] == "MX"}
    lines = [
        *records.names(DOMAIN, HOST, [MAIL_HOST]),
        *records.services(settings, (HOST, 443)),
        *records.pacc_lines(settings, HOST),
    ]
    zoo.zone.add(HOST, "A", MAIL_HOST)
    for line in lines:
        name, _, kind, value = line.split(" ", 3)
        zoo.zone.add(name.rstrip("."), kind, value.strip('"').rstrip("."))
    zoo.pages.clear()
    zoo.pages[f"autoconfig.{DOMAIN}", mozilla.PATHS[0]] = (200, mozilla.MEDIA_TYPE, mozilla.autoconfig(settings))
    answer = autodiscover.answer(settings, ADDRESS)
    for host in (f"autodiscover.{DOMAIN}", HOST):
        zoo.pages[host, "/autodiscover/autodiscover.xml"] = (200, autodiscover.MEDIA_TYPE, answer)
    zoo.pages[f"ua-auto-config.{DOMAIN}", pacc.PATH] = (200, "application/json", pacc.document(settings))
    zoo.servers[MAIL_HOST, 443] = Web(zoo.good, zoo.pages).serve
    return zoo


async def test_every_program_comes_to_the_same_servers_and_the_doctor_has_nothing_to_say(tmp_path: Path) -> None:
    report = await published(Zoo(tmp_path).healthy()).ask(protocols=tuple(Protocol))
    assert [str(each.finding) for each in report.findings] == []
    assert sources(report) == HEALTHY_SOURCES
    servers = {(target.host, target.port) for each in report.conclusions for target in each.targets}
    assert servers == {(f"imap.{DOMAIN}", 993), (f"pop.{DOMAIN}", 995), (f"smtp.{DOMAIN}", 465)}


async def test_an_alias_where_a_service_leads_is_found(tmp_path: Path) -> None:
    zoo = published(Zoo(tmp_path).healthy())
    zoo.zone.drop(f"imap.{DOMAIN}")
    zoo.zone.add(f"imap.{DOMAIN}", "CNAME", HOST)
    report = await zoo.ask()
    assert "G8" in {each.finding.leaf for each in report.findings}
