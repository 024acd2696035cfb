"""Messages as conversations: REFERENCES and ORDEREDSUBJECT (RFC 5256 §3).

Nothing here recurses: a chain of replies may be as long as the mailbox.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from mailhost.message.subjects import BaseSubject

MAX_REFERENCES: Final = 100
"""Of one message; the last ones say whose reply it is."""

_MESSAGE_ID: Final = re.compile(rb"<([^<>\s]{1,998})>")  # no line is longer (RFC 5322 §2.1.1)


@dataclass(frozen=True, slots=True)
class Threaded:
    """What threads are made of; `date` is when it was sent, in Unix seconds."""

    number: int
    date: int
    subject: BaseSubject
    message_id: bytes | None = None
    references: tuple[bytes, ...] = ()


class Node:
    """A message and its replies; `message` is None for one that others refer to and that is not there."""

    __slots__ = ("children", "message", "parent")

    def __init__(self, message: Threaded | None = None) -> None:
        self.message = message
        self.parent: Node | None = None
        self.children: list[Node] = []

    @property
    def first(self) -> Threaded:
        """The message, or that of the first reply."""
        node = self
        while node.message is None:
            node = node.children[0]
        return node.message

    @property
    def order(self) -> tuple[int, int]:
        """How siblings are ordered."""
        first = self.first
        return first.date, first.number

    def adopt(self, child: "Node") -> None:
        """Take a child from wherever it was."""
        if child.parent is not None:
            child.parent.children.remove(child)
        child.parent = self
        self.children.append(child)

    def attract(self, child: "Node") -> None:
        """The same, but it is not looked for among the children it had been one of: `parent` tells where it is."""
        child.parent = self
        self.children.append(child)

    def is_below(self, other: "Node") -> bool:
        """Whether `other` is this node or stands above it.

        Looked for from both ends by turns: there may be thousands above the one or below the other, but of the shorter
        way all that are joined one after the other walk together no more than there are messages.
        """
        if not other.children:
            return self is other  # most messages come after what they answer, and have no replies yet
        above: Node | None = self
        below = [(other, iter(other.children))]
        while above is not None and below:
            if above is other:
                return True
            above = above.parent
            parent, children = below[-1]
            node = next(children, None)
            if node is None:
                below.pop()
            elif node.parent is parent:  # still
                if node is self:
                    return True
                if node.children:
                    below.append((node, iter(node.children)))
        return False


def message_ids(value: bytes) -> list[bytes]:
    """The message ids in a raw field value: no id is folded, and `"x"@y` and `x@y` are one."""
    return [found.replace(b'"', b"") for found in _MESSAGE_ID.findall(value)]


def by_subject(messages: Iterable[Threaded]) -> list[Node]:
    """ORDEREDSUBJECT: one thread a subject, all replies below its oldest message."""
    threads: dict[str, Node] = {}
    for message in sorted(messages, key=attrgetter("date", "number")):
        first = threads.get(message.subject.text)
        if first is None:
            threads[message.subject.text] = Node(message)
        else:
            first.adopt(Node(message))
    return list(threads.values())


def by_references(messages: Sequence[Threaded]) -> list[Node]:
    """REFERENCES: replies below what they answer; threads that only share their subject are joined."""
    roots = _prune(_link(messages))
    for root in roots:
        if root.message is None:
            root.children.sort(key=attrgetter("order"))
    roots.sort(key=attrgetter("order"))
    roots = _merge(roots)
    _sort(roots)
    return roots


def _link(messages: Sequence[Threaded]) -> list[Node]:
    """Steps 1 and 2: every message below the one it refers to last; what has no parent is returned."""
    nodes: dict[bytes, Node] = {}
    unnamed: list[Node] = []
    for message in messages:
        node = nodes.get(message.message_id) if message.message_id is not None else None
        if message.message_id is None or (node is not None and node.message is not None):
            node = Node(message)  # without an id of its own, or with that of another message
            unnamed.append(node)
        elif node is None:
            node = nodes[message.message_id] = Node(message)
        else:
            node.message = message
        parent: Node | None = None
        for reference in message.references[-MAX_REFERENCES:]:
            child = nodes.get(reference)
            if child is None:
                child = nodes[reference] = Node()
            if parent is not None and child.parent is None and not parent.is_below(child):
                parent.attract(child)
            parent = child
        if parent is None:
            node.parent = None  # it says that it answers nothing, and is no reply, whatever others say of it
        elif not parent.is_below(node):
            parent.attract(node)
    everybody = (*nodes.values(), *unnamed)
    for node in everybody:
        if node.children:  # each stands where it came last
            came = dict.fromkeys(reversed(node.children))
            node.children = [child for child in reversed(came) if child.parent is node]
    return [node for node in everybody if node.parent is None]


def _prune(roots: list[Node]) -> list[Node]:
    """Step 3: messages that are not there go; their replies move up, but not to the top unless there is only one."""
    stack = list(roots)
    while stack:
        node = stack.pop()
        kept: list[Node] = []
        below = node.children[::-1]
        while below:
            child = below.pop()
            if child.message is None:
                below += child.children[::-1]
            else:
                child.parent = node
                kept.append(child)
        node.children = kept
        stack += kept
    top: list[Node] = []
    for root in roots:
        if root.message is not None or len(root.children) > 1:
            top.append(root)
        else:
            top += root.children
    for root in top:
        root.parent = None
    return top


def _merge(roots: list[Node]) -> list[Node]:
    """Step 5: threads of one subject become one, below the one that is no reply, or below a message not there."""
    table: dict[str, Node] = {}
    for root in roots:
        subject = root.first.subject
        known = table.get(subject.text)
        if known is None:
            if subject.text:
                table[subject.text] = root
        elif known.message is not None and (
            root.message is None or (known.message.subject.is_reply and not subject.is_reply)
        ):
            table[subject.text] = root
    merged: dict[Node, None] = dict.fromkeys(roots)
    for root in roots:
        subject = root.first.subject
        known = table.get(subject.text)
        if known is None or known is root:
            continue
        del merged[root]
        if known.message is None and root.message is None:
            for child in tuple(root.children):
                known.adopt(child)
        elif known.message is None or (subject.is_reply and not known.message.subject.is_reply):
            known.adopt(root)
        else:
            del merged[known]
            both = table[subject.text] = Node()
            merged[both] = None
            both.adopt(known)
            both.adopt(root)
    return list(merged)


def _sort(roots: list[Node]) -> None:
    """Step 6: siblings by the date they were sent."""
    order: list[Node] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        order.append(node)
        stack += node.children
    for node in reversed(order):
        node.children.sort(key=attrgetter("order"))
    roots.sort(key=attrgetter("order"))
