"""The message that tells a sender what could not be delivered, and why (RFC 3464, RFC 6533)."""

import secrets
from typing import Final

from mailhost.delivery.send import Sent
from mailhost.delivery.trace import date_text
from mailhost.queue.model import Outgoing

_MAX_REPLY: Final = 1000


def bounce(host: str, domain: str, message: Outgoing, recipient: str, outcome: Sent, header: bytes, now: int) -> bytes:
    """The whole report as a message from our mailer-daemon at `domain`; `header` is the header of what was sent."""
    boundary = f"report-{secrets.token_hex(12)}"
    kind = "utf-8" if not recipient.isascii() else "rfc822"
    status_type = "message/global-delivery-status" if kind == "utf-8" else "message/delivery-status"
    header_type = "text/rfc822-headers" if header.isascii() else "message/global-headers"
    status = outcome.status if outcome.status.startswith("5.") else "5.4.7"  # 4.x.x tried for days: time has expired
    reply = " ".join(outcome.text.split())[:_MAX_REPLY]
    lines = [
        f"From: Mail Delivery Subsystem <mailer-daemon@{domain}>",
        f"To: <{message.sender}>",
        f"Date: {date_text(now)}",
        f"Message-ID: <{now}.{secrets.token_hex(8)}@{host}>",
        "Subject: Delivery Status Notification (Failure)",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        f"Your message to {recipient} was not delivered.",
        "",
        "The answer from the other side was:",
        "",
        f"  {outcome.code} {outcome.status} {reply}",
        "",
        "Nobody will try again. If you can put it right, send the message once more.",
        "",
        f"--{boundary}",
        f"Content-Type: {status_type}",
        "",
        f"Reporting-MTA: dns; {host}",
        f"Arrival-Date: {date_text(message.queued_at)}",
        "",
        f"Final-Recipient: {kind}; {recipient}",
        "Action: failed",
        f"Status: {status}",
        f"Diagnostic-Code: smtp; {outcome.code} {outcome.status} {reply}",
        "",
        f"--{boundary}",
        f"Content-Type: {header_type}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + header.rstrip(b"\r\n") + f"\r\n\r\n--{boundary}--\r\n".encode()
