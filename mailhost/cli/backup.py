"""`mailhost backup` and `mailhost restore`: everything there is, as a folder, from a server that goes on serving."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import click

from mailhost.cli.options import data_option, plainly
from mailhost.durable import sync
from mailhost.errors import MailhostError


class CannotBackUp(MailhostError):
    """The backup cannot be written; the message says why."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@data_option
@plainly
def backup(folder: Path, data: Path) -> None:
    """Copy everything to FOLDER while the server runs: one moment of all rows, all messages, settings and keys.

    A folder that holds an earlier backup of the same store gets only what is new. It holds secrets: keep it as safe as
    the data folder.
    """
    from mailhost import config
    from mailhost.app.services import BLOB_FOLDER
    from mailhost.cli.steps.backup import OPERATOR_FILES
    from mailhost.storage.backup import back_up
    from mailhost.storage.files import DiskFiles

    settings = config.load(data)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = asyncio.run(back_up(settings.database_url(data), DiskFiles(data / BLOB_FOLDER), folder))
        for name in OPERATOR_FILES:
            copy_private(data / name, folder / name)
    except OSError as error:
        raise CannotBackUp(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    click.echo(f"{done.rows} rows and {done.files} new files copied to {folder}.")


def copy_private(source: Path, target: Path) -> None:
    """Copy a file or a folder of them, durably and with its permissions; one that is not there is left out."""
    if source.is_dir():
        target.mkdir(mode=0o700, exist_ok=True)
        for each in source.iterdir():
            copy_private(each, target / each.name)
    elif source.exists():
        shutil.copy2(source, target)
    else:
        return
    sync(target)
    sync(target.parent)
