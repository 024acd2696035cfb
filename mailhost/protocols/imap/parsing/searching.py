"""SEARCH and its keys (RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 6203, RFC 7162 §3.1.5, RFC 8474 …)."""

from collections.abc import Callable, Collection
from typing import Final

from mailhost.message.encoded import codec_of
from mailhost.message.resemblance import parse_terms
from mailhost.protocols.imap.commands import CancelUpdate, Search
from mailhost.protocols.imap.fetch import FetchItem, Window
from mailhost.protocols.imap.flags import InvalidFlag, parse_flag
from mailhost.protocols.imap.objects import ObjectId, parse_object_id
from mailhost.protocols.imap.parsing.cursor import MAX_MODSEQ, Cursor, Refusal
from mailhost.protocols.imap.parsing.dates import parse_day
from mailhost.protocols.imap.parsing.gmail import parse_gmail_search
from mailhost.protocols.imap.parsing.messages import parse_items
from mailhost.protocols.imap.search import (
    All,
    And,
    ArrivalDay,
    ArrivedBefore,
    ArrivedWithin,
    BodyContains,
    EmailIs,
    HasFlag,
    HasKeyword,
    HasLabel,
    HeaderContains,
    Larger,
    ModseqSince,
    Not,
    NumberIn,
    Or,
    Relation,
    Resembles,
    ReturnOption,
    SavedDay,
    SearchKey,
    SentDay,
    Smaller,
    TextContains,
    ThreadIs,
    UidIn,
    leaves,
)
from mailhost.protocols.imap.sets import MAX_NUMBER, SequenceSet

MAX_DEPTH: Final = 150
MAX_KEYS: Final = 1000
MAX_FUZZY_TERMS: Final = 100
"""Words and pairs of characters; each is compared with thousands of words of the account's mail."""

CHARSETS: Final = {
    "US-ASCII": "ascii",
    "ASCII": "ascii",
    "UTF-8": "utf-8",
    "ISO-8859-1": "latin-1",
    "ISO-8859-15": "iso8859-15",
    "WINDOWS-1252": "cp1252",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "GB2312": "gb2312",
    "BIG5": "big5",
    "ISO-2022-JP": "iso2022_jp",
    "SHIFT_JIS": "shift_jis",
    "EUC-KR": "euc_kr",
    "KOI8-R": "koi8-r",
    "WINDOWS-1251": "cp1251",
}
"""What is told to a client that names none of those that mail is written in, and the codec that reads each."""
_NOT_SEARCHED: Final = frozenset(("utf-7",))  # it may name halves of characters, which nobody could store

_RETURNS: Final = {option.value.encode(): option for option in ReturnOption}
_FUZZY_FIELDS: Final = frozenset(("bcc", "cc", "from", "subject", "to"))
_NOTHING: Final = Not(All())


class _Reader:
    """Reads keys from the cursor and keeps count of them; `codec` decodes the strings searched for."""

    __slots__ = ("_fuzzy_terms", "_saves", "codec", "cursor", "has_fuzzy", "is_fuzzy", "keys")

    def __init__(self, cursor: Cursor, codec: str, *, saves: bool) -> None:
        self.cursor = cursor
        self.codec = codec
        self.keys = 0
        self.is_fuzzy = False  # what is read now
        self.has_fuzzy = False
        self._fuzzy_terms = 0
        self._saves = saves

    def text(self) -> str:
        self.cursor.space()
        octets = self.cursor.astring()
        try:
            return octets.decode(self.codec)
        except UnicodeError as error:
            raise Refusal("The text to search for is not in the charset named.") from error

    def header(self, name: str) -> SearchKey:
        return self._loosened(HeaderContains(name, self.text()))

    def any_header(self) -> SearchKey:
        self.cursor.space()
        return self.header(self.cursor.astring().decode("ascii", "replace").lower())

    def contains(self, make: type[BodyContains | TextContains]) -> SearchKey:
        return self._loosened(make(self.text()))

    def _loosened(self, key: HeaderContains | BodyContains | TextContains) -> SearchKey:
        """The key as FUZZY has it, which changes nothing of other fields and of texts without a word (RFC 6203 §5)."""
        is_other = isinstance(key, HeaderContains) and key.name not in _FUZZY_FIELDS
        if not self.is_fuzzy or is_other or not (terms := parse_terms(key.text)):
            return key
        self._fuzzy_terms += len(terms)
        if self._fuzzy_terms > MAX_FUZZY_TERMS:
            sentence = f"A search has at most {MAX_FUZZY_TERMS} FUZZY words. Ask for fewer, or leave FUZZY out."
            raise Refusal(sentence, status="NO", code="LIMIT", empties_saved=self._saves)
        return Resembles(key)

    def fuzzy(self, depth: int) -> SearchKey:
        """The key behind FUZZY, and all that it holds."""
        self.has_fuzzy = True
        self.cursor.space()
        before, self.is_fuzzy = self.is_fuzzy, True
        key = self.key(depth + 1)
        self.is_fuzzy = before
        return key

    def keyword(self) -> HasFlag | HasKeyword:
        self.cursor.space()
        try:
            flag = parse_flag(self.cursor.astring().decode("ascii", "replace"))
        except InvalidFlag:
            flag = None
        if flag is None:
            raise Refusal("There is no such keyword.")
        return HasFlag(flag) if flag.startswith("\\") else HasKeyword(flag)

    def arrival(self, relation: Relation) -> ArrivalDay:
        self.cursor.space()
        return ArrivalDay(relation, parse_day(self.cursor))

    def sent(self, relation: Relation) -> SentDay:
        self.cursor.space()
        return SentDay(relation, parse_day(self.cursor))

    def saved(self, relation: Relation) -> SavedDay:
        self.cursor.space()
        return SavedDay(relation, parse_day(self.cursor))

    def seconds(self) -> int:
        self.cursor.space()
        seconds = self.cursor.number()
        if not seconds:
            raise Refusal("An interval has at least one second.")
        return seconds

    def size(self) -> int:
        self.cursor.space()
        return self.cursor.number(MAX_MODSEQ)

    def uids(self) -> UidIn:
        self.cursor.space()
        return UidIn(self.cursor.sequence_set())

    def uids_between(self, step: int, other: int) -> SearchKey:
        """From the UID beside the one that stands here as far as another (RFC 9738 §3.2)."""
        self.cursor.space()
        nearest = self.cursor.number() + step
        if not 0 < nearest <= MAX_NUMBER:
            return _NOTHING
        return UidIn(SequenceSet(((min(nearest, other), max(nearest, other)),)))

    def object_id(self, kind: str, make: Callable[[ObjectId], SearchKey]) -> SearchKey:
        self.cursor.space()
        found = parse_object_id(kind, self.cursor.astring().decode("ascii", "replace"))
        return _NOTHING if found is None else make(found)

    def gmail_id(self) -> ObjectId:
        self.cursor.space()
        return ObjectId(None, self.cursor.number((1 << 64) - 1))

    def gmail_search(self) -> SearchKey:
        key = parse_gmail_search(self.text())
        self._count(sum(1 for _ in leaves(key)) - 1)  # the key itself is counted
        return key

    def _count(self, more: int, depth: int = 0) -> None:
        self.keys += more
        if depth > MAX_DEPTH or self.keys > MAX_KEYS:
            raise Refusal("The search is nested too deeply or has too many keys.")

    def modseq(self) -> ModseqSince:
        """The entry name and type some clients give change nothing: one modseq stands for all flags of a message."""
        self.cursor.space()
        if self.cursor.text.startswith(b'"', self.cursor.place):
            self.cursor.string()
            self.cursor.space()
            self.cursor.word()
            self.cursor.space()
        return ModseqSince(self.cursor.number(MAX_MODSEQ))

    def key(self, depth: int) -> SearchKey:
        """One key with everything that belongs to it."""
        self._count(1, depth)
        if self.cursor.skip(b"("):
            return self._group(depth)
        if self.cursor.at_set():
            return NumberIn(self.cursor.sequence_set())
        word = self.cursor.word()
        if word == b"NOT":
            self.cursor.space()
            return Not(self.key(depth + 1))
        if word == b"OR":
            self.cursor.space()
            left = self.key(depth + 1)
            self.cursor.space()
            return Or(left, self.key(depth + 1))
        if word == b"FUZZY":
            return self.fuzzy(depth)
        if (fixed := _FIXED.get(word)) is not None:
            return fixed
        if (read := _KEYS.get(word)) is not None:
            if word.startswith(b"X-GM-"):
                self.cursor.need_labels(word)
            return read(self)
        raise Refusal(f"There is no search key {word[:40].decode()}.")

    def _group(self, depth: int) -> SearchKey:
        keys = [self.key(depth + 1)]
        while not self.cursor.skip(b")"):
            self.cursor.space()
            keys.append(self.key(depth + 1))
        return keys[0] if len(keys) == 1 else And(tuple(keys))


_FIXED: Final[dict[bytes, SearchKey]] = {
    b"ALL": All(),
    b"ANSWERED": HasFlag("\\Answered"),
    b"DELETED": HasFlag("\\Deleted"),
    b"DRAFT": HasFlag("\\Draft"),
    b"FLAGGED": HasFlag("\\Flagged"),
    b"SEEN": HasFlag("\\Seen"),
    b"UNANSWERED": Not(HasFlag("\\Answered")),
    b"UNDELETED": Not(HasFlag("\\Deleted")),
    b"UNDRAFT": Not(HasFlag("\\Draft")),
    b"UNFLAGGED": Not(HasFlag("\\Flagged")),
    b"UNSEEN": Not(HasFlag("\\Seen")),
    b"NEW": _NOTHING,
    b"RECENT": _NOTHING,
    b"OLD": All(),
    b"SAVEDATESUPPORTED": All(),
}

_KEYS: Final[dict[bytes, Callable[[_Reader], SearchKey]]] = {
    b"BCC": lambda reader: reader.header("bcc"),
    b"CC": lambda reader: reader.header("cc"),
    b"FROM": lambda reader: reader.header("from"),
    b"SUBJECT": lambda reader: reader.header("subject"),
    b"TO": lambda reader: reader.header("to"),
    b"HEADER": _Reader.any_header,
    b"BODY": lambda reader: reader.contains(BodyContains),
    b"TEXT": lambda reader: reader.contains(TextContains),
    b"KEYWORD": _Reader.keyword,
    b"UNKEYWORD": lambda reader: Not(reader.keyword()),
    b"BEFORE": lambda reader: reader.arrival(Relation.BEFORE),
    b"ON": lambda reader: reader.arrival(Relation.ON),
    b"SINCE": lambda reader: reader.arrival(Relation.SINCE),
    b"SENTBEFORE": lambda reader: reader.sent(Relation.BEFORE),
    b"SENTON": lambda reader: reader.sent(Relation.ON),
    b"SENTSINCE": lambda reader: reader.sent(Relation.SINCE),
    b"SAVEDBEFORE": lambda reader: reader.saved(Relation.BEFORE),
    b"SAVEDON": lambda reader: reader.saved(Relation.ON),
    b"SAVEDSINCE": lambda reader: reader.saved(Relation.SINCE),
    b"YOUNGER": lambda reader: ArrivedWithin(reader.seconds()),
    b"OLDER": lambda reader: ArrivedBefore(reader.seconds()),
    b"LARGER": lambda reader: Larger(reader.size()),
    b"SMALLER": lambda reader: Smaller(reader.size()),
    b"UID": _Reader.uids,
    b"UIDAFTER": lambda reader: reader.uids_between(1, MAX_NUMBER),
    b"UIDBEFORE": lambda reader: reader.uids_between(-1, 1),
    b"MODSEQ": _Reader.modseq,
    b"X-GM-MSGID": lambda reader: EmailIs(reader.gmail_id()),
    b"X-GM-THRID": lambda reader: ThreadIs(reader.gmail_id()),
    b"X-GM-RAW": _Reader.gmail_search,
    b"EMAILID": lambda reader: reader.object_id("M", EmailIs),
    b"THREADID": lambda reader: reader.object_id("T", ThreadIs),
    b"X-GM-LABELS": lambda reader: HasLabel(reader.text()),
}


def parse_search(cursor: Cursor, tag: bytes) -> Search:
    """SEARCH [RETURN (options)] [CHARSET name] keys."""
    return _parse_search(cursor, tag, by_uid=False)


def parse_uid_search(cursor: Cursor, tag: bytes) -> Search:
    """UID SEARCH, as SEARCH."""
    return _parse_search(cursor, tag, by_uid=True)


def _parse_search(cursor: Cursor, tag: bytes, *, by_uid: bool) -> Search:
    cursor.space()
    returns, window, update = read_returns(cursor)
    codec = "utf-8"  # unless the client says otherwise, as in RFC 9051
    if cursor.peek_word() == b"CHARSET":
        cursor.word()
        cursor.space()
        codec = read_codec(cursor, returns)
        cursor.space()
    return Search(tag, by_uid, read_keys(cursor, codec, returns), returns, window, update)


def read_keys(
    cursor: Cursor, codec: str, returns: Collection[ReturnOption] | None = None, *, needs_fuzzy: bool = False
) -> SearchKey:
    """The keys at the end of a command; `codec` decodes the strings searched for.

    How relevant messages are can be asked only where something is fuzzy (RFC 6203 §4, §6).
    """
    reader = _Reader(cursor, codec, saves=ReturnOption.SAVE in (returns or ()))
    keys = [reader.key(0)]
    while not cursor.at_end():
        cursor.space()
        keys.append(reader.key(0))
    if not reader.has_fuzzy and (needs_fuzzy or ReturnOption.RELEVANCY in (returns or ())):
        raise Refusal("RELEVANCY needs a FUZZY search key.")
    return keys[0] if len(keys) == 1 else And(tuple(keys))


Returns = tuple[frozenset[ReturnOption] | None, Window | None, tuple[FetchItem, ...] | None]
"""The options of RETURN, the range of PARTIAL, and the items of UPDATE; None for what is not there."""


def read_returns(cursor: Cursor) -> Returns:
    """RETURN with its options, {ALL} when there are none."""
    if cursor.peek_word() != b"RETURN":
        return None, None, None
    cursor.word()
    cursor.space()
    cursor.expect(b"(")
    options: set[ReturnOption] = set()
    window: Window | None = None
    update: tuple[FetchItem, ...] | None = None
    is_first = True
    while not cursor.skip(b")"):
        if not is_first:
            cursor.space()
        is_first = False
        word = cursor.word()
        if word == b"CONTEXT":
            continue  # a hint that the search will be asked again (RFC 5267 §4.2)
        if word == b"UPDATE":
            update = ()
            if cursor.text.startswith(b" (", cursor.place):
                cursor.space()
                update = parse_items(cursor)
            continue
        option = _RETURNS.get(word)
        if option is None:
            raise Refusal("There is no such SEARCH return option.")
        options.add(option)
        if option is ReturnOption.PARTIAL:
            cursor.space()
            if window is not None:
                raise Refusal("PARTIAL is possible once.")
            window = cursor.window()
    if window is not None and ReturnOption.ALL in options:
        raise Refusal("ALL and PARTIAL exclude each other.")
    cursor.space()
    if not options and update is None:
        options.add(ReturnOption.ALL)
    return frozenset(options), window, update


def parse_cancel_update(cursor: Cursor, tag: bytes) -> CancelUpdate:
    """CANCELUPDATE tags."""
    tags: list[bytes] = []
    while not tags or not cursor.at_end():
        cursor.space()
        tags.append(cursor.astring())
    return CancelUpdate(tag, tuple(tags))


def read_codec(cursor: Cursor, returns: Collection[ReturnOption] | None = None) -> str:
    """The codec for the charset that is named here. A search that should have been saved fails for good without one."""
    name = cursor.astring().decode("ascii", "replace")
    codec = CHARSETS.get(name.upper()) or codec_of(name.lower().encode("ascii", "replace"))
    if codec is None or codec in _NOT_SEARCHED:
        code = f"BADCHARSET ({' '.join(CHARSETS)})"
        saves = ReturnOption.SAVE in (returns or ())
        raise Refusal("This charset is not known here.", status="NO", code=code, empties_saved=saves)
    return codec
