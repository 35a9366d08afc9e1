"""The versioned list of products that the agent looks for; absence means none of these."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from agent.host import Host

_KERNEL_CUT = 15
"""Characters of a process name that Linux keeps."""


@dataclass(frozen=True)
class Product:
    """One product: its name, what it does, the names under which it runs here, and where its files lie."""

    name: str
    category: str
    running_as: frozenset[str]
    paths: tuple[str, ...]
    signatures: tuple[str, ...]


@dataclass(frozen=True)
class Products:
    """The list for one system and its version."""

    version: str
    protection: tuple[Product, ...]
    shippers: tuple[Product, ...]
    management: tuple[Product, ...]


def known_products(system: str) -> Products:
    """Products that can run on ``linux``, ``windows`` or ``macos``."""
    table = tomllib.loads((pkgutil.get_data("agent", "products.toml") or b"").decode("utf-8"))
    protection, shippers, management = (_of(table[kind], system) for kind in ("protection", "shipper", "management"))
    return Products(table["version"], protection, shippers, management)


def running_names(host: Host, known: Products) -> frozenset[str]:
    """Names of the list under which programs run now: processes, or on Windows services."""
    if host.system == "windows":
        return frozenset(name for name, runs in host.services().items() if runs)
    every = (*known.protection, *known.shippers, *known.management)
    return host.running(frozenset(name for product in every for name in product.running_as))


def running(host: Host, product: Product, names: frozenset[str]) -> bool | None:
    """Whether a product runs; None where a process bears its name and none of its files is there.

    Anybody may give a process of his own any name, and only an administrator puts files where a product has its own.
    """
    if not product.running_as & names:
        return False
    return True if not product.paths or any(host.exists(path) for path in product.paths) else None


def cut(name: str, system: str) -> str:
    """A process name as the system keeps it."""
    return name[:_KERNEL_CUT] if system == "linux" else name


def _of(rows: Iterable[dict[str, object]], system: str) -> tuple[Product, ...]:
    found = []
    for row in rows:
        names = row.get(system)
        if isinstance(names, list):
            running_as = frozenset(cut(str(name), system) for name in names)
            paths, signatures = (_texts(row.get(key)) if system == "linux" else () for key in ("paths", "signatures"))
            found.append(Product(str(row["name"]), str(row.get("category", "")), running_as, paths, signatures))
    return tuple(found)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
