"""What Mailhost tells its operator: events named `noun.verb` with fields, each declared once in EVENTS.

Never a sentence, a secret or a piece of a message. To a terminal events are lines with colours, else JSON, one a line.
"""

from __future__ import annotations

import sys
from typing import Final, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

EVENTS: Final[dict[str, str]] = {
    "account.changed": "what guards an account was changed on its pages, `change` says what",
    "blob.damaged": "the stored bytes of a message cannot be read; its owner gets the rest without them",
    "blob.swept": "the sweeper erased the bytes of messages that are gone",
    "certificate.issued": "the local authority made a new certificate for our names",
    "certificate.obtained": "an authority gave a certificate (ACME), and it is served from now on",
    "certificate.refused": "an authority cannot be reached or gives no certificate, `said` holds its words",
    "certificate.unproved": "an authority does not see that a name is ours; the certificate goes without it",
    "certificate.unserved": "doors do not show the certificate that was obtained: look for what stands before them",
    "certificate.unusable": "the certificate of the settings cannot be used; the one of before stays",
    "chore.crashed": "a failure stopped the search index or the outbound queue, which goes on after a rest",
    "chore.delayed": "the store has no room or time for the search index or the queue, which go on after a rest",
    "connection.failed": "a connection never opened: TLS or the PROXY header went wrong, `reason` says how",
    "connection.misdirected": "a client spoke another protocol than the port does, and was told so",
    "connection.refused": "a connection was turned away because a limit was reached",
    "diary.delayed": "the store does not take the diary of sign-ins now; `dropped` of them will be missing",
    "geoip.unreadable": "the file of places in the settings cannot be read, `reason` says why; places stay unknown",
    "index.discarded": "the search index was not in order and is made anew, `reason` says why",
    "index.unavailable": "a search went without the index, `reason` says why",
    "index.unreadable": "a message could not be read for the search index, `reason` says why",
    "listener.absent": "an address cannot be listened on, and that is no harm (no IPv6 here)",
    "listener.opened": "a port accepts connections (told at level debug: the table and the JSON line say it too)",
    "login.accepted": "somebody signed in",
    "login.refused": "somebody was not let in, `reason` says why",
    "login.untold": "an owner could not be told of an unusual sign-in, `reason` says why",
    "login.throttled": "sign-ins of an address or an account are being held off",
    "maintenance.crashed": "a task that tidies up failed, and will try again later",
    "maintenance.delayed": "the store has no room or time for a task that tidies up, which is tried again later",
    "message.delivered": "a message was put into mailboxes",
    "message.refused": "a message or a recipient was not accepted, `reason` says why",
    "message.submitted": "somebody signed in handed a message in",
    "process.crashed": "a mistake of ours ended a process of the server",
    "process.died": "a process of the server ended unasked, and is started anew",
    "queue.attempted": "a message of the outbound queue was tried",
    "queue.shelved": "a message breaks the outbound queue, `reason` says why, and is kept: mailhost queue list",
    "queue.stumbled": "a mistake of ours ended the try of one message of the outbound queue; a few more follow",
    "selfcheck.changed": "the daily check found something `new` or `mended`; the administrator got a letter",
    "server.started": "every listener accepts",
    "server.stopped": "the last session ended",
    "server.stopping": "sessions get their time to end",
    "server.untold": "its ports could not be written into the data folder, where commands look for this server",
    "session.crashed": "a mistake of ours ended one session; the others go on",
    "session.troubled": "a command could not be served for now, `reason` says why",
    "session.ended": "a client's session ended",
    "store.removed": "files of the open database were removed; what is committed is saved, and all begin anew",
    "store.troubled": "what was stored last cannot be made safe from a power cut now, `reason` says why",
}


def _declared(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Refuse an event that the table does not know: it would be one no operator can look up."""
    if event["event"] not in EVENTS:
        raise LookupError(f"the event {event['event']!r} is not declared in mailhost.observe.EVENTS")
    return event


def _as_json(event: EventDict, **_options: object) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def configure(level: str = "info") -> None:
    """Send events of this level and above to standard error."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            _declared,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if terminal else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def logger() -> FilteringBoundLogger:
    """The one logger; modules keep it as `log`."""
    return cast(FilteringBoundLogger, structlog.get_logger())
