"""Secrets: the key file, app passwords as people type them, slow checks and their cap."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost import crypto
from mailhost.crypto import PasswordChecks, SecretKey, TooBusy, UnusableKeyFile, load_key


def test_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    first = load_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert load_key(path).digest("a", b"b") == first.digest("a", b"b")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]


def test_two_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.touch(0o600)
    path.write_bytes(b"k" * 32)
    crypto._create_key(path)  # the other start was quicker
    assert path.read_bytes() == b"k" * 32
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]


def test_key_file_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    short, readable = tmp_path / "short", tmp_path / "readable"
    short.touch(0o600)
    short.write_bytes(b"k" * 31)
    readable.touch(0o644)
    os.chmod(readable, 0o644)
    readable.write_bytes(b"k" * 32)
    with pytest.raises(UnusableKeyFile, match="damaged"):
        load_key(short)
    with pytest.raises(UnusableKeyFile, match="chmod 600"):
        load_key(readable)
    with pytest.raises(UnusableKeyFile, match="cannot be read"):
        load_key(short / "below-a-file")
    with pytest.raises(UnusableKeyFile, match="cannot be made"):
        load_key(tmp_path / "no-folder" / "secret.key")
    with pytest.raises(UnusableKeyFile):
        SecretKey(b"")


def test_digests_differ_by_key_purpose_and_message() -> None:
    one, other = SecretKey(b"1" * 32), SecretKey(b"2" * 32)
    digests = {
        one.digest("app-password", b"x"),
        other.digest("app-password", b"x"),
        one.digest("wrong-secret", b"x"),
        one.digest("app-password", b"y"),
    }
    assert len(digests) == 4
    assert all(len(digest) == 32 for digest in digests)
    assert b"1" * 8 not in repr(one).encode()


def test_app_passwords_are_sixteen_letters_in_four_groups() -> None:
    made = {crypto.new_app_password() for _ in range(50)}
    assert len(made) == 50
    for secret in made:
        assert len(secret) == 16
        assert set(secret) <= set("abcdefghijklmnopqrstuvwxyz")
    assert crypto.grouped("abcdefghijklmnop") == "abcd efgh ijkl mnop"


@pytest.mark.parametrize(
    "typed",
    [
        "abcdefghijklmnop",
        "abcd efgh ijkl mnop",
        "  Abcd efgh ijkl mnop\r\n",
        "ABCD EFGH IJKL MNOP",
        "abcd\u00a0efgh\u202fijkl\u3000mnop",
        "\ufeffabcd\u200befgh\tijkl mnop",
    ],
)
def test_blanks_and_capitals_do_not_matter(typed: str) -> None:
    assert crypto.app_password_letters(typed) == "abcdefghijklmnop"


@pytest.mark.parametrize(
    "typed",
    [
        *("", "abcdefghijklmno", "abcdefghijklmnopq", "abcd-efgh-ijkl-mnop", "abcdefghijklmno1", "abcdefghijklmnoß"),
        *(
            "ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐ",
            "abcdefghijklmno\u0131",
            "abcdefghijklmno\u212a",
            "abcdefghijklmno\ud800",
        ),
    ],
)
def test_what_cannot_be_an_app_password(typed: str) -> None:
    assert crypto.app_password_letters(typed) is None


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=16, max_size=16), st.data())
def test_any_blanks_anywhere_are_ignored(letters: str, data: st.DataObject) -> None:
    typed = list(letters)
    for _ in range(data.draw(st.integers(0, 6))):
        typed.insert(data.draw(st.integers(0, len(typed))), data.draw(st.sampled_from(" \t\u00a0\u2009\u200b")))
    assert crypto.app_password_letters("".join(typed)) == letters


def test_account_passwords_are_compared_as_people_mean_them() -> None:
    hashed = crypto.hash_password("gru\u0308n\u00a0und blau")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert crypto.is_password(hashed, "gr\u00fcn und blau")
    assert not crypto.is_password(hashed, "Gr\u00fcn und blau")
    assert not crypto.is_password(hashed, "gr\u00fcn und blau ")
    assert not crypto.is_password(hashed, "\ud800")
    assert not crypto.is_password("no hash at all", "x")


def test_generated_account_passwords_cannot_be_taken_for_app_passwords() -> None:
    made = {crypto.new_password() for _ in range(20)}
    assert len(made) == 20
    assert all(crypto.app_password_letters(password) is None for password in made)


async def test_slow_checks_are_capped_and_the_queue_is_bounded() -> None:
    checks = PasswordChecks(at_once=1, waiting=2)
    hashed = crypto.hash_password("right")
    assert checks._nobody.split("$")[:4] == hashed.split("$")[:4]  # no hash costs as much as one
    try:
        answers = await asyncio.gather(
            *(checks.verify(hashed, secret) for secret in ("right", "wrong", "right", "right", "right")),
            return_exceptions=True,
        )
        assert answers[:3] == [True, False, True]
        assert [type(answer) for answer in answers[3:]] == [TooBusy, TooBusy]
        assert await checks.verify(hashed, "right")
        assert not await checks.verify(None, "right")
        assert checks.made == 5
    finally:
        checks.close()


async def test_a_check_given_up_leaves_its_place() -> None:
    checks = PasswordChecks(at_once=1, waiting=0)
    try:
        given_up = asyncio.create_task(checks.verify(None, "x"))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert not await checks.verify(None, "y")
    finally:
        checks.close()


@given(st.binary(max_size=100))
def test_what_is_sealed_opens_for_its_key_and_purpose_alone(message: bytes) -> None:
    key = SecretKey(b"k" * 32)
    sealed = key.seal("a", message)
    assert key.unseal("a", sealed) == message
    assert key.seal("a", message) != sealed
    assert key.unseal("b", sealed) is None
    assert SecretKey(b"o" * 32).unseal("a", sealed) is None
    for changed in (sealed[:-1], sealed + b"x", bytes((sealed[0] ^ 1,)) + sealed[1:], sealed[:20], b""):
        assert key.unseal("a", changed) is None
