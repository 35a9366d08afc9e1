"""Public keys of agents, parsed once; whether a key still counts is asked elsewhere, for every message."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from agent import wire
from scanner.fleet.database import Database

PublicKey = ec.EllipticCurvePublicKey


class Keyring:
    """Finds and remembers keys by their id; used by the event loop only."""

    def __init__(self, database: Database, remembered: int = 65_536) -> None:
        self._database, self._remembered = database, remembered
        self._keys: OrderedDict[str, ec.EllipticCurvePublicKey] = OrderedDict()
        self._asking = ThreadPoolExecutor(1, "fleet-keys") if database.blocks else None
        self._how = ec.ECDSA(Prehashed(hashes.SHA256()))  # hashlib is quicker than to begin a digest over there

    def known(self, key_id: str) -> PublicKey | None:
        """The key of an id, if it is remembered."""
        return self._keys.get(key_id)

    async def find(self, key_id: str) -> PublicKey | None:
        """The key of an id, or None where no agent ever had it; raises Unavailable."""
        key = self._keys.get(key_id)
        if key is not None:
            return key
        if self._asking is None:
            spki = self._stored(key_id)
        else:
            spki = await asyncio.get_running_loop().run_in_executor(self._asking, self._stored, key_id)
        if spki is None:
            return None
        loaded = load_der_public_key(spki)
        if not isinstance(loaded, ec.EllipticCurvePublicKey):
            return None
        self._keys[key_id] = loaded
        if len(self._keys) > self._remembered:
            self._keys.popitem(last=False)
        return loaded

    def proves(self, key: PublicKey, kind: str, body: bytes, signature: bytes) -> bool:
        """Whether a key signed these bytes as a message of this kind."""
        try:
            key.verify(signature, hashlib.sha256(wire.signed_bytes(kind, body)).digest(), self._how)
        except (InvalidSignature, ValueError):
            return False
        return True

    def close(self) -> None:
        """Ask for nothing more."""
        if self._asking is not None:
            self._asking.shutdown()
        self._database.close()

    def _stored(self, key_id: str) -> bytes | None:
        found = self._database.rows("SELECT spki FROM agent_key WHERE key_id = ?", (key_id,))
        return bytes(found[0][0]) if found else None
