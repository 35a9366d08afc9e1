"""The house: who may import whom, how things are named, and what may not be written anywhere."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agent", "baselines", "checks", "collectors", "reports", "scanner")
VAGUE = {"utils", "util", "helpers", "helper", "common", "core", "manager", "base", "misc"}
CATCHES_ALL = {"scanner/collecting/collect.py", "scanner/judging/judge.py"}
COMPOSES = ("scanner/cli.py", "scanner/commands/")
"""The composition root: the only files of the scanner that may import collectors, reports and agent."""
KNOWS_THE_TIME = (*COMPOSES, "scanner/collecting/collect.py", "scanner/sealed/store.py")
NETWORK = {
    "aiohttp", "asyncssh", "azure", "boto3", "botocore", "ftplib", "http", "httpx", "ldap3", "paramiko", "pysnmp",
    "requests", "smtplib", "socket", "ssl", "telnetlib", "urllib3", "xmlrpc",
}  # fmt: skip
ARROWS: dict[str, tuple[str, ...]] = {
    "reports": ("reports", "scanner.model", "scanner.result"),
    "checks": ("checks", "scanner.model", "scanner.facts", "scanner.column"),
    "collectors": (
        "collectors",
        "scanner.model",
        "scanner.facts",
        "scanner.errors",
        "scanner.column",  # for the fields of facts
        "scanner.sealed.canonical",
    ),
    "agent": ("agent",),
    "baselines": ("baselines",),
    "scanner": ("scanner", "agent.wire"),  # what agents and their server say to each other
}
"""Parts of the house that the modules of each package may import; ``ALSO`` has the exceptions."""
ALSO: dict[str, tuple[str, ...]] = {
    "collectors/local.py": ("agent.host", "agent.probes", "agent.section"),
    "collectors/sections.py": ("agent.section",),  # the form in which probes hand over what they saw
    "collectors/endpoint.py": ("agent.section",),
    "collectors/advisories/matching.py": ("agent.section",),
    # One reading of the fleet's tables, which stands beside their schema and speaks to every database they lie in.
    "collectors/ports/fleet.py": ("agent.wire", "scanner.fleet.reading", "scanner.fleet.settings"),
}
WHOLE: dict[str, set[str]] = {"scanner/grading/assess.py": {"checks"}}
"""Packages that a module may import to read their source, but nothing in them."""
THIRD_PARTY: dict[str, set[str]] = {
    "agent": {"psutil"},
    "agent/keys.py": {"psutil", "cryptography"},
    "checks": set(),
    "baselines": set(),
}
"""Libraries that a package, or one module of it, may import; those not named may import any."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def nodes(module: ast.AST) -> tuple[ast.AST, ...]:
    """Every node, walked once for all tests."""
    return tuple(ast.walk(module))


@cache
def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py"))


def everywhere(find: Callable[[ast.Module], Iterator[tuple[int, str]]], *packages: str) -> list[str]:
    """What a search finds in all modules of the house, each with its place."""
    return [f"{name_of(path)}:{line}: {what}" for path in modules(*packages) for line, what in find(tree(path))]


def imports(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module that is imported anywhere in a file, those under TYPE_CHECKING and inside functions included."""
    for node in nodes(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in allowed)


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a chain of names; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


# Imports


def test_modules_import_only_along_the_arrows() -> None:
    wrong = []
    for path in modules():
        package = name_of(path).split("/")[0]
        if name_of(path).startswith(COMPOSES):
            continue
        allowed = (*ARROWS[package], *ALSO.get(name_of(path), ()))
        for line, name in imports(tree(path)):
            if name in WHOLE.get(name_of(path), set()):
                continue
            if name.split(".")[0] in PACKAGES and not within(name, allowed):
                wrong.append(f"{name_of(path)}:{line}: {name}")

    assert wrong == []


def test_nobody_imports_the_command_line() -> None:
    wrong = [
        f"{name_of(path)}:{line}"
        for path in modules()
        for line, name in imports(tree(path))
        if within(name, ("scanner.cli", "scanner.commands")) and not name_of(path).startswith(COMPOSES)
    ]

    assert wrong == []


def test_libraries_stand_only_where_they_may() -> None:
    wrong = []
    for path in modules():
        package = name_of(path).split("/")[0]
        may = THIRD_PARTY.get(name_of(path), THIRD_PARTY.get(package))
        for line, name in imports(tree(path)):
            first = name.split(".")[0]
            if may is not None and first not in {*may, *PACKAGES} and first not in sys.stdlib_module_names:
                wrong.append(f"{name_of(path)}:{line}: {name}")

    assert wrong == []


def test_network_io_stands_only_in_the_ports_of_the_collectors() -> None:
    wrong = [
        f"{name_of(path)}:{line}: {name}"
        for path in modules()
        if not name_of(path).startswith(("collectors/ports/", "scanner/fleet/", "scanner/web/", "agent/"))
        for line, name in imports(tree(path))
        if name.split(".")[0] in NETWORK or within(name, ("urllib.request",))
    ]

    assert wrong == []


def test_time_enters_only_where_it_may() -> None:
    def asked(module: ast.Module) -> Iterator[tuple[int, str]]:
        for node in nodes(module):
            if isinstance(node, ast.Call):
                name = dotted(node.func)
                if re.search(r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.(time|localtime|gmtime))$", name):
                    yield node.lineno, name

    found = everywhere(asked, "checks", "collectors", "reports", "scanner")

    assert [place for place in found if not place.startswith(KNOWS_THE_TIME)] == []


# Names and words


def test_names_say_what_a_thing_is() -> None:
    wrong = [
        name_of(path)
        for path in [*modules(), *(item for package in PACKAGES for item in (ROOT / package).rglob("*/"))]
        if VAGUE & set(path.stem.lower().split("_"))
    ]

    assert wrong == []


def test_no_module_bears_the_name_of_one_of_the_standard_library() -> None:
    names = {path: path.stem for path in modules() if not path.stem.startswith("__")}

    assert [name_of(path) for path, name in names.items() if name in sys.stdlib_module_names] == []


def test_identifiers_carry_no_item_numbers() -> None:
    def numbered(module: ast.Module) -> Iterator[tuple[int, str]]:
        for node in nodes(module):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and re.search(r"(^|_)[1-5]_?[1-8](_|$)", node.name):
                yield node.lineno, node.name

    assert everywhere(numbered) == []
    assert [name_of(path) for path in modules() if re.search(r"(^|_)[1-5]_[1-8](_|$)", path.stem)] == []


def undocumented(module: ast.Module) -> Iterator[tuple[int, str]]:
    def public(body: list[ast.stmt], inside: str) -> Iterator[tuple[int, str]]:
        for node in body:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            if node.name.startswith("_") or any(dotted(mark).endswith("overload") for mark in node.decorator_list):
                continue
            if not ast.get_docstring(node):
                yield node.lineno, f"{inside}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{inside}{node.name}.")

    if not ast.get_docstring(module):
        yield 1, "the module"
    yield from public(module.body, "")


def test_every_public_thing_has_a_docstring() -> None:
    assert everywhere(undocumented) == []


def test_most_files_are_short() -> None:
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in modules()]

    assert sum(length <= 300 for length in lengths) >= 0.8 * len(lengths)


# What may not be written


def test_everything_is_caught_in_two_files_only() -> None:
    def catches_all(module: ast.Module) -> Iterator[tuple[int, str]]:
        for node in nodes(module):
            caught: list[ast.expr] = []
            if isinstance(node, ast.ExceptHandler):
                if node.type is None:
                    yield node.lineno, "except:"
                caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type] if node.type else []
            elif isinstance(node, ast.Call) and dotted(node.func).endswith("suppress"):
                caught = node.args
            line = getattr(node, "lineno", 0)
            yield from ((line, dotted(item)) for item in caught if dotted(item) in wide)

    # Cleaning up and raising again is no catching, so BaseException counts only where it is not raised again.
    wide = {"Exception", "BaseException"}
    found = [
        place for place in everywhere(catches_all) if not (place.endswith("BaseException") and raised_again(place))
    ]

    assert [place for place in found if place.split(":")[0] not in CATCHES_ALL] == []


def raised_again(place: str) -> bool:
    name, line, _ = place.split(":", 2)
    for node in nodes(tree(ROOT / name)):
        if isinstance(node, ast.ExceptHandler) and node.lineno == int(line):
            last = node.body[-1]
            return isinstance(last, ast.Raise) and last.exc is None
    return False


def test_nothing_runs_text_as_code_or_starts_a_shell() -> None:
    banned = {"eval", "exec", "__import__", "os.system", "os.popen", "subprocess.getoutput", "yaml.load"}
    banned_modules = ("pickle", "marshal", "shelve", "dill", "cloudpickle")

    def dangerous(module: ast.Module) -> Iterator[tuple[int, str]]:
        for line, name in imports(module):
            if within(name, banned_modules):
                yield line, name
        for node in nodes(module):
            if isinstance(node, ast.Call):
                if dotted(node.func) in banned:
                    yield node.lineno, dotted(node.func)
                for word in node.keywords:
                    if word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False):
                        yield node.lineno, "shell="

    assert everywhere(dangerous) == []


def containers(module: ast.Module) -> dict[str, int]:
    """Names bound to a mutable container in the body of a module or of a class in it."""
    found: dict[str, int] = {}
    bodies = [module.body, *(node.body for node in nodes(module) if isinstance(node, ast.ClassDef))]
    for statement in (statement for body in bodies for statement in body):
        value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
        made = isinstance(value, ast.Call) and dotted(value.func).split(".")[-1] in {
            "dict", "list", "set", "defaultdict", "deque", "Counter", "OrderedDict",
        }  # fmt: skip
        if made or isinstance(value, (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)):
            assert isinstance(statement, (ast.Assign, ast.AnnAssign))
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found |= {target.id: statement.lineno for target in targets if isinstance(target, ast.Name)}
    return found


def registries(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Containers outside functions that something changes after the import, and ``global`` statements."""
    changing = {"append", "add", "update", "setdefault", "pop", "extend", "insert", "clear", "remove", "discard"}
    names = containers(module)
    functions = [node for node in nodes(module) if isinstance(node, (ast.FunctionDef, ast.Lambda))]
    for function in functions:
        own = {
            node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        } | {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
        for node in ast.walk(function):
            changed = ""
            if isinstance(node, ast.Global):
                yield node.lineno, f"global {', '.join(node.names)}"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in changing:
                changed = dotted(node.func.value)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
                changed = dotted(node.value)
            holder, _, last = changed.rpartition(".")
            if last in names and last not in own and (not holder or holder == "cls"):
                yield getattr(node, "lineno", 0), f"{changed} is changed"


def test_there_are_no_mutable_registries() -> None:
    assert everywhere(registries) == []


def machine_paths_and_registries() -> re.Pattern[str]:
    # Written in pieces, or this file would find itself. Paths on hosts that are probed are fine.
    words = [
        r"pypi\." + "org",
        "python" + r"hosted\.org",
        r"registry\." + r"npmjs",
        r"proxy\.golang" + r"\.org",
        r"(?<![\w./-])/work" + "/",
        "bash" + "_jobs",
    ]
    return re.compile("|".join(words))


def texts() -> Iterator[Path]:
    folders = [ROOT / name for name in (*PACKAGES, "tests", "benchmarks", "docs", ".ci")]
    files = [*ROOT.glob("*.*"), *(path for folder in folders if folder.is_dir() for path in folder.rglob("*"))]
    wanted = {".py", ".toml", ".md", ".txt", ".json", ".yml", ".yaml", ".html", ".css", ".cfg", ".sh", ".csv", ""}
    for path in files:
        if path.is_file() and path.suffix in wanted and "__pycache__" not in path.parts:
            yield path


def test_no_text_names_a_registry_host_or_a_path_of_one_machine() -> None:
    pattern = machine_paths_and_registries()
    wrong = []
    for path in texts():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                wrong.append(f"{name_of(path)}:{number}: {line.strip()[:80]}")

    assert wrong == []


# Packaging


def listed_packages() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]
    assert isinstance(packages, list), "packages are listed by name"
    return packages


def test_the_wheel_claims_these_top_level_names_and_no_others() -> None:
    assert {name.split(".")[0] for name in listed_packages()} == set(PACKAGES)


def test_every_folder_with_code_is_a_package_that_the_wheel_carries() -> None:
    folders = {path.parent for path in modules()}

    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
    assert sorted({name_of(folder).replace("/", ".") for folder in folders} - set(listed_packages())) == []


# Tests


def asserting(function: ast.FunctionDef, known: set[str]) -> bool:
    """Whether a function asserts itself, expects an error, or calls one that is known to assert."""
    for node in nodes(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in {"pytest.raises", "pytest.warns", "pytest.fail"} or name.split(".")[-1] in known:
                return True
    return False


def test_no_test_is_without_an_assertion() -> None:
    functions = {
        (name_of(path), node.name): node
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in nodes(tree(path))
        if isinstance(node, ast.FunctionDef)
    }
    known: set[str] = set()
    while True:
        more = {name for (_, name), node in functions.items() if name not in known and asserting(node, known)}
        if not more:
            break
        known |= {name for name in more if not name.startswith("test_")}
        if not {name for name in more if not name.startswith("test_")}:
            break

    silent = [place for place, node in functions.items() if place[1].startswith("test_") and not asserting(node, known)]
    assert silent == []


# The house tests themselves see what they are meant to see


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SEEN = {}\ndef note(a):\n    SEEN[a] = 1\n", True),
        ("class A:\n    seen = []\n    @classmethod\n    def note(cls, a):\n        cls.seen.append(a)\n", True),
        ("A = 1\ndef f():\n    global A\n    A = 2\n", True),
        ("KINDS = {'a': 1}\ndef f(a):\n    return KINDS[a]\n", False),
        ("SEEN = {}\ndef f():\n    SEEN = []\n    SEEN.append(1)\n", False),
        ("def f(self):\n    self.seen = []\n    self.seen.append(1)\n", False),
    ],
)
def test_a_registry_is_recognised(text: str, found: bool) -> None:
    assert bool(list(registries(ast.parse(text)))) is found


@pytest.mark.parametrize(
    "text", ["from collectors import x", "import collectors.ports", "def f():\n    import reports"]
)
def test_an_import_is_seen_wherever_it_stands(text: str) -> None:
    assert [name.split(".")[0] for _, name in imports(ast.parse(text))] in (["collectors"], ["reports"])


def test_what_lacks_words_is_found_by_name() -> None:
    module = ast.parse('"""Words."""\nclass A:\n    """Words."""\n    def b(self): ...\n    def _c(self): ...\n')

    assert list(undocumented(module)) == [(4, "A.b")]
