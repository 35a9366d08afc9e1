"""What a look asked of its host, so that the same can be asked again, at less cost than looking.

A look is a pure function of what its host answers. Where every question that it put would be answered now as it was
then, it would say now what it said then. A file is asked for by its fingerprint, and a command of `RESTS_ON` by those
of the files that it reads; nothing but their own answers proves other commands, devices and the time of day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from agent.host import BoundSocket, Host, Process, Ran
from agent.products import cut

Question = tuple[Any, ...]
"""A method of `Host` and what it is given."""
Answers = dict[Question, str]
"""Every question of a look, and a text that is another once its answer is."""

SHORT = 40
"""Characters of an answer that is kept as it is; of a longer one its digest."""

_RPM = tuple(
    f"{folder}/{name}"
    for folder in ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
    for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages")
)
"""The lists of packages; what a package brings, such as the programs below and their defaults, changes them."""
RESTS_ON: Mapping[str, tuple[str, ...]] = {
    "/usr/bin/dpkg-query": (
        "/usr/bin/dpkg-query",
        "/var/lib/dpkg/status",
        "/var/lib/dpkg/updates",
        "/var/lib/dpkg/triggers/Unincorp",
        "/var/lib/dpkg/arch",
    ),
    "/usr/lib/apt/apt-helper": ("/usr/lib/apt/apt-helper",),
    "/usr/bin/rpm": ("/usr/bin/rpm", *_RPM),
    # Asked for their caches alone: settings, and of each repository the file that holds the digests of its others.
    "/usr/bin/dnf5": (
        "/usr/bin/dnf5",
        *_RPM,
        "/etc/dnf/*/*",
        "/etc/yum.repos.d/*",
        "/etc/distro.repos.d/*",
        "/usr/lib/sysimage/libdnf5/*",
        "/var/cache/libdnf5/*/repodata/repomd.xml",
    ),
    "/usr/bin/dnf": (
        "/usr/bin/dnf",
        *_RPM,
        "/etc/dnf/*/*",
        "/etc/yum.repos.d/*",
        "/etc/distro.repos.d/*",
        "/var/cache/dnf/*/repodata/repomd.xml",
    ),
    "/usr/bin/zypper": (
        "/usr/bin/zypper",
        *_RPM,
        "/etc/zypp/*/*",
        "/var/cache/zypp/raw/*/repodata/repomd.xml",
    ),
}
"""Commands that tell of files alone, and these files; those among their arguments besides. ``*`` stands for every name
in a folder, and a folder on the way counts with its names."""


class Moment:
    """Asks a host every question once, however many looks put it.

    What it answers was true at some time between its making and its last question: where a look reads something after
    that, and it changed in between, the next moment's answer differs, so that the look is made anew.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self._answers: Answers = {}
        self._names: frozenset[str] | None = None

    def answer(self, question: Question) -> str:
        """A text for the host's answer."""
        found = self._answers.get(question)
        if found is None:
            found = self._answers[question] = self._ask(question)
        return found

    def confirms(self, answers: Answers) -> bool:
        """Whether every question has the same answer now."""
        return all(self.answer(question) == answer for question, answer in answers.items())

    def running(self, names: frozenset[str]) -> frozenset[str]:
        """As `Host.running`, by one list of all processes."""
        if self._names is None:
            self._names = frozenset(cut(process.name, self.host.system) for process in self.host.processes())
        return names & self._names

    def _ask(self, question: Question) -> str:
        name, *given = question
        try:
            told = sorted(self.running(*given)) if name == "running" else getattr(self.host, name)(*given)
        except (OSError, ValueError, RuntimeError) as error:
            return f"{type(error).__name__} {error}"[:SHORT]
        text = told if isinstance(told, str) else repr(told)
        if len(text) <= SHORT:
            return text
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Inquiry:
    """A host that notes what it is asked; ``answers`` is None once a question was put whose answer nothing proves."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._host = moment.host
        self.answers: Answers | None = {}

    def _note(self, *question: Any) -> None:
        # Asked before the look itself asks: see `Moment`.
        if self.answers is not None:
            self.answers[question] = self._moment.answer(question)

    def _note_command(self, argv: Sequence[str]) -> None:
        files = RESTS_ON.get(argv[0])
        if files is None:
            self.answers = None
            return
        for path in (*files, *(word for word in argv[1:] if word.startswith("/"))):
            self._note_files(path)

    def _note_files(self, path: str) -> None:
        folder, star, rest = path.partition("/*")
        self._note("fingerprint", folder)
        if star:
            with suppress(OSError):
                for name in self._host.listdir(folder):
                    self._note_files(f"{folder}/{name}{rest}")

    @property
    def system(self) -> str:
        """See `Host`."""
        return self._host.system

    def now(self) -> datetime:
        """See `Host`."""
        self.answers = None
        return self._host.now()

    def privileged(self) -> bool:
        """See `Host`."""
        self._note("privileged")
        return self._host.privileged()

    def read_file(self, path: str) -> bytes:
        """See `Host`."""
        self._note("fingerprint", path)
        return self._host.read_file(path)

    def read_end(self, path: str, size: int) -> bytes:
        """See `Host`."""
        self._note("fingerprint", path)
        return self._host.read_end(path, size)

    def lines(self, path: str) -> Iterator[str]:
        """See `Host`."""
        self._note("fingerprint", path)
        return self._host.lines(path)

    def fingerprint(self, path: str) -> str:
        """See `Host`."""
        self._note("fingerprint", path)
        return self._host.fingerprint(path)

    def listdir(self, path: str) -> list[str]:
        """See `Host`."""
        self._note("listdir", path)
        return self._host.listdir(path)

    def exists(self, path: str) -> bool:
        """See `Host`."""
        self._note("exists", path)
        return self._host.exists(path)

    def readlink(self, path: str) -> str:
        """See `Host`."""
        self._note("readlink", path)
        return self._host.readlink(path)

    def modified(self, path: str) -> datetime:
        """See `Host`."""
        self._note("modified", path)
        return self._host.modified(path)

    def device_number(self, path: str) -> str:
        """See `Host`."""
        self._note("device_number", path)
        return self._host.device_number(path)

    def same_file(self, one: str, other: str) -> bool:
        """See `Host`."""
        self._note("same_file", one, other)
        return self._host.same_file(one, other)

    def run(self, argv: Sequence[str]) -> Ran:
        """See `Host`."""
        self._note_command(argv)
        return self._host.run(argv)

    def run_lines(self, argv: Sequence[str]) -> Iterator[str]:
        """See `Host`."""
        self._note_command(argv)
        return self._host.run_lines(argv)

    def registry(self, key: str, name: str) -> Any:
        """See `Host`."""
        self._note("registry", key, name)
        return self._host.registry(key, name)

    def subkeys(self, key: str) -> list[str]:
        """See `Host`."""
        self._note("subkeys", key)
        return self._host.subkeys(key)

    def machine_account(self) -> str:
        """See `Host`."""
        self._note("machine_account")
        return self._host.machine_account()

    def talk(self, device: str, message: bytes) -> bytes:
        """See `Host`."""
        if self.exists(device):
            self.answers = None
        return self._host.talk(device, message)

    def host_name(self) -> str:
        """See `Host`."""
        self._note("host_name")
        return self._host.host_name()

    def addresses(self) -> list[str]:
        """See `Host`."""
        self._note("addresses")
        return self._host.addresses()

    def networks(self) -> list[str]:
        """See `Host`."""
        self._note("networks")
        return self._host.networks()

    def processes(self) -> list[Process]:
        """See `Host`."""
        self.answers = None
        return self._host.processes()

    def running(self, names: frozenset[str]) -> frozenset[str]:
        """See `Host`."""
        self._note("running", names)
        return self._moment.running(names)

    def services(self) -> Mapping[str, bool]:
        """See `Host`."""
        self._note("services")
        return self._host.services()

    def sockets(self) -> list[BoundSocket]:
        """See `Host`."""
        self._note("sockets")
        return self._host.sockets()

    def clock_status(self) -> int:
        """See `Host`."""
        self._note("clock_status")
        return self._host.clock_status()

    def local_time(self, naive: datetime) -> datetime:
        """See `Host`."""
        self._note("local_time", naive)
        return self._host.local_time(naive)

    def passed(self, when: datetime) -> bool:
        """See `Host`."""
        self._note("passed", when)
        return self._host.passed(when)

    def started(self) -> datetime:
        """See `Host`."""
        self._note("started")
        return self._host.started()
