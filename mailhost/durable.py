"""What survives a power cut: octets that are on the disk, under a name that is."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until the octets of a file are on the disk; of a folder, the names in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
