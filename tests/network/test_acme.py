"""What authorities say when they give no certificate, and when they want one renewed, as ours to tell; and proofs."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mailhost.app.orderbook import Book, Page, Trouble, again, findings, read_book, write_book
from mailhost.findings import Severity
from mailhost.network.acme import Authority, AuthorityRefuses, NotProved
from mailhost.network.certificates import certificate_files, ensure_certificates
from mailhost.network.challenges import Challenges
from mailhost.network.tls import TlsLayer, server_context

NOW = 1_800_000_000
PROBLEM = "urn:ietf:params:acme:error:"


class Fake(ThreadingHTTPServer):
    """An authority that makes accounts and answers every order with the same problem."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.problem: dict[str, object] = {}
        self.status = 403
        self.headers: dict[str, str] = {}
        self.meta: dict[str, object] = {}
        self.renewal: dict[str, object] = {}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Fake

    def log_message(self, *_: object) -> None:
        pass

    def _say(self, status: int, body: object, **fields: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Replay-Nonce", base64.urlsafe_b64encode(b"nonce").decode().rstrip("="))
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_HEAD(self) -> None:
        self._say(200, {})

    def do_GET(self) -> None:
        if self.path == "/dir":
            names = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order", "renewalInfo": "ari"}
            self._say(200, {key: self.server.url(path) for key, path in names.items()} | {"meta": self.server.meta})
        else:
            self._say(200, self.server.renewal, Retry_After="7200")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/account":
            self._say(201, {"status": "valid"}, Location=self.server.url("account/1"))
        else:
            self._say(self.server.status, self.server.problem, **self.server.headers)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with Fake() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def authority(fake: Fake, folder: Path) -> Authority:
    return Authority(fake.url("dir"), "admin@example.test", folder / "account.key", Challenges(folder / "challenges"))


def test_a_rate_limit_says_until_when(fake: Fake, tmp_path: Path) -> None:
    fake.status, fake.headers = 429, {"Retry_After": "3600"}
    fake.problem = {"type": PROBLEM + "rateLimited", "detail": "too many certificates for example.test"}
    with pytest.raises(AuthorityRefuses, match="rateLimited: too many certificates") as refused:
        authority(fake, tmp_path).certificate(["imap.example.test"], {})
    assert refused.value.retry_at is not None
    assert timedelta(minutes=58) < refused.value.retry_at - datetime.now(UTC) <= timedelta(hours=1)
    trouble = again(None, str(refused.value), NOW, datetime.fromtimestamp(NOW + 3600, UTC))
    assert trouble.retry_at == NOW + 3600
    book = Book({"example.test": Page(refusal=trouble, ends=NOW + 1)})
    [finding] = findings(book, NOW)
    assert (finding.leaf, finding.severity) == ("H9", Severity.WARNING)
    assert "too many certificates" in finding.evidence[0]
    [finding] = findings(book, NOW + 2)
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize("has_subproblems", [True, False])
def test_names_that_are_rejected_are_told_apart(fake: Fake, tmp_path: Path, has_subproblems: bool) -> None:
    fake.problem = {
        "type": PROBLEM + "rejectedIdentifier",
        "detail": 'issuance is forbidden by policy: "smtp.example.test"',
    }
    if has_subproblems:
        one = {
            "type": PROBLEM + "caa",
            "detail": "forbids",
            "identifier": {"type": "dns", "value": "smtp.example.test"},
        }
        fake.problem["subproblems"] = [one]
    names = ["example.test", "imap.example.test", "smtp.example.test"]
    with pytest.raises(NotProved) as failed:
        authority(fake, tmp_path).certificate(names, {})
    assert set(failed.value.names) == {"smtp.example.test"}


def test_an_authority_that_wants_a_web_account_is_told(fake: Fake, tmp_path: Path) -> None:
    fake.meta = {"externalAccountRequired": True}
    with pytest.raises(AuthorityRefuses, match="external account"):
        authority(fake, tmp_path).certificate(["imap.example.test"], {})


def test_an_authority_out_of_reach_or_out_of_its_mind(fake: Fake, tmp_path: Path) -> None:
    nobody = Authority("http://127.0.0.1:1/dir", "", tmp_path / "account.key", Challenges(tmp_path / "challenges"))
    with pytest.raises(AuthorityRefuses, match="cannot be reached") as refused:
        nobody.certificate(["imap.example.test"], {})
    assert refused.value.is_away
    for strange in ({"words": "without a type"}, {"type": 7}, [], "no"):
        fake.problem = strange
        for fake.status in (200, 403, 500):
            with pytest.raises(AuthorityRefuses) as refused:
                authority(fake, tmp_path).certificate(["imap.example.test"], {})
            assert str(refused.value)


def test_the_authority_says_when_to_renew(fake: Fake, tmp_path: Path) -> None:
    files, _ = ensure_certificates(tmp_path, ["a.test"], datetime.now(UTC))
    start, end = datetime.now(UTC) + timedelta(days=3), datetime.now(UTC) + timedelta(days=4)
    fake.renewal = {"suggestedWindow": {"start": start.isoformat(), "end": end.isoformat()}}
    renewal = authority(fake, tmp_path).renewal(files.certificate.read_bytes())
    assert renewal.due is not None
    assert start <= renewal.due <= end
    assert timedelta(hours=1) < renewal.ask_at - datetime.now(UTC) <= timedelta(hours=2)


def test_each_failure_doubles_the_wait_up_to_a_day() -> None:
    trouble, waits = None, []
    for _ in range(12):
        trouble = again(trouble, "no", NOW)
        waits.append(trouble.retry_at - NOW)
    assert waits[:3] == [300, 600, 1200]
    assert waits[-1] == 24 * 3600


def test_a_book_survives_and_a_torn_one_is_forgotten(tmp_path: Path) -> None:
    book = Book({"example.test": Page({"pop.example.test": "no"}, {"imap.example.test": Trouble("no", 2, NOW)})})
    write_book(tmp_path, book)
    assert read_book(tmp_path) == book
    (tmp_path / "book.json").write_bytes(b"{")
    assert read_book(tmp_path) == Book()


def test_only_who_offers_the_protocol_is_shown_a_proof(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, ["imap.example.test"], datetime.now(UTC))
    files = certificate_files(tmp_path)
    answers = Challenges(tmp_path / "challenges")
    answers.put_certificate("imap.example.test", "token.thumbprint", datetime.now(UTC))

    def choose(name: str, asks_for_proof: bool) -> ssl.SSLContext | None:
        return answers.context(name) if asks_for_proof else None

    context = server_context(files.certificate, files.key, choose)
    plain, _ = shown(context, [])
    proof, spoken = shown(context, ["acme-tls/1"])
    assert plain != proof
    assert spoken == "acme-tls/1"
    assert shown(context, ["http/1.1"]) == (plain, None)
    assert shown(context, ["acme-tls/1"], "pop.example.test") == (plain, None)
    answers.forget()
    assert shown(context, ["acme-tls/1"]) == (plain, None)


def shown(
    context: ssl.SSLContext, protocols: list[str], name: str = "imap.example.test"
) -> tuple[bytes | None, str | None]:
    """The certificate and the protocol that a client gets whose hello comes in two segments."""
    server = TlsLayer(context)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    if protocols:
        trusting.set_alpn_protocols(protocols)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(incoming, outgoing, server_hostname=name)
    for _ in range(4):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            sent = outgoing.read()
            server.handshake(sent[:70])
            server.handshake(sent[70:])
            incoming.write(server.pending_output())
        else:
            return client.getpeercert(binary_form=True), client.selected_alpn_protocol()
    raise AssertionError("no handshake")


@pytest.mark.parametrize("token", ["../account.key", "a/b", "", "x" * 300, "example.test.pem"])
def test_a_token_is_no_path(tmp_path: Path, token: str) -> None:
    (tmp_path / "account.key").write_text("secret")
    answers = Challenges(tmp_path / "challenges")
    answers.put_certificate("example.test", "answer", datetime.now(UTC))
    assert answers.answer(token) is None
    assert answers.context("../account.key") is None
