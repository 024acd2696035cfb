"""What we announce: exactly what works, before and after sign-in (RFC 9051 §6.1.1)."""

from typing import Final

from mailhost.protocols.imap import responses
from mailhost.protocols.sasl import TOKEN_MECHANISMS
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.session import Session

_ALWAYS: Final = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID IDLE NAMESPACE UNSELECT"
_SIGNED_IN: Final = (
    "UIDPLUS",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "MOVE",
    "CONDSTORE",
    "QRESYNC",
    "OBJECTID",
    "MULTISEARCH",
    "I18NLEVEL=1",
    "ESEARCH",
    "SEARCHRES",
    "SEARCH=FUZZY",
    "WITHIN",
    "SAVEDATE",
    "PREVIEW",
    "PARTIAL",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "REPLACE",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTASET",
    "UTF8=ACCEPT",
    "MULTIAPPEND",
    "BINARY",
    "CATENATE",
    "STATUS=SIZE",
    "UIDONLY",
    "INPROGRESS",
    "NOTIFY",
    "ACL",
    "RIGHTS=kxte",
    "LIST-MYRIGHTS",
    "METADATA",
    "METADATA-SERVER",
    "LIST-METADATA",
    "UNAUTHENTICATE",
    "COMPRESS=DEFLATE",
)

_LABELS: Final = "X-GM-EXT-1"
"""Where the account shows labels."""


def capabilities(session: Session) -> str:
    """The words of CAPABILITY for this session as it stands."""
    words = _words(session)
    if session.withheld:
        return " ".join(word for word in words.split() if word.upper() not in session.withheld)
    return words


def _words(session: Session) -> str:
    settings = session.services.settings
    if session.identity is not None:
        always = _ALWAYS if session.labels is None else _ALWAYS.replace("LITERAL+", "LITERAL-")
        limits = f"APPENDLIMIT={settings.append_limit} MESSAGELIMIT={settings.message_limit}"
        labels = "" if session.labels is None else f" {_LABELS}"
        return f"{always} {' '.join(_SIGNED_IN)}{labels} {limits}"
    words = _ALWAYS
    if session.stream.tls is None and session.services.tls_context is not None:
        words += " STARTTLS"
    if not may_sign_in(session):
        return f"{words} LOGINDISABLED"
    return " ".join([words, *(f"AUTH={mechanism}" for mechanism in mechanisms(session))])


def mechanisms(session: Session) -> tuple[str, ...]:
    """What AUTHENTICATE knows; the table of mechanisms holds more, for SMTP."""
    return ("PLAIN", *TOKEN_MECHANISMS) if session.services.door_keeper.offers_tokens else ("PLAIN",)


def may_sign_in(session: Session) -> bool:
    """Whether a password may travel on this connection."""
    return session.stream.tls is not None or session.services.settings.plaintext_sign_in


async def tell_capabilities(session: Session) -> Answer:
    """CAPABILITY."""
    await session.say(responses.capability(capabilities(session).split()))
    return completed("CAPABILITY")
