"""What every page carries: headers, files that browsers keep, paths that are ours."""

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request

from mailhost.web.pages import Pages, asset, own_path, shown_moment
from mailhost.web.setup import Facts
from tests.web.conftest import Town

WORLD = Facts("localhost", "example.test", {"https": 443}, None, is_local=False)


@pytest.mark.parametrize(
    ("facts", "scheme", "expected"),
    [
        (WORLD, "https", True),
        (WORLD, "http", False),
        (replace(WORLD, authority=Path("ca.pem")), "https", False),
        (replace(WORLD, is_local=True), "https", False),
        (replace(WORLD, ports={"https": 1443}), "https", False),
    ],
)
def test_https_is_asked_for_only_where_the_world_trusts_it(facts: Facts, scheme: str, expected: bool) -> None:
    request = Request({"type": "http", "scheme": scheme, "path": "/", "headers": [(b"host", b"mail.example.test")]})
    assert ("strict-transport-security" in Pages(facts).headers(request)) is expected


def test_forms_may_end_elsewhere_only_where_a_page_says_so() -> None:
    request = Request({"type": "http", "scheme": "https", "path": "/", "headers": []})
    headers = Pages(WORLD).headers(request, ["http://127.0.0.1:5000"])
    assert headers["content-security-policy"].endswith("form-action 'self' http://127.0.0.1:5000")


@pytest.mark.parametrize("path", ["/", "/account", "/account?a=b&c=%20d", "/a//b", "/.//evil.example"])
def test_paths_of_ours(path: str) -> None:
    assert own_path(path) == path


async def test_files_are_kept_for_good_under_a_name_of_their_content(town: Town) -> None:
    browser = town.browser()
    assert asset("site.css") in (await browser.open("/sign-in")).text
    for name, kind in (("site.css", "text/css"), ("passkey.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        page = await browser.open(asset(name))
        assert page.status == 200
        assert page.headers["content-type"].startswith(kind)
        assert "immutable" in page.headers["cache-control"]
    assert (await browser.open("/static/site.css")).status == 404


def test_moments_are_told_to_people_and_to_programs() -> None:
    assert shown_moment(1_800_000_000) == '<time datetime="2027-01-15T08:00:00Z">2027-01-15 08:00 UTC</time>'
    assert shown_moment(None) == "–"
