"""The endorsement key of a TPM 2.0, as its maker's certificate in the chip has it.

Messages of TPM 2.0 Library, Part 3: TPM2_NV_ReadPublic and TPM2_NV_Read; places of the certificates by TCG EK
Credential Profile 2.5, section 2.2.1.4. Both only read, and the kernel's /dev/tpmrm0 keeps them apart from others.
"""

from __future__ import annotations

import hashlib
import struct

from agent.host import Host

DEVICE = "/dev/tpmrm0"
_PLACES = (0x01C00002, 0x01C0000A, 0x01C00012, 0x01C00014, 0x01C00016)
"""RSA 2048 and NIST P-256 of the low range, then RSA 2048, P-256 and P-384 of the high one."""
_PLAIN, _WITH_SESSION = 0x8001, 0x8002
_READ_PUBLIC, _READ = 0x169, 0x14E
_OWNER = 0x40000001
_READ_BY_ITSELF = 1 << 18
"""TPMA_NV_AUTHREAD: the place's own, empty password opens it; else that of the owner may."""
_EMPTY_PASSWORD = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
_PIECE = 512
_LARGEST = 8192


def endorsement_key_digest(host: Host) -> str | None:
    """SHA-256, in hex, of the public key (SubjectPublicKeyInfo) of the first certificate; None where there is none.

    Raises OSError as the device does, and ValueError for answers of another form.
    """
    for place in _PLACES:
        certificate = _content(host, place)
        if certificate:
            return hashlib.sha256(_public_key(certificate)).hexdigest()
    return None


def _ask(host: Host, tag: int, code: int, body: bytes) -> bytes | None:
    answer = host.talk(DEVICE, struct.pack(">HII", tag, 10 + len(body), code) + body)
    _, size, status = struct.unpack_from(">HII", _long_enough(answer, 10))
    if size != len(answer):
        raise ValueError("the TPM's answer is cut")
    return answer[10:] if status == 0 else None


def _content(host: Host, place: int) -> bytes | None:
    public = _ask(host, _PLAIN, _READ_PUBLIC, struct.pack(">I", place))
    if public is None:
        return None
    _, _, _, attributes, policy = struct.unpack_from(">HIHIH", _long_enough(public, 14))
    (size,) = struct.unpack_from(">H", _long_enough(public, 16 + policy), 14 + policy)
    if size > _LARGEST:
        raise ValueError("the TPM states a certificate of unlikely size")
    opener = place if attributes & _READ_BY_ITSELF else _OWNER
    found = b""
    while len(found) < size:
        body = struct.pack(">II", opener, place) + _EMPTY_PASSWORD
        body += struct.pack(">HH", min(_PIECE, size - len(found)), len(found))
        answer = _ask(host, _WITH_SESSION, _READ, body)
        if answer is None:
            return None
        (length,) = struct.unpack_from(">H", _long_enough(answer, 6), 4)
        if not length:
            raise ValueError("the TPM gives nothing more")
        found += _long_enough(answer, 6 + length)[6 : 6 + length]
    return found


def _public_key(certificate: bytes) -> bytes:
    """The seventh part of what an X.509 certificate signs, or the sixth where no version stands before."""
    start, _ = _part(certificate, 0)
    start, _ = _part(certificate, start)
    if certificate[start] == 0xA0:
        start = _part(certificate, start)[1]
    for _ in range(5):
        start = _part(certificate, start)[1]
    return certificate[start : _part(certificate, start)[1]]


def _part(data: bytes, start: int) -> tuple[int, int]:
    """Where the content of one value of DER begins, and where it ends."""
    length, begin = _long_enough(data, start + 2)[start + 1], start + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(_long_enough(data, begin + count)[begin : begin + count], "big")
        begin += count
    _long_enough(data, begin + length)
    return begin, begin + length


def _long_enough(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise ValueError("the TPM's answer, or the certificate in it, is cut")
    return data
