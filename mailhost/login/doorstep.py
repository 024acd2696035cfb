"""The diary of connections that never came to a sign-in: from the network's words to the causes that people read."""

from typing import Final, get_args

from mailhost.accounts.audit.model import Cause
from mailhost.login.authenticate import DoorKeeper
from mailhost.login.judge import Verdict
from mailhost.login.model import Protocol, Visit
from mailhost.network.trouble import Kind, Trouble

_MAIL: Final = frozenset(get_args(Protocol))
_TOO_OLD: Final = frozenset({"UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "WRONG_SSL_VERSION"})
_REASONS: Final[dict[str, Cause]] = {
    "NO_SHARED_CIPHER": Cause.TLS_NOTHING_IN_COMMON,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": Cause.TLS_NOTHING_IN_COMMON,
    "NO_SUITABLE_KEY_SHARE": Cause.TLS_NOTHING_IN_COMMON,
    "TLSV1_ALERT_UNKNOWN_CA": Cause.CERTIFICATE_DISTRUSTED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": Cause.CERTIFICATE_DISTRUSTED,
    "SSLV3_ALERT_BAD_CERTIFICATE": Cause.CERTIFICATE_DISTRUSTED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": Cause.CERTIFICATE_DISTRUSTED,
    "HANDSHAKE_TIMEOUT": Cause.TLS_UNFINISHED,
    "CLOSED_BY_PEER": Cause.TLS_UNFINISHED,
    "PROXY_MALFORMED": Cause.PROXY_UNREADABLE,
}
_SPOKEN: Final[dict[str, Cause]] = {
    "plaintext": Cause.PLAIN_ON_TLS_PORT,
    "nothing": Cause.SILENT_ON_TLS_PORT,
    "TLS": Cause.TLS_ON_PLAIN_PORT,
}


class Doorstep:
    """What the listeners tell their troubles to. Those of doors without sign-in (HTTP, LMTP) are nobody's."""

    def __init__(self, keeper: DoorKeeper, per_address: int) -> None:
        self._keeper = keeper
        self._per_address = per_address

    def tell(self, trouble: Trouble) -> None:
        """Put the trouble into the diary."""
        for protocol in _MAIL:
            if protocol == trouble.service.value:
                visit = Visit(protocol, trouble.port, trouble.peer, trouble.connection_id, tls_version=trouble.offered)
                verdict = cause_of(trouble, self._per_address)
                facts = verdict.facts | {"host": trouble.host} if trouble.host else verdict.facts
                self._keeper.tell(verdict.cause, visit, None, facts)


def cause_of(trouble: Trouble, per_address: int) -> Verdict:
    """The cause of a trouble, and what makes it particular."""
    detail = trouble.detail
    match trouble.kind:
        case Kind.TOO_MANY:
            return Verdict(Cause.TOO_MANY_FROM_ADDRESS, {"limit": per_address})
        case Kind.FULL:
            return Verdict(Cause.SERVER_FULL)
        case Kind.MISDIRECTED:
            return Verdict(_SPOKEN.get(detail, Cause.WRONG_PROTOCOL), {"spoken": detail})
        case Kind.FAILED if detail in _TOO_OLD:
            return Verdict(Cause.TLS_TOO_OLD, {"offered": trouble.offered or "SSL"})
        case Kind.FAILED:
            return Verdict(_REASONS.get(detail, Cause.TLS_BROKEN), {"reason": detail})
