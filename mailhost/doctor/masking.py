"""Secrets out of everything that is shown: what the user typed, what a server echoed, what a message quotes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final

_MASK: Final = "****"
_WORD: Final = r"(?:\"(?:[^\"\\]|\\.)*\"|\S+)"
_COMMANDS: Final = (
    re.compile(rf"(?i)(\b[a-z]{{0,4}}[0-9]+ LOGIN {_WORD} ){_WORD}"),  # with a tag; EHLO lists LOGIN among others
    re.compile(rf"(?i)(\bLOGIN (?:\"(?:[^\"\\]|\\.)*\"|\S+@\S+) ){_WORD}"),
    re.compile(r"(?i)(\bPASS )(?=\S*[^\s:.]\S*\s*$)\S.*"),
    re.compile(
        r"(?i)(\bAUTH(?:ENTICATE)? (?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER|CRAM-MD5) )[A-Za-z0-9+/]{8,}={0,2}(?=\s|$)"
    ),
    re.compile(r"(?i)(\bBearer\s+)[\w.~+/=-]{8,}"),
    re.compile(
        r"(?i)(\b(?:password|passwd|secret|token|access_token|refresh_token|code)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,]+"
    ),
    re.compile(r"()\bya29\.[\w.-]{8,}"),
    re.compile(r"()\beyJhbGciOi[\w.-]{16,}"),  # a JSON web token
)
_APP_PASSWORD: Final = re.compile(r"(?<![\w-])[a-z]{4}([ -])[a-z]{4}\1[a-z]{4}\1[a-z]{4}(?![\w-])")
_LEAST: Final = 4  # a shorter secret would mask half of what is said


class Mask:
    """Knows the secrets of one diagnosis and takes them out of text, plain and in base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: list[str] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """From now on this is masked, with and without its blanks, and inside base64 of a sign-in."""
        forms = {secret, secret.replace(" ", ""), base64.b64encode(secret.encode()).decode()}
        self._known = sorted({*self._known, *(form for form in forms if len(form) >= _LEAST)}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._known:
            text = text.replace(secret, _MASK)
        for pattern in _COMMANDS:
            text = pattern.sub(lambda match: match[1] + _MASK, text)
        return _APP_PASSWORD.sub(_MASK, text)
