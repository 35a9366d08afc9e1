"""The fleet's certificate authority: a root that lies elsewhere, issuing authorities of a year, leaves of a month."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scanner.errors import ConfigurationError, Problem, UsageError
from scanner.fleet.database import Unavailable
from scanner.fleet.settings import is_address
from scanner.sealed.disk import make_private, place_private, write_private

ROOT_LIFE = timedelta(days=3650)
ISSUING_LIFE = timedelta(days=365)
LEAF_LIFE = timedelta(days=30)
SERVER_LIFE = timedelta(days=90)
BACKDATED = timedelta(minutes=10)
"""For clocks of agents that are a little slow."""
ROOT_KEY, ROOT_FILE, ISSUING_FOLDER = "root.key", "root.pem", "issuing"

Key = ec.EllipticCurvePrivateKey


class BadRequest(Exception):
    """A certificate request that is not of the form; says why."""


@dataclass(frozen=True)
class Requested:
    """The key of a certificate request whose signature proved that the private key is held."""

    key: ec.EllipticCurvePublicKey
    spki: bytes
    key_id: str


@dataclass(frozen=True)
class Issued:
    """A certificate of an agent, its chain and what the log of issuance says of it."""

    certificate: str
    chain: str
    issuer: str
    serial: str
    not_before: int
    not_after: int
    """Both in ms since 1970."""


class Issuing:
    """An issuing authority: its certificate, its key, and the root above it."""

    def __init__(self, certificate: x509.Certificate, key: Key, root: x509.Certificate) -> None:
        self.certificate, self._key, self._root = certificate, key, root
        self.key_id = hashlib.sha256(spki_of(key.public_key())).hexdigest()
        self.chain = _pem(certificate) + _pem(root)

    def issue(self, key: ec.EllipticCurvePublicKey, agent: str, domain: str, now: datetime) -> Issued:
        """A certificate over an agent's key; raises Unavailable where this authority itself has expired."""
        end = min(now + LEAF_LIFE, self.certificate.not_valid_after_utc)
        if end <= now:
            raise Unavailable("the issuing authority has expired; make the next with: ztgrade fleet rekey --issuing")
        name = f"spiffe://{domain}/agent/{agent}"
        certificate = (
            _builder(agent, key, self.certificate.subject, now - BACKDATED, end)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(_above(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Issued(
            certificate=_pem(certificate),
            chain=self.chain,
            issuer=self.key_id,
            serial=f"{certificate.serial_number:x}",
            not_before=_ms(certificate.not_valid_before_utc),
            not_after=_ms(certificate.not_valid_after_utc),
        )

    def serve(self, names: list[str], now: datetime) -> tuple[str, str]:
        """Certificate chain and key, both PEM, for the server's own TLS."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = min(now + SERVER_LIFE, self.certificate.not_valid_after_utc)
        alternatives: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name) for name in names
        ]
        certificate = (
            _builder("ztgrade fleet server", key.public_key(), self.certificate.subject, now - BACKDATED, end)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_above(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return _pem(certificate) + self.chain, _private(key).decode()


def make_root(folder: Path, domain: str, now: datetime) -> x509.Certificate:
    """A new root in a folder that is to be kept elsewhere; raises FileExistsError where one lies there."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ztgrade fleet root {domain}"[:64])])
    certificate = (
        _builder(None, key.public_key(), name, now - BACKDATED, now + ROOT_LIFE, subject=name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(signing=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    make_private(folder)
    write_private(folder / ROOT_KEY, _private(key))
    write_private(folder / ROOT_FILE, _pem(certificate).encode())
    return certificate


def make_issuing(folder: Path, root_folder: Path, now: datetime) -> Issuing:
    """The next issuing authority of a fleet folder, signed by the root; earlier ones stay beside it."""
    root_key = _load_key(root_folder / ROOT_KEY)
    root = _load(root_folder / ROOT_FILE)
    if spki_of(root_key.public_key()) != spki_of(root.public_key()):
        raise _wrong(root_folder / ROOT_KEY, "the key is not that of the certificate beside it", "restore both files")
    known = folder / ROOT_FILE
    if known.exists() and known.read_bytes() != (root_folder / ROOT_FILE).read_bytes():
        raise _wrong(
            root_folder / ROOT_FILE, "this is the root of another fleet", "name the folder of this fleet's root"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    number = len(list((folder / ISSUING_FOLDER).glob("*.pem"))) + 1
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ztgrade fleet issuing {number}")])
    certificate = (
        _builder(None, key.public_key(), root.subject, now - BACKDATED, now + ISSUING_LIFE, subject=name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signing=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_above(root_key), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    make_private(folder / ISSUING_FOLDER)
    if not known.exists():
        write_private(known, _pem(root).encode())
    place = folder / ISSUING_FOLDER / f"{number:04}.pem"
    write_private(place.with_suffix(".key"), _private(key))
    place_private(place, _pem(certificate).encode())
    return Issuing(certificate, key, root)


def load_issuing(folder: Path) -> Issuing:
    """The newest issuing authority of a fleet folder; keys of earlier ones are not needed. ConfigurationError."""
    root = _load(folder / ROOT_FILE)
    places = sorted((folder / ISSUING_FOLDER).glob("*.pem"))
    if not places:
        raise _wrong(
            folder / ISSUING_FOLDER, "there is no issuing authority", "make one with: ztgrade fleet rekey --issuing"
        )
    return Issuing(_load(places[-1]), _load_key(places[-1].with_suffix(".key")), root)


def requested(pem: str) -> Requested:
    """The key of a certificate request; raises BadRequest where it is not P-256 or does not prove possession."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadRequest("csr: the key must be on the curve P-256")
        if not isinstance(request.signature_hash_algorithm, hashes.SHA256):
            raise BadRequest("csr: it must be signed with ECDSA and SHA-256")
        if not request.is_signature_valid:
            raise BadRequest("csr: its signature does not prove possession of the key")
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadRequest("csr: it is no certificate request in PEM") from error
    spki = spki_of(key)
    return Requested(key, spki, hashlib.sha256(spki).hexdigest())


def spki_of(key: object) -> bytes:
    """A public key as SubjectPublicKeyInfo in DER."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UsageError("the key is not on an elliptic curve; the fleet's keys are on P-256")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pin_of(chain: bytes) -> str:
    """What a token says of the server: SHA-256 over the public key of the topmost certificate of its chain, in hex."""
    top = x509.load_pem_x509_certificates(chain)[-1]
    return hashlib.sha256(top.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def digest_of_key(certificate: bytes) -> str:
    """SHA-256 over the public key (SubjectPublicKeyInfo) of a certificate in DER, in hex."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def load_certificate(path: Path) -> bytes:
    """A certificate in PEM as DER; raises ConfigurationError."""
    return _load(path).public_bytes(Encoding.DER)


def _builder(
    common: str | None,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    begin: datetime,
    end: datetime,
    subject: x509.Name | None = None,
) -> x509.CertificateBuilder:
    named = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common or "")])
    return (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _usage(*, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signing,
        crl_sign=not signing,
        encipher_only=False,
        decipher_only=False,
    )


def _above(key: Key) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _private(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _load(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError as error:
        raise _wrong(path, "there is no such file", "restore it, or make a fleet with: ztgrade fleet init") from error
    except OSError as error:
        raise _wrong(path, str(error.strerror or error), "let the server's user read it") from error
    except ValueError as error:
        raise _wrong(path, "it holds no certificate in PEM", "restore it from a copy") from error


def _load_key(path: Path) -> Key:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError as error:
        raise _wrong(path, "there is no such file", "bring the key here for this step, or restore it") from error
    except (ValueError, TypeError) as error:
        raise _wrong(path, "it holds no private key in PEM without a passphrase", "restore it from a copy") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _wrong(path, "the key is not on an elliptic curve", "restore it from a copy")
    return key


def _wrong(path: Path, message: str, hint: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), None, "", message, hint)])
