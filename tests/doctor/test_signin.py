"""Signing in: only where it is safe and useful, and never more often than twice."""

from __future__ import annotations

from pathlib import Path

from mailhost.doctor.providers import Provider
from mailhost.doctor.report import Report
from mailhost.doctor.signin import MAX_TRIES, Credentials
from mailhost.doctor.targets import Protocol
from tests.doctor.zoo import papers
from tests.doctor.zoo.mail import Mail
from tests.doctor.zoo.world import ADDRESS, DOMAIN, SECRET, Zoo

EVERYTHING = (Protocol.IMAP, Protocol.POP, Protocol.SMTP)


class Counting(Mail):
    """A server that remembers how often somebody tried to sign in."""

    tries = 0

    def _say(self, line, tag, reply):
        Counting.tries += 1
        super()._say(line, tag, reply)


def tried(report: Report) -> list[str]:
    return [path.target.protocol.value for path in report.paths if any(step.name == "sign-in" for step in path.steps)]


async def test_nobody_signs_in_unasked(tmp_path: Path) -> None:
    assert tried(await Zoo(tmp_path).healthy().ask(protocols=EVERYTHING)) == []


async def test_two_tries_are_the_most(tmp_path: Path) -> None:
    report = await Zoo(tmp_path).healthy().ask(protocols=EVERYTHING, credentials=Credentials(ADDRESS, "wrong"))
    assert len(tried(report)) == MAX_TRIES == 2


async def test_a_refused_password_is_not_tried_again_on_the_same_server(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    server = Counting("imap", zoo.good, replies={"AUTHENTICATE": "NO [AUTHENTICATIONFAILED] Invalid credentials"})
    zoo.servers["192.0.2.10", 993] = server.serve
    Counting.tries = 0
    await zoo.ask(protocols=(Protocol.IMAP,), credentials=Credentials(ADDRESS, SECRET))
    assert Counting.tries == 1


async def test_no_secret_goes_where_the_certificate_does_not_hold(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.certify(papers.issue(papers.NAMES, None))
    report = await zoo.ask(credentials=Credentials(ADDRESS, SECRET))
    assert tried(report) == []
    assert [each.finding.leaf for each in report.findings] == ["D3"]


async def test_no_secret_goes_out_in_plain_text(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.mail("imap", 143, context=None, offers=("IMAP4rev1", "AUTH=PLAIN"))
    report = await zoo.ask(ADDRESS, f"imap=imap.{DOMAIN}:143/none", credentials=Credentials(ADDRESS, SECRET))
    assert tried(report) == ["imap"]
    assert [path.target.port for path in report.paths if any(step.name == "sign-in" for step in path.steps)] == [993]


async def test_a_provider_without_passwords_is_sent_none(tmp_path: Path) -> None:
    class Modern(Zoo):
        def providers(self) -> dict[str, Provider]:
            imap, smtp = (f"imap.{DOMAIN}:993/tls",), (f"smtp.{DOMAIN}:465/tls",)
            return {
                "m": Provider(title="Modern", domains=(DOMAIN,), imap=imap, smtp=smtp, password="oauth", oauth=True)
            }

    report = await Modern(tmp_path).healthy().ask(credentials=Credentials(ADDRESS, SECRET))
    assert tried(report) == []
    assert [each.finding.leaf for each in report.findings] == ["E4"]


async def test_a_token_is_sent_in_the_form_the_server_knows(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.mail("imap", 993, offers=("IMAP4rev1", "AUTH=OAUTHBEARER", "SPECIAL-USE"))
    zoo.mail("smtp", 465, offers=("AUTH XOAUTH2",))
    report = await zoo.ask(credentials=Credentials(ADDRESS, "ya29.a-token-that-holds", is_oauth=True))
    assert tried(report) == ["imap", "smtp"]
    assert report.findings == []


async def test_login_and_auth_login_where_plain_is_not_offered(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.mail("imap", 993, offers=("IMAP4rev1",))
    zoo.mail("smtp", 465, offers=("AUTH LOGIN",), replies={"AUTH": "334 VXNlcm5hbWU6\n334 UGFzc3dvcmQ6\n235 ok"})
    report = await zoo.ask(credentials=Credentials(ADDRESS, SECRET))
    assert report.findings == []
    pop = Zoo(tmp_path).healthy()
    pop.mail("pop", 995, offers=("USER", "UIDL"))
    report = await pop.ask(protocols=(Protocol.POP,), credentials=Credentials(ADDRESS, SECRET))
    assert report.findings == []
