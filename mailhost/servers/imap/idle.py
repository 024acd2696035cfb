"""IDLE: the session sleeps until its mailbox changes or the client says DONE (RFC 2177)."""

import asyncio

from mailhost.mailstore.mailboxes import mailbox_topic
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.events import Hangup, IdleDone, Mistake
from mailhost.servers.imap.answers import Answer
from mailhost.servers.imap.notify import expect_everything, tell_events
from mailhost.servers.imap.session import Session


async def idle(session: Session) -> Answer:
    """Tell changes as they come. One watch, no task: the wake-up interrupts the wait for the client."""
    await session.say(responses.continuation(b"idling"))
    view = session.view
    if view is None:
        return await _until_done(session)
    topic = mailbox_topic(view.account_id, view.mailbox_id)
    watch = session.services.database.watch(topic, session.stream.interrupt)
    try:
        return await _until_done(session)
    finally:
        watch.close()


async def _until_done(session: Session) -> Answer:
    until = asyncio.get_running_loop().time() + session.services.settings.idle_seconds
    while True:
        match session.connection.next_event():
            case None:
                pass
            case IdleDone():
                return Answer("OK", None, "IDLE terminated (Success)")
            case Mistake(status=status, code=code, text=text):
                return Answer(status, code, text)
            case Hangup(text):
                raise await session.bye(text, "bad-input")
            case event:
                raise AssertionError(f"unexpected in IDLE: {event}")
        await tell_events(session)
        if not await session.doze(until, "Autologout; IDLE again before half an hour is over."):
            expect_everything(session)
