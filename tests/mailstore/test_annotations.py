"""Annotations are bounded, per reader, and gone with what they stand beside; on both engines."""

import pytest

from mailhost import mailstore
from mailhost.mailstore import annotations as notes

NOW = 1_700_000_000
OTHER = 2


async def test_there_is_room_for_so_many(database, account) -> None:
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    many = {f"/private/n{number}": b"x" for number in range(notes.MAX_ENTRIES)}
    await database.write(notes.annotate_mailbox, account, inbox.id, account, many)
    with pytest.raises(notes.TooManyAnnotations):
        await database.write(notes.annotate_mailbox, account, inbox.id, account, {"/private/more": b"x"})
    await database.write(notes.annotate_mailbox, account, inbox.id, account, {"/shared/more": b"x"})
    await database.write(notes.annotate_mailbox, account, inbox.id, OTHER, {"/private/more": b"x"})
    for _ in range(3):  # what was removed is remembered, but not for ever
        await database.write(notes.annotate_mailbox, account, inbox.id, account, dict.fromkeys(many))
        await database.write(notes.annotate_mailbox, account, inbox.id, account, {"/private/other": None})
    assert set(await database.read(notes.annotations, account, inbox.id, account)) == {"/shared/more"}
    large = {"/private/large": b"x" * (notes.MAX_VALUE + 1)}
    with pytest.raises(notes.AnnotationTooLarge):
        await database.write(notes.annotate_mailbox, account, inbox.id, account, large)


async def test_a_reader_of_anothers_mailbox_has_little_room(database, account, monkeypatch) -> None:
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    monkeypatch.setattr(notes, "MAX_OCTETS_OF_OTHERS", 10)
    await database.write(notes.annotate_mailbox, account, inbox.id, OTHER, {"/private/a": b"x" * 10})
    with pytest.raises(notes.TooManyAnnotations):
        await database.write(notes.annotate_mailbox, account, inbox.id, OTHER, {"/private/b": b"x"})
    await database.write(notes.annotate_mailbox, account, inbox.id, account, {"/private/b": b"x" * 100})


async def test_changes_are_told_by_modseq_and_reader(database, account) -> None:
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    _, first = await database.write(notes.annotate_mailbox, account, inbox.id, account, {"/private/a": b"1"})
    before, second = await database.write(notes.annotate_mailbox, account, inbox.id, OTHER, {"/shared/a": b"2"})
    assert before == first
    assert await database.read(notes.changed_entries, account, inbox.id, account, 0) == ["/private/a", "/shared/a"]
    assert await database.read(notes.changed_entries, account, inbox.id, account, first) == ["/shared/a"]
    assert await database.read(notes.changed_entries, account, inbox.id, OTHER, 0) == ["/shared/a"]
    assert (await database.read(mailstore.find_mailbox, account, "INBOX")).highest_modseq == second


async def test_they_go_with_their_mailbox_and_their_account(database, account) -> None:
    await database.write(mailstore.open_store, OTHER, NOW, 100_000)
    box = await database.write(mailstore.create_mailbox, account, "box")
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for mailbox in (box, inbox):
        await database.write(
            notes.annotate_mailbox, account, mailbox.id, OTHER, {"/private/a": b"1", "/shared/b": b"2"}
        )
    await database.write(mailstore.delete_mailbox, account, "box", NOW)
    assert await database.read(notes.annotations, account, box.id, OTHER) == {}
    await database.write(mailstore.close_store, OTHER)
    assert await database.read(notes.annotations, account, inbox.id, OTHER) == {"/shared/b": b"2"}
