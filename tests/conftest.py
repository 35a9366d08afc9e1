"""Skips are a named, printed list; in CI any other skip fails the run."""

from __future__ import annotations

import os

import pytest

MAY_SKIP = {
    "a small file system needs root": "a full disk is tried on a file system that the test mounts",
    "no Samba domain controller: make lab-deps installs it, as root": "as root in CI its absence fails the run",
    "no GSSAPI for this Python: make lab-deps installs it, for Debian's own": "another Python cannot load that module",
    "mounting is not allowed here": "some kernels and containers let nobody mount one",
    "network namespaces need root": "agents of one host each are tried by root; the protocol is tried by everybody",
    "network namespaces are not allowed here": "some kernels and containers give nobody one",
    "no openssl: it comes with ca-certificates": "the agent then signs as everywhere else, which is tried everywhere",
    "no iproute2: make lab-deps installs it, as root": "as root in CI its absence fails the run",
    "no faketime: make lab-deps installs it, as root": "moved clocks are tried in one process everywhere",
    "no PostgreSQL: make lab-deps installs it, as root": "SQLite, the default, is tried everywhere",
    "no ssh-keygen: make lab-deps installs it, as root": "as root in CI its absence fails the run",
    "no swtpm: make lab-deps installs it, as root": "as root in CI its absence fails the run",
    "a machine of a test's own needs root": "a container; the package is tried in a folder, its units by themselves",
    "no systemd-nspawn and Debian's own psutil: make lab-deps installs them, as root": "as root in CI it fails the run",
    "no container with systemd can be booted here": "some kernels and containers let nobody boot one",
    "a host of rpm needs root": "its databases are laid over those of the machine; recordings are tried by everybody",
    "no rpm, dnf and zypper: make lab-deps installs them, as root": "as root in CI its absence fails the run",
    "installing a package needs root": "it is installed into a folder, whose files dpkg gives to root; built for all",
    "no dpkg: it comes with Debian": "the package is for Debian; elsewhere the zipapp is tried",
    "systemd-analyze is not installed": "it comes with systemd, which a bare Debian has not",
}
"""Reasons for which a test may be skipped, and why that is no loss elsewhere."""


LONG = (
    "tests/collectors/ad/test_lab_ways_in.py",
    "tests/honesty/test_clouds.py",
    "tests/honesty/test_domain.py",
    "tests/scanner/test_losing_evidence.py",
    "tests/fleet",
    "tests/honesty/test_samba.py",
    "tests/scanner/demo/test_expected.py",
    "tests/lab/test_bank_live.py",
    "tests/collectors/ad/test_lab.py",
    "tests/scanner/commands/test_carried_through.py",
    "tests/collectors/test_aws_honesty.py",
    "tests/reports/test_lift_chapter.py",
    "tests/agent/packaging/test_booted.py",
)
"""What takes longest starts first, so that short tests are left to let every processor end at the same time."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long tests first, in their order."""
    if gone := [name for name in LONG if not (config.rootpath / name).exists()]:
        raise pytest.UsageError(f"tests/conftest.py: LONG names what is not there: {', '.join(gone)}")
    places = {config.rootpath / name: place for place, name in enumerate(LONG)}

    def place(item: pytest.Item) -> int:
        return min((places[each] for each in (item.path, *item.path.parents) if each in places), default=len(LONG))

    items.sort(key=place)


def _skips(config: pytest.Config) -> list[tuple[str, str]]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    found = []
    for report in reporter.stats.get("skipped", []) if reporter is not None else []:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        found.append((report.nodeid, reason.removeprefix("Skipped: ")))
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where something was skipped that is not on the list."""
    if hasattr(session.config, "workerinput") or not os.environ.get("CI"):
        return
    if any(reason not in MAY_SKIP for _, reason in _skips(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Name every skip and its reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    for name, reason in _skips(config):
        known = "" if reason in MAY_SKIP else "  (not on the list in tests/conftest.py: fails in CI)"
        reporter.write_line(f"skipped {name}: {reason}{known}")
