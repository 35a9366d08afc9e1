"""Property lists of macOS, whose parser is loaded only where there is one."""

from __future__ import annotations

from typing import Any

from agent.host import Host


def parsed(content: bytes, what: str) -> Any:
    """What a property list holds, dates as naive datetimes in UTC; ValueError for whatever is none, naming ``what``."""
    import plistlib
    from xml.parsers.expat import ExpatError

    try:
        return plistlib.loads(content)
    except (ExpatError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        # An XML file that is cut ends in an ExpatError, which is no ValueError, unlike plistlib's own.
        raise ValueError(f"{what} is no property list: {type(error).__name__}") from error


def keys(content: bytes, what: str) -> dict[str, Any]:
    """The keys of a property list; ValueError where it has none."""
    found = parsed(content, what)
    if not isinstance(found, dict):
        raise ValueError(f"{what} holds no keys")
    return found


def read(host: Host, path: str) -> dict[str, Any]:
    """The keys of a file; raises as reading does, and ValueError."""
    return keys(host.read_file(path), path)
