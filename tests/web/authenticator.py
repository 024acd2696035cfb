"""A passkey in software: it makes and signs what a browser would send, and can be told to err."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

Flag = AuthenticatorData.FLAG


@dataclass
class SoftKey:
    """One key pair under one id; the counter rises with each signature unless it keeps none."""

    origin: str
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    counter: int = 0
    counts: bool = True

    def make(self, options: str, *, origin: str = "", kind: str = "webauthn.create") -> str:
        """The answer to `navigator.credentials.create`."""
        asked = json.loads(options)["publicKey"]
        assert websafe_encode(self.id) not in {known["id"] for known in asked["excludeCredentials"]}
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = AttestedCredentialData.create(b"\0" * 16, self.id, public)
        data = AuthenticatorData.create(_hash(asked["rp"]["id"]), Flag.UP | Flag.UV | Flag.AT, self.counter, credential)
        attestation = bytes(AttestationObject.create("none", data, {}))
        return self._answer(self._client_data(kind, asked, origin), attestationObject=attestation)

    def sign(self, options: str, *, origin: str = "", kind: str = "webauthn.get", host: str = "") -> str:
        """The answer to `navigator.credentials.get`."""
        asked = json.loads(options)["publicKey"]
        self.counter += self.counts
        data = bytes(AuthenticatorData.create(_hash(host or asked["rpId"]), Flag.UP | Flag.UV, self.counter))
        client = self._client_data(kind, asked, origin)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(client, authenticatorData=data, signature=signature)

    def _client_data(self, kind: str, asked: dict[str, str], origin: str) -> bytes:
        told = {"type": kind, "challenge": asked["challenge"], "origin": origin or self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _answer(self, client: bytes, **parts: bytes) -> str:
        response = {name: websafe_encode(part) for name, part in parts.items()}
        encoded = websafe_encode(self.id)
        return json.dumps(
            {
                "id": encoded,
                "rawId": encoded,
                "type": "public-key",
                "response": response | {"clientDataJSON": websafe_encode(client)},
                "clientExtensionResults": {},
            }
        )


def tampered(answer: str, name: str) -> str:
    """The answer with one bit of a part flipped."""
    read = json.loads(answer)
    part = bytearray(websafe_decode(read["response"][name]))
    part[-1] ^= 1
    read["response"][name] = websafe_encode(bytes(part))
    return json.dumps(read)


def _hash(host: str) -> bytes:
    return hashlib.sha256(host.encode()).digest()
