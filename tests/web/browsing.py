"""A browser for tests: real TLS, cookies by their rules as far as they matter here, and forms as a page shows them."""

import asyncio
import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit


@dataclass
class Form:
    """A form of a page: where it leads, what it holds, and the names of all that can be filled, ticked or pressed."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
            self._inside = True
        elif self._inside and "name" in given:
            self.forms[-1].names.add(given["name"])
            is_ticked = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if tag != "button" and is_ticked:
                self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


@dataclass(frozen=True)
class Page:
    """What came back; redirects are followed unless one asks not to."""

    path: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def form(self, action: str, *fields: str) -> Form:
        """The form that leads to a path and has these fields."""
        reader = _Reader()
        reader.feed(self.text)
        [found] = [form for form in reader.forms if form.action == action and form.names >= {*fields}]
        return found


@dataclass
class Browser:
    """One browser at `https://localhost:port`."""

    port: int
    tls: ssl.SSLContext
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)
    at: str = "/"

    async def open(self, path: str, *, follow: bool = True, **headers: str) -> Page:
        """GET a page."""
        return await self._ask("GET", path, b"", follow, headers)

    async def submit(self, page: Page, action: str, *, follow: bool = True, **typed: str) -> Page:
        """Send a form of a page with what was typed."""
        form = page.form(action, *typed)
        self.at = page.path
        return await self.post(action, form.fields | typed, follow=follow)

    async def post(self, path: str, fields: dict[str, str], *, follow: bool = True, **headers: str) -> Page:
        """POST as a form of ours does, but for headers that a test sets; an empty one is left out."""
        ours = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "Referer": self.origin + self.at}
        told = ours | {name.replace("_", "-"): value for name, value in headers.items()}
        body = urlencode(fields).encode()
        return await self._ask("POST", path, body, follow, {name: value for name, value in told.items() if value})

    async def post_many(self, path: str, fields: Sequence[tuple[str, str]]) -> Page:
        """POST a form in which a name may stand several times."""
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        return await self._ask("POST", path, urlencode(fields).encode(), True, headers)

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    async def _ask(self, method: str, path: str, body: bytes, follow: bool, headers: dict[str, str]) -> Page:
        page = await asyncio.to_thread(self._exchange, method, path, body, headers)
        for _ in range(5):
            to = page.headers.get("location")
            if to is None or not follow:
                return page
            parts = urlsplit(urljoin(self.origin + page.path, to))
            assert f"{parts.scheme}://{parts.netloc}" == self.origin, to
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            page = await asyncio.to_thread(self._exchange, "GET", path, b"", {})
        raise AssertionError(f"the pages lead on and on: {page.path}")

    def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Page:
        client = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=self.tls)
        told = {"Accept-Language": self.language, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
        if self.cookies:
            told["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body:
            told["Content-Type"] = "application/x-www-form-urlencoded"
        client.request(method, path, body or None, told | headers)
        answer = client.getresponse()
        page = Page(path, answer.status, answer.headers, answer.read())
        client.close()
        for line in answer.headers.get_all("set-cookie", []):
            for name, morsel in SimpleCookie(line).items():
                assert not name.startswith("__Host-") or (morsel["secure"] and morsel["path"] == "/")
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return page
