"""`mailhost restore`: a data folder out of a backup."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from mailhost.cli.backup import copy_private
from mailhost.cli.options import data_option, plainly
from mailhost.errors import MailhostError


class CannotRestore(MailhostError):
    """The backup or the target is not what it should be; the message says which."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@data_option
@plainly
def restore(folder: Path, data: Path) -> None:
    """Make the backup in FOLDER the content of a new data folder, whose server must not run yet."""
    from mailhost import config
    from mailhost.app.services import BLOB_FOLDER, data_folder
    from mailhost.cli.steps.backup import OPERATOR_FILES
    from mailhost.storage.backup import restore as restore_store
    from mailhost.storage.files import DiskFiles

    if not (folder / config.FILE_NAME).exists():
        raise CannotRestore(f"{folder} is no backup: it has no {config.FILE_NAME}.")
    if data.exists() and any(data.iterdir()):
        raise CannotRestore(f"{data} is not empty: restore into a new data folder.")
    with data_folder(data):
        try:
            for name in OPERATOR_FILES:
                copy_private(folder / name, data / name)
            url = config.load(data).database_url(data)
            done = asyncio.run(restore_store(folder, url, DiskFiles(data / BLOB_FOLDER)))
        except OSError as error:
            raise CannotRestore(f"{error.filename or data}: {error.strerror}.") from error
    click.echo(f"{done.rows} rows and {done.files} files restored to {data}. Start with mailhost up --data {data}")
