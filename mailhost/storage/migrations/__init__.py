"""The schema as numbered files, applied in order by `storage.migrate`."""
