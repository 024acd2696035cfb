"""What the search index says of a key: the bridge between it, the rows and the single message."""

from dataclasses import dataclass

from mailhost.protocols.imap.search import And, BodyContains, HeaderContains, Not, Or, SearchKey, TextContains

TextKey = HeaderContains | BodyContains | TextContains
"""A key that asks for text, which only the index or a look at the message can answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Messages of the account that have what a key asks for, among those the index knows: ids up to `up_to`.

    `is_complete`: it knows all that the session does. `is_exact`: what it names matches; else some of it may not.
    """

    ids: frozenset[int]
    up_to: int
    is_complete: bool
    is_exact: bool

    def about(self, message_id: int) -> bool | None:
        """Whether the message matches; None where only a look at it can tell."""
        if message_id > self.up_to:
            return None
        if message_id not in self.ids:
            return False
        return True if self.is_exact else None


def text_keys(key: SearchKey) -> list[TextKey]:
    """Every key of the tree that asks for text."""
    match key:
        case HeaderContains() | BodyContains() | TextContains():
            return [key]
        case And(keys):
            return [found for inner in keys for found in text_keys(inner)]
        case Or(left, right):
            return text_keys(left) + text_keys(right)
        case Not(inner):
            return text_keys(inner)
        case _:
            return []
