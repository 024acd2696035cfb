"""The different values of the common fields in an account's mail, in memory: a piece of one is found among those.

There are few: an account with a hundred thousand messages hears from some thousand senders. A cache over the index's
table of fields, which only grows: when more is indexed, that much is read. It may name messages that are erased, as the
index itself does. Bounded; what nobody asked for longest is let go.
"""

from __future__ import annotations  # array is no generic before Python 3.12

import asyncio
from array import array
from collections import OrderedDict
from typing import Final

from mailhost.mailstore.messageids import MessageIds
from mailhost.mailstore.textindex import joined_fields
from mailhost.mailstore.thinking import think
from mailhost.storage.database import Database

BUDGET: Final = 64 * 1024 * 1024
"""Octets of all fields in a process."""

_EACH, _VALUE, _MESSAGE = 1_024, 250, 10
"""Octets of a field, of each value besides its text, and of each message."""
_ROWS_AT_ONCE: Final = 5_000
_OCTETS_AT_ONCE: Final = 4 * 1024 * 1024
_LARGEST_SHARE: Final = 2  # a field that takes more than half of the budget is left to the database


class FieldTexts:
    """Fields of accounts, of about `budget` octets together. Belongs to the event loop."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._octets = 0
        self._fields: OrderedDict[tuple[int, str], _Field] = OrderedDict()  # the least recently used first

    async def find(self, index: Database, account_id: int, name: str, text: str, up_to: int) -> MessageIds | None:
        """Messages that have the text, as it is compared, in the field; None: ask the database.

        All up to the id `up_to`, and perhaps some that were indexed since.
        """
        key = (account_id, name)
        field = self._fields.get(key)
        if field is None:
            field = self._fields[key] = _Field()
            self._make_room(field.octets)
        else:
            self._fields.move_to_end(key)
        async with field.lock:
            while field.up_to < up_to and not field.is_too_large:
                before = field.octets
                ids, lengths, texts, known_to = await index.read(
                    joined_fields, *key, field.up_to, up_to, _ROWS_AT_ONCE, _OCTETS_AT_ONCE
                )
                if known_to < up_to:
                    return None  # the index is being made anew
                is_last = len(ids) < _ROWS_AT_ONCE and sum(lengths) < _OCTETS_AT_ONCE
                field.learn(ids, lengths, texts, up_to if is_last else ids[-1])
                if field.octets > self._budget // _LARGEST_SHARE:
                    field.give_up()
                if self._fields.get(key) is field:  # else it serves whoever asked, once
                    self._make_room(field.octets - before)
            return None if field.is_too_large else await think(field.find, text)

    def forget(self, account_id: int | None = None) -> None:
        """Read an account's fields anew, or everybody's: the index was begun anew."""
        for key in [key for key in self._fields if account_id in {None, key[0]}]:
            self._octets -= self._fields.pop(key).octets

    def _make_room(self, octets: int) -> None:
        self._octets += octets
        while self._octets > self._budget:
            _, oldest = self._fields.popitem(last=False)
            self._octets -= oldest.octets


class _Field:
    """One field of all messages that have it: the ids that have each value."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.up_to = 0
        self.octets = _EACH  # about how much memory this takes
        self.is_too_large = False
        self._ids: dict[bytes, array[int]] = {}

    def learn(self, ids: list[int], lengths: list[int], texts: str, up_to: int) -> None:
        """Take what follows: texts of these lengths in octets, with a line end between them."""
        octets = texts.encode()
        start = 0
        for message_id, length in zip(ids, lengths, strict=True):
            value = octets[start : start + length]
            start += length + 1
            if (having := self._ids.get(value)) is None:
                having = self._ids[value] = array("Q")
                self.octets += _VALUE + length
            having.append(message_id)
        self.octets += _MESSAGE * len(ids)
        self.up_to = up_to

    def give_up(self) -> None:
        """Hold nothing any more."""
        self._ids.clear()
        self.octets = _EACH
        self.is_too_large = True

    def find(self, text: str) -> MessageIds:
        """The ids of those that hold the text."""
        wanted = text.encode(errors="replace")
        found = array("Q")
        for value, ids in self._ids.items():
            if wanted in value:
                found += ids
        return MessageIds(found)
