from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

AGENT = Path(__file__).parents[2] / "agent"
IMPORTING = """
import sys
sys.path[:0] = {paths!r}
before = set(sys.modules)
import agent.cli
print(*sorted({{name.split('.')[0] for name in set(sys.modules) - before}}))
"""


def test_importing_the_agent_pulls_in_nothing_but_the_standard_library_and_psutil() -> None:
    paths = [str(AGENT.parent), sysconfig.get_paths()["purelib"]]
    code = IMPORTING.format(paths=paths)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    foreign = set(done.stdout.split()) - set(sys.stdlib_module_names) - {"agent", "psutil"}
    assert foreign == set()


@pytest.mark.parametrize("path", sorted(AGENT.rglob("*.py")), ids=lambda path: str(path.relative_to(AGENT)))
def test_no_module_of_the_agent_opens_a_shell_the_scanner_or_more_than_one_way_to_the_network(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            top = (node.module or "").split(".")[0]
            may = {"cryptography"} if path.name == "keys.py" else {"psutil"}
            assert top in {*sys.stdlib_module_names, "agent", *may}
            assert top not in {"asyncio", "http", "urllib"} or node.module == "urllib.parse"
            assert node.module != "agent.keys", "it runs in a process of its own"
        if isinstance(node, ast.Import) and path.name != "connection.py":
            assert not {name.name.split(".")[0] for name in node.names} & {"asyncio", "ssl", "urllib"}
        if isinstance(node, ast.keyword):
            assert node.arg != "shell"
        if isinstance(node, ast.ExceptHandler):
            assert not (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
            assert node.type is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_one_look_at_this_host_stays_below_30_megabytes_and_ends_soon() -> None:
    code = (
        "import sys, time\n"
        f"sys.path[:0] = {[str(AGENT.parent), sysconfig.get_paths()['purelib']]!r}\n"
        "begin = time.monotonic()\n"
        "from agent.cli import main\n"
        "main(['show', '--json'])\n"
        "took = time.monotonic() - begin\n"
        "status = open('/proc/self/status').read()\n"
        "peak = int(status.split('VmHWM:')[1].split()[0])\n"
        "print(int(took * 1000), peak, file=sys.stderr)\n"
    )
    argv = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    milliseconds, peak = map(int, done.stderr.split()[-2:])
    assert peak < 30 * 1024
    # A busy machine may take a few times as long as a quiet one; on a quiet one it is below 300 ms.
    assert milliseconds < 10_000
