"""The diary as JSON."""

from mailhost.accounts.audit.model import Occurrence, SignIn
from mailhost.cli.sign_ins import _shown_second
from mailhost.login.catalogue import Entry


def facts_of(sign_in: SignIn, occurrence: Occurrence, told: Entry) -> dict[str, object]:
    """One row of the diary as JSON has it."""
    return {
        "at": _shown_second(occurrence.at),
        "attempts": occurrence.attempts,
        "cause": sign_in.cause.value,
        "address": sign_in.address,
        "protocol": sign_in.protocol,
        "port": sign_in.port,
        "peer": sign_in.peer,
        "tls": sign_in.tls_version,
        "mechanism": sign_in.mechanism,
        "client": sign_in.client_id,
        "app_password": sign_in.credential_id,
        "connection": occurrence.connection_id,
        "facts": occurrence.facts,
        "sentence": told.sentence,
        "remedy": told.remedy,
    }
