"""Browsers by the names that people know."""

import pytest

from mailhost.web.browsers import browser_name

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{WINDOWS} {KIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge 140, Windows"),
        (f"{WINDOWS} {KIT} Chrome/140.0.0.0 Safari/537.36", "Chrome 140, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140, Linux"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {KIT} Chrome/139.0.0.0 Mobile Safari/537.36", "Chrome 139, Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari 18, iPhone",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("Mozilla/5.0 (something else)", "Mozilla/5.0 (something else)"),
        ("", ""),
    ],
)
def test_names(agent: str, name: str) -> None:
    assert browser_name(agent) == name


def test_a_long_one_takes_no_time() -> None:
    assert browser_name("Mozilla/5.0 " + "Version/1" * 2_000).startswith("Mozilla")
