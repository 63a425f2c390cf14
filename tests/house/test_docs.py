"""The documentation builds without a warning, its code runs, its formulas are those of the code."""

from __future__ import annotations

import math
import re
from pathlib import Path

import build_docs
import pytest
import torch
from blocks import blocks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


WITH_CODE = [page for page in PAGES if blocks(page, "python")]


def test_builds_without_a_warning() -> None:
    status, said = build_docs.build()
    assert status == 0, said
    assert (ROOT / "site" / "theory" / "neurons.html").is_file()


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(page.relative_to(DOCS)) for page in PAGES}


def test_every_fence_has_a_language_that_a_test_knows() -> None:
    known = {"python", "sh", "toml", "bibtex", "text"}
    for page in [*PAGES, ROOT / "README.md"]:
        for block in blocks(page):
            assert block.language in known, f"{page}:{block.line}: {block.language!r}"


def test_every_picture_is_there() -> None:
    for page in [*PAGES, ROOT / "README.md"]:
        for target in re.findall(r"!\[[^\]]*\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).is_file(), f"{page}: no picture {target}"


@pytest.mark.parametrize("name", names(WITH_CODE))
def test_python_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page, one after the other, in one namespace."""
    monkeypatch.chdir(tmp_path)
    page, held = ROOT / name, {"__name__": "__main__"}
    for block in blocks(page, "python"):
        # the empty lines make tracebacks name the line of the page
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        exec(code, held)


def normal(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def test_the_table_of_surrogate_derivatives_is_that_of_the_code() -> None:
    from surgrad.surrogates import TABLE

    text = (DOCS / "theory" / "surrogate.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `([^|]+?)` \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)
    assert [name for name, *_ in rows] == list(TABLE)
    known = {"exp": math.exp, "pi": math.pi, "normal": normal, "abs": abs, "max": max, "min": min}
    v = torch.tensor([-2.3, -0.51, -0.3, -0.01, 0.0, 0.02, 0.3, 0.52, 1.9], dtype=torch.float64)
    for name, formula, scale, gain in rows:
        row = TABLE[name]
        assert (row.scale, row.gain) == (float(scale), float(gain)), name
        for k in (row.scale, 1.7):
            expected = [float(gain) * eval(formula, {**known, "v": u, "k": k}) for u in v.tolist()]
            found = row(k).h(v)
            assert torch.allclose(found, torch.tensor(expected, dtype=v.dtype)), (name, k)


def test_formulas_become_mathml() -> None:
    import markdown

    page = (
        "a $x_1$ and `$y$`\n\n$$\n\\frac{1}{2}\n$$\n\n```sh\necho $z$ $$\n```\n\ncosts 3$ or 4$.\n"
    )
    html = markdown.markdown(page, extensions=["pymdownx.superfences", "mathml"])
    assert html.count("<math") == 2
    assert "<mfrac>" in html and 'display="block"' in html
    assert "<code>$y$</code>" in html and "3$ or 4$" in html
    assert "$z$" in re.sub(r"<[^>]*>", "", html)


def test_docstring_mathematics_becomes_dollars() -> None:
    import docstrings

    text = "One.\n\n.. math::\n    a\n    = b\n\nWith :math:`c`.\n\n.. math:: d\n"
    assert docstrings.to_dollars(text) == "One.\n\n$$\na = b\n$$\n\nWith $c$.\n\n$$\nd\n$$\n"


def test_the_table_of_data_sets_is_that_of_the_code() -> None:
    from surgrad.data.catalogue import DATASETS

    text = (DOCS / "data.md").read_text()
    found = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (yes|no) \|$", text, re.M)
    about = {kind: spec.ABOUT for kind, spec in DATASETS.items()}
    assert found == [
        (kind, entry.summary, entry.licence, "yes" if entry.files else "no")
        for kind, entry in about.items()
    ]


@pytest.mark.parametrize("page", ["theory/neurons.md", "choose/neuron.md"])
def test_every_neuron_has_its_row(page: str) -> None:
    from surgrad.training.neurons import NEURONS

    first = "\n".join(re.findall(r"^\| (`.+?) \|", (DOCS / page).read_text(), re.M))
    listed = set(re.findall(r"`(\w+)`", first))
    assert {neuron.__name__ for neuron in NEURONS.values()} <= listed


def test_every_rule_has_its_row() -> None:
    from surgrad.training.rules import RULES

    text = (DOCS / "choose" / "rule.md").read_text()
    of = {
        "the surrogate network": "surrogate",
        "spike times": "event",
        "the expected loss": "expectation",
        "nothing": None,
    }
    row = r"^\| `(\w+)\(\)` \| `(\w+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|"
    rows = re.findall(row, text, re.M)
    assert [(key, name, of[exact], when) for name, key, exact, when in rows] == [
        (key, rule.__name__, rule.exact, rule.exact_when) for key, rule in RULES.items()
    ]
