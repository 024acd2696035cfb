"""Handing in a message as mail programs do, on behalf of the operator."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mailhost import domains
from mailhost.app.office import office_of
from mailhost.cli.send import CannotSend
from mailhost.cli.store import opened
from mailhost.delivery.model import (
    DailyLimitReached,
    HeaderTooLarge,
    MailLoop,
    NoSuchUser,
    Office,
    Origin,
    Recipient,
    RecipientFull,
    RecipientSuspended,
    SenderNotYours,
)
from mailhost.delivery.route import is_ours, route
from mailhost.delivery.submit import Submission
from mailhost.errors import MailhostError
from mailhost.login.enrol import account_at
from mailhost.mailstore import MessageTooLarge, OverQuota
from mailhost.message.addresses import parse_addresses
from mailhost.message.headers import parse_fields
from mailhost.message.mime import unfold
from mailhost.protocols.smtp.addresses import Address, parse_address
from mailhost.storage.database import Tx

_ANSWERS: Final[dict[type[MailhostError], str]] = {
    NoSuchUser: "There is no account {address}.",
    RecipientSuspended: "{address} is suspended.",
    RecipientFull: "{address} is full: its owner has to delete mail, or gets more room.",
    MessageTooLarge: "The message is larger than mailhost.toml allows (limits.message_octets).",
    HeaderTooLarge: "The header of the message is too long.",
    MailLoop: "The message has passed too many servers already.",
    SenderNotYours: "The From field must name {address}, and nobody else.",
    DailyLimitReached: "{address} has sent as many messages as it may in 24 hours (limits.messages_a_day).",
    OverQuota: "{address} has no room for the copy in Sent: delete mail, or give it more (mailhost account quota).",
}
_RECIPIENT_FIELDS: Final = frozenset({b"to", b"cc", b"bcc"})


async def send_message(content: bytes, sender: str | None, recipients: Sequence[str], data: Path) -> list[str]:
    """Hand in a message; returns its recipients. Raises MailhostError in words for people."""
    fields = parse_fields(content.partition(b"\r\n\r\n")[0] + b"\r\n")
    author = sender or next(iter(_addresses(fields, frozenset({b"from"}))), None)
    if author is None:
        raise CannotSend("The message has no From field: name the account with --from.")
    wanted = list(dict.fromkeys(recipients or _addresses(fields, _RECIPIENT_FIELDS)))
    if not wanted:
        raise CannotSend("The message names no recipient: name them with --to.")
    addresses = [_parsed(each) for each in wanted]
    async with opened(data) as services:
        account = await services.database.read(account_at, author)
        first_domain = (await services.database.read(domains.list_domains, 1))[0].name
        office = office_of(services, services.config.host_name or f"mail.{first_domain}")
        local, remote = await services.database.read(_routed, office, addresses)
        origin = Origin(secrets.token_hex(8), _parsed(account.address), "local", office.host, "127.0.0.1")
        submission = Submission(office, account.id, account.address, origin)
        try:
            submission.write(content)
            incoming = await submission.finish()
            await submission.send(incoming, local, remote)
        except MailhostError as error:
            raise _in_words(error, account.address) from error
        finally:
            submission.discard()
    return wanted


def _in_words(error: MailhostError, address: str) -> MailhostError:
    words = _ANSWERS.get(type(error))
    return error if words is None else CannotSend(words.format(address=address))


def _addresses(fields: Sequence[tuple[bytes, bytes, bytes]], names: frozenset[bytes]) -> list[str]:
    """Every address in the fields of these names."""
    return [
        (each.mailbox + b"@" + each.host).decode("utf-8", "replace")
        for name, value, _ in fields
        if name in names
        for each in parse_addresses(unfold(value))
        if each.mailbox and each.host
    ]


def _parsed(text: str) -> Address:
    address = parse_address(text)
    if address is None:
        raise CannotSend(f"{text} is no address.")
    return address


def _routed(tx: Tx, office: Office, addresses: Sequence[Address]) -> tuple[list[Recipient], list[Address]]:
    """Who is here and who is elsewhere. Raises CannotSend for an address that cannot be reached."""
    local, remote = [], []
    for address in addresses:
        if is_ours(tx, address):
            try:
                local.append(route(tx, address))
            except MailhostError as error:
                raise _in_words(error, str(address)) from error
        elif office.smarthost is not None:
            remote.append(address)
        else:
            raise CannotSend(f"{address} is elsewhere, and there is no smarthost in mailhost.toml.")
    return local, remote
