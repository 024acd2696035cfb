"""The rule of order, on paths that were never walked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.doctor.catalogue import found, leaves
from mailhost.doctor.order import Role, of_protocol, of_target, rank
from mailhost.doctor.probe import Path, Reach
from mailhost.doctor.targets import Encryption, Protocol, Target
from mailhost.findings import Severity

TLS = Target(Protocol.IMAP, "imap.example.test", 993, Encryption.TLS)
STARTTLS = Target(Protocol.IMAP, "imap.example.test", 143, Encryption.STARTTLS)


def path(
    target: Target, leaf: str = "", address: str = "192.0.2.1", *, is_set: bool = False, reach: Reach = Reach.OPEN
) -> Path:
    return Path(target, address, is_set, reach, found(leaf, str(target)) if leaf else None)


def leaf_of(paths: list[Path], *, is_guess: bool = False) -> str:
    cause = of_protocol(paths, is_guess=is_guess).cause
    return cause.leaf if cause else ""


def test_the_cause_is_the_stage_at_which_every_way_has_failed() -> None:
    assert leaf_of([path(TLS, "B1"), path(STARTTLS, "D1")]) == "D1"
    assert leaf_of([path(TLS, "D2"), path(STARTTLS, "B2")]) == "D2"


def test_what_fails_on_some_ways_is_a_warning_at_most() -> None:
    verdict = of_protocol([path(TLS), path(STARTTLS, "B2")], is_guess=False)
    assert verdict.cause is None
    assert [(note.leaf, note.severity) for note in verdict.notes] == [("B2", Severity.WARNING)]


def test_the_user_s_own_setting_decides() -> None:
    paths = [path(STARTTLS, "C1", is_set=True), path(TLS)]
    verdict = of_protocol(paths, is_guess=False)
    assert verdict.cause is not None
    assert verdict.cause.leaf == "C1"
    assert f"this works from here: {TLS}" in verdict.cause.evidence


def test_closed_ports_of_guessed_servers_say_nothing() -> None:
    assert of_protocol([path(TLS), path(STARTTLS, "B1")], is_guess=True).notes == ()


def test_a_device_without_ipv6_is_no_news() -> None:
    far = path(TLS, "B4", "2001:db8::1", reach=Reach.UNREACHABLE)
    assert of_target([path(TLS), far]).notes == ()
    failing = of_target([path(TLS, "B1"), far]).cause
    assert failing is not None
    assert failing.leaf == "B1"


def test_only_ipv6_addresses_and_no_ipv6_here() -> None:
    cause = of_target([path(TLS, "B4", "2001:db8::1", reach=Reach.UNREACHABLE)]).cause
    assert cause is not None
    assert cause.leaf == "A2"


@pytest.mark.parametrize("reach", [Reach.SILENT, Reach.REFUSED])
def test_broken_ipv6_beside_whole_ipv4(reach: Reach) -> None:
    verdict = of_target([path(TLS), path(TLS, "B3", "2001:db8::1", reach=reach)])
    assert [note.leaf for note in verdict.notes] == ["A3"]


def test_equal_leaves_become_one_with_every_place() -> None:
    [one] = rank([(Protocol.SMTP, found("D1", "smtp", "x")), (Protocol.IMAP, found("D1", "imap", "x"))], [], [])
    assert one.finding.where == "imap; smtp"
    assert one.finding.evidence == ("x",)


def test_a_warning_alone_is_the_cause() -> None:
    [first, second] = rank([], [], [found("G1"), found("A3")])
    assert (first.finding.leaf, first.role) == ("A3", Role.CAUSE)
    assert (second.finding.leaf, second.role) == ("G1", Role.NOTE)


some_leaves = st.sampled_from(sorted(leaves()))
some_findings = st.lists(st.builds(found, some_leaves, st.sampled_from(["here", "there"])), max_size=6)


@given(some_findings, some_findings, some_findings)
def test_every_leaf_is_told_once_and_causes_come_first_by_stage(
    causes: list,
    possible: list,
    notes: list,
) -> None:
    ranked = rank([(Protocol.IMAP, each) for each in causes], possible, notes)
    told = [each.finding.leaf for each in ranked]
    assert {*told} == {each.leaf for each in (*causes, *possible, *notes)}
    roles = [each.role for each in ranked]
    assert roles == sorted(roles, key=list(Role).index)
    if causes:
        stages = [each.finding.leaf[0] for each in ranked if each.role is Role.CAUSE]
        assert stages == sorted(stages)
