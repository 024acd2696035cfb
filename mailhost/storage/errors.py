"""What the store can say went wrong; the same words for both engines."""

from mailhost.errors import MailhostError


class StorageError(MailhostError):
    """The store could not do what was asked of it."""


class StorageFull(StorageError):
    """There is no room left on the disk; nothing of this write was kept, and the store goes on serving."""


class StorageUnavailable(StorageError):
    """The store cannot be reached or is too busy; nothing of this work was kept, and it may be tried again."""


class StorageUnreadable(StorageUnavailable):
    """The database's file cannot be read or written: the disk refuses, or something took the file away."""


class StorageDamaged(StorageError):
    """The database's file is not one, or is no longer whole."""


class AmbiguousWrite(StorageError):
    """The write was sent but its end is unknown: it may or may not have been kept. Retry under an idempotency key."""


class Conflict(StorageError):
    """A row breaks a constraint of its table (`on conflict` was not asked for)."""


class NewerStore(StorageError):
    """The store was written by a newer program than this one, which must not touch it."""


class ChangedMigration(StorageError):
    """A migration that has already run was edited afterwards, so the store's schema is not the one described here."""


class BadDatabaseUrl(StorageError):
    """The database URL names neither `sqlite:///path` nor `postgresql://…`."""


class BadBackup(StorageError):
    """The folder or file is not a backup, or is damaged."""


class BackupIncomplete(StorageError):
    """A file that the backup's rows name is not in it."""


class StoreNotEmpty(StorageError):
    """A restore needs an empty store."""


class BlobMissing(StorageError):
    """There is no such blob, or its file is gone."""


class BlobDamaged(StorageError):
    """The bytes of a blob are not those that were stored."""
