"""Names, connections, ports and TLS that are wrong: leaves A to D."""

from __future__ import annotations

import socket
import ssl
import warnings

from mailhost.doctor.report import Report
from tests.doctor.zoo import papers
from tests.doctor.zoo.cases import case
from tests.doctor.zoo.mail import closes_at_once, cuts_handshake, stays_silent
from tests.doctor.zoo.world import ADDRESS, BLACK_HOLE, DOMAIN, MAIL_HOST, MAIL_HOST_6, NO_ROUTE, WEB_HOST, Zoo
from tests.doctor.zoo.zone import BOGUS, SERVFAIL

IMAP, SMTP = f"imap.{DOMAIN}", f"smtp.{DOMAIN}"

# A: names


@case("A1")
async def domain_does_not_exist(zoo: Zoo) -> Report:
    return await zoo.ask("anna@exampel.test")


@case("A1")
async def domain_of_a_provider_misspelt(zoo: Zoo) -> Report:
    report = await zoo.ask("anna@gmial.com")
    assert "did you mean gmail.com?" in report.findings[0].finding.evidence
    return report


@case("A1")
async def host_misspelt_in_the_program(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"imap=imab.{DOMAIN}:993/tls")


@case("A1")
async def no_record_for_the_mail_hosts(zoo: Zoo) -> Report:
    zoo.healthy()
    for name in ("imap", "pop", "smtp"):
        zoo.zone.drop(f"{name}.{DOMAIN}")
    return await zoo.ask()


@case("A1")
async def neither_settings_nor_usual_names(zoo: Zoo) -> Report:
    zoo.zone.add(DOMAIN, "A", WEB_HOST)
    return await zoo.ask()


@case("A2")
async def only_ipv6_and_none_here(zoo: Zoo) -> Report:
    zoo.healthy()
    for name in ("imap", "smtp"):
        zoo.zone.drop(f"{name}.{DOMAIN}")
        zoo.zone.add(f"{name}.{DOMAIN}", "AAAA", MAIL_HOST_6)
    zoo.servers[MAIL_HOST_6, 0] = NO_ROUTE
    return await zoo.ask()


@case("A3")
async def ipv6_leads_nowhere(zoo: Zoo) -> Report:
    zoo.healthy().zone.add(IMAP, "AAAA", MAIL_HOST_6)
    zoo.servers[MAIL_HOST_6, 0] = BLACK_HOLE
    return await zoo.ask()


@case("A4")
async def domain_typed_as_server(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"imap={DOMAIN}:993/tls")


@case("A4")
async def mail_exchanger_typed_as_server(zoo: Zoo) -> Report:
    zoo.healthy().zone.add(f"mail.{DOMAIN}", "A", "192.0.2.30")
    zoo.mail("smtp", 25, host="192.0.2.30")
    return await zoo.ask(ADDRESS, f"imap=mail.{DOMAIN}:993/tls")


@case("A5")
async def signatures_do_not_hold(zoo: Zoo) -> Report:
    zoo.healthy().zone.add(DOMAIN, "MX", BOGUS)
    return await zoo.ask()


@case("A5")
async def name_servers_fail(zoo: Zoo) -> Report:
    zoo.healthy().zone.add(IMAP, "A", SERVFAIL)
    return await zoo.ask()


# B: connections


@case("B1")
async def nothing_listens(zoo: Zoo) -> Report:
    zoo.healthy()
    del zoo.servers[MAIL_HOST, 993]
    return await zoo.ask()


@case("B2")
async def one_port_is_blocked(zoo: Zoo) -> Report:
    zoo.healthy().servers[MAIL_HOST, 465] = BLACK_HOLE
    return await zoo.ask()


@case("B2")
async def port_25_is_blocked(zoo: Zoo) -> Report:
    zoo.healthy().servers[MAIL_HOST, 25] = BLACK_HOLE
    return await zoo.ask(ADDRESS, f"smtp={SMTP}:25/starttls")


@case("B3")
async def host_is_down(zoo: Zoo) -> Report:
    zoo.healthy()
    zoo.servers = {place: server for place, server in zoo.servers.items() if place[0] != MAIL_HOST}
    zoo.servers[MAIL_HOST, 0] = BLACK_HOLE
    return await zoo.ask()


@case("B4")
async def no_route(zoo: Zoo) -> Report:
    zoo.healthy()
    zoo.servers = {place: server for place, server in zoo.servers.items() if place[0] != MAIL_HOST}
    zoo.servers[MAIL_HOST, 0] = NO_ROUTE
    return await zoo.ask()


@case("B5")
async def reset_at_once(zoo: Zoo) -> Report:
    zoo.healthy()
    for port in (993, 465):
        zoo.servers[MAIL_HOST, port] = closes_at_once
    return await zoo.ask()


@case("B5")
async def reset_at_once_in_front_of_starttls(zoo: Zoo) -> Report:
    zoo.healthy().servers[MAIL_HOST, 143] = closes_at_once
    return await zoo.ask(ADDRESS, f"imap={IMAP}:143/starttls")


# C: first bytes


@case("C1")
async def tls_chosen_for_143(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"imap={IMAP}:143/tls")


@case("C1")
async def tls_chosen_for_587(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"smtp={SMTP}:587/tls")


@case("C1")
async def server_speaks_plain_on_993(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, context=None)
    return await zoo.ask()


@case("C2")
async def starttls_chosen_for_993(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"imap={IMAP}:993/starttls")


@case("C2")
async def no_encryption_chosen_for_465(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"smtp={SMTP}:465/none")


@case("C3")
async def imap_set_to_the_port_of_pop3(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"imap={IMAP}:995/tls")


@case("C3")
async def imap_set_to_the_port_of_sending(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"imap={IMAP}:587/starttls")


@case("C3")
async def a_web_server_on_993(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 993, greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    return await zoo.ask()


@case("C3")
async def ssh_on_143(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 143, greeting=b"SSH-2.0-OpenSSH_9.2p1\r\n")
    return await zoo.ask(ADDRESS, f"imap={IMAP}:143/starttls")


@case("C3")
async def a_web_server_that_waits_on_110(zoo: Zoo) -> Report:
    def web(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    zoo.healthy().servers[MAIL_HOST, 110] = web
    return await zoo.ask(ADDRESS, f"pop=pop.{DOMAIN}:110/starttls")


@case("C4")
async def port_25_for_sending(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(ADDRESS, f"smtp={SMTP}:25/starttls")


@case("C4")
async def no_sign_in_offered_for_sending(zoo: Zoo) -> Report:
    zoo.healthy().mail("smtp", 465, offers=("SIZE 1000",))
    return await zoo.ask()


@case("C5")
async def accepts_and_stays_silent(zoo: Zoo) -> Report:
    zoo.healthy().servers[MAIL_HOST, 993] = stays_silent
    return await zoo.ask()


@case("C5")
async def silent_in_front_of_starttls(zoo: Zoo) -> Report:
    zoo.healthy().servers[MAIL_HOST, 143] = stays_silent
    return await zoo.ask(ADDRESS, f"imap={IMAP}:143/starttls")


@case("C5")
async def greeting_comes_late(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 143, greets_after=1.5)
    return await zoo.ask(ADDRESS, f"imap={IMAP}:143/starttls")


@case("C6")
async def greeting_rewritten(zoo: Zoo) -> Report:
    zoo.healthy().mail("smtp", 587, greeting=b"220 ****************************\r\n", offers=("SIZE 10", "AUTH PLAIN"))
    return await zoo.ask(ADDRESS, f"smtp={SMTP}:587/starttls")


@case("C6")
async def starttls_overwritten(zoo: Zoo) -> Report:
    zoo.healthy().mail("smtp", 587, offers=("SIZE 10", "XXXXXXXA", "AUTH PLAIN"))
    return await zoo.ask(ADDRESS, f"smtp={SMTP}:587/starttls")


# D: TLS


@case("D1")
async def certificate_expired(zoo: Zoo) -> Report:
    old = papers.issue(
        papers.NAMES, papers.intermediate(), begins=papers.NOW - 90 * papers.DAY, ends=papers.NOW - papers.DAY
    )
    zoo.healthy().certify(old, papers.intermediate())
    return await zoo.ask()


@case("D1")
async def certificate_of_the_future(zoo: Zoo) -> Report:
    young = papers.issue(papers.NAMES, papers.intermediate(), begins=papers.NOW + papers.DAY)
    zoo.healthy().certify(young, papers.intermediate())
    return await zoo.ask()


@case("D1")
async def certificate_about_to_end(zoo: Zoo) -> Report:
    old = papers.issue(papers.NAMES, papers.intermediate(), ends=papers.NOW + 5 * papers.DAY)
    zoo.healthy().certify(old, papers.intermediate())
    return await zoo.ask()


@case("D2")
async def certificate_for_another_name(zoo: Zoo) -> Report:
    zoo.healthy().certify(papers.issue(["mx.other.test"], papers.intermediate()), papers.intermediate())
    return await zoo.ask()


@case("D2")
async def address_typed_for_a_name(zoo: Zoo) -> Report:
    leaf = papers.issue([IMAP], papers.intermediate())
    zoo.healthy().certify(leaf, papers.intermediate())
    return await zoo.ask(ADDRESS, f"imap={MAIL_HOST}:993/tls")


@case("D3")
async def certificate_self_signed(zoo: Zoo) -> Report:
    zoo.healthy().certify(papers.issue(papers.NAMES, None))
    return await zoo.ask()


@case("D4")
async def intermediate_left_out(zoo: Zoo) -> Report:
    zoo.healthy().certify(papers.good())
    return await zoo.ask()


@case("D4")
async def intermediate_left_out_behind_starttls(zoo: Zoo) -> Report:
    zoo.healthy().certify(papers.good())
    return await zoo.ask(ADDRESS, f"imap={IMAP}:143/starttls")


@case("D5")
async def authority_nobody_knows(zoo: Zoo) -> Report:
    zoo.healthy().certify(papers.issue(papers.NAMES, papers.stranger()), papers.stranger())
    return await zoo.ask()


@case("D5")
async def mail_scanner_in_between(zoo: Zoo) -> Report:
    shield = papers.issue([], None, is_authority=True, subject="Avast Mail Shield Root")
    zoo.healthy().certify(papers.issue(papers.NAMES, shield))
    return await zoo.ask()


def _limited(zoo: Zoo, version: ssl.TLSVersion, ciphers: str) -> ssl.SSLContext:
    context = papers.good_context(zoo.folder)
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # being old is the point
        if version < ssl.TLSVersion.TLSv1_2:
            context.minimum_version = version
        context.maximum_version = version
    return context


@case("D6")
async def only_tls_1_0(zoo: Zoo) -> Report:
    zoo.healthy().use(_limited(zoo, ssl.TLSVersion(0x0301), "ALL:@SECLEVEL=0"))
    report = await zoo.ask()
    assert any("the server speaks TLS 1.0;" in line for line in report.findings[0].finding.evidence)
    return report


@case("D7")
async def no_cipher_in_common(zoo: Zoo) -> Report:
    zoo.healthy().use(_limited(zoo, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"))
    return await zoo.ask()


@case("D8")
async def name_refused_by_the_server(zoo: Zoo) -> Report:
    context = papers.good_context(zoo.folder)
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    zoo.healthy().use(context)
    return await zoo.ask()


@case("D9")
async def server_wants_a_client_certificate(zoo: Zoo) -> Report:
    context = papers.good_context(zoo.folder)
    context.load_verify_locations(cadata=papers.authority().pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    zoo.healthy().use(context)
    return await zoo.ask()


@case("D9")
async def old_device_distrusts_us(zoo: Zoo) -> Report:
    return await zoo.healthy().ask(message="ssl3_read_bytes: tlsv1 alert unknown ca: SSL alert number 48")


@case("D10")
async def handshake_cut(zoo: Zoo) -> Report:
    zoo.healthy()
    for port in (993, 465):
        zoo.servers[MAIL_HOST, port] = cuts_handshake
    return await zoo.ask()


@case("D11")
async def starttls_not_offered(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 143, offers=("IMAP4rev1", "AUTH=PLAIN"))
    return await zoo.ask(ADDRESS, f"imap={IMAP}:143/starttls")


@case("D11")
async def stls_not_offered(zoo: Zoo) -> Report:
    zoo.healthy().mail("pop", 110, offers=("USER", "UIDL"))
    return await zoo.ask(ADDRESS, f"pop=pop.{DOMAIN}:110/starttls")


@case("D12")
async def starttls_refused_by_imap(zoo: Zoo) -> Report:
    zoo.healthy().mail("imap", 143, replies={"STARTTLS": "BAD TLS is not available"})
    return await zoo.ask(ADDRESS, f"imap={IMAP}:143/starttls")


@case("D12")
async def starttls_refused_by_smtp(zoo: Zoo) -> Report:
    zoo.healthy().mail("smtp", 587, replies={"STARTTLS": "454 4.7.0 TLS not available due to local problem"})
    return await zoo.ask(ADDRESS, f"smtp={SMTP}:587/starttls")
