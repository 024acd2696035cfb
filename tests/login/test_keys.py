"""The store's key: made once, and noticed when it is another store's."""

from pathlib import Path

import pytest

from mailhost.accounts import WrongSecretKey
from mailhost.login import store_key
from mailhost.storage.database import Database


async def test_the_same_at_every_start(database: Database, tmp_path: Path) -> None:
    first = await store_key(database, tmp_path)
    again = await store_key(database, tmp_path)
    assert first.digest("a", b"b") == again.digest("a", b"b")


async def test_a_foreign_key_is_refused_at_the_start(database: Database, tmp_path: Path) -> None:
    await store_key(database, tmp_path)
    (tmp_path / "secret.key").unlink()
    for _ in range(2):
        with pytest.raises(WrongSecretKey, match="another store"):
            await store_key(database, tmp_path)
