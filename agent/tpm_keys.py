"""P-256 keys that a TPM 2.0 makes and never gives away, used by tpm2-tools, one process for each step.

``KEYID.tpm`` holds a key as the TPM wrapped it under its owner hierarchy: no other TPM can load it, so a copied disk
cannot sign. ``KEYID.ctx`` beside it is the same key as it was loaded since the system started (TPM2_ContextSave); with
it a signature is one short process, without it two more make it anew. What the tools hand on to each other lies in
memory alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from agent import sealed_key
from agent.disk import write_whole
from agent.errors import Misconfigured
from agent.sealed_key import ENROL_AGAIN, PUBLIC

TOOLS = "/usr/bin"
"""Where the distributions have tpm2-tools; they are never looked for elsewhere."""
PATIENCE = 30
"""Seconds that one step may take: a slow TPM needs one or two for a primary key."""

_STAYS = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth"
_PARENT = ("-g", "sha256", "-G", "ecc256:aes128cfb", "-a", f"{_STAYS}|restricted|decrypt")
"""Written out, since another default of a later version would be another parent, below which no key can be loaded."""
_KEY = ("-g", "sha256", "-G", "ecc256:ecdsa-sha256", "-a", f"{_STAYS}|sign|noda")
WITHOUT_ROOM_KEPT = ("swtpm", "mssim")
"""Simulators, which are spoken to directly: nothing takes loaded keys away after each process, as the kernel does."""

# TPM 2.0 Library, Part 2, 6.6.3: without the number of the handle or parameter that they are about.
_HIERARCHY, _AUTH_FAIL, _INTEGRITY, _BAD_AUTH = 0x85, 0x8E, 0x9F, 0xA2


@dataclass(frozen=True)
class Tpm:
    """See `keystores.Keystore`; ``tcti`` is how the tools reach the TPM, in their words."""

    tcti: str

    def make(self, folder: Path) -> str:
        """In ``FOLDER/KEYID.tpm``."""
        with _Steps(self.tcti, "parent", "public", "private", PUBLIC, "loaded") as steps:
            steps.parent()
            made = ("-u", steps["public"], "-r", steps["private"], "-f", "der", "-o", steps[PUBLIC])
            steps.run("create", "-C", steps["parent"], *_KEY, *made)
            steps.load()
            parts = {name: steps.content(name) for name in ("public", "private", PUBLIC)}
            key_id = sealed_key.keep(folder, ".tpm", "TPM", parts)
            _remember(folder / f"{key_id}.ctx", steps)
        return key_id

    def sign(self, path: Path, content: bytes) -> bytes:
        """By the key as it was loaded since the system started, else loaded anew."""
        held, loaded = sealed_key.held(path, "public", "private"), path.with_suffix(".ctx")
        digest = hashlib.sha256(content).digest()
        with _Steps(self.tcti, "parent", "public", "private", "loaded") as steps:
            if loaded.exists():
                # The TPM takes it until the system starts again; whatever else is wrong comes up below.
                with suppress(Misconfigured):
                    return steps.signature(str(loaded), digest)
            steps.parent()
            steps.put("public", held["public"])
            steps.put("private", held["private"])
            steps.load()
            _remember(loaded, steps)
            return steps.signature(steps["loaded"], digest)

    def public(self, path: Path) -> bytes:
        """Asks no TPM."""
        return sealed_key.held(path)[PUBLIC]


class _Steps:
    """The tools, and files in memory by which they hand on keys, under these names."""

    def __init__(self, tcti: str, *names: str) -> None:
        if sys.platform != "linux":
            raise Misconfigured("keys in a TPM are made on Linux only")
        driver, _, device = tcti.partition(":")
        if driver == "device" and not os.path.exists(device):
            raise Misconfigured(f"there is no TPM at {device}; it may be off in the settings of the firmware")
        self._tcti = tcti
        self._flushes = driver in WITHOUT_ROOM_KEPT
        self._open = {name: os.memfd_create(name) for name in names}

    def __enter__(self) -> _Steps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def __getitem__(self, name: str) -> str:
        return f"/proc/self/fd/{self._open[name]}"

    def put(self, name: str, content: bytes) -> None:
        """Fill a file."""
        os.pwrite(self._open[name], content, 0)

    def content(self, name: str) -> bytes:
        """What a tool wrote into a file."""
        descriptor = self._open[name]
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def parent(self) -> None:
        """The owner's primary key for storage, which a TPM always makes the same until it is cleared."""
        self.run("createprimary", "-C", "o", *_PARENT, "-c", self["parent"])

    def load(self) -> None:
        """Load the wrapped key below its parent."""
        wrapped = ("-u", self["public"], "-r", self["private"])
        self.run("load", "-C", self["parent"], *wrapped, "-c", self["loaded"])

    def signature(self, loaded: str, digest: bytes) -> bytes:
        """By a loaded key over a SHA-256."""
        given = ("-c", loaded, "-g", "sha256", "-d", "-f", "plain", "-o", "/dev/stdout")
        return self.run("sign", *given, content=digest)

    def run(self, tool: str, *given: str, content: bytes = b"") -> bytes:
        """What a tool writes on its standard output."""
        if self._flushes:
            self._ran("flushcontext", "-t")
        return self._ran(tool, "-Q", *given, content=content)

    def _ran(self, tool: str, *given: str, content: bytes = b"") -> bytes:
        argv = [f"{TOOLS}/tpm2_{tool}", "-T", self._tcti, *given]
        environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        try:
            done = subprocess.run(
                argv,
                input=content,
                capture_output=True,
                timeout=PATIENCE,
                env=environment,
                cwd=os.sep,
                pass_fds=tuple(self._open.values()),
            )
        except FileNotFoundError:
            raise Misconfigured("tpm2-tools are missing, which use the TPM; apt-get install tpm2-tools") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Misconfigured(f"tpm2_{tool} did not work: {error}") from error
        if done.returncode:
            raise Misconfigured(_why(tool, done.stderr.decode("utf-8", "replace")))
        return done.stdout


def _why(tool: str, said: str) -> str:
    """Why a tool failed, and what to do, by the last code of the TPM that it printed."""
    if "Could not load tcti" in said:
        if "Permission denied" in said or "not permitted" in said:
            return "the TPM may not be used; run the agent as root or as a member of the group tss"
        return f"the TPM does not answer: {_first(said)}"
    codes = re.findall(r"\(0x([0-9A-Fa-f]{1,8})\)", said)
    code = int(codes[-1], 16) if codes else 0
    known = code & 0xBF if code & 0x80 else code
    if known == _INTEGRITY and tool == "load":
        return (
            "this TPM does not know the key: it was cleared or replaced, or the state folder comes from another "
            f"machine; enrol again: {ENROL_AGAIN}"
        )
    if known in (_AUTH_FAIL, _BAD_AUTH):
        return (
            "the TPM's owner hierarchy has a password, and the agent has none for it; take it off "
            f'(tpm2_changeauth -c owner -p PASSWORD), or set key = "file" and enrol: {ENROL_AGAIN}'
        )
    if known == _HIERARCHY:
        return (
            "the TPM's owner hierarchy is switched off; switch it on in the settings of the firmware, or set "
            f'key = "file" and enrol: {ENROL_AGAIN}'
        )
    lines = [line for line in said.splitlines() if line.startswith("ERROR")]
    return f"tpm2_{tool} failed: {(lines[-2:] or [said.strip()])[0][:300]}"


def _first(said: str) -> str:
    return next((line.rstrip() for line in said.splitlines() if line.strip()), "nothing was said")[:300]


def _remember(path: Path, steps: _Steps) -> None:
    # Without it the next signature takes longer, and nothing else.
    with suppress(OSError):
        write_whole(path, steps.content("loaded"))
