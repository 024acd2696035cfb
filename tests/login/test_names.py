"""User names as people type them, and networks."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailhost import domains
from mailhost.accounts import BadLocalPart, new_local_part, normalise_local_part
from mailhost.login.names import browser_of, implied_domain, network_of, read_user_name
from mailhost.storage.database import Database


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("anna@example.test", ("anna", "example.test")),
        ("  Anna@Example.TEST.\r\n", ("anna", "example.test")),
        ("\u00a0anna@example.test\u00a0", ("anna", "example.test")),
        ("Anna", ("anna", None)),
        ("anna.b+list@example.test", ("anna.b+list", "example.test")),
        ("J\u00fcrgen@b\u00fccher.example", ("j\u00fcrgen", "xn--bcher-kva.example")),
        ("Ju\u0308rgen@B\u00dcCHER.example", ("j\u00fcrgen", "xn--bcher-kva.example")),
    ],
)
def test_read_generously(typed: str, read: tuple[str, str | None]) -> None:
    assert read_user_name(typed) == read


@pytest.mark.parametrize(
    "typed",
    [
        *("", " ", "@", "@example.test", "anna@", "an na@example.test", "anna@@example.test", ".anna@example.test"),
        *("anna..b@example.test", "anna@example..test", "anna\x00@example.test", "a" * 65 + "@example.test"),
        *("x" * 10_000, "anna\ud800", "anna\u202e@example.test", '"anna b"@example.test', "anna@[127.0.0.1]"),
    ],
)
def test_what_is_nobodys_name(typed: str) -> None:
    assert read_user_name(typed) is None


@given(st.text(max_size=30))
@example("\u0130stanbul")
@example("\u03a3\u03a3")
@example("\u1e9e")
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        once = normalise_local_part(text)
    except BadLocalPart:
        return
    assert normalise_local_part(once) == once
    assert once == once.lower()


@given(st.from_regex(r"[A-Za-z0-9_]{1,10}(\.[a-z0-9]{1,8})?", fullmatch=True), st.sampled_from(["", " ", "\t", "\n"]))
def test_capitals_and_blanks_never_matter(local_part: str, blank: str) -> None:
    assert read_user_name(f"{blank}{local_part.upper()}@EXAMPLE.test.{blank}") == (local_part.lower(), "example.test")


def test_new_accounts_have_no_plus() -> None:
    assert new_local_part("Anna") == "anna"
    with pytest.raises(BadLocalPart, match="plus"):
        new_local_part("anna+list")


async def test_domain_left_out(database: Database) -> None:
    assert await database.read(implied_domain, None) is None
    await database.write(domains.add_domain, "example.test", 1)
    assert await database.read(implied_domain, None) == "example.test"
    assert await database.read(implied_domain, "localhost") == "example.test"
    await database.write(domains.add_domain, "other.test", 1)
    assert await database.read(implied_domain, None) is None
    assert await database.read(implied_domain, "localhost") is None
    assert await database.read(implied_domain, "\x00") is None
    assert await database.read(implied_domain, "IMAP.other.test") == "other.test"
    assert await database.read(implied_domain, "other.test") == "other.test"
    assert await database.read(implied_domain, "deep.imap.other.test") is None


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::1", "::/48"),
        ("", ""),
        ("/run/lmtp", "/run/lmtp"),
    ],
)
def test_networks(peer: str, network: str) -> None:
    assert network_of(peer) == network


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140 (Linux)"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 "
            "Safari/537.36 Edg/143.0.0.0",
            "Edge 143 (Windows)",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.2 Mobile/15E148 Safari/604.1",
            "Safari 18 (iPhone)",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 "
            "Safari/537.36",
            "Chrome 143 (macOS)",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)
def test_browsers_as_people_call_them(user_agent: str, name: str) -> None:
    assert browser_of(user_agent) == name
