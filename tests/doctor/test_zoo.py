"""The zoo of broken servers: the doctor names the right leaf first for each, and none for a healthy server."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from mailhost.doctor.catalogue import leaves
from mailhost.doctor.signin import Credentials
from mailhost.doctor.targets import Protocol
from tests.doctor.zoo.cases import CASES
from tests.doctor.zoo.run import PAGE, Seen, page, run_all
from tests.doctor.zoo.world import ADDRESS, MAIL_HOST, MAIL_HOST_6, SECRET, Zoo


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[Seen]:
    """The whole zoo, walked once."""
    return asyncio.run(run_all(tmp_path_factory.mktemp("zoo")))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_the_right_leaf_comes_first(seen: list[Seen], name: str) -> None:
    [one] = [each for each in seen if each.case.name == name]
    assert one.first == one.case.leaf, one.leaves


def test_every_leaf_has_an_animal_but_those_of_records() -> None:
    others = {leaf for leaf in leaves() if not leaf.startswith("H")}
    assert others == {case.leaf for case in CASES}


@pytest.mark.timeout(600)
def test_the_page_holds_this_confusion_matrix(seen: list[Seen]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(seen), "python -m tests.doctor.zoo.run writes it anew"


@pytest.mark.parametrize("protocol", Protocol)
async def test_a_healthy_server_has_no_leaf(tmp_path: Path, protocol: Protocol) -> None:
    report = await Zoo(tmp_path).healthy().ask(protocols=(protocol,), credentials=Credentials(ADDRESS, SECRET))
    assert report.findings == []
    assert report.severity is None
    assert {path.target.protocol for path in report.paths} == {protocol}


async def test_a_healthy_server_set_by_hand_has_no_leaf(tmp_path: Path) -> None:
    servers = ("imap=imap.example.test:143/starttls", "smtp=smtp.example.test:587/starttls")
    report = await Zoo(tmp_path).healthy().ask(ADDRESS, *servers, credentials=Credentials(ADDRESS, SECRET))
    assert report.findings == []


async def test_a_healthy_server_with_both_families_has_no_leaf(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    for name, protocol, port in (("imap", "imap", 993), ("smtp", "smtp", 465)):
        zoo.zone.add(f"{name}.example.test", "AAAA", MAIL_HOST_6)
        zoo.mail(protocol, port, host=MAIL_HOST_6)
    report = await zoo.ask()
    assert report.findings == []
    assert {path.address for path in report.paths} == {MAIL_HOST, MAIL_HOST_6}


async def test_a_device_without_ipv6_finds_nothing_wrong_with_both_families(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path).healthy()
    zoo.zone.add("imap.example.test", "AAAA", MAIL_HOST_6)
    assert (await zoo.ask()).findings == []


@pytest.mark.timeout(120)
async def test_a_whole_healthy_diagnosis_takes_under_three_seconds_where_answers_take_50_ms(
    tmp_path: Path,
) -> None:
    """Waits, one behind the other, and work: counted apart, since a busy machine must not decide."""

    async def ask(delay: float) -> tuple[float, float]:
        zoo = Zoo(tmp_path).healthy()
        zoo.delay = delay
        began, worked = time.monotonic(), time.process_time()
        report = await zoo.ask(protocols=tuple(Protocol), credentials=Credentials(ADDRESS, SECRET))
        assert report.findings == []
        return time.monotonic() - began, time.process_time() - worked

    quick, work = await ask(0.05)
    slow, _ = await ask(0.3)
    waits = (slow - quick) / 0.25
    idle = 1.0  # that an IDLE after sign-in must last
    assert 5 < waits < 100
    assert waits * 0.05 + work + idle < 3
