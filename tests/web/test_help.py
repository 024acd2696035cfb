"""The help pages that answers point to."""

import re

import pytest

from mailhost.web.help import TOPICS


@pytest.mark.parametrize(
    ("language", "word"), [("en", "Your mail program needs an app password"), ("zh-CN", "邮件程序需要应用专用密码")]
)
async def test_a_topic_is_read_in_the_reader_s_language_and_leads_on(town, language: str, word: str) -> None:
    browser = town.browser(language=language)
    page = await browser.open("/help/app-passwords")
    assert word in page.text
    assert "/account/app-passwords" in page.text


async def test_every_topic_is_listed_or_the_same_as_another(town) -> None:
    page = await town.browser().open("/help")
    listed = set(re.findall(r'href="/help/([^"]*)"', page.text))
    assert set(TOPICS) - listed <= {"pop", "pop3", "smtp", "protocols"}
    for name in listed:
        assert (await town.browser().open(f"/help/{name}")).status == 200
