"""5-1 Leak prevention: sensitive data cannot simply be carried out."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import DataStore, Device, LeakPrevention, StoreExposure


@check(over=Device)
def device_policy_is_enforced(device: Subject, *, channels: list[str]) -> Claim:
    """Leak prevention on the laptop or desktop enforces, on every channel that leads out."""
    prevention = device[LeakPrevention]
    return Claim(
        applies=~device.external & device.category.is_in(["laptop", "desktop"]),
        holds=(prevention.mode == "enforce") & prevention.channels.has_all(channels),
        shows={"mode": prevention.mode, "channels": prevention.channels},
    )


@check(over=DataStore)
def stores_are_closed_to_the_public(store: Subject) -> Claim:
    """Nobody outside the institution may read, list or write the content of the store, or reach its port."""
    exposure = store[StoreExposure]
    return Claim(
        applies=True,
        holds=~exposure.public,
        shows={"name": store.name, "public": exposure.public},
    )
