"""Secrets are in nothing that the doctor shows: not on the terminal, not in JSON, not in its log."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from mailhost.cli.diagnosis import Sheet
from mailhost.doctor.catalogue import Language
from mailhost.doctor.masking import Mask
from mailhost.doctor.signin import Credentials
from tests.doctor.zoo.world import ADDRESS, Zoo

SECRET = "quite secret indeed"
FORMS = (SECRET, "quitesecretindeed", base64.b64encode(f"\0{ADDRESS}\0{SECRET}".encode()).decode())


@pytest.mark.parametrize("is_oauth", [False, True])
async def test_a_server_that_echoes_everything_reveals_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], is_oauth: bool
) -> None:
    zoo = Zoo(tmp_path).healthy()
    echo = f"NO [AUTHENTICATIONFAILED] no {FORMS[0]} / {FORMS[1]} / AUTHENTICATE PLAIN {FORMS[2]}"
    zoo.mail("imap", 993, replies={"AUTHENTICATE": f"* NO {SECRET}\n{echo}"})
    zoo.mail("smtp", 465, replies={"AUTH": f"535 5.7.8 {FORMS[0]} AUTH PLAIN {FORMS[2]}"})
    report = await zoo.ask(credentials=Credentials(ADDRESS, SECRET, is_oauth), message=f"LOGIN {ADDRESS} {SECRET}")
    assert report.findings
    for language in Language:
        Sheet(language).show(report)
    shown = capfd.readouterr()
    everything = shown.out + shown.err + json.dumps(report.as_json(Language.ENGLISH)) + repr(report)
    for form in FORMS:
        assert form not in everything


@pytest.mark.parametrize(
    "line",
    [
        'a1 LOGIN anna@example.test "hunter2 hunter2"',
        "a1 LOGIN anna hunter2hunter2",
        "PASS hunter2hunter2",
        "AUTH PLAIN aHVudGVyMmh1bnRlcjI=",
        "auth=Bearer ya29.hunter2hunter2",
        "password=hunter2hunter2",
        '{"refresh_token": "hunter2hunter2"}',
        "ya29.hunter2hunter2",
        "my app password abcd efgh ijkl mnop does not work",
    ],
)
def test_what_looks_like_a_secret_is_masked_although_it_is_unknown(line: str) -> None:
    masked = Mask()(line)
    assert "hunter2" not in masked
    assert "aHVudGVy" not in masked
    assert "abcd efgh" not in masked
    assert "****" in masked


@pytest.mark.parametrize(
    "line",
    [
        "250-AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER",
        "AUTH=LOGIN AUTH=PLAIN AUTH=XOAUTH2",
        "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        "NO LOGIN failed.",
        "535 5.7.3 Authentication unsuccessful",
        "NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833",
    ],
)
def test_what_servers_say_stays(line: str) -> None:
    assert Mask()(line) == line


def test_credentials_do_not_show_their_secret() -> None:
    assert SECRET not in repr(Credentials(ADDRESS, SECRET))
