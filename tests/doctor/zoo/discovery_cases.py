"""Automatic set-up that leads programs astray, in front of healthy mail servers: leaves G."""

from __future__ import annotations

from mailhost.doctor.report import Report
from tests.doctor.zoo import papers
from tests.doctor.zoo.cases import case
from tests.doctor.zoo.mail import Web
from tests.doctor.zoo.world import AUTOCONFIG, AUTODISCOVER, DOMAIN, MAIL_HOST, WEB_HOST, Zoo

CONFIG = (f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml")
DISCOVER = (f"autodiscover.{DOMAIN}", "/autodiscover/autodiscover.xml")
PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Parked</body></html>"


@case("G1")
async def no_autoconfig(zoo: Zoo) -> Report:
    del zoo.healthy().pages[CONFIG]
    return await zoo.ask()


@case("G1")
async def slow_discovery(zoo: Zoo) -> Report:
    zoo.healthy().servers[WEB_HOST, 443] = Web(zoo.good, zoo.pages, answers_after=5).serve
    zoo.servers[WEB_HOST, 80] = Web(None, zoo.pages, answers_after=5).serve
    zoo.zone.drop(f"_ua-auto-config.{DOMAIN}")
    return await zoo.ask()


@case("G2")
async def autoconfig_as_text_plain(zoo: Zoo) -> Report:
    zoo.healthy().pages[CONFIG] = (200, "text/plain", AUTOCONFIG.encode())
    return await zoo.ask()


@case("G2")
async def html_for_autoconfig(zoo: Zoo) -> Report:
    zoo.healthy().pages[CONFIG] = (200, "text/html; charset=utf-8", PAGE)
    return await zoo.ask()


@case("G3")
async def certificate_of_the_autoconfig_host(zoo: Zoo) -> Report:
    zoo.healthy().zone.add(f"autoconfig.{DOMAIN}", "A", "192.0.2.21")
    wrong = papers.context(zoo.folder, papers.issue(["web.other.test"], papers.intermediate()), papers.intermediate())
    zoo.servers["192.0.2.21", 443] = Web(wrong, zoo.pages).serve
    return await zoo.ask()


@case("G4")
async def autoconfig_without_encryption(zoo: Zoo) -> Report:
    zoo.healthy().pages[CONFIG] = (200, "text/xml", AUTOCONFIG.replace("SSL", "plain", 1).encode())
    return await zoo.ask()


@case("G4")
async def autoconfig_with_a_bad_id(zoo: Zoo) -> Report:
    zoo.healthy().pages[CONFIG] = (200, "text/xml", AUTOCONFIG.replace(f'id="{DOMAIN}"', 'id="My Mail!"').encode())
    return await zoo.ask()


@case("G4")
async def autoconfig_is_broken_xml(zoo: Zoo) -> Report:
    zoo.healthy().pages[CONFIG] = (200, "text/xml", AUTOCONFIG.encode()[:-20])
    return await zoo.ask()


@case("G5")
async def sources_disagree(zoo: Zoo) -> Report:
    other = AUTODISCOVER.replace(f"imap.{DOMAIN}", f"mail.{DOMAIN}")
    zoo.healthy().pages[DISCOVER] = (200, "text/xml", other.encode())
    return await zoo.ask()


@case("G6")
async def web_page_for_autodiscover(zoo: Zoo) -> Report:
    zoo.healthy().pages[DISCOVER] = (200, "text/html", PAGE)
    return await zoo.ask()


@case("G7")
async def wildcard_and_parked_page(zoo: Zoo) -> Report:
    zoo.zone.add(DOMAIN, "A", WEB_HOST)
    zoo.zone.add(f"*.{DOMAIN}", "A", WEB_HOST)
    zoo.servers[WEB_HOST, 80] = Web(None, zoo.pages, catch_all=(200, "text/html", PAGE)).serve
    return await zoo.ask()


@case("G8")
async def srv_leads_to_an_alias(zoo: Zoo) -> Report:
    zoo.healthy().zone.drop(f"imap.{DOMAIN}")
    zoo.zone.add(f"imap.{DOMAIN}", "CNAME", f"mail.{DOMAIN}")
    return await zoo.ask()


@case("G8")
async def imaps_record_with_the_port_of_pop3(zoo: Zoo) -> Report:
    zoo.healthy().zone.add(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 995 imap.{DOMAIN}")
    return await zoo.ask()


@case("G9")
async def autodiscover_asks_for_a_password(zoo: Zoo) -> Report:
    zoo.healthy().pages[DISCOVER] = (401, "text/html", b"sign in")
    return await zoo.ask()


@case("G10")
async def digest_does_not_fit(zoo: Zoo) -> Report:
    zoo.healthy().zone.add(f"_ua-auto-config.{DOMAIN}", "TXT", "v=UAAC1; a=sha256; d=AAAA")
    return await zoo.ask()


@case("G11")
async def outlook_remembers_an_old_server(zoo: Zoo) -> Report:
    assert MAIL_HOST
    return await zoo.healthy().ask(message="Outlook sets the account up with the old server again (AutoDetect)")
