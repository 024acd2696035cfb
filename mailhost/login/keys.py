"""The store's secret key: made at the first start, and bound to the store whose credentials it made."""

from pathlib import Path

from mailhost.accounts.model import WrongSecretKey
from mailhost.crypto import SecretKey, load_key
from mailhost.storage.database import Database, Tx
from mailhost.storage.sql import read_meta, write_meta

KEY_FILE = "secret.key"
"""Its name in the data folder. A backup without it restores mail, but no app password."""
_CHECK = "secret_key_check"


async def store_key(database: Database, data_folder: Path) -> SecretKey:
    """The key of this store. Raises UnusableKeyFile or WrongSecretKey."""
    path = data_folder / KEY_FILE
    key = load_key(path)
    answer = key.digest(_CHECK, b"").hex()
    if await database.write(_bind, answer) != answer:
        raise WrongSecretKey(f"{path} is the key of another store: put back the one that belongs to this data.")
    return key


def _bind(tx: Tx, answer: str) -> str:
    """What the store's key must answer; the first key that asks becomes the store's."""
    known = read_meta(tx, _CHECK)
    if known is None:
        write_meta(tx, _CHECK, answer)
    return known or answer
