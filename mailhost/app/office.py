"""What deliveries work with: the store, our name, the limits and the smarthost of the settings."""

from __future__ import annotations

import os
import time

from mailhost.app.services import Services
from mailhost.config import Smarthost, SmarthostTls
from mailhost.config.model import PASSWORD_VARIABLE
from mailhost.delivery.model import Office
from mailhost.delivery.model import Smarthost as Carrier


def office_of(services: Services, host: str) -> Office:
    """What deliveries work with."""
    limits = services.config.limits
    return Office(
        services.database,
        services.blobs,
        time.time,
        host,
        max_message=limits.message_octets,
        daily_messages=limits.messages_a_day,
        smarthost=_carrier(services.config.smarthost),
    )


def _carrier(smarthost: Smarthost) -> Carrier | None:
    if not smarthost.host:
        return None
    return Carrier(
        smarthost.host,
        smarthost.port,
        smarthost.user,
        os.environ.get(PASSWORD_VARIABLE, ""),
        implicit_tls=smarthost.tls is SmarthostTls.IMPLICIT,
        requires_tls=smarthost.tls is not SmarthostTls.NONE,
    )
