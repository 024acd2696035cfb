"""How a page is made: templates in the reader's language, and the headers under which a browser shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import chain
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mailhost.language import LANGUAGES, N_, Translations, best_language, translations
from mailhost.web.setup import Facts

LANGUAGE_COOKIE: Final = "lang"
NAVIGATION: Final = {
    "/account": N_("Security"),
    "/account/app-passwords": N_("App passwords"),
    "/account/sessions": N_("Sessions"),
    "/account/sign-ins": N_("Sign-ins"),
    "/account/storage": N_("Storage"),
    "/account/programs": N_("Programs"),
    "/account/settings": N_("Settings"),
    "/doctor": N_("Doctor"),
}
"""What stands at the top of an account's pages, of that what there is."""
_MAX_PATH: Final = 4_000
_OURSELVES: Final = ("'self'",)
_YEAR: Final = 365 * 86_400
_HSTS: Final = f"max-age={30 * 86_400}"


class _Templates(Environment):
    """One language's templates; the method is its i18n extension's."""

    install_gettext_translations: Callable[..., None]


class Pages:
    """Shows pages. `served` are the paths that there are, which the navigation goes by."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.served: frozenset[str] = frozenset()
        self._templates = {tag: self._in_language(translations(tag), tag) for tag in LANGUAGES}

    def show(
        self, request: Request, template: str, status: int = 200, *, leads_to: Iterable[str] = (), **values: object
    ) -> Response:
        """A page. `leads_to` names origins or schemes (`com.example.app:`) that its forms may end at besides ours."""
        visit = getattr(request.state, "visit", None)
        text = self._templates[self.language_of(request)].get_template(template)
        shown = text.render(
            facts=self.facts,
            visit=visit,
            csrf=getattr(request.state, "csrf", ""),
            path=request.url.path,
            here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            navigation={path: name for path, name in NAVIGATION.items() if path in self.served},
            **values,
        )
        return HTMLResponse(shown, status, self.headers(request, leads_to))

    def redirect(self, path: str) -> Response:
        """Have the browser ask for another page of ours by GET. Raises ValueError for what is none."""
        if own_path(path) != path:
            raise ValueError(f"no path of ours: {path!r}")
        return RedirectResponse(path, 303, {"cache-control": "no-store"})

    def language_of(self, request: Request) -> str:
        """The account's choice, else the one made in this browser, else what the browser asks for."""
        visit = getattr(request.state, "visit", None)
        chosen = (visit.language if visit is not None else "") or request.cookies.get(LANGUAGE_COOKIE, "")
        return best_language(request.headers.get("accept-language", ""), chosen)

    def words_of(self, request: Request) -> Translations:
        """The sentences in the reader's language."""
        return translations(self.language_of(request))

    def headers(self, request: Request, leads_to: Iterable[str] = ()) -> dict[str, str]:
        """What every answer carries: nothing from elsewhere is loaded, nothing is kept, nobody frames us."""
        policy = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action {' '.join(chain(_OURSELVES, leads_to))}"
        )
        fixed = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",  # with no-referrer browsers hide the Origin of forms from ourselves
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-store",
        }
        # Only where the whole world trusts the certificate: else people could not come to fetch our authority's.
        is_known = self.facts.authority is None and not self.facts.is_local
        if is_known and request.url.scheme == "https" and self.facts.ports.get("https") == 443:
            fixed["strict-transport-security"] = _HSTS
        return fixed

    def _in_language(self, words: Translations, tag: str) -> _Templates:
        made = _Templates(
            loader=PackageLoader("mailhost.web"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            auto_reload=False,  # else each page asks the disk for each of its templates
            extensions=["jinja2.ext.i18n"],
        )
        made.policies["ext.i18n.trimmed"] = True
        made.install_gettext_translations(words, newstyle=True)
        made.filters["moment"] = shown_moment
        made.globals |= {"asset": asset, "language": tag, "languages": LANGUAGES}
        return made


def own_path(text: str) -> str:
    """The path of a page of ours, if it is one that a browser cannot take for another site's; else /account."""
    is_path = text.startswith("/") and not text.startswith(("//", "/\\")) and len(text) <= _MAX_PATH
    return text if is_path and text.isascii() and text.isprintable() and not {" ", "\\"} & {*text} else "/account"


def shown_moment(moment: int | None) -> str:
    """A Unix time for people, as an element that programs can read too; a dash for none."""
    if moment is None:
        return "–"
    at = datetime.fromtimestamp(moment, UTC)
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M} UTC")


ASSETS: Final = {
    "site.css": "text/css",
    "icon.svg": "image/svg+xml",
    "passkey.js": "text/javascript",
    "copy.js": "text/javascript",
}


@cache
def read_asset(name: str) -> bytes:
    """A file of ours that pages load."""
    return (files("mailhost.web") / "static" / name).read_bytes()


@cache
def asset(name: str) -> str:
    """Its path, which is another one when its content is, so that browsers may keep it for good."""
    return f"/{name}?{sha256(read_asset(name)).hexdigest()[:12]}"


def show_asset(request: Request) -> Response:
    """The file."""
    name = request.url.path.removeprefix("/")
    headers = {"x-content-type-options": "nosniff", "cache-control": f"max-age={_YEAR}, immutable"}
    return Response(read_asset(name), media_type=ASSETS[name], headers=headers)
