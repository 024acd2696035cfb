"""A place in the text of one command, and the small words of the grammar (RFC 9051 §9)."""

import re
from typing import Final, Literal

from mailhost.protocols.imap.fetch import Window
from mailhost.protocols.imap.flags import InvalidFlag, parse_flag
from mailhost.protocols.imap.names import DELIMITER, InvalidName, decode_name
from mailhost.protocols.imap.sets import MAX_NUMBER, InvalidSequenceSet, SequenceSet, parse_set

MAX_MODSEQ: Final = (1 << 63) - 1
MAX_NAME: Final = 4096
"""Octets of a mailbox name or pattern on the wire."""
MAX_LABELS: Final = 100
REMEMBERED_LENGTH: Final = 512
"""Arguments of so many octets at most are remembered with what they mean: clients say the same over and over."""

_ATOM: Final = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_TAG: Final = re.compile(rb'[^\x00-\x20(){%*"\\+\x7f-\xff]{1,256}')
_WORD: Final = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff\[\]]+')
# One match takes any form of a string; the group that matched tells which one it is.
_ASTRING: Final = re.compile(
    rb'((?!~\{)[^\x00-\x20(){%*"\\\x7f-\xff]+)|"([^"\\\r\n]*(?:\\[^\r\n][^"\\\r\n]*)*)"|(~?)\{([0-9]{1,20})\+?\}\r\n'
)
_LIST_ATOM: Final = re.compile(rb'[^\x00-\x20(){"\\\x7f-\xff]+')
_FLAG: Final = re.compile(rb'\\?[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_SYSTEM_LABEL: Final = re.compile(rb"\\[A-Za-z]+")
_NUMBER: Final = re.compile(rb"[0-9]{1,20}")
_SET: Final = re.compile(rb"\$|[0-9*][0-9*:,]*")
_WINDOW: Final = re.compile(rb"(-?)([1-9][0-9]{0,9}):\1([1-9][0-9]{0,9})")
_SPACES: Final = re.compile(rb" +")
_END: Final = re.compile(rb" *\Z")
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


class Refusal(Exception):
    """Why a command is not obeyed; becomes a Mistake."""

    def __init__(
        self, text: str, *, status: Literal["NO", "BAD"] = "BAD", code: str | None = None, empties_saved: bool = False
    ) -> None:
        """`text` is a sentence for the client, `code` a response code without brackets; see Mistake for the last."""
        super().__init__(text)
        self.text = text
        self.status: Literal["NO", "BAD"] = status
        self.code = code
        self.empties_saved = empties_saved


class Cursor:
    """Reads one command from left to right. Every method raises Refusal where the text does not fit.

    Literals stand in the text as they came: `{3}`, CRLF, three octets.
    """

    __slots__ = ("gmail", "place", "text", "utf8")

    def __init__(self, text: bytes, *, utf8: bool = False, gmail: bool = False) -> None:
        """`utf8`: mailbox names are UTF-8, as after ENABLE UTF8=ACCEPT. `gmail`: Gmail's extensions are there."""
        self.text = text
        self.place = 0
        self.utf8 = utf8
        self.gmail = gmail

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Match here and move behind the match."""
        found = pattern.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
        return found

    def take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """What the pattern matches here."""
        found = pattern.match(self.text, self.place)
        if found is None:
            raise Refusal(f"{what} is missing or malformed.")
        self.place = found.end()
        return found[0]

    def skip(self, token: bytes) -> bool:
        """Move over `token` if it stands here."""
        if self.text.startswith(token, self.place):
            self.place += len(token)
            return True
        return False

    def expect(self, token: bytes) -> None:
        """Move over `token`, which must stand here."""
        if not self.skip(token):
            raise Refusal(f"Expected {token.decode()!r} in the arguments.")

    def space(self) -> None:
        """One blank; more than one is forgiven."""
        found = _SPACES.match(self.text, self.place)
        if found is None:
            raise Refusal(
                "The command needs more arguments." if self.at_end() else "Expected a space in the arguments."
            )
        self.place = found.end()

    def at_end(self) -> bool:
        """Whether nothing is left; trailing blanks are forgiven, some clients send one."""
        return _END.match(self.text, self.place) is not None

    def end(self) -> None:
        """Nothing may be left."""
        if not self.at_end():
            raise Refusal("The command has too many arguments or a malformed one.")

    def tag(self) -> bytes:
        """The tag a command begins with."""
        return self.take(_TAG, "The tag")

    def word(self) -> bytes:
        """An atom without brackets, in upper case: command names and keywords of the grammar."""
        return self.take(_WORD, "A word of the command").upper()

    def atom(self) -> bytes:
        """An atom."""
        return self.take(_ATOM, "An atom")

    def peek_word(self) -> bytes:
        """The word that stands here, in upper case, without moving; empty when there is none."""
        found = _WORD.match(self.text, self.place)
        return b"" if found is None else found[0].upper()

    def astring(self) -> bytes:
        """An atom, a quoted string or a literal."""
        found = self.match(_ASTRING)
        if found is None:
            raise Refusal("A string is missing or malformed.")
        if found[1] is not None:
            return found[1]
        return self._string(found)

    def string(self) -> bytes:
        """A quoted string or a literal."""
        found = self.match(_ASTRING)
        if found is None or found[1] is not None:
            raise Refusal("A quoted string or a literal is missing or malformed.")
        return self._string(found)

    def _string(self, found: re.Match[bytes]) -> bytes:
        if found[2] is not None:
            return _ESCAPED.sub(rb"\1", found[2]) if b"\\" in found[2] else found[2]
        start = self.place
        self.place += int(found[4])
        octets = self.text[start : self.place]
        if not found[3] and b"\0" in octets:
            raise Refusal("A NUL is not allowed in a literal.")
        return octets

    def nstring(self) -> bytes | None:
        """A string or NIL."""
        if self.peek_word() == b"NIL":
            self.place += 3
            return None
        return self.string()

    def number(self, largest: int = 4294967295) -> int:
        """A number up to `largest`."""
        value = int(self.take(_NUMBER, "A number"))
        if value > largest:
            raise Refusal("A number is too large.")
        return value

    def sequence_set(self) -> SequenceSet:
        """A set of message numbers or UIDs."""
        try:
            return parse_set(self.take(_SET, "The set of messages"))
        except InvalidSequenceSet as error:
            raise Refusal("The set of messages is malformed.") from error

    def uid_set(self) -> SequenceSet:
        """A set of UIDs a client knows, so neither `*` nor `$` (RFC 7162 §3.2.5)."""
        uids = self.sequence_set()
        if uids.is_saved or not all(first and last for first, last in uids.ranges):
            raise Refusal("Only numbers can stand in a set of known messages.")
        return uids

    def window(self) -> Window:
        """`1:500` or `-1:-100` of PARTIAL; the two ends in any order."""
        found = self.match(_WINDOW)
        if found is None:
            raise Refusal("PARTIAL needs a range such as 1:100 or -1:-100.")
        ends = int(found[2]), int(found[3])
        if max(ends) > MAX_NUMBER:
            raise Refusal("A number is too large.")
        return Window(ends, from_newest=bool(found[1]))

    def at_set(self) -> bool:
        """Whether a sequence set stands here."""
        return _SET.match(self.text, self.place) is not None

    def mailbox(self) -> str:
        """A mailbox name, decoded; one `/` at its end means nothing, and some clients write it."""
        name = self.reference()
        return name if len(name) == 1 else name.removesuffix(DELIMITER)

    def reference(self) -> str:
        """The beginning of mailbox names, decoded."""
        return self._name(self.astring())

    def list_pattern(self) -> str:
        """A mailbox name with wildcards, decoded."""
        found = self.match(_LIST_ATOM)
        return self._name(self.string() if found is None else found[0])

    def _name(self, octets: bytes) -> str:
        if len(octets) > MAX_NAME:
            raise Refusal("The name is longer than any mailbox can be called.", status="NO", code="CANNOT")
        try:
            return decode_name(octets, utf8=self.utf8)
        except InvalidName as error:
            raise Refusal(str(error), status="NO", code="CANNOT") from error

    def need_labels(self, name: bytes) -> None:
        """Refuse an item of Gmail's extensions where the account is not in the gmail layout."""
        if not self.gmail:
            raise Refusal(f"{name[:40].decode()} needs an account that shows labels; this one shows folders.")

    def labels(self) -> tuple[str, ...]:
        """Labels, in parentheses or not, each once: mailbox names, and system labels also without quotes."""
        is_enclosed = self.skip(b"(")
        labels: dict[str, None] = {}
        while not (self.skip(b")") if is_enclosed else labels and self.place == len(self.text)):
            if labels:
                self.space()
            labels[self._label()] = None
            if len(labels) > MAX_LABELS:
                raise Refusal(f"STORE takes at most {MAX_LABELS} labels.")
        return tuple(labels)

    def _label(self) -> str:
        found = self.match(_SYSTEM_LABEL)
        return self.mailbox() if found is None else found[0].decode()

    def flag(self) -> str | None:
        """A flag to set; None for one that cannot be set, which is passed over."""
        try:
            return parse_flag(self.take(_FLAG, "A flag").decode("ascii"))
        except InvalidFlag as error:
            raise Refusal(str(error)) from error

    def flag_list(self) -> tuple[str, ...]:
        """Flags in parentheses, each once."""
        self.expect(b"(")
        flags: dict[str, None] = {}
        while not self.skip(b")"):
            if flags or self.text[self.place - 1 : self.place] != b"(":
                self.space()
            if (flag := self.flag()) is not None:
                flags[flag] = None
        return tuple(flags)
