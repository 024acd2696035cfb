"""The second step of signing in: codes of an app (RFC 6238), backup codes; how it is switched on, off, and reset.

The secret of an app is made of a salt in the store and of the store's key, so that a stolen database tells no code.
"""

import hmac
import secrets
from base64 import b32encode
from dataclasses import dataclass
from typing import Final

import pyotp

from mailhost import accounts
from mailhost.accounts.second_steps.sql import (
    authenticator_salt,
    forget_second_steps,
    hold_account,
    remove_authenticator,
    remove_passkey,
    renew_codes,
    second_steps,
    set_authenticator,
    take_code,
    take_step,
)
from mailhost.accounts.web_sessions.sql import end_web_sessions
from mailhost.crypto import SecretKey
from mailhost.errors import MailhostError
from mailhost.login import throttle
from mailhost.login.model import Limits
from mailhost.storage.database import Tx

CODES: Final = 10
CODE_LETTERS: Final = 10
SALT_OCTETS: Final = 16
FREE_TRIES: Final = 5
"""Wrong codes before waits begin, wherever they come from: whoever tries knows the account password."""
_STEP_SECONDS: Final = 30
_DIGITS: Final = 6
_SECRET_OCTETS: Final = 20
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # 10 letters of it are 49 bits
_APP: Final = "authenticator"
_BACKUP: Final = "backup-code"
_WRONG: Final = "wrong-code"


class TwoStepOff(MailhostError):
    """Two-step verification is off; there is nothing to reset."""


class LastStep(MailhostError):
    """It is the last second step: two-step verification would be off without it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a code. `until`: it was not even looked at before this Unix time. `is_alarming`: waits begin."""

    is_right: bool
    until: float | None = None
    is_alarming: bool = False


def app_secret(key: SecretKey, account_id: int, salt: bytes) -> str:
    """The secret that an authenticator app keeps, in Base32."""
    return b32encode(key.digest(_APP, b"%d:" % account_id + salt)[:_SECRET_OCTETS]).decode()


def app_uri(secret: str, address: str, issuer: str) -> str:
    """What the QR code tells the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=address, issuer_name=issuer)


def step_of(secret: str, code: str, now: float) -> int | None:
    """The time step whose code this is: the present one or a neighbour, as clocks differ; None when it is none."""
    app = pyotp.TOTP(secret)
    present = int(now) // _STEP_SECONDS
    found = None
    for step in (present - 1, present, present + 1):
        if hmac.compare_digest(app.at(step * _STEP_SECONDS), code):
            found = step
    return found


def tidied(code: str) -> str:
    """What was typed, without what people add for the eye."""
    return "".join(character for character in code.lower() if character.isascii() and character.isalnum())


def judge_code(tx: Tx, key: SecretKey, limits: Limits, account_id: int, typed: str, now: float) -> Judged:
    """Whether a code opens: of the app, or one of the backup codes. What is right is used up, what is wrong counts.

    All in one transaction that holds the account, so that many tries at once are looked at one after the other.
    """
    hold_account(tx, account_id)
    source = f"second-step {account_id}"
    until = throttle.waits_until(tx, source, now)
    if until is not None:
        return Judged(False, until)
    code = tidied(typed)
    if _takes(tx, key, account_id, code, now):
        return Judged(True)
    # The same wrong code at another time is another try: it might have become right.
    mark = key.digest(_WRONG, f"{code[:CODE_LETTERS]}\0{int(now) // _STEP_SECONDS}".encode())[:8]
    throttle.count_at(tx, limits, source, FREE_TRIES, mark, now)
    return Judged(False, is_alarming=throttle.has_just_begun(tx, source, FREE_TRIES))


def _takes(tx: Tx, key: SecretKey, account_id: int, code: str, now: float) -> bool:
    if len(code) == _DIGITS and code.isdigit():
        salt = authenticator_salt(tx, account_id)
        step = step_of(app_secret(key, account_id, salt), code, now) if salt is not None else None
        return step is not None and take_step(tx, account_id, step)
    return len(code) == CODE_LETTERS and take_code(tx, account_id, _digest(key, account_id, code))


def new_codes(tx: Tx, key: SecretKey, account_id: int) -> list[str]:
    """Ten new backup codes, which nobody can ask for again; the old ones end."""
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(CODE_LETTERS)) for _ in range(CODES)]
    renew_codes(tx, account_id, [_digest(key, account_id, code) for code in codes])
    half = CODE_LETTERS // 2
    return [f"{code[:half]}-{code[half:]}" for code in codes]


def _digest(key: SecretKey, account_id: int, code: str) -> bytes:
    return key.digest(_BACKUP, f"{account_id}:{code}".encode())


def begin_two_step(tx: Tx, key: SecretKey, account_id: int, now: int) -> list[str]:
    """A second step was just added. When it is the first, two-step verification is on: returns the backup codes."""
    if accounts.has_two_step(tx, account_id):
        return []
    accounts.set_two_step(tx, account_id, is_on=True, now=now)
    return new_codes(tx, key, account_id)


def add_app(tx: Tx, key: SecretKey, account_id: int, salt: bytes, code: str, now: float) -> list[str] | None:
    """Have the app of this salt from now on, if this is a code of it; then as `begin_two_step`. None if it is none."""
    hold_account(tx, account_id)
    step = step_of(app_secret(key, account_id, salt), tidied(code), now)
    if step is None:
        return None
    set_authenticator(tx, account_id, salt, step, int(now))
    return begin_two_step(tx, key, account_id, int(now))


def drop_app(tx: Tx, account_id: int) -> None:
    """Forget the app, as there are passkeys. Raises LastStep."""
    hold_account(tx, account_id)
    if not second_steps(tx, account_id).passkeys:
        raise LastStep
    remove_authenticator(tx, account_id)


def drop_passkey(tx: Tx, account_id: int, passkey_id: int) -> None:
    """Forget a passkey, unless it is the last step. Raises LastStep, NoSuchPasskey."""
    hold_account(tx, account_id)
    steps = second_steps(tx, account_id)
    if steps.app_since is None and len(steps.passkeys) == 1:
        raise LastStep
    remove_passkey(tx, account_id, passkey_id)


def end_two_step(tx: Tx, account_id: int, now: int) -> int:
    """Switch two-step verification off; every app password ends. Returns how many did."""
    forget_second_steps(tx, account_id)
    return accounts.set_two_step(tx, account_id, is_on=False, now=now)


def reset_two_step(tx: Tx, key: SecretKey, account_id: int) -> list[str]:
    """For an owner who has lost everything: ten new backup codes.

    App and passkeys are forgotten and browsers signed out, but two-step verification stays on, and with it the app
    passwords. Raises TwoStepOff, NoSuchAccount.
    """
    if not accounts.has_two_step(tx, account_id):
        raise TwoStepOff("Two-step verification is off: the account password alone opens the account.")
    forget_second_steps(tx, account_id)
    end_web_sessions(tx, account_id)
    return new_codes(tx, key, account_id)
