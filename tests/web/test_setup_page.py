"""The set-up page: everything a person types, for his own address, in both languages, without JavaScript."""

import re
from urllib.parse import quote

import pytest

from mailhost import oauth
from mailhost.language import translations
from mailhost.web.guides import GUIDES, TOKENS
from tests.web.conftest import ANNA, Town


@pytest.mark.parametrize("path", ["/", "/setup"])
async def test_the_page_names_what_a_mail_program_asks_for(town: Town, path: str) -> None:
    town.ports |= {"imaps": 1993, "imap": 1143, "submissions": 1465}
    page = await town.browser().open(path)
    assert page.status == 200
    assert all(word in page.text for word in ("localhost", "1993", "1143", "1465", "STARTTLS", "app password"))
    assert "style=" not in page.text
    assert set(re.findall(r"<script[^>]*>", page.text)) == set(
        re.findall(r'<script src="/copy.js[^"]*" defer>', page.text)
    )


async def test_an_address_makes_it_personal(town: Town) -> None:
    town.ports |= {"imaps": 1993, "submissions": 1465}
    page = await town.browser().open(f"/setup?address={ANNA}")
    assert page.text.count(ANNA) > 5
    assert ' class="qr"' in page.text
    assert "/setup/mail.mobileconfig?address=anna%40example.test" in page.text
    assert "/language/zh-CN?next=/setup%3Faddress%3Danna" in page.text
    stranger = await town.browser().open("/setup?address=nobody@example.test")
    assert stranger.text.replace("nobody", "anna").replace("<svg", "")[:3000] == page.text.replace("<svg", "")[:3000]


@pytest.mark.parametrize(
    "typed", ["ann@elsewhere.example", "example.test", '"><script>x</script>@example.test', "a;b@example.test", "@"]
)
async def test_what_is_no_address_of_ours_is_told(town: Town, typed: str) -> None:
    page = await town.browser().open(f"/setup?address={quote(typed)}")
    assert page.status == 404
    assert "is not here" in page.text
    assert "<script>" not in page.text


async def test_each_program_has_its_steps_with_the_values_in_them(town: Town) -> None:
    town.ports |= {"imaps": 1993, "submissions": 1465}
    for language in ("en", "zh-CN"):
        page = await town.browser(language).open(f"/setup?address={ANNA}")
        words = translations(language)
        for known in GUIDES:
            assert f'id="{known.id}"' in page.text
            for step in known.steps:
                first = re.split(r"[{“]", words.gettext(step))[0]
                assert first.replace("'", "&#39;") in page.text
        assert "{imap" not in page.text


async def test_programmers_are_told_once_a_program_is_known(town: Town) -> None:
    page = await town.browser().open("/setup")
    assert not any(f'id="{guide.id}"' in page.text for guide in TOKENS)
    await town.database.write(
        oauth.make_client,
        town.key,
        name="Thunderbird",
        kind=oauth.Kind.NATIVE,
        now=1,
        redirect_uris=("http://localhost",),
    )
    page = await town.browser().open("/setup")
    assert all(f'id="{guide.id}"' in page.text for guide in TOKENS)
    assert "/setup/thunderbird.xpi" in page.text
    assert f"https://localhost:{town.ports['https']}/oauth/token" in page.text
