"""Files of sections and ``key = value`` lines: keyfiles of desktops, sssd.conf, smb.conf, connections of networks.

Not by configparser, which refuses what these programs accept and would cost the resident process more memory.
"""

from __future__ import annotations

from agent.host import Host


def parse(text: str) -> dict[str, dict[str, str]]:
    """Keys by section; keys before the first section stand under the empty name, and the last of equal keys counts."""
    found: dict[str, dict[str, str]] = {}
    section = found.setdefault("", {})
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            section = found.setdefault(line[1:-1].strip(), {})
        else:
            key, sign, value = line.partition("=")
            if sign:
                section[key.strip()] = value.strip()
    return found


def read(host: Host, path: str) -> dict[str, dict[str, str]]:
    """The file of that path, parsed; raises as reading does."""
    return parse(host.read_file(path).decode("utf-8", "replace"))


def read_all(host: Host, folder: str, ending: str) -> dict[str, dict[str, str]]:
    """The files of a folder whose names end so, in the order of their names, a later value over an earlier one.

    A folder that is not there holds none; hidden files of it are left out, as the programs do.
    """
    found: dict[str, dict[str, str]] = {}
    try:
        names = host.listdir(folder)
    except FileNotFoundError:
        return found
    for name in names:
        if name.endswith(ending) and not name.startswith("."):
            for section, keys in read(host, f"{folder}/{name}").items():
                found.setdefault(section, {}).update(keys)
    return found
