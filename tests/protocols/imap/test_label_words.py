"""Labels on the wire: what is told is understood again, by us and by a client's parser."""

from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from mailhost.mailstore import BadMailboxName
from mailhost.mailstore.mailboxes import canonical_name
from mailhost.protocols.imap.labels import label_list
from mailhost.protocols.imap.parsing.cursor import Cursor


def is_name(text: str) -> bool:
    try:
        return canonical_name(text) == text
    except BadMailboxName:
        return False


ODD = st.text(alphabet='&-ANIL nil20\\"{}()[]/.ü', min_size=1, max_size=8)
NAMES = st.lists(st.one_of(ODD, st.text(min_size=1, max_size=8)).filter(is_name), max_size=4, unique=True)


@given(NAMES, st.booleans())
def test_labels_are_read_as_they_are_written(names: list[str], utf8: bool) -> None:
    said = label_list(names, utf8=utf8)
    assert Cursor(said, utf8=utf8, gmail=True).labels() == tuple(names)
    told = parse_fetch_response([b"1 (X-GM-LABELS " + said + b" UID 7)"])[7][b"X-GM-LABELS"]
    assert len(told) == len(names)
    assert all(isinstance(label, bytes) for label in told)
