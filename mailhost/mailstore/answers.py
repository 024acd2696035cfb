"""Which messages have what a key asks for: the bridge between search index, rows and the single message."""

from dataclasses import dataclass

from mailhost.mailstore.messageids import NO_SCORES, MessageIds, Scores
from mailhost.protocols.imap.search import (
    BodyContains,
    EmailIs,
    HasWords,
    HeaderContains,
    LabelIs,
    Resembles,
    SearchKey,
    TextContains,
    ThreadIs,
    leaves,
)

TextKey = HeaderContains | BodyContains | TextContains | HasWords | Resembles
"""A key that asks for text, which only the index or a look at the message can answer."""

IdentityKey = EmailIs | ThreadIs | LabelIs
"""A key that names messages by what they are called."""

AnsweredKey = TextKey | IdentityKey
"""A key whose answer is a set of messages."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Messages of the account that have what a key asks for, among those the index knows: ids up to `up_to`.

    `is_complete`: it knows all that the session does. `is_exact`: what it names matches; else some of it may not.
    `scores`: how well, where the key is fuzzy.
    """

    ids: MessageIds
    up_to: int
    is_complete: bool
    is_exact: bool
    scores: Scores = NO_SCORES

    def about(self, message_id: int) -> bool | None:
        """Whether the message matches; None where only a look at it can tell."""
        if message_id > self.up_to:
            return None
        if message_id not in self.ids:
            return False
        return True if self.is_exact else None


def identity_keys(key: SearchKey) -> list[IdentityKey]:
    """Every key of the tree that names messages."""
    return [leaf for leaf in leaves(key) if isinstance(leaf, IdentityKey)]


def text_keys(key: SearchKey) -> list[TextKey]:
    """Every key of the tree that asks for text."""
    return [leaf for leaf in leaves(key) if isinstance(leaf, TextKey)]
