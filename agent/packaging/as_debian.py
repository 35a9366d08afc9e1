"""The agent as a Debian package for every architecture, put together by ``dpkg-deb`` without debhelper."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from agent.packaging.payload import version_of

RECIPE = Path(__file__).resolve().parent
UNITS = "usr/lib/systemd/system"
DOCUMENTS = "usr/share/doc/ztagent"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


def contents(files: dict[str, bytes]) -> dict[str, tuple[bytes, int]]:
    """Every file of the package by its path, with its rights; control files below ``DEBIAN``."""
    version = version_of(files)
    debian, systemd = RECIPE / "debian", RECIPE / "systemd"
    found = {f"usr/lib/ztagent/{name}": (content, 0o644) for name, content in files.items()}
    found |= {f"{UNITS}/{unit.name}": (unit.read_bytes(), 0o644) for unit in sorted(systemd.iterdir())}
    found["usr/bin/ztagent"] = ((debian / "ztagent").read_bytes(), 0o755)
    found["usr/lib/ztagent/enrol"] = ((RECIPE / "enrol").read_bytes(), 0o755)
    found[f"{DOCUMENTS}/copyright"] = ((debian / "copyright").read_bytes(), 0o644)
    found[f"{DOCUMENTS}/agent.toml.example"] = ((RECIPE / "agent.toml.example").read_bytes(), 0o644)
    size = sum(len(content) for content, _ in found.values()) // 1024 + 1
    control = (debian / "control").read_text(encoding="utf-8").format(version=version, size=size)
    found["DEBIAN/control"] = (control.encode(), 0o644)
    for name in SCRIPTS:
        script = (debian / name).read_text(encoding="utf-8").replace("@VERSION@", version)
        found[f"DEBIAN/{name}"] = (script.encode(), 0o755)
    return dict(sorted(found.items()))


def as_debian(files: dict[str, bytes], seconds: int, folder: Path) -> Path:
    """Write ``ztagent_VERSION_all.deb`` into the folder; raises OSError where dpkg-deb is missing or fails."""
    target = folder / f"ztagent_{version_of(files)}_all.deb"
    with tempfile.TemporaryDirectory(prefix="ztagent-deb-") as name:
        root = Path(name)
        _lay_out(root, contents(files), seconds)
        made = root.parent / f"{root.name}.deb"
        argv = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--build", str(root), str(made)]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "SOURCE_DATE_EPOCH": str(seconds)}
        try:
            done = subprocess.run(argv, capture_output=True, text=True, env=environment)
            if done.returncode:
                raise OSError(f"dpkg-deb: {done.stderr.strip()}")
            shutil.copyfile(made, target)
        finally:
            made.unlink(missing_ok=True)
    return target


def _lay_out(root: Path, found: dict[str, tuple[bytes, int]], seconds: int) -> None:
    root.chmod(0o755)
    for name, (content, rights) in found.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(rights)
    for path in (*root.rglob("*"), root):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (seconds, seconds))
