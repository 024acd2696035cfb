"""LIST patterns: `*` stands for any text, `%` for any text without the delimiter (RFC 9051 §6.3.9)."""

import re
from typing import Final

from mailhost.protocols.imap.names import DELIMITER

_RUN: Final = re.compile(r"[*%]{2,}")


class Pattern:
    """One pattern, matched in time proportional to the name, whatever the wildcards: no backtracking.

    Bit i of a number stands for "the first i characters of the pattern match so far".
    """

    __slots__ = ("_any", "_everything", "_final", "_level", "_literals", "_wild", "text")

    def __init__(self, text: str) -> None:
        """`text` with wildcards, decoded."""
        self.text = _RUN.sub(lambda run: "*" if "*" in run[0] else "%", text)
        self._everything = self.text == "*"
        self._any = self._level = 0
        self._literals: dict[str, int] = {}
        for place, character in enumerate(self.text):
            if character == "*":
                self._any |= 1 << place
            elif character == "%":
                self._level |= 1 << place
            else:
                self._literals[character] = self._literals.get(character, 0) | 1 << place
        self._wild = self._any | self._level
        self._final = 1 << len(self.text)

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        if self._everything:
            return True
        if not self._wild:
            return name == self.text
        state = self._with_empty_wildcards(1)
        for character in name:
            stay = self._any if character == DELIMITER else self._wild
            moved = (state & self._literals.get(character, 0)) << 1
            state = self._with_empty_wildcards(state & stay | moved)
            if not state:
                return False
        return bool(state & self._final)

    def _with_empty_wildcards(self, state: int) -> int:
        # Two wildcards never stand side by side, so one step is enough.
        return state | (state & self._wild) << 1
