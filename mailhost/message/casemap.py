"""i;unicode-casemap: how texts are compared in SEARCH, SORT and THREAD (RFC 5051, RFC 5255 §4.2)."""

import unicodedata


class _TitleCase(dict[int, int]):
    """Code point → its simple title case; filled as it is asked, for a mailbox uses few scripts."""

    def __missing__(self, code: int) -> int:
        title = chr(code).title()
        # Where title case takes several characters, as of ß, Unicode's simple mapping changes nothing.
        found = self[code] = ord(title) if len(title) == 1 else code
        return found


_TITLE_CASE = _TitleCase()


def casemap(text: str) -> str:
    """The text as it is compared: each character in title case, then decomposed, compatibility forms too."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", text.translate(_TITLE_CASE))
