"""Imports point down the tree, in no circle, and cost nothing before they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "surgrad"

# each line may import from the lines below it, from its own folder, and, within the line of small
# files, from its neighbours
ORDER = (
    ("__main__",),
    ("cli", "testing"),
    ("studies",),
    ("report",),
    ("interop",),
    ("training",),
    ("conversion", "plasticity", "smoothing", "timing"),
    ("learning", "liveness"),
    ("network",),
    ("connections",),
    ("neurons",),
    ("kernels",),
    ("data",),
    ("objectives",),
    ("spikes", "tableau", "surrogates", "events", "_rows", "files", "extras"),
    ("errors",),
)
SMALL_FILES = ORDER[-2]
LEVEL = {name: level for level, line in enumerate(ORDER) for name in line}


def modules(package: Path) -> dict[str, Path]:
    """Every module but the page of public names, by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path
    found.pop("surgrad")
    return found


def imports(tree: ast.AST, known: dict[str, Path]) -> set[str]:
    """The modules of the package that a file names in an import, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            # the package itself has only a version and a place to tell
            found.update(a.name for a in node.names if a.name.startswith("surgrad."))
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                found.add("a relative import")
            elif node.module and node.module.split(".")[0] == "surgrad":
                for alias in node.names:
                    deeper = f"{node.module}.{alias.name}"
                    if (node.module, alias.name) != ("surgrad", "__version__"):
                        found.add(deeper if deeper in known else node.module)
    return found


def complaints(package: Path) -> list[str]:
    """What is wrong with the imports of a package, one sentence each."""
    known = modules(package)
    graph = {name: imports(ast.parse(path.read_text()), known) for name, path in known.items()}
    wrong = []
    for source, targets in graph.items():
        top = source.split(".")[1]
        if top not in LEVEL:
            wrong.append(f"{source} has no place in the order of imports")
            continue
        for target in sorted(targets):
            if target not in known:
                wrong.append(f"{source} imports {target}: name a module of the package instead")
                continue
            below = target.split(".")[1]
            same = top == below or (top in SMALL_FILES and below in SMALL_FILES)
            if not same and LEVEL.get(below, -1) <= LEVEL[top]:
                wrong.append(f"{source} imports {target}, which stands above or beside it")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        wrong.append("a circle: " + " → ".join(error.args[1]))
    return wrong


def test_imports_point_down_in_no_circle() -> None:
    assert complaints(PACKAGE) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"errors.py": "from surgrad.events import x", "events.py": ""}, "above or beside"),
        ({"neurons/a.py": "import surgrad.data", "data/__init__.py": ""}, ""),
        (
            {
                "data/__init__.py": "def f():\n    from surgrad.training import g",
                "training/__init__.py": "",
            },
            "above or beside",
        ),
        (
            {"data/a.py": "from surgrad.data import b", "data/b.py": "import surgrad.data.a"},
            "a circle",
        ),
        ({"data/a.py": "from . import b"}, "a relative import"),
        ({"data/a.py": "from surgrad import LIF"}, "name a module"),
        ({"data/a.py": "from surgrad import __version__\nimport surgrad"}, ""),
        ({"elsewhere.py": ""}, "no place in the order"),
        (
            {
                "events.py": "import surgrad.files",
                "files.py": "import surgrad.errors",
                "errors.py": "",
            },
            "",
        ),
    ],
)
def test_the_check_sees_what_it_should(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    package = tmp_path / "surgrad"
    for name, text in {"__init__.py": "", **files}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    found = complaints(package)
    assert (expected in "; ".join(found)) if expected else (found == [])


HEAVY = ("torch", "numba", "matplotlib", "sklearn", "scipy", "h5py")


def heavy_after(code: str) -> str:
    """The heavy packages that a fresh interpreter holds after running `code`."""
    tail = f"\nimport sys\nprint('HELD:', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rsplit("HELD:", 1)[1].strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert heavy_after("import surgrad; dir(surgrad); surgrad.__version__") == ""


def test_the_command_line_answers_without_torch() -> None:
    run = """
from surgrad.cli import _COMMANDS, main
helps = [[command, "--help"] for command in _COMMANDS]
for words in (["--help"], ["--version"], ["experiments", "ls"], *helps):
    assert main(words) == 0, words
"""
    assert heavy_after(run) == ""


def test_the_page_of_names_agrees_with_itself() -> None:
    import surgrad

    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(homes) == sorted(surgrad.__all__)
    assert set(surgrad.__all__) < set(dir(surgrad))
    for name in surgrad.__all__:
        value = getattr(surgrad, name)
        origin = sys.modules[str(homes[name])]
        assert value is getattr(origin, name), name


def test_every_surrogate_derivative_is_a_public_name() -> None:
    import surgrad
    from surgrad.surrogates import TABLE

    assert set(TABLE) <= set(surgrad.__all__)
    assert all(getattr(surgrad, name) is row for name, row in TABLE.items())


def test_an_unknown_name_is_an_attribute_error() -> None:
    import surgrad

    with pytest.raises(AttributeError, match="no attribute 'LIFE'"):
        _ = surgrad.LIFE  # pyright: ignore[reportAttributeAccessIssue]
