"""Where this host is set to send its logs; what arrives there only the other side knows."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.products import known_products, running_names
from agent.section import UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen

_READABLE = {"rsyslog", "syslog-ng", "systemd-journal-upload"}
_LEGACY = re.compile(r"^[^#$\s]\S*\s+(?:-\s*)?@@?(?:\([^)]*\))?(?P<host>\[[^\]]+\]|[^:;\s]+)(?::(?P<port>\d+))?")
_ACTION = re.compile(r"action\s*\((?P<body>[^)]*)\)", re.IGNORECASE | re.DOTALL)
_PAIR = re.compile(r"(?P<key>[\w.]+)\s*=\s*\"(?P<value>[^\"]*)\"")
_NG = re.compile(r"\b(?P<how>network|syslog|tcp6?|udp6?)\s*\(\s*\"(?P<host>[^\"]+)\"(?P<rest>[^;]*);", re.DOTALL)
Destination = tuple[str, bool]
"""Address, and whether it is reached over TLS."""


def look(host: Host) -> Seen:
    """``destinations`` sorted, ``encrypted`` where all are reached over TLS, ``known_list``. Linux only, as root.

    An empty list means that no program of the known list ships logs anywhere.
    """
    if host.system != "linux":
        raise NotSupported(f"log forwarding is not looked at on {host.system}")
    if not host.privileged():
        raise Denied("only root may read every setting of log forwarding")
    refuse_foreign_namespaces(host, "log forwarding", ("pid",))
    known = known_products("linux")
    names = running_names(host)
    running = {product.name for product in known.shippers if product.running_as & names}
    unread = sorted(running - _READABLE)
    if unread:
        raise NotSupported(f"{', '.join(unread)} runs, and where it sends logs is not read")
    found: list[Destination] = []
    if "rsyslog" in running:
        found += _rsyslog(_settings(host, "/etc/rsyslog.conf", "/etc/rsyslog.d"))
    if "syslog-ng" in running:
        found += _syslog_ng(_settings(host, "/etc/syslog-ng/syslog-ng.conf", "/etc/syslog-ng/conf.d"))
    if "systemd-journal-upload" in running:
        found += _journal_upload(
            _settings(host, "/etc/systemd/journal-upload.conf", "/etc/systemd/journal-upload.conf.d")
        )
    values = {
        "destinations": sorted({address for address, _ in found}),
        "encrypted": all(secure for _, secure in found) if found else None,
        "known_list": known.version,
    }
    missing = {} if found else {"encrypted": Missing(UNSUPPORTED, "nothing is sent, so there is nothing to encrypt")}
    return Seen(values, missing)


def _settings(host: Host, main: str, folder: str) -> str:
    texts = [host.read_file(main).decode("utf-8", "replace")]
    try:
        names = [name for name in host.listdir(folder) if name.endswith(".conf")]
    except FileNotFoundError:
        names = []
    texts += [host.read_file(f"{folder}/{name}").decode("utf-8", "replace") for name in names]
    return "\n".join(re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE) for text in texts)


def _rsyslog(text: str) -> list[Destination]:
    found: list[Destination] = []
    driver = re.search(r"DefaultNetstreamDriver[\s=\"]+(gtls|ossl)", text, re.IGNORECASE) is not None
    mode = re.search(r"^\s*\$ActionSendStreamDriverMode\s+1", text, re.MULTILINE | re.IGNORECASE) is not None
    for line in text.splitlines():
        match = _LEGACY.match(line.strip())
        if match:
            secure = driver and mode and "@@" in line
            found.append((f"{match['host']}:{match['port'] or '514'}", secure))
    for action in _ACTION.finditer(text):
        pairs = {pair["key"].lower(): pair["value"] for pair in _PAIR.finditer(action["body"])}
        kind = pairs.get("type", "").lower()
        if kind == "omfwd" and pairs.get("target"):
            own = pairs.get("streamdriver", "").lower() in {"gtls", "ossl"} or driver
            secure = own and pairs.get("streamdrivermode") == "1" and pairs.get("protocol", "").lower() == "tcp"
            found.append((f"{pairs['target']}:{pairs.get('port', '514')}", secure))
        elif kind == "omrelp" and pairs.get("target"):
            found.append((f"{pairs['target']}:{pairs.get('port', '514')}", pairs.get("tls", "").lower() == "on"))
        elif kind not in {"", "omfwd", "omrelp", "omfile", "omusrmsg", "omprog", "ompipe", "omjournal", "omdiscard"}:
            raise NotSupported(f"rsyslog uses {kind}, which is not read")
    return found


def _syslog_ng(text: str) -> list[Destination]:
    found: list[Destination] = []
    for block in re.findall(r"\bdestination\s+\S+\s*\{(.*?)\}\s*;", text, re.DOTALL):
        for match in _NG.finditer(block):
            port = re.search(r"\bport\s*\(\s*\"?(\d+)", match["rest"])
            secure = re.search(r"transport\s*\(\s*\"?tls", match["rest"]) is not None
            found.append((f"{match['host']}:{port.group(1) if port else '514'}", secure))
    return found


def _journal_upload(text: str) -> list[Destination]:
    found: list[Destination] = []
    for url in re.findall(r"^\s*URL\s*=\s*(\S+)", text, re.MULTILINE):
        parts = urlsplit(url if "://" in url else f"https://{url}")
        found.append((f"{parts.hostname}:{parts.port or 19532}", parts.scheme == "https"))
    return found


PROBE = Probe(
    name="log_forwarding",
    schema_version=1,
    reads=(
        "names of processes",
        "/etc/rsyslog.conf",
        "/etc/rsyslog.d/*.conf",
        "/etc/syslog-ng/syslog-ng.conf",
        "/etc/syslog-ng/conf.d/*.conf",
        "/etc/systemd/journal-upload.conf",
    ),
    look=look,
)
