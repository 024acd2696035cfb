"""The message that tells a sender what could not be delivered, for good or so far, and why (RFC 3464, RFC 6533)."""

import secrets
from typing import Final

from mailhost.delivery.send import Sent
from mailhost.delivery.trace import date_text
from mailhost.queue.model import Outgoing

_MAX_REPLY: Final = 1000


_FAILED: Final = (
    "Your message to {recipient} was not delivered.",
    "",
    "The answer from the other side was:",
    "",
    "  {answer}",
    "",
    "Nobody will try again. If you can put it right, send the message once more.",
)
_DELAYED: Final = (
    "Your message to {recipient} has not been delivered so far.",
    "",
    "  {answer}",
    "",
    "The message is kept, and is sent on as soon as that is done; you need not send it again. If it cannot wait, "
    "tell the administrator, or reach the recipient in another way.",
)


def bounce(
    host: str, message: Outgoing, recipient: str, outcome: Sent, header: bytes, now: int, *, is_final: bool
) -> bytes:
    """The whole report as a message from our mailer-daemon at the sender's domain; `header` is the message's."""
    boundary = f"report-{secrets.token_hex(12)}"
    kind = "utf-8" if not recipient.isascii() else "rfc822"
    status_type = "message/global-delivery-status" if kind == "utf-8" else "message/delivery-status"
    header_type = "text/rfc822-headers" if header.isascii() else "message/global-headers"
    status = outcome.status
    if is_final and not status.startswith("5."):  # tried for days: time has expired
        status = "5.4.7"
    reply = " ".join(outcome.text.split())[:_MAX_REPLY]
    answer = f"{outcome.code} {outcome.status} {reply}"
    lines = [
        f"From: Mail Delivery Subsystem <mailer-daemon@{message.sender.rpartition('@')[2]}>",
        f"To: <{message.sender}>",
        f"Date: {date_text(now)}",
        f"Message-ID: <{now}.{secrets.token_hex(8)}@{host}>",
        f"Subject: Delivery Status Notification ({'Failure' if is_final else 'Delay'})",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        *(line.format(recipient=recipient, answer=answer) for line in (_FAILED if is_final else _DELAYED)),
        "",
        f"--{boundary}",
        f"Content-Type: {status_type}",
        "",
        f"Reporting-MTA: dns; {host}",
        f"Arrival-Date: {date_text(message.queued_at)}",
        "",
        f"Final-Recipient: {kind}; {recipient}",
        f"Action: {'failed' if is_final else 'delayed'}",
        f"Status: {status}",
        f"Diagnostic-Code: smtp; {answer}",
        "",
        f"--{boundary}",
        f"Content-Type: {header_type}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + header.rstrip(b"\r\n") + f"\r\n\r\n--{boundary}--\r\n".encode()
