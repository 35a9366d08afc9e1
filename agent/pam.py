"""Stacks of PAM, as pam.conf(5) describes their files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.host import Host
from agent.section import NotSupported

_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d")
_LINE = re.compile(r"-?(auth|account|password|session)\s+(\[[^\]]*\]|\S+)\s+(\S+)\s*(.*)")
_DEEPEST = 8


@dataclass(frozen=True)
class Step:
    """One line of a stack: what its outcome means, the module without its folder, and its arguments."""

    control: str
    module: str
    arguments: dict[str, str]

    @property
    def binding(self) -> bool:
        """Whether a refusal by the module counts."""
        return self.control != "optional"

    @property
    def refuses(self) -> bool:
        """Whether a refusal by the module alone ends in one of the stack, as ``required`` has it.

        In brackets, what is ignored refuses only where success jumps over a module that always does.
        """
        if self.control.startswith("["):
            return "default=ignore" not in self.control or re.search(r"success=\d", self.control) is not None
        return self.control in {"required", "requisite"}


def has(host: Host, service: str) -> bool:
    """Whether the service has a stack of its own; without one, that of ``other`` applies."""
    return any(host.exists(f"{folder}/{service}") for folder in _FOLDERS)


def stack(host: Host, service: str, kind: str, depth: int = 0) -> list[Step]:
    """Steps of kind ``auth``, ``password``... for a service, included files in their places."""
    if depth > _DEEPEST:
        raise NotSupported(f"the files of PAM for {service} include each other without end")
    found: list[Step] = []
    for line in _lines(host, service):
        if line.startswith("@include"):
            found += stack(host, line.split()[1], kind, depth + 1)
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] != kind:
            continue
        control, module, rest = match[2], match[3], match[4]
        if control in {"include", "substack"}:
            found += stack(host, module, kind, depth + 1)
        else:
            pairs = (word.partition("=") for word in rest.split())
            found.append(Step(control, module.rsplit("/", 1)[-1], {key: value for key, _, value in pairs}))
    return found


def _lines(host: Host, service: str) -> list[str]:
    for folder in _FOLDERS:
        path = service if service.startswith("/") else f"{folder}/{service}"
        try:
            text = host.read_file(path).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        lines = (line.split("#", 1)[0].strip() for line in text.replace("\\\n", " ").splitlines())
        return [line for line in lines if line]
    raise NotSupported(f"PAM has no file for {service}")
