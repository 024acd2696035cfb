"""What belongs to a backup beside rows and messages."""

from __future__ import annotations

from typing import Final

from mailhost import config
from mailhost.login.keys import KEY_FILE

OPERATOR_FILES: Final = (config.FILE_NAME, KEY_FILE, "tls")
