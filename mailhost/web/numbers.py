"""Numbers of rows, as paths and forms name them."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException


def number_in(text: str) -> int:
    """The number; what cannot be one is a page that is not there. Raises HTTPException."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise HTTPException(404)
    return int(text)
