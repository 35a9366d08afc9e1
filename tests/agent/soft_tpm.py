"""A TPM 2.0 in software (swtpm), which keeps its keys in a folder and starts again like a machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

NO_SWTPM = "no swtpm: make lab-deps installs it, as root"


class SoftTpm:
    """One chip; ``tcti`` is how tpm2-tools reach it."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("swtpm") is None or not Path("/usr/bin/tpm2_sign").exists():
            if os.environ.get("CI") and os.geteuid() == 0:
                pytest.fail(NO_SWTPM)
            pytest.skip(NO_SWTPM)
        folder.mkdir(mode=0o700)
        self._folder, self._socket = folder, folder / "chip"
        self.tcti = f"swtpm:path={self._socket}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        for name in ("chip", "chip.ctrl"):
            with suppress(FileNotFoundError):
                os.unlink(self._folder / name)
        ways = {"--server": self._socket, "--ctrl": f"{self._socket}.ctrl"}
        argv = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self._folder}"]
        argv += [word for option, path in ways.items() for word in (option, f"type=unixio,path={path}")]
        self._process = subprocess.Popen(
            [*argv, "--flags", "not-need-init,startup-clear"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < until and self._process.poll() is None
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def start_again(self) -> None:
        """What the chip notices of a reboot."""
        self.stop()
        self.start()

    def tool(self, name: str, *given: str) -> None:
        subprocess.run([f"/usr/bin/tpm2_{name}", "-T", self.tcti, *given], check=True, capture_output=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as end:
            return end.connect_ex(str(self._socket)) == 0
