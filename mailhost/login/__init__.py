"""The one door-keeper: authenticate, throttle, keep the sign-in diary."""

from mailhost.login.authenticate import DoorKeeper
from mailhost.login.judge import still_valid
from mailhost.login.keys import store_key
from mailhost.login.model import Clock, Identity, Limits, Reason, Refused, Visit

__all__ = ["Clock", "DoorKeeper", "Identity", "Limits", "Reason", "Refused", "Visit", "still_valid", "store_key"]
