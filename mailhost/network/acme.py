"""A certificate authority that speaks ACME (RFC 8555): order, prove, fetch; when to renew (RFC 9773).

The words of the protocol are the library `acme`'s, whose calls block: they belong into a thread. It is loaded with this
module, which therefore only the process that orders certificates imports.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import Final

from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC
from requests import RequestException, Response

from mailhost import __version__
from mailhost.errors import MailhostError
from mailhost.network.certificates import key_text, write_private
from mailhost.network.challenges import Challenges

_REQUEST_SECONDS: Final = 20
_NONCE_TRIES: Final = 2  # of two requests each, before the last two
_ORDER_SECONDS: Final = 120  # for the authority to look at every name and to sign


class Proof(Enum):
    """How a name is proved to be ours."""

    HTTP = "http-01"
    """A text on port 80."""
    TLS = "tls-alpn-01"
    """A certificate on port 443."""


class NotProved(MailhostError):
    """Names that the authority did not find to be ours, each with the authority's words."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {said}" for name, said in names.items()))
        self.names = names


class AuthorityRefuses(MailhostError):
    """The authority cannot be reached or gives no certificate; the message holds its words.

    `retry_at` is when it wants to be asked again, where it said so. `is_away`: nobody can have a certificate now.
    """

    def __init__(self, said: str, retry_at: datetime | None = None, *, is_away: bool = False) -> None:
        super().__init__(said)
        self.retry_at = retry_at
        self.is_away = is_away


@dataclass(frozen=True, slots=True)
class Renewal:
    """When the authority would like a certificate to be renewed, if it said so, and when to ask it again."""

    due: datetime | None
    ask_at: datetime


@challenges.ChallengeResponse.register
class _TlsResponse(challenges.KeyAuthorizationChallengeResponse):
    typ = Proof.TLS.value


@challenges.Challenge.register
class _TlsChallenge(challenges.KeyAuthorizationChallenge):
    """The library knew it once; it has a thumbprint and a token like the others."""

    response_cls = _TlsResponse
    typ = Proof.TLS.value

    def validation(self, account_key: JWK, **_unused: object) -> str:
        return self.key_authorization(account_key)


class _Network(client.ClientNetwork):
    """The library's, more patient: an authority that starts anew knows none of the nonces it gave (RFC 8555 §6.5)."""

    def post(self, *values: object, **options: object) -> Response:
        for _ in range(_NONCE_TRIES):
            try:
                return super().post(*values, **options)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*values, **options)


class Authority:
    """One account with one authority. Its methods block, for minutes at most. They raise AuthorityRefuses."""

    def __init__(self, directory: str, contact: str, account_key: Path, answers: Challenges) -> None:
        """`contact` is a mail address or ""; the key is made where there is none. Making an account agrees to terms."""
        self._directory = directory
        self._contact = contact
        self._account_key = account_key
        self._answers = answers
        self._retry_after = ""
        self._lock = threading.Lock()  # one account, one order at a time

    def certificate(self, names: Sequence[str], proofs: Mapping[str, Proof]) -> bytes:
        """A new key and the chain of its certificate for all the names, as PEM. Raises NotProved."""
        deadline = datetime.now() + timedelta(seconds=_ORDER_SECONDS)
        key = ec.generate_private_key(ec.SECP256R1())
        with self._lock, _Translated(self, names):
            agent = self._sign_in()
            try:
                order = agent.new_order(_request(names, key))
                for authorization in order.authorizations:
                    self._answer(agent, authorization, proofs)
                order = agent.poll_authorizations(order, deadline)
                return key_text(key) + agent.finalize_order(order, deadline).fullchain_pem.encode()
            finally:
                self._answers.forget()

    def renewal(self, pem: bytes) -> Renewal:
        """What the authority says about a certificate that it gave."""
        with self._lock, _Translated(self):
            due, ask_at = self._connect().renewal_time(pem)
        return Renewal(due.astimezone(UTC) if due else None, ask_at.astimezone(UTC))

    def _connect(self) -> client.ClientV2:
        if not self._account_key.exists():
            self._account_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._account_key, key_text(ec.generate_private_key(ec.SECP256R1())))
        key = JWKEC(key=serialization.load_pem_private_key(self._account_key.read_bytes(), None))
        agent = f"mailhost/{__version__}"
        network = _Network(key, alg=ES256, user_agent=agent, timeout=_REQUEST_SECONDS)
        self._retry_after = ""
        network.session.hooks["response"].append(self._note_retry)
        return client.ClientV2(client.ClientV2.get_directory(self._directory, network), network)

    def _sign_in(self) -> client.ClientV2:
        agent = self._connect()
        if agent.external_account_required():
            said = "it gives certificates only to accounts that were made on its web site (external account binding)"
            raise AuthorityRefuses(said)
        account = messages.NewRegistration.from_data(email=self._contact or None, terms_of_service_agreed=True)
        try:
            agent.new_account(account)
        except errors.ConflictError as known:
            agent.net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        return agent

    def _answer(
        self, agent: client.ClientV2, authorization: messages.AuthorizationResource, proofs: Mapping[str, Proof]
    ) -> None:
        if authorization.body.status == messages.STATUS_VALID:  # proved a while ago
            return
        name = authorization.body.identifier.value
        proof = proofs.get(name, Proof.HTTP)
        challenge = next((each for each in authorization.body.challenges if each.chall.typ == proof.value), None)
        if challenge is None:
            raise NotProved({name: f"the authority does not offer {proof.value}"})
        response, answer = challenge.response_and_validation(agent.net.key)
        if proof is Proof.HTTP:
            self._answers.put_token(challenge.chall.encode("token"), answer)
        else:
            self._answers.put_certificate(name, answer, datetime.now(UTC))
        agent.answer_challenge(challenge, response)

    def _note_retry(self, response: Response, *_rest: object, **_options: object) -> None:
        self._retry_after = response.headers.get("Retry-After", "")

    def retry_at(self) -> datetime | None:
        """What the last answer's Retry-After said."""
        if self._retry_after.isdecimal():
            return datetime.now(UTC) + timedelta(seconds=min(int(self._retry_after), 366 * 24 * 3600))
        try:
            return parsedate_to_datetime(self._retry_after).astimezone(UTC)
        except ValueError:
            return None


class _Translated:
    """The library's exceptions as ours."""

    def __init__(self, authority: Authority, names: Sequence[str] = ()) -> None:
        self._authority = authority
        self._names = names

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case errors.ValidationError():
                raise NotProved(dict(_unproved(error.failed_authzrs))) from error
            case messages.Error():
                named = self._named(error)
                raise (NotProved(named) if named else self._refusal(_words(error))) from error
            case errors.IssuanceError():
                raise self._refusal(_words(error.error)) from error
            case errors.TimeoutError():
                raise self._refusal(f"it did not finish within {_ORDER_SECONDS} seconds") from error
            case RequestException():
                raise AuthorityRefuses(f"it cannot be reached: {_cause(error)}", is_away=True) from error
            case MailhostError() | OSError():
                return  # ours, and the disk's
            case Exception():  # the library's own, and whatever it stumbles over in a strange answer
                said = f"it does not answer as an ACME server does: {_cause(error)}"
                raise AuthorityRefuses(said, is_away=True) from error

    def _named(self, error: messages.Error) -> dict[str, str]:
        """The names that an order is refused for: as problems of their own (RFC 8555 §6.7.1), or in a sentence."""
        if error.subproblems:
            return {each.identifier.value: _words(each) for each in error.subproblems if each.identifier}
        if error.code not in ("rejectedIdentifier", "caa"):
            return {}
        said = error.detail or ""
        return {
            name: _words(error) for name in self._names if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", said)
        }

    def _refusal(self, said: str) -> AuthorityRefuses:
        return AuthorityRefuses(said, self._authority.retry_at())


def _cause(error: BaseException) -> str:
    """The innermost of a chain of exceptions, in one line."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}"[:300]


def _words(error: messages.Error) -> str:
    """An authority's problem document (RFC 7807) in one line."""
    return f"{error.code or error.typ}: {error.detail or error.description or ''}".strip()[:500]


def _unproved(failed: Iterable[messages.AuthorizationResource]) -> Iterable[tuple[str, str]]:
    for authorization in failed:
        said = [_words(each.error) for each in authorization.body.challenges if each.error is not None]
        yield authorization.body.identifier.value, "; ".join(said)


def _request(names: Sequence[str], key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate signing request for the names."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
