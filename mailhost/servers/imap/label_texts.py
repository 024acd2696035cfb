"""How labels read: mailbox ids become the words of X-GM-LABELS, without the mailbox that is selected itself."""

from collections.abc import Iterable, Sequence

from mailhost.mailstore.labelling import label_names
from mailhost.mailstore.ranges import as_ranges
from mailhost.mailstore.rows import LABELS, live_rows
from mailhost.protocols.imap.labels import label_list
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Column, Tx


class LabelTexts(dict[str, bytes]):
    """Mailbox ids joined by commas → `("\\\\Inbox" work)`, each worked out once."""

    def __init__(self, names: dict[int, str], selected: int, *, utf8: bool) -> None:
        super().__init__()
        self._names = {mailbox_id: name for mailbox_id, name in names.items() if mailbox_id != selected}
        self._utf8 = utf8

    def __missing__(self, joined: str) -> bytes:
        text = self[joined] = self.of(map(int, joined.split(",")) if joined else ())
        return text

    def of(self, mailboxes: Iterable[int]) -> bytes:
        """The labels of a message that stands in these mailboxes."""
        inside = set(mailboxes)
        return label_list((name for each, name in self._names.items() if each in inside), utf8=self._utf8)


def read_texts(tx: Tx, view: MailboxView) -> LabelTexts:
    """What the account's labels are called now."""
    return LabelTexts(label_names(tx, view.account_id), view.mailbox_id, utf8=view.utf8)


def tell_labels(tx: Tx, view: MailboxView, names: Sequence[str], columns: list[Column]) -> None:
    """Turn LABELS, where it is among the columns, into what is told. A message that is gone for good has none."""
    if LABELS in names:
        place = names.index(LABELS)
        texts = read_texts(tx, view)
        columns[place] = [texts[joined or ""] for joined in columns[place]]


def read_labels(tx: Tx, view: MailboxView, uids: Sequence[int]) -> dict[int, bytes]:
    """UID → its labels as they are told; the UIDs ascend."""
    texts = read_texts(tx, view)
    return {
        uid: texts[joined or ""]
        for first, last in as_ranges(uids)
        for uid, joined in live_rows(
            tx, view.account_id, view.mailbox_id, first, last, ("uid", LABELS), last - first + 1
        )
    }
