from datetime import date

import pytest

from mailhost.protocols.foreign import Foreign
from mailhost.protocols.imap import commands, search
from mailhost.protocols.imap.commands import Command, StatusItem, StoreMode
from mailhost.protocols.imap.connection import ImapConnection, Limits
from mailhost.protocols.imap.events import Event, Hangup, Mistake
from mailhost.protocols.imap.fetch import Attribute, Binary, Partial, Section, Text, Window
from mailhost.protocols.imap.parsing.table import State
from mailhost.protocols.imap.search import And, HasFlag, HasKeyword, HeaderContains, Not, Or, Relation, ReturnOption
from mailhost.protocols.imap.sets import SAVED, SequenceSet
from mailhost.protocols.imap.sorting import Algorithm, Criterion, SortKey


def read(line: bytes, state: State = State.SELECTED, *, utf8: bool = False) -> Event | None:
    connection = ImapConnection(Limits())
    if state is not State.NOT_AUTHENTICATED:
        connection.login_succeeded()
    connection.state = state
    connection.utf8 = utf8
    connection.receive_data(line + b"\r\n")
    return connection.next_event()


def one(number: int) -> SequenceSet:
    return SequenceSet(((number, number),))


def section(path: tuple[int, ...], text: Text, label: bytes, **more: object) -> Section:
    fields = more.get("fields", ())
    partial = more.get("partial")
    assert isinstance(fields, tuple)
    assert partial is None or isinstance(partial, Partial)
    return Section(path, text, fields, partial, bool(more.get("sets_seen", True)), label)


BODY = section((), Text.WHOLE, b"BODY[]")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"a noop", commands.Noop(b"a")),
        (b"a NOOP ", commands.Noop(b"a")),
        (b'a SELECT "inbox"', commands.Select(b"a", "INBOX", read_only=False, condstore=False)),
        (b"a EXAMINE &ANw-bung (CONDSTORE)", commands.Select(b"a", "Übung", read_only=True, condstore=True)),
        (b"a CREATE work/", commands.Create(b"a", "work")),
        (b'a RENAME "a \\"b\\"" c]d', commands.Rename(b"a", 'a "b"', "c]d")),
        (b"a UNSUBSCRIBE x", commands.Subscribe(b"a", "x", subscribed=False)),
        (b"a STATUS INBOX (MESSAGES size)", commands.Status(b"a", "INBOX", (StatusItem.MESSAGES, StatusItem.SIZE))),
        (b'a LIST "" %', commands.List(b"a", "", ("%",))),
        (
            b'a LIST (subscribed) "" "*" return (special-use)',
            commands.List(b"a", "", ("*",), only_subscribed=True, extended=True, return_subscribed=True),
        ),
        (
            b'a LIST "" (INBOX "a/%") RETURN (CHILDREN STATUS (UNSEEN))',
            commands.List(
                b"a",
                "",
                ("INBOX", "a/%"),
                extended=True,
                return_status=(StatusItem.UNSEEN,),
            ),
        ),
        (b'a LSUB "" *', commands.Lsub(b"a", "", "*")),
        (b'a GETQUOTA ""', commands.GetQuota(b"a", "")),
        (b"a ENABLE CONDSTORE utf8=accept", commands.Enable(b"a", ("CONDSTORE", "UTF8=ACCEPT"))),
        (b'a ID ("Name" "x" "version" NIL)', commands.Id(b"a", (("name", "x"), ("version", None)))),
        (b"a ID nil", commands.Id(b"a", ())),
        (b"a UID EXPUNGE 4:*", commands.Expunge(b"a", SequenceSet(((4, 0),)))),
        (
            b"a UID FETCH 1 (BINARY[1.2]<3.4> binary.size[]) (PARTIAL -1:-5)",
            commands.Fetch(
                b"a",
                one(1),
                True,
                (
                    Attribute.UID,
                    Binary((1, 2), Partial(3, 4), sets_seen=True, label=b"BINARY[1.2]<3>"),
                    Binary((), None, sets_seen=False, label=b"BINARY.SIZE[]", is_size=True),
                ),
                None,
                window=Window((1, 5), from_newest=True),
            ),
        ),
        (
            b"a SEARCH RETURN (PARTIAL 9:2 SAVE) ALL",
            commands.Search(
                b"a",
                False,
                search.All(),
                frozenset({ReturnOption.PARTIAL, ReturnOption.SAVE}),
                Window((9, 2), from_newest=False),
            ),
        ),
        (
            b"a UID SORT RETURN () (reverse DATE SUBJECT DATE) UTF-8 ANSWERED",
            commands.Sort(
                b"a",
                True,
                (Criterion(SortKey.DATE, is_reverse=True), Criterion(SortKey.SUBJECT)),
                HasFlag("\\Answered"),
                frozenset({ReturnOption.ALL}),
            ),
        ),
        (b"a THREAD references UTF-8 ALL", commands.Thread(b"a", False, Algorithm.REFERENCES, search.All())),
        (b"a UID EXPUNGE $", commands.Expunge(b"a", SAVED)),
        (b"a UNAUTHENTICATE", commands.Unauthenticate(b"a")),
        (b"a CREATE x/ (USE (\\Sent))", commands.Create(b"a", "x", ("\\Sent",))),
        (
            b"a SELECT x (QRESYNC (5 7) CONDSTORE)",
            commands.Select(b"a", "x", read_only=False, condstore=True, resync=commands.Resync(5, 7, None, None)),
        ),
        (
            b"a EXAMINE x (QRESYNC (5 7 1:3 (1 2)))",
            commands.Select(
                b"a",
                "x",
                read_only=True,
                condstore=False,
                resync=commands.Resync(5, 7, SequenceSet(((1, 3),)), (one(1), one(2))),
            ),
        ),
        (
            b"a UID FETCH 1 PREVIEW (LAZY) (VANISHED CHANGEDSINCE 6)",
            commands.Fetch(b"a", one(1), True, (Attribute.UID, Attribute.PREVIEW, Attribute.MODSEQ), 6, vanished=True),
        ),
        (b"a UNSELECT", commands.Close(b"a", expunges=False)),
        (b"a UID MOVE 4 Trash", commands.Copy(b"a", one(4), by_uid=True, mailbox="Trash", moves=True)),
        (
            b"a STORE 2 +Flags.Silent (\\DELETED $label1 \\Recent $label1)",
            commands.Store(b"a", one(2), False, StoreMode.ADD, True, ("\\Deleted", "$label1"), None),
        ),
        (
            b"a UID STORE 2 (UNCHANGEDSINCE 12) FLAGS \\Seen $x",
            commands.Store(b"a", one(2), True, StoreMode.REPLACE, False, ("\\Seen", "$x"), 12),
        ),
        (b"a STORE 2 FLAGS ()", commands.Store(b"a", one(2), False, StoreMode.REPLACE, False, (), None)),
        (
            b"a FETCH 1 FAST",
            commands.Fetch(b"a", one(1), False, (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE), None),
        ),
        (
            b"a UID FETCH 1 (FLAGS UID) (CHANGEDSINCE 9)",
            commands.Fetch(b"a", one(1), True, (Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ), 9),
        ),
        (b"a FETCH 1 body[]", commands.Fetch(b"a", one(1), False, (BODY,), None)),
        (b"a FETCH 1 (BODY BODY[] BODY[])", commands.Fetch(b"a", one(1), False, (Attribute.BODY, BODY), None)),
    ],
)
def test_commands(line: bytes, command: Command) -> None:
    assert read(line) == command


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (b"BODY.PEEK[1.2.MIME]", section((1, 2), Text.MIME, b"BODY[1.2.MIME]", sets_seen=False)),
        (b"BODY[3]<0.512>", section((3,), Text.WHOLE, b"BODY[3]<0>", partial=Partial(0, 512))),
        (b"RFC822.HEADER", section((), Text.HEADER, b"RFC822.HEADER", sets_seen=False)),
        (b"RFC822", section((), Text.WHOLE, b"RFC822")),
        (
            b"BODY.PEEK[2.header.fields.not (date from)]",
            section(
                (2,),
                Text.FIELDS_NOT,
                b"BODY[2.HEADER.FIELDS.NOT (DATE FROM)]",
                fields=(b"date", b"from"),
                sets_seen=False,
            ),
        ),
        (b"BODY[MIME]", None),
        (b"BODY[0]", None),
        (b"BODY[1.]", None),
        (b"BODY[.TEXT]", None),
        (b"BODY[1TEXT]", None),
        (b"BODY[TEXT.1]", None),
        (b"BODY[" + b".".join([b"1"] * 101) + b"]", None),
        (b"BODY[HEADER.FIELDS (a:b)]", None),
        (b"BODY[]<1>", None),
    ],
)
def test_sections(item: bytes, expected: Section | None) -> None:
    command = read(b"a FETCH 1 (" + item + b")")
    if expected is None:
        assert isinstance(command, Mistake)
    else:
        assert isinstance(command, commands.Fetch)
        assert command.items == (expected,)


SEEN = HasFlag("\\Seen")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b"ALL", search.All()),
        (b"UNSEEN KEYWORD $x", And((Not(SEEN), HasKeyword("$x")))),
        (b"OR SEEN (FROM x NOT SEEN)", Or(SEEN, And((HeaderContains("from", "x"), Not(SEEN))))),
        (b'HEADER Message-ID ""', HeaderContains("message-id", "")),
        (b"1:3,*", search.NumberIn(SequenceSet(((1, 3), (0, 0))))),
        (b"UID $", search.UidIn(SAVED)),
        (b"YOUNGER 60 OLDER 5", And((search.ArrivedWithin(60), search.ArrivedBefore(5)))),
        (b"SAVEDON 1-Feb-2026", search.SavedDay(Relation.ON, date(2026, 2, 1))),
        (b"UID 4:*", search.UidIn(SequenceSet(((4, 0),)))),
        (b'SINCE 1-Feb-2026 SENTON "12-feb-2026"', And((search.ArrivalDay(Relation.SINCE, date(2026, 2, 1)),
                                                        search.SentDay(Relation.ON, date(2026, 2, 12))))),
        (b'MODSEQ "/flags/\\\\draft" all 620', search.ModseqSince(620)),
        (b"LARGER 50 TEXT (", None),
        (b"RECENT", Not(search.All())),
        (b'CHARSET utf-8 TEXT "\xc3\x9cbung"', search.TextContains("Übung")),
        (b'CHARSET iso-8859-1 BODY "\xdcbung"', search.BodyContains("Übung")),
        (b'CHARSET US-ASCII BODY "\xdcbung"', None),
        (b"CHARSET KLINGON ALL", None),
        (b"SINCE 30-Feb-2026", None),
        (b"(" * 200 + b"ALL" + b")" * 200, None),
        (b"NOT " * 200 + b"ALL", None),
        (b"ALL " * 6000, None),
        (b"()", None),
        (b"WHATEVER", None),
    ],
)  # fmt: skip
def test_search_keys(text: bytes, key: search.SearchKey | None) -> None:
    command = read(b"a SEARCH " + text)
    if key is None:
        assert isinstance(command, Mistake)
    else:
        assert command == commands.Search(b"a", False, key, None)


def test_search_returns() -> None:
    command = read(b"a UID SEARCH RETURN (MIN count) ALL")
    assert command == commands.Search(b"a", True, search.All(), frozenset({ReturnOption.MIN, ReturnOption.COUNT}))
    command = read(b"a SEARCH RETURN () ALL")
    assert command == commands.Search(b"a", False, search.All(), frozenset({ReturnOption.ALL}))


def test_fuzzy_words_are_bounded() -> None:
    words = b" ".join(b"word%d" % number for number in range(25))
    four = b"OR OR OR " + b" ".join(b'BODY "%b"' % words for _ in range(4)).replace(b"BODY", b"SUBJECT", 1)
    assert isinstance(read(b"a SEARCH FUZZY " + four), commands.Search)
    for saves in (False, True):
        mistake = read(b"a SEARCH %bFUZZY %b FUZZY TEXT one BODY" % (b"RETURN (SAVE) " if saves else b"", four))
        assert isinstance(mistake, Mistake)
        assert (mistake.status, mistake.code, mistake.empties_saved) == ("NO", "LIMIT", saves)
        assert "leave FUZZY out" in mistake.text
    assert isinstance(read(b"a SEARCH FUZZY %b TEXT two HEADER X-A three" % four), commands.Search)


def test_an_unknown_charset_is_named_with_those_known() -> None:
    mistake = read(b"a SEARCH CHARSET KLINGON ALL")
    assert isinstance(mistake, Mistake)
    assert mistake.status == "NO"
    assert mistake.code is not None
    assert mistake.code.startswith("BADCHARSET (US-ASCII ")


def test_invalid_utf7_names_the_mistake() -> None:
    assert read(b"a SELECT &Jjo") == Mistake(b"a", "NO", "CANNOT", "The mailbox name is not valid modified UTF-7.")
    assert read("a SELECT Übung".encode()) == Mistake(b"a", "BAD", None, "A string is missing or malformed.")
    assert read(b'a SELECT "R&D"', utf8=True) == commands.Select(b"a", "R&D", read_only=False, condstore=False)


def test_a_pattern_longer_than_any_name_is_refused() -> None:
    mistake = read(b'a LIST "" ' + b"%x" * 2_049)
    assert isinstance(mistake, Mistake)
    assert (mistake.status, mistake.code) == ("NO", "CANNOT")


FIELDS = [b"a%d" % number for number in range(300)]
"""As many as one section may name, and more than half of what one command may."""


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"a",
        b"a ",
        b"+ NOOP",
        b"a NOPE",
        b"a NOOP x",
        b"a UID",
        b"a UID NOOP",
        b"a SELECT",
        b'a SELECT "x',
        b'a SELECT "a\\',
        b"a CREATE x (USE (\\Sent)",
        b"a SELECT x (QRESYNC (1))",
        b"a SELECT x (QRESYNC (1 2 $))",
        b"a SEARCH YOUNGER 0",
        b"a STATUS INBOX ()",
        b"a STATUS INBOX (NOPE)",
        b"a LIST (RECURSIVEMATCH) x y",
        b"a LIST x y z",
        b'a LIST "" ()',
        b'a LIST "" (' + b" ".join(b"x%d" % number for number in range(101)) + b")",
        b"a SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL",
        b"a SEARCH RETURN (PARTIAL 1:2 ALL) ALL",
        b"a ENABLE",
        b"a FETCH 1",
        b"a FETCH 0 FLAGS",
        b"a FETCH 1 ()",
        b"a FETCH 1 (FLAGS",
        b"a FETCH 1 FLAGS (VANISHED)",
        b"a UID FETCH 1 FLAGS (VANISHED)",
        b"a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
        b"a FETCH 1 (" + b" ".join(b"BODY[%d]" % number for number in range(1, 102)) + b")",
        b"a FETCH 1 BODY[HEADER.FIELDS (" + b" ".join(b"a%d" % number for number in range(501)) + b")]",
        b"a FETCH 1 ("
        + b" ".join(b"BODY[%d.HEADER.FIELDS (%b)]" % (part, b" ".join(FIELDS)) for part in (1, 2))
        + b")",
        b"a STORE 1 FLAG (x)",
        b"a STORE 1 FLAGS.LOUD (x)",
        b"a STORE 1 FLAGS (\\*)",
        b"a STORE 1 FLAGS",
        b"a COPY 1",
        b"a APPEND",
        b"a APPEND INBOX",
        b"a LOGIN x y",
        b"a STARTTLS",
        b"\xff\xfe\x00",
    ],
)
def test_malformed_commands_are_told(line: bytes) -> None:
    mistake = read(line)
    assert isinstance(mistake, Mistake)
    assert mistake.status == "BAD"
    assert mistake.text


@pytest.mark.parametrize(
    ("line", "protocol"),
    [
        (b"EHLO me", Foreign.SMTP),
        (b"GET / HTTP/1.1", Foreign.HTTP),
        (b"USER joe", Foreign.POP3),
        (b"CAPA", Foreign.POP3),
    ],
)
def test_other_protocols_are_told_so(line: bytes, protocol: Foreign) -> None:
    event = read(line, State.NOT_AUTHENTICATED)
    assert event == Hangup(f"This is an IMAP port, but you speak {protocol.value}. Check the port number.", protocol)


def test_a_state_that_does_not_fit_is_told() -> None:
    assert read(b"a SELECT x", State.NOT_AUTHENTICATED) == Mistake(
        b"a", "BAD", None, "SELECT is not possible before signing in."
    )
    assert read(b"a FETCH 1 FLAGS", State.AUTHENTICATED) == Mistake(
        b"a", "BAD", None, "FETCH is not possible while no mailbox is selected."
    )
