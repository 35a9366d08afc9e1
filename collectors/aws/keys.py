"""Keys of KMS: who manages them and whether they are renewed, asked only of keys that encrypt something read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from collectors.aws.key_policies import apart
from collectors.aws.look import Look, text
from collectors.aws.operations import KEY, KEY_ALIASES, KEY_ROTATION, KEYS
from collectors.aws.posture_operations import KEY_POLICY
from collectors.aws.resource_policies import grants
from collectors.aws.source import Source
from scanner.errors import Malformed, ReadError
from scanner.model import GapWhy, Record


@dataclass(frozen=True)
class KeyState:
    """Who holds a key and whether it is renewed; None where it could not be read."""

    holder: Literal["provider_default", "institution"] | None
    rotation: Literal["never", "scheduled"] | None
    losses: tuple[tuple[Source, ReadError], ...] = ()
    own_apart: bool | None = None

    @property
    def apart(self) -> bool | None:
        """Whether the key is kept apart from the data; AWS gives its own to whoever may read what it encrypts."""
        return False if self.holder == "provider_default" else self.own_apart


class KeyRing:
    """Keys by region and id; each key is asked once, each region's listing once."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._known: dict[tuple[str, str], KeyState] = {}
        self._listed: dict[str, tuple[frozenset[str], tuple[tuple[Source, ReadError], ...]]] = {}
        self._aliases: dict[str, Mapping[str, str] | ReadError] = {}

    def state(self, named: str, region: str) -> KeyState:
        """The key of an ARN, an id or an alias, in the region of what it encrypts."""
        parts = named.split(":", 5)
        if len(parts) == 6 and named.startswith("arn:"):
            region, account, name = parts[3], parts[4], parts[5]
            if account != self._look.account:
                foreign = Malformed(f"the key belongs to account {account}, whose keys cannot be judged from here")
                return KeyState(None, None, ((KEY, foreign),))
        else:
            name = named
        if name.startswith("alias/"):
            resolved = self._resolved(name, region)
            if isinstance(resolved, ReadError):
                return KeyState(None, None, ((KEY_ALIASES, resolved),))
            name = resolved
        name = name.removeprefix("key/")
        if (region, name) not in self._known:
            self._known[region, name] = self._asked(name, region)
        return self._known[region, name]

    def _resolved(self, alias: str, region: str) -> str | ReadError:
        if region not in self._aliases:
            try:
                listed = self._look.ask(KEY_ALIASES, region)["Aliases"]
                self._aliases[region] = {
                    text(one, "AliasName"): str(one["TargetKeyId"]) for one in listed if one.get("TargetKeyId")
                }
            except ReadError as error:
                self._aliases[region] = error
        known = self._aliases[region]
        if isinstance(known, ReadError):
            return known
        return known.get(alias) or Malformed(f"no key of {region} has the name {alias}")

    def _own(self, region: str) -> tuple[frozenset[str], tuple[tuple[Source, ReadError], ...]]:
        if region not in self._listed:
            try:
                listed = self._look.ask(KEYS, region)["Keys"]
                self._listed[region] = (frozenset(text(one, "KeyId") for one in listed), ())
            except ReadError as error:
                self._listed[region] = (frozenset(), ((KEYS, error),))
        return self._listed[region]

    def _asked(self, name: str, region: str) -> KeyState:
        own, losses = self._own(region)
        if losses:
            return KeyState(None, None, losses)
        if name not in own:
            return KeyState(None, None, ((KEYS, Malformed(f"key {name} is not among those of the account")),))
        try:
            metadata = self._look.ask(KEY, region, KeyId=name).get("KeyMetadata")
            manager = text(metadata if isinstance(metadata, Mapping) else {}, "KeyManager")
            if manager not in {"AWS", "CUSTOMER"}:
                raise Malformed(f"a key managed by {manager!r}")
        except ReadError as error:
            return KeyState(None, None, ((KEY, error),))
        holder: Any = "institution" if manager == "CUSTOMER" else "provider_default"
        if manager == "AWS":
            return KeyState(holder, None)
        lost: list[tuple[Source, ReadError]] = []
        kept: bool | None = None
        rotation: Any = None
        try:
            kept = apart(grants(text(self._look.ask(KEY_POLICY, region, KeyId=name), "Policy")), self._look.account)
        except ReadError as error:
            lost.append((KEY_POLICY, error))
        try:
            renewed = self._look.ask(KEY_ROTATION, region, KeyId=name).get("KeyRotationEnabled")
            if not isinstance(renewed, bool):
                raise Malformed("the answer does not say whether the key is renewed")
            rotation = "scheduled" if renewed else "never"
        except ReadError as error:
            lost.append((KEY_ROTATION, error))
        return KeyState(holder, rotation, tuple(lost), kept)


def losses(look: Look, state: KeyState, asset: str, region: str) -> Iterator[Record]:
    """Gaps of one store for what could not be read of its key."""
    for source, error in state.losses:
        yield from look.lost(source, error, asset=asset, region=region)
    if state.holder == "institution" and state.apart is None:
        detail = "the policy of the key neither keeps it apart plainly nor leaves it to the account"
        yield from look.gap("EncryptionAtRest", GapWhy.UNSEEN, detail, asset=asset, field="key_apart")
    if state.holder == "provider_default":
        detail = "AWS renews its own keys on a schedule of its own, which is not read"
        yield from look.gap("EncryptionAtRest", GapWhy.UNSUPPORTED, detail, asset=asset, field="rotation")
