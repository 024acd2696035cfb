"""Secrets: the store's key, keyed digests of what is random, slow hashes of what people choose."""

import asyncio
import contextlib
import hmac
import os
import re
import secrets
import string
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailhost.durable import sync
from mailhost.errors import MailhostError

KEY_OCTETS: Final = 32
APP_PASSWORD_LETTERS: Final = 16
"""75 bits from 26 letters: beyond guessing, so that a fast keyed digest is a safe way to store it."""
_SEALING: Final = "sealing"
_NONCE_OCTETS: Final = 12
_TAG_OCTETS: Final = 16

# Blanks of every kind, and the invisible marks that come along when text is copied from a web page.
_IGNORED: Final = re.compile(r"[\s\u200b\u200c\u200d\u2060\ufeff]+")
_OTHER_BLANKS: Final = re.compile(r"(?![\x00-\x7f])\s")
# OWASP's second choice: 20 ms of one core and 19 MiB for each check.
_ARGON2: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class UnusableKeyFile(MailhostError):
    """The file with the store's secret key cannot be used; the message says why and what to do."""


class TooBusy(MailhostError):
    """More slow password checks wait than may."""


class SecretKey:
    """The store's secret; gives keyed digests (HMAC-SHA256) and seals, under a key of its own for each purpose."""

    __slots__ = ("_purposes", "_secret")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_OCTETS:
            raise UnusableKeyFile(f"The secret key has {len(secret)} octets instead of {KEY_OCTETS}.")
        self._secret = secret
        self._purposes: dict[str, bytes] = {}

    def digest(self, purpose: str, message: bytes) -> bytes:
        """32 octets that only the holder of this key can make, and that no other purpose makes."""
        key = self._purposes.get(purpose)
        if key is None:
            key = self._purposes[purpose] = hmac.digest(self._secret, purpose.encode(), "sha256")
        return hmac.digest(key, message, "sha256")

    def seal(self, purpose: str, message: bytes) -> bytes:
        """A message that only the holder of this key can read again (AES-256-GCM), under a key for its purpose."""
        nonce = os.urandom(_NONCE_OCTETS)
        return nonce + AESGCM(self.digest(_SEALING, purpose.encode())).encrypt(nonce, message, None)

    def unseal(self, purpose: str, sealed: bytes) -> bytes | None:
        """What was sealed for this purpose; None for anything else."""
        nonce, body = sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:]
        if len(body) < _TAG_OCTETS:
            return None
        try:
            return AESGCM(self.digest(_SEALING, purpose.encode())).decrypt(nonce, body, None)
        except InvalidTag:
            return None


def load_key(path: Path) -> SecretKey:
    """Read the store's key file, or make it at the first start. Raises UnusableKeyFile."""
    try:
        return _read_key(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UnusableKeyFile(f"The key file {path} cannot be read: {error.strerror}.") from error
    try:
        _create_key(path)
        return _read_key(path)
    except OSError as error:
        raise UnusableKeyFile(f"The key file {path} cannot be made: {error.strerror}.") from error


def _read_key(path: Path) -> SecretKey:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise UnusableKeyFile(f"The key file {path} is open to other users of this machine: run chmod 600 {path}.")
        secret = file.read(KEY_OCTETS + 1)
    if len(secret) != KEY_OCTETS:
        raise UnusableKeyFile(f"The key file {path} is damaged: it must hold {KEY_OCTETS} octets. Restore it.")
    return SecretKey(secret)


def _create_key(path: Path) -> None:
    """Put a whole key file in place at once, durably; when another process was quicker, its file stays."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_OCTETS))
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
    sync(path.parent)


def new_app_password() -> str:
    """Sixteen random letters a-z, without blanks; `grouped` is how they are shown."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(APP_PASSWORD_LETTERS))


def grouped(app_password: str) -> str:
    """The app password as people read it: four groups of four letters."""
    return " ".join(app_password[at : at + 4] for at in range(0, APP_PASSWORD_LETTERS, 4))


def app_password_letters(secret: str) -> str | None:
    """The sixteen letters of what was typed or pasted as an app password, or None when it cannot be one.

    Blanks are for the eye only. Capitals count as small letters: telephones write the first letter of a field as a
    capital, and as every app password is made of small letters only, no strength is lost.
    """
    letters = secret if secret.isalpha() else _IGNORED.sub("", secret)
    if len(letters) != APP_PASSWORD_LETTERS or not letters.isascii() or not letters.isalpha():
        return None
    return letters.lower()


def new_password() -> str:
    """A random account password: easier to copy than an app password, and as hard to guess."""
    return "-".join("".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(5)) for _ in range(4))


def hash_password(password: str) -> str:
    """The argon2id hash of a password that a person chose, salt inside. Takes 20 ms: not on the event loop."""
    return _ARGON2.hash(_password_octets(password))


def is_password(password_hash: str, password: str) -> bool:
    """Whether the hash was made of this password. Takes 20 ms: not on the event loop."""
    try:
        return _ARGON2.verify(password_hash, _password_octets(password))
    except (VerificationError, InvalidHashError):
        return False


def _password_octets(password: str) -> bytes:
    """RFC 8265 §4.2: keyboards differ in how they compose ü and which blank they send; people do not."""
    if not password.isascii():
        password = unicodedata.normalize("NFC", _OTHER_BLANKS.sub(" ", password))
    return password.encode("utf-8", "surrogatepass")


class PasswordChecks:
    """Slow password checks in threads of their own: so many at once, so many waiting, and no more."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="password-check")
        self._bound = at_once + waiting
        self._taken = 0
        self.made = 0  # so far
        # Compared with when there is no hash: costs what a real one costs, and nothing is ever equal to it.
        self._nobody = hash_password(secrets.token_hex(32))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right; without a hash False, at the same cost. Raises TooBusy."""
        if self._taken >= self._bound:
            raise TooBusy
        self._taken += 1
        try:
            loop = asyncio.get_running_loop()
            self.made += 1
            return await loop.run_in_executor(self._threads, is_password, password_hash or self._nobody, password)
        finally:
            self._taken -= 1

    def close(self) -> None:
        """End the threads; checks that still wait are given up."""
        self._threads.shutdown(wait=True, cancel_futures=True)
