"""imaplib, poplib and smtplib: the whole day of a program that reads and sends mail."""

import imaplib
import poplib
import re
import smtplib
import time
from email import message_from_bytes

import pytest

from tests.clients.mail import contents, fill, letter, sign_in, waiting_subjects
from tests.running import Account, Server


def ok(answer: tuple[str, list]) -> list:
    """The data of an answer that must be OK."""
    code, data = answer
    assert code == "OK", data
    return data


def uids(imap: imaplib.IMAP4, *criteria: str) -> list[bytes]:
    """UID SEARCH."""
    return ok(imap.uid("SEARCH", *criteria))[0].split()


def test_imaplib_whole_day(server: Server, account: Account) -> None:
    imap = sign_in(server, account)
    for name in ("Work", "Work/2026", '"Old mail"'):
        ok(imap.create(name))
    ok(imap.subscribe("Work"))
    assert {b"INBOX", b"Old mail"} <= {line.split(b' "/" ')[1].strip(b'"') for line in ok(imap.list())}
    for number in range(5):
        words = letter(
            "a@other.example", account.address, f"letter {number}", "Find me\n" if number == 3 else "Hello\n"
        )
        [answer] = ok(imap.append("INBOX", r"(\Seen)" if number == 0 else "", "", words))
        assert re.match(rb"\[APPENDUID \d+ \d+\]", answer)
    assert ok(imap.select("INBOX")) == [b"5"]
    assert len(uids(imap, "UNSEEN")) == 4
    assert len(uids(imap, "BODY", "find")) == 1
    assert len(uids(imap, "SUBJECT", '"letter 2"', "NOT", "DELETED")) == 1
    [(_, whole), _] = ok(imap.uid("FETCH", uids(imap, "ALL")[1].decode(), "(BODY.PEEK[])"))
    assert message_from_bytes(whole)["Subject"] == "letter 1"
    ok(imap.store("2", "+FLAGS", r"(\Flagged $label1)"))
    assert contents(server, account)["letter 1"] == {r"\Flagged", "$label1"}
    ok(imap.copy("1:2", "Work"))
    assert waiting_subjects(server, account, "Work") == {"letter 0", "letter 1"}
    ok(imap.uid("MOVE", uids(imap, "ALL")[4].decode(), '"Old mail"'))
    assert waiting_subjects(server, account, '"Old mail"') == {"letter 4"}
    ok(imap.store("1", "+FLAGS", r"(\Deleted)"))
    assert ok(imap.expunge())[-1] == b"1"
    assert waiting_subjects(server, account) == {"letter 1", "letter 2", "letter 3"}
    [status] = ok(imap.status("Work", "(MESSAGES UIDNEXT UNSEEN UIDVALIDITY)"))
    assert b"MESSAGES 2" in status
    ok(imap.rename("Work/2026", "Work/2027"))
    ok(imap.delete("Work/2027"))
    ok(imap.close())
    assert imap.logout()[0] == "BYE"


def test_imaplib_idles(server: Server, account: Account, friend: Account) -> None:
    imap = sign_in(server, account)
    ok(imap.select("INBOX"))
    imap.send(b"i1 IDLE\r\n")
    assert imap.readline().startswith(b"+ ")
    with smtplib.SMTP("localhost", server.ports["smtp"], timeout=30) as door:
        door.sendmail("a@other.example", [account.address], letter("a@other.example", account.address, "wake up"))
    imap.sock.settimeout(10)
    lines = [imap.readline()]
    while b"EXISTS" not in lines[-1]:
        lines.append(imap.readline())
    assert lines[-1] == b"* 1 EXISTS\r\n"
    imap.send(b"DONE\r\n")
    while not (line := imap.readline()).startswith(b"i1 "):
        lines.append(line)
    assert line.startswith(b"i1 OK")
    imap.logout()


def test_imaplib_starttls_and_authenticate(server: Server, account: Account) -> None:
    imap = imaplib.IMAP4("localhost", server.ports["imap"], timeout=30)
    assert "LOGINDISABLED" in imap.capabilities
    ok(imap.starttls(server.tls()))
    ok(imap.authenticate("PLAIN", lambda _: f"\0{account.address}\0{account.password}".encode()))
    assert ok(imap.select("INBOX")) == [b"0"]
    imap.logout()


def test_imaplib_hears_why_a_sign_in_failed(server: Server, account: Account) -> None:
    imap = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=30)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap.login(account.address, "wrong")
    ok(imap.login(account.address, account.password))
    imap.logout()


def test_poplib_reads_and_deletes_at_quit(server: Server, account: Account) -> None:
    fill(server, account, "INBOX", ["one", "two", "three"])
    pop = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls(), timeout=30)
    assert {"UIDL", "TOP", "PIPELINING"} <= set(pop.capa())
    pop.user(account.address)
    pop.pass_(account.password)
    count, octets = pop.stat()
    sizes = [int(line.split()[1]) for line in pop.list()[1]]
    assert (count, octets) == (3, sum(sizes))
    _, lines, _ = pop.retr(2)
    assert sum(len(line) + 2 for line in lines) == sizes[1]
    assert b"Subject: two" in lines
    assert b"Hello." not in pop.top(1, 0)[1]
    before = pop.uidl()[1]
    pop.dele(1)
    pop.rset()
    pop.dele(2)
    pop.quit()
    assert waiting_subjects(server, account) == {"one", "three"}
    pop = poplib.POP3("localhost", server.ports["pop3"], timeout=30)
    pop.stls(server.tls())
    pop.user(account.address)
    pop.pass_(account.password)
    assert [line.split()[1] for line in pop.uidl()[1]] == [before[0].split()[1], before[2].split()[1]]
    pop.dele(1)
    pop.close()  # without QUIT nothing is deleted
    time.sleep(0.2)
    assert waiting_subjects(server, account) == {"one", "three"}


def test_smtplib_submits(server: Server, account: Account, friend: Account) -> None:
    with smtplib.SMTP("localhost", server.ports["submission"], timeout=30) as smtp:
        smtp.starttls(context=server.tls())
        smtp.login(account.address, account.password)
        refused = smtp.sendmail(
            account.address,
            [friend.address, account.address],
            letter(account.address, friend.address, "to two"),
        )
    assert refused == {}
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=30) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(account.address, "wrong")
        smtp.login(account.address, account.password)
        smtp.sendmail(account.address, [friend.address], letter(account.address, friend.address, "after a mistake"))
    assert waiting_subjects(server, friend) == {"to two", "after a mistake"}


def test_smtplib_lmtp_answers_for_each_recipient(server: Server, account: Account) -> None:
    with smtplib.LMTP("localhost", server.ports["lmtp"], timeout=30) as door:
        to = [account.address, "nobody@example.test"]
        refused = door.sendmail("a@other.example", to, letter("a@other.example", account.address, "one of two"))
    assert set(refused) == {"nobody@example.test"}
    assert waiting_subjects(server, account) == {"one of two"}
