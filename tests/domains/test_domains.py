"""Domains: their spelling, their rows."""

import pytest

from mailhost import domains
from mailhost.domains import BadDomainName, DomainExists, NoSuchDomain, displayed_domain, normalise_domain
from mailhost.storage.database import Database

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Example.TEST", "example.test"),
        ("example.test.", "example.test"),
        ("Bücher.Example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example.", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("straße.de", "xn--strae-oqa.de"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("localhost", "localhost"),
    ],
)
def test_one_spelling(typed: str, stored: str) -> None:
    assert normalise_domain(typed) == stored
    assert normalise_domain(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        *("", ".", "a..b", ".a", "-a.test", "a-.test", "a_b.test", "a b.test", "a@b", "[192.0.2.1]", "192.0.2.1"),
        *("\x00.test", "a" * 64 + ".test", ".".join(["a" * 60] * 5), "\ud800.test", "bü\u200bcher\u0000.test"),
    ],
)
def test_what_is_no_domain_is_refused_in_words(typed: str) -> None:
    with pytest.raises(BadDomainName, match=r"\w+ \w+"):
        normalise_domain(typed)


def test_shown_as_people_write_it() -> None:
    assert displayed_domain("xn--bcher-kva.example") == "bücher.example"
    assert displayed_domain("example.test") == "example.test"
    assert displayed_domain("xn--99999999.example") == "xn--99999999.example"


async def test_rows(database: Database) -> None:
    first = await database.write(domains.add_domain, "example.test", NOW)
    second = await database.write(domains.add_domain, "an.example", NOW + 1)
    assert await database.read(domains.list_domains) == [first, second]
    assert await database.read(domains.list_domains, at_most=1) == [first]
    assert await database.read(domains.find_domain, "an.example") == second
    assert await database.read(domains.find_domain, "example.org") is None
    assert await database.read(domains.get_domain, first.id) == first
    with pytest.raises(DomainExists, match=r"example\.test"):
        await database.write(domains.add_domain, "example.test", NOW)
    with pytest.raises(NoSuchDomain):
        await database.read(domains.get_domain, 99)


async def test_administrator(database: Database) -> None:
    domain = await database.write(domains.add_domain, "example.test", NOW)
    assert domain.administrator_id is None
    await database.write(domains.set_administrator, domain.id, 7)
    assert (await database.read(domains.get_domain, domain.id)).administrator_id == 7
    with pytest.raises(NoSuchDomain):
        await database.write(domains.set_administrator, 99, 7)
