"""Every cause has its sentence in every language, and what clients say of themselves cannot break one."""

import re
import shutil
import subprocess
from dataclasses import replace
from importlib.resources import as_file
from importlib.resources.abc import Traversable

import pytest

from mailhost.accounts.audit.model import NOBODY, Cause, Occurrence, SignIn
from mailhost.language import LANGUAGES, translations
from mailhost.language.translations import po_files
from mailhost.login.catalogue import CATALOGUE, explain
from mailhost.web.help import TOPICS

EVIL = "{facts.__class__} %(x)s <script> {0} {peer!r:>99}"
FACTS: dict[str, str | int] = {
    "times": 7,
    "password": EVIL,
    "since_at": 1_800_000_000,
    "until_at": 1_800_000_600,
    "allowed": "192.0.2.0/24",
    "app": EVIL,
    "scope": "imap.readonly",
    "why": "a new network",
    "limit": 15,
    "devices": EVIL,
    "device": EVIL,
    "offered": "TLSv1",
    "reason": "NO_SHARED_CIPHER",
    "spoken": "SMTP",
}


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_sentence_remedy_and_help(cause: Cause) -> None:
    entry = CATALOGUE[cause]
    assert entry.topic in {*TOPICS, ""}
    assert entry.topic or cause is Cause.SIGNED_IN
    sign_in = SignIn(NOBODY, cause, EVIL, "imap", 993, "192.0.2.7", "192.0.2.0/24", "TLSv1.2", "PLAIN", EVIL, 3)
    told = [explain(sign_in, Occurrence(1, "c1", 2, FACTS), translations(language)) for language in LANGUAGES]
    for one in told:
        text = (one.sentence + one.remedy).replace(EVIL, "")
        assert "?" not in text, "a fact is missing"
        assert not re.search(r"[{}]", text)
    assert len({one.sentence for one in told}) == len({one.remedy for one in told}) == len(LANGUAGES)


def test_a_fact_that_is_missing_leaves_a_sentence_all_the_same() -> None:
    sign_in = SignIn(NOBODY, Cause.REVOKED_APP_PASSWORD, "", "pop3", 995, "192.0.2.7", "192.0.2.0/24", None, "", "", 3)
    told = explain(sign_in, Occurrence(1, "c1", 2), translations("en"))
    assert told.sentence == "The app password “?” was used over POP3; it was revoked on ?."


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="gettext's tools are not installed")
@pytest.mark.parametrize("file", po_files("zh-CN"), ids=lambda file: file.name)
def test_gettext_s_own_tools_accept_the_file(file: Traversable) -> None:
    with as_file(file) as path:
        subprocess.run(["msgfmt", "--check-format", "-o", "/dev/null", str(path)], check=True, capture_output=True)


def test_a_sentence_about_a_program_without_a_name_begins_as_sentences_do() -> None:
    occurrence = Occurrence(1_800_000_000, "c1", 1)
    seen = SignIn(1, Cause.SIGNED_IN, "", "imap", 993, "192.0.2.7", "", None, "PLAIN", "", 1)
    told = explain(seen, occurrence, translations("en")).sentence
    assert told == "A program that does not tell its name signed in over IMAP from 192.0.2.7."
    named = explain(replace(seen, client_id="mutt"), occurrence, translations("en")).sentence
    assert named.startswith("mutt signed in")
