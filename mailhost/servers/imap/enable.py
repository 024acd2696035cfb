"""ENABLE, ID, NAMESPACE, COMPRESS (RFC 5161, RFC 2971, RFC 2342, RFC 4978)."""

import mailhost
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Compress, Enable, Id
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.capability import capabilities
from mailhost.servers.imap.notices import learn_condstore
from mailhost.servers.imap.quirks import withheld_from
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.updates import give_up_numbers

_CLIENT_ID_LENGTH = 200


async def enable(session: Session, command: Enable) -> Answer:
    """ENABLE: unknown words are passed over, as they must be, and so is what this client is not announced."""
    wanted = set(command.capabilities) - session.withheld
    enabled = []
    if wanted & {"CONDSTORE", "QRESYNC"}:
        await learn_condstore(session)
    if "CONDSTORE" in wanted:
        enabled.append("CONDSTORE")
    if "QRESYNC" in wanted:
        session.knows_qresync = True
        enabled.append("QRESYNC")
    if "IMAP4REV2" in wanted:
        session.speaks_rev2 = session.connection.utf8 = True  # names are UTF-8 (RFC 9051 §5.1)
        enabled.append("IMAP4rev2")
    if "UIDONLY" in wanted:
        session.uid_only = True
        await give_up_numbers(session)
        enabled.append("UIDONLY")
    if "UTF8=ACCEPT" in wanted:
        session.connection.utf8 = True
        enabled.append("UTF8=ACCEPT")
    if session.view is not None:
        session.view.utf8 = session.connection.utf8
    await session.say(responses.enabled(enabled))
    return completed("ENABLE")


async def exchange_ids(session: Session, command: Id) -> Answer:
    """ID: what the client calls itself goes into the sign-in diary, which its owner can read.

    Where its name makes the capabilities it was told untrue, the answer tells them anew.
    """
    fields = dict(command.fields)
    told = capabilities(session)
    session.withheld |= withheld_from(fields.get("name"))
    words = [fields.get("name"), fields.get("version"), fields.get("os")]
    session.client_id = " ".join(word for word in words if word)[:_CLIENT_ID_LENGTH]
    if session.live is not None:  # most clients tell it only now
        session.services.door_keeper.learn_client(session.live, session.client_id)
    await session.say(
        responses.server_id(
            {
                "name": "Mailhost",
                "version": mailhost.__version__,
                "support-url": session.services.settings.help_url,
                "remote-host": session.stream.peer[0],
            }
        )
    )
    now = capabilities(session)
    return Answer("OK", None if now == told else f"CAPABILITY {now}", "ID completed.")


async def compress(session: Session, command: Compress) -> Answer | None:
    """COMPRESS. Its OK is the last that is sent as it is, so the answer is given here."""
    if command.mechanism != "DEFLATE":
        return Answer("BAD", None, "COMPRESS knows DEFLATE here.")
    if session.compresses:
        return Answer("BAD", "COMPRESSIONACTIVE", "DEFLATE is active already.")
    if session.connection.is_inside_command:
        # Nobody could say whether what is there already was compressed (RFC 4978 §3 forbids to send it).
        return Answer("BAD", None, "Wait for the answer to COMPRESS before you send more.")
    await session.say(responses.tagged(command.tag, "OK", "DEFLATE active"))
    await session.flush()
    session.start_compression()
    return None


async def tell_namespace(session: Session) -> Answer:
    """NAMESPACE."""
    await session.say(responses.namespace())
    return completed("NAMESPACE")
