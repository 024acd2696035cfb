"""What a removed account leaves behind on the way of mail: receipts, counts, and what it still had to send."""

from mailhost.delivery import sql
from mailhost.queue import sql as queue
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx


def forget_account(tx: Tx, blobs: Blobs, account_id: int) -> None:
    """Drop it all, in the transaction that removes the account: nothing more is sent in its name."""
    sql.drop_account(tx, account_id)
    for blob in queue.drop_account(tx, account_id):
        blobs.release(tx, blob)
