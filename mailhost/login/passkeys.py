"""Passkeys (WebAuthn level 2): what a browser is asked to make or to sign, and whether what comes back is right."""

import json
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fido2.cose import UnsupportedKey
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    UserVerificationRequirement,
)

from mailhost.accounts.second_steps.sql import (
    Passkey,
    add_passkey,
    hold_account,
    list_passkeys,
    use_passkey,
)
from mailhost.accounts.web_sessions.sql import take_challenge
from mailhost.crypto import SecretKey
from mailhost.errors import MailhostError
from mailhost.login.second_step import begin_two_step
from mailhost.storage.database import Tx

_VERIFICATION: Final = UserVerificationRequirement.PREFERRED
_CHALLENGE_OCTETS: Final = 32
_HANDLE: Final = "passkey-handle"
_MAX_ANSWER: Final = 32_768
_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, AssertionError, struct.error)
"""What the library meets in an answer that is none, depending on where it stops making sense."""

Options = Mapping[str, object]
"""What the browser is asked, as JSON has it."""


class BadPasskey(MailhostError):
    """What a browser sent is no answer to what it was asked; the message says why, for the log."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys are used: the host name they are bound to, and the only origin that may use them."""

    host: str
    origin: str

    def server(self) -> Fido2Server:
        """The library's server for it."""
        entity = PublicKeyCredentialRpEntity(name="Mailhost", id=self.host)
        return Fido2Server(entity, verify_origin=lambda origin: origin == self.origin)


def new_challenge() -> bytes:
    """What the next answer has to sign."""
    return secrets.token_bytes(_CHALLENGE_OCTETS)


def ask_to_make(
    site: Site, key: SecretKey, account_id: int, address: str, known: Sequence[Passkey], challenge: bytes
) -> Options:
    """Have the browser make a passkey that is none of those known."""
    handle = key.digest(_HANDLE, b"%d" % account_id)  # tells a stranger with the key in his hand nothing
    user = PublicKeyCredentialUserEntity(id=handle, name=address, display_name=address)
    options, _ = site.server().register_begin(
        user, [_credential(each) for each in known], user_verification=_VERIFICATION, challenge=challenge
    )
    return dict(options)


def ask_to_sign(site: Site, known: Sequence[Passkey], challenge: bytes) -> Options:
    """Have the browser sign with one of the passkeys."""
    options, _ = site.server().authenticate_begin(
        [_credential(each) for each in known], user_verification=_VERIFICATION, challenge=challenge
    )
    return dict(options)


def keep_passkey(
    tx: Tx, site: Site, key: SecretKey, account_id: int, session_id: int, name: str, answer: str, now: int
) -> list[str]:
    """Keep the passkey that a browser made; then as `begin_two_step`.

    Raises BadPasskey, BadName, TooManyPasskeys, PasskeyExists.
    """
    hold_account(tx, account_id)
    state = _state(tx, account_id, session_id)
    try:
        made = site.server().register_complete(state, RegistrationResponse.from_dict(_read(answer)))
    except _UNREADABLE as error:
        raise BadPasskey(str(error)) from error
    credential = made.credential_data
    if credential is None or isinstance(credential.public_key, UnsupportedKey):
        raise BadPasskey("no credential of a kind that we asked for")
    add_passkey(
        tx,
        account_id,
        name=name,
        credential_id=credential.credential_id,
        credential=bytes(credential),
        signatures=made.counter,
        now=now,
    )
    return begin_two_step(tx, key, account_id, now)


def take_passkey(tx: Tx, site: Site, account_id: int, session_id: int, answer: str, now: int) -> bool:
    """Whether the answer is signed by a passkey of the account, and is the one to what this session was asked."""
    hold_account(tx, account_id)
    known = [_credential(each) for each in list_passkeys(tx, account_id)]
    try:
        state = _state(tx, account_id, session_id)
        response = AuthenticationResponse.from_dict(_read(answer))
        used = site.server().authenticate_complete(state, known, response)
    except (BadPasskey, *_UNREADABLE):
        return False
    counter = response.response.authenticator_data.counter
    return use_passkey(tx, account_id, used.credential_id, counter, now)


def _state(tx: Tx, account_id: int, session_id: int) -> dict[str, object]:
    challenge = take_challenge(tx, account_id, session_id)
    if challenge is None:
        raise BadPasskey("nothing was asked")
    return {"challenge": websafe_encode(challenge), "user_verification": _VERIFICATION}


def _read(answer: str) -> dict[str, object]:
    read = json.loads(answer[:_MAX_ANSWER])
    if not isinstance(read, dict):
        raise BadPasskey("no object")
    return read


def _credential(passkey: Passkey) -> AttestedCredentialData:
    return AttestedCredentialData(passkey.credential)
