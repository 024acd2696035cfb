"""What SORT and THREAD ask: criteria and algorithms (RFC 5256, RFC 5957, RFC 6203)."""

from dataclasses import dataclass
from enum import Enum


class SortKey(Enum):
    """What messages are compared by; the value is its name on the wire."""

    ARRIVAL = b"ARRIVAL"
    CC = b"CC"
    DATE = b"DATE"
    DISPLAYFROM = b"DISPLAYFROM"
    DISPLAYTO = b"DISPLAYTO"
    FROM = b"FROM"
    RELEVANCY = b"RELEVANCY"
    SIZE = b"SIZE"
    SUBJECT = b"SUBJECT"
    TO = b"TO"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One key; those behind it decide between messages that are equal by it, and at last the sequence number."""

    key: SortKey
    is_reverse: bool = False


class Algorithm(Enum):
    """How THREAD makes conversations; the value is its name on the wire."""

    ORDEREDSUBJECT = b"ORDEREDSUBJECT"
    REFERENCES = b"REFERENCES"
