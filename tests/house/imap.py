"""Every capability registered for IMAP: docs/reference/imap.md says of each that we have it, or why not."""

import ast
import re
from typing import Final

from tests.house.source import ROOT

CAPABILITY_PY: Final = ROOT / "mailhost" / "servers" / "imap" / "capability.py"
PREFIXES: Final = ("APPENDLIMIT=", "AUTH=", "IMAPSIEVE=", "MESSAGELIMIT=", "RIGHTS=", "SAVELIMIT=")
"""Registered with what stands behind the `=` left open."""

OURS: Final = {"LOGINDISABLED": "RFC 9051", "X-GM-EXT-1": "Gmail"}
"""Announced and not in the registry, or there only as part of IMAP itself; and where they are described."""

REGISTERED: Final[dict[str, str]] = {
    "ACL": "RFC 4314",
    "ANNOTATE-EXPERIMENT-1": "RFC 5257",
    "APPENDLIMIT=": "RFC 7889",
    "AUTH=": "RFC 9051",
    "BINARY": "RFC 3516",
    "CATENATE": "RFC 4469",
    "CHILDREN": "RFC 3348",
    "COMPRESS=DEFLATE": "RFC 4978",
    "CONDSTORE": "RFC 7162",
    "CONTEXT=SEARCH": "RFC 5267",
    "CONTEXT=SORT": "RFC 5267",
    "CONVERT": "RFC 5259",
    "CREATE-SPECIAL-USE": "RFC 6154",
    "ENABLE": "RFC 5161",
    "ESEARCH": "RFC 4731",
    "ESORT": "RFC 5267",
    "FILTERS": "RFC 5466",
    "I18NLEVEL=1": "RFC 5255",
    "I18NLEVEL=2": "RFC 5255",
    "ID": "RFC 2971",
    "IDLE": "RFC 2177",
    "IMAP4rev1": "RFC 3501",
    "IMAP4rev2": "RFC 9051",
    "IMAPSIEVE=": "RFC 6785",
    "INPROGRESS": "RFC 9585",
    "JMAPACCESS": "RFC 9698",
    "LANGUAGE": "RFC 5255",
    "LIST-EXTENDED": "RFC 5258",
    "LIST-METADATA": "RFC 9590",
    "LIST-MYRIGHTS": "RFC 8440",
    "LIST-STATUS": "RFC 5819",
    "LITERAL+": "RFC 7888",
    "LITERAL-": "RFC 7888",
    "LOGIN-REFERRALS": "RFC 2221",
    "MAILBOX-REFERRALS": "RFC 2193",
    "MESSAGELIMIT=": "RFC 9738",
    "METADATA": "RFC 5464",
    "METADATA-SERVER": "RFC 5464",
    "MOVE": "RFC 6851",
    "MULTIAPPEND": "RFC 3502",
    "MULTISEARCH": "RFC 7377",
    "NAMESPACE": "RFC 2342",
    "NOTIFY": "RFC 5465",
    "OBJECTID": "RFC 8474",
    "PARTIAL": "RFC 9394",
    "PREVIEW": "RFC 8970",
    "QRESYNC": "RFC 7162",
    "QUOTA": "RFC 9208",
    "QUOTA=RES-ANNOTATION-STORAGE": "RFC 9208",
    "QUOTA=RES-MAILBOX": "RFC 9208",
    "QUOTA=RES-MESSAGE": "RFC 9208",
    "QUOTA=RES-STORAGE": "RFC 9208",
    "QUOTASET": "RFC 9208",
    "REPLACE": "RFC 8508",
    "RIGHTS=": "RFC 4314",
    "SASL-IR": "RFC 4959",
    "SAVEDATE": "RFC 8514",
    "SAVELIMIT=": "RFC 9738",
    "SEARCH=FUZZY": "RFC 6203",
    "SEARCHRES": "RFC 5182",
    "SORT": "RFC 5256",
    "SORT=DISPLAY": "RFC 5957",
    "SPECIAL-USE": "RFC 6154",
    "STARTTLS": "RFC 9051",
    "STATUS=SIZE": "RFC 8438",
    "THREAD=ORDEREDSUBJECT": "RFC 5256",
    "THREAD=REFERENCES": "RFC 5256",
    "UIDONLY": "RFC 9586",
    "UIDPLUS": "RFC 4315",
    "UNAUTHENTICATE": "RFC 8437",
    "UNSELECT": "RFC 3691",
    "URL-PARTIAL": "RFC 5550",
    "URLAUTH": "RFC 4467",
    "URLFETCH=BINARY": "RFC 5524",
    "UTF8=ACCEPT": "RFC 6855",
    "UTF8=ALL": "RFC 5738",
    "UTF8=APPEND": "RFC 5738",
    "UTF8=ONLY": "RFC 6855",
    "UTF8=USER": "RFC 5738",
    "WITHIN": "RFC 5032",
}
"""Name → what describes it: the registry of IMAP capabilities at IANA."""

ABSENT: Final[dict[str, str]] = {
    "ANNOTATE-EXPERIMENT-1": "An experiment that no client took up; keywords do what it was used for.",
    "CONVERT": "Converting attachments means running every format's parser on hostile files inside of the mail server.",
    "FILTERS": "No client names searches on the server; CONTEXT and the search index serve the purpose.",
    "I18NLEVEL=2": "No client chooses among collations.",
    "IMAPSIEVE=": "There is no Sieve here.",
    "JMAPACCESS": "There is no JMAP here.",
    "LANGUAGE": "Answers are for logs and programs; people read the web pages.",
    "LOGIN-REFERRALS": "Any server of an installation serves any account, so nobody is sent elsewhere.",
    "MAILBOX-REFERRALS": "Any server of an installation serves any mailbox.",
    "QUOTA=RES-ANNOTATION-STORAGE": "There is nothing to be counted.",
    "QUOTA=RES-MAILBOX": "The number of mailboxes has one limit for all, so there is no quota to be told.",
    "SAVELIMIT=": "MESSAGELIMIT says it, and both are not announced together.",
    "URL-PARTIAL": "CATENATE takes pieces by URL; this name promises URLAUTH beside it.",
    "URLAUTH": "Handing out URLs to mail without signing in is what links to files are for, and opens a door.",
    "URLFETCH=BINARY": "There is no URLAUTH here.",
    "UTF8=ALL": "Withdrawn by RFC 6855 in favour of UTF8=ACCEPT.",
    "UTF8=APPEND": "Withdrawn by RFC 6855 in favour of UTF8=ACCEPT.",
    "UTF8=ONLY": "It shuts out every client without UTF8=ACCEPT, which is most of them.",
    "UTF8=USER": "Withdrawn by RFC 6855 in favour of UTF8=ACCEPT.",
}
"""Why not, in one sentence, for each that is not announced."""

_WORD: Final = re.compile(r"[A-Z][A-Z0-9]*(?:rev[12])?[A-Z0-9=&+-]*[a-z]*")
_NO_CAPABILITY: Final = {"CAPABILITY", "PLAIN"}


def registered_name(word: str) -> str:
    """A word as it is announced → how it stands in the registry."""
    return next((prefix for prefix in PREFIXES if word.startswith(prefix)), word)


def announced() -> set[str]:
    """Every capability that any session can announce, as the code has them."""
    tree = ast.parse(CAPABILITY_PY.read_text(encoding="utf-8"))
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    words = {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose
        for word in node.value.split()
        if _WORD.fullmatch(word)
    }
    return {registered_name(word) for word in words} - _NO_CAPABILITY


def page() -> str:
    """docs/reference/imap.md."""
    here = announced()
    lines = [
        "# IMAP capabilities",
        "",
        "Every capability in [IANA's registry](https://www.iana.org/assignments/imap-capabilities): what Mailhost",
        "announces, and why it does without the rest. Where it knowingly differs from what one of these says,",
        "[Differences](../differences.md) has it. This page is made from the code.",
        "",
        "| capability | described in | |",
        "|---|---|---|",
    ]
    for name, source in sorted({**REGISTERED, **{own: OURS[own] for own in OURS if own in here}}.items()):
        shown = name + "…" if name in PREFIXES else name
        lines.append(f"| `{shown}` | {source} | {'yes' if name in here else ABSENT[name]} |")
    return "\n".join(lines) + "\n"
