"""The budget tool sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

import budget
import pytest


def write(root: Path, name: str, lines: list[str]) -> Path:
    path = root / name
    path.write_text("\n".join(lines) + "\n")
    return path


def distinct(n: int, tag: str = "x") -> list[str]:
    return [f"{tag}{i} = {i}" for i in range(n)]


def test_counts_code_without_comments_docstrings_and_blank_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a.py",
        [
            '"""Two',
            'lines."""',
            "",
            "# why",
            "x = 1  # one",
            "def f():",
            "    '''doc'''",
            "    y = '''a",
            "",
            "b'''",
        ],
    )
    found = budget.measure(path)
    assert found.lines == 10
    # the blank line inside the string that is a value is blank all the same
    assert found.code == ("x = 1  # one", "def f():", "y = '''a", "b'''")


def test_a_small_package_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.py", distinct(budget.MEDIAN_CODE))
    assert budget.main([str(tmp_path)]) == 0
    assert "median file" in capsys.readouterr().out


def test_a_long_file_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "long.py", ["# a comment"] * (budget.LONGEST_FILE + 1))
    assert budget.main([str(tmp_path)]) == 1
    assert "long.py: 401 lines" in capsys.readouterr().err


def test_a_heavy_median_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        write(tmp_path, f"{name}.py", distinct(budget.MEDIAN_CODE + 1, name))
    write(tmp_path, "__init__.py", ['"""No code, so it does not pull the median down."""'])
    assert budget.main([str(tmp_path)]) == 1
    assert "the median file has 101 lines" in capsys.readouterr().err


def test_repetition_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.py", distinct(6, "same") + distinct(14, "a"))
    write(tmp_path, "b.py", distinct(6, "same") + distinct(14, "b"))
    assert budget.main([str(tmp_path)]) == 1
    # 12 of the 40 lines
    assert "30.0% of the code is repeated" in capsys.readouterr().err


@pytest.mark.parametrize("lines", [distinct(5, "same"), [f"import m{i}" for i in range(9)]])
def test_short_windows_and_imports_are_no_repetition(tmp_path: Path, lines: list[str]) -> None:
    write(tmp_path, "a.py", lines + distinct(5, "a"))
    write(tmp_path, "b.py", lines + distinct(5, "b"))
    assert budget.main([str(tmp_path)]) == 0


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    assert budget.main([str(tmp_path / "nowhere")]) == 2


def test_the_package_keeps_its_budget() -> None:
    problems, table = budget.check(Path(__file__).parents[2] / "surgrad")
    assert not problems, table
