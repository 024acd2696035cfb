"""Labels as X-GM-LABELS has them: mailbox names, and system labels with a backslash (Gmail's IMAP extensions)."""

import re
from collections.abc import Iterable
from typing import Final

from mailhost.protocols.imap.names import encode_name
from mailhost.protocols.imap.responses import quoted

_ATOM: Final = re.compile(rb'(?!(?:NIL|[0-9]+)\Z)[^\x00-\x20(){%*"\\\[\]\x7f-\xff]+', re.IGNORECASE)


def label(name: str, *, utf8: bool) -> bytes:
    """One label: `work`, `"a b"`; in quotes also `"NIL"`, `"2024"`, `"[x"` and `"\\\\Inbox"`, else misread."""
    octets = encode_name(name, utf8=utf8)
    return octets if _ATOM.fullmatch(octets) else quoted(octets)


def label_list(names: Iterable[str], *, utf8: bool) -> bytes:
    """`("\\\\Inbox" work)`; `()` for none."""
    return b"(%b)" % b" ".join(label(name, utf8=utf8) for name in names)
