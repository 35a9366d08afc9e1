"""Where this host is set to send its logs; what arrives there only the other side knows.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.products import Products, known_products, running_names
from agent.section import UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen, by_system

_READABLE = frozenset({"rsyslog", "syslog-ng", "systemd-journal-upload"})
_LEGACY = re.compile(r"^[^#$\s]\S*\s+(?:-\s*)?@@?(?:\([^)]*\))?(?P<host>\[[^\]]+\]|[^:;\s]+)(?::(?P<port>\d+))?")
_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|(?<!\S)\#[^\n]*', re.DOTALL)
_INCLUDE = re.compile(r'(?:\$IncludeConfig\s+|include\s*\(\s*file\s*=\s*")([^\s"]+)', re.IGNORECASE)
_ACTION = re.compile(r"action\s*\((?P<body>[^)]*)\)", re.IGNORECASE | re.DOTALL)
_PAIR = re.compile(r"(?P<key>[\w.]+)\s*=\s*\"(?P<value>[^\"]*)\"")
_NG = re.compile(r"\b(?P<how>network|syslog|tcp6?|udp6?)\s*\(\s*\"(?P<host>[^\"]+)\"(?P<rest>[^;]*);", re.DOTALL)
_UPLOAD = "systemd-journal-upload"
_UPLOADS = f"/run/systemd/units/invocation:{_UPLOAD}.service"
"""A link that systemd keeps while the unit is active. Cut to 15 characters, systemd-journald bears the same name."""
_MANAGERS = r"SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager"
_WINRM = "winrm"
"""The service that forwards events of Windows."""
_SYSLOG = "/etc/syslog.conf"
Destination = tuple[str, bool]
"""Address, and whether it is reached over TLS."""


def look(host: Host) -> Seen:
    """``destinations`` sorted, ``encrypted`` where all are reached over TLS, ``known_list``; only as root.

    An empty list means that no program of the known list ships logs anywhere.
    """
    otherwise = "log forwarding is not looked at on"
    found = by_system(host, otherwise, linux=_linux, windows=_windows, macos=_macos)
    if not host.privileged():
        raise Denied("only root may read every setting of log forwarding")
    return found(host, known_products(host.system))


def _shippers(host: Host, known: Products, readable: frozenset[str] = frozenset()) -> set[str]:
    """The programs of the known list that ship logs now; NotSupported where one is not among the readable ones."""
    names = running_names(host, known)
    running = {product.name for product in known.shippers if product.running_as & names}
    unread = sorted(running - readable)
    if unread:
        raise NotSupported(f"{', '.join(unread)} runs, and where it sends logs is not read")
    return running


def _seen(known: Products, found: list[Destination]) -> Seen:
    values = {
        "destinations": sorted({address for address, _ in found}),
        "encrypted": all(secure for _, secure in found) if found else None,
        "known_list": known.version,
    }
    missing = {} if found else {"encrypted": Missing(UNSUPPORTED, "nothing is sent, so there is nothing to encrypt")}
    return Seen(values, missing)


def _windows(host: Host, known: Products) -> Seen:
    """Event forwarding, by the policy "Configure target Subscription Manager"; it needs the service WinRM."""
    _shippers(host, known)
    runs = host.services().get(_WINRM)
    found: list[Destination] = []
    try:
        while len(found) < 64:
            told = str(host.registry(_MANAGERS, str(len(found) + 1)))
            server = re.match(r"\s*Server\s*=\s*([^,\s]+)", told, re.IGNORECASE)
            if server is None:
                raise NotSupported("a subscription manager of event forwarding names no server")
            parts = urlsplit(server[1])
            port = parts.port or (5986 if parts.scheme == "https" else 5985)
            found.append((f"{parts.hostname}:{port}", parts.scheme == "https"))
    except FileNotFoundError:
        pass
    if found and runs is None:
        raise NotSupported("Windows does not list the service WinRM, by which events are forwarded")
    return _seen(known, found if runs else [])


def _macos(host: Host, known: Products) -> Seen:
    _shippers(host, known)
    try:
        text = host.read_file(_SYSLOG).decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    if any(_LEGACY.match(line.strip()) for line in text.splitlines()):
        raise NotSupported(f"{_SYSLOG} sends on what goes through syslogd, which is little of the log of macOS")
    return _seen(known, [])


def _linux(host: Host, known: Products) -> Seen:
    refuse_foreign_namespaces(host, "log forwarding", ("pid",))
    running = _shippers(host, known, _READABLE)
    found: list[Destination] = []
    if "rsyslog" in running:
        found += _rsyslog(_settings(host, "/etc/rsyslog.conf", "/etc/rsyslog.d"))
    if "syslog-ng" in running:
        found += _syslog_ng(_settings(host, "/etc/syslog-ng/syslog-ng.conf", "/etc/syslog-ng/conf.d"))
    if _UPLOAD in running and _uploads(host):
        found += _journal_upload(
            _settings(host, "/etc/systemd/journal-upload.conf", "/etc/systemd/journal-upload.conf.d")
        )
    return _seen(known, found)


def _uploads(host: Host) -> bool:
    try:
        return bool(host.readlink(_UPLOADS))
    except FileNotFoundError:
        return False


def _settings(host: Host, main: str, folder: str) -> str:
    texts = [host.read_file(main).decode("utf-8", "replace")]
    try:
        names = [name for name in host.listdir(folder) if name.endswith(".conf")]
    except FileNotFoundError:
        names = []
    texts += [host.read_file(f"{folder}/{name}").decode("utf-8", "replace") for name in names]
    return _without_comments("\n".join(texts))


def _without_comments(text: str) -> str:
    """Neither lines from # on nor what stands between /* and */ is set, except within quotes."""
    return _COMMENT.sub(lambda match: match[0] if match[0][0] == '"' else " ", text)


def _rsyslog(text: str) -> list[Destination]:
    found: list[Destination] = []
    elsewhere = [path for path in _INCLUDE.findall(text) if not path.startswith("/etc/rsyslog.d/")]
    if elsewhere:
        raise NotSupported(f"rsyslog reads {elsewhere[0][:100]} too, which is not followed")
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
    used = set(re.findall(r"\bdestination\s*\(\s*([\w.-]+)\s*\)", text))
    for name, block in re.findall(r"\bdestination\s+(\S+)\s*\{(.*?)\}\s*;", text, re.DOTALL):
        # To a destination that no path of the log names, nothing goes.
        if name not in used:
            continue
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
        _UPLOADS,
        rf"HKLM\{_MANAGERS}",
        f"whether the service {_WINRM} runs",
        _SYSLOG,
    ),
    look=look,
)
