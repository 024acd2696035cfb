"""The line or two of text a mailbox shows beside the subject."""

from typing import Final

from mailhost.message.scan import Part

MAX_PREVIEW: Final = 200


def preview_of(root: Part) -> str:
    """At most 200 characters of the message's own text."""
    return " ".join(root.sample[:MAX_PREVIEW].decode("utf-8", "replace").split())
