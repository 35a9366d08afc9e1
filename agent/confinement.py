"""Whether the agent sits in a container or in namespaces other than the host's own."""

from __future__ import annotations

from agent.host import Host
from agent.section import NotSupported

INIT_NAMESPACES = {"pid": "pid:[4026531836]", "user": "user:[4026531837]"}
"""Numbers that the kernel gives its first namespaces (include/linux/proc_ns.h)."""
INITS = frozenset({"systemd", "init", "runit", "runit-init", "s6-svscan", "dinit", "finit", "openrc-init", "busybox"})
_HINTS = ("docker", "kubepods", "containerd", "libpod", "lxc", "crio", "garden", "actions_job")


def container(host: Host) -> str:
    """What shows that this is a container, for example ``/.dockerenv``; empty where nothing does."""
    if host.system != "linux":
        return ""
    for path in ("/.dockerenv", "/run/.containerenv", "/run/systemd/container"):
        if _exists(host, path):
            return path
    if "microsoft" in _text(host, "/proc/sys/kernel/osrelease").lower():
        return "a Windows subsystem kernel"
    for kind, number in INIT_NAMESPACES.items():
        link = _link(host, f"/proc/self/ns/{kind}")
        if link and link != number:
            return f"a {kind} namespace of its own"
    if "container=" in _text(host, "/proc/1/environ"):
        return "container= in the environment of process 1"
    groups = _text(host, "/proc/1/cgroup") + _text(host, "/proc/self/mountinfo").split("\n", 1)[0]
    for hint in _HINTS:
        if hint in groups:
            return f"control group or root of {hint}"
    first = _text(host, "/proc/1/comm").strip()
    if first and first not in INITS:
        return f"process 1 is {first}"
    return ""


def refuse_container(host: Host, what: str) -> None:
    """Raise NotSupported where a container would make ``what`` say something of itself and not of the host."""
    sign = container(host)
    if sign:
        raise NotSupported(f"in a container ({sign}), {what} of the host cannot be seen")


def refuse_foreign_namespaces(host: Host, what: str, kinds: tuple[str, ...]) -> None:
    """Raise NotSupported where a privileged agent is in other namespaces, or another root, than process 1."""
    refuse_container(host, what)
    if host.system != "linux":
        return
    for kind in kinds:
        own, first = _link(host, f"/proc/self/ns/{kind}"), _link(host, f"/proc/1/ns/{kind}")
        if own and first and own != first:
            raise NotSupported(f"in a {kind} namespace other than that of process 1, {what} of the host cannot be seen")
    try:
        if not host.same_file("/", "/proc/1/root"):
            raise NotSupported(f"below a changed root, {what} of the host cannot be seen")
    except OSError:
        return


def _exists(host: Host, path: str) -> bool:
    try:
        return host.exists(path)
    except OSError:
        return False


def _text(host: Host, path: str) -> str:
    try:
        return host.read_file(path).decode("utf-8", "replace")
    except OSError:
        return ""


def _link(host: Host, path: str) -> str:
    try:
        return host.readlink(path)
    except OSError:
        return ""
