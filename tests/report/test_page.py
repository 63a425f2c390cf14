from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgrad.errors import FormatError, MissingExtraError
from surgrad.report import Evidence, write_report
from surgrad.report.page import outline
from surgrad.report.rasters import example
from surgrad.report.svg import theme

MadeUp = Callable[..., Evidence]
MakeRun = Callable[..., Path]

TITLES = {"curves": "Training", "examples": "Examples", "neurons": "Neurons", "run": "Run"}
CLASSES = TITLES | {"confusion": "Confusion"}
READ_OUT = {
    "class": "read-out",
    "step_class": "read-out, and the class of each step",
    "values": "prediction and target",
    "spikes": "output spikes over target spikes",
}
HOSTILE = '</title><script>alert(1)</script>"><img src=x onerror=alert(2)> $x_1$ {{ 7 * 6 }}'


class Page(HTMLParser):
    """The parts of a page that tests ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            continue

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.text.setdefault(self.open[-1], []).append(data.strip())

    @property
    def sections(self) -> list[str | None]:
        return [attrs.get("id") for tag, attrs in self.tags if tag == "section"]

    @property
    def tiles(self) -> dict[str, str]:
        return dict(zip(self.text["dt"], self.text["dd"], strict=True))


def page(run: Path) -> Page:
    """A report that is written already."""
    return Page((run / "report.html").read_text(encoding="utf-8"))


def shown(chromium: str, html: Path, tmp_path: Path) -> str:
    """The document as the browser sees it, which has nothing to complain about."""
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--dump-dom",
    ]
    command = [chromium, *options, f"--user-data-dir={tmp_path / 'profile'}", html.as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    return seen.stdout


@pytest.mark.browser
@pytest.mark.parametrize("target", ["class", "step_class", "values", "spikes"])
def test_the_browser_shows_every_section_that_applies(
    target: str, made_up: MadeUp, make_run: MakeRun, chromium: str, tmp_path: Path
) -> None:
    dom = Page(shown(chromium, write_report(make_run(made_up(target))), tmp_path))
    wanted = CLASSES if target in ("class", "step_class") else TITLES
    assert dict(zip(dom.sections, dom.text["h2"], strict=True)) == wanted
    figures = [tag for tag, _ in dom.tags if tag == "figure"]
    drawings = [attrs for tag, attrs in dom.tags if tag == "svg"]
    assert len(figures) == len(drawings) > 8
    assert all(drawing["aria-label"] and drawing["viewbox"] for drawing in drawings)
    # nothing is empty: every drawing has a line, a bar or a spike
    assert sum(tag == "path" for tag, _ in dom.tags) > 10 * len(drawings)
    assert READ_OUT[target] in dom.text["text"]


def test_the_numbers_are_those_of_the_summary(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    tiles = page(finished).tiles
    for part in ("test", "validation"):
        accuracy = summary[part]["accuracy"]
        assert tiles.pop(f"{part} accuracy") == f"{100 * accuracy:.2f}\u00a0%"
    expected = {"epochs": "20", "best epoch": "17", "time": "83.2 s", "seed": "7"}
    assert tiles == expected | {"rule": "bptt", "device": "cpu"}


def test_a_regression_shows_its_loss(made_up: MadeUp, make_run: MakeRun) -> None:
    found = Page(write_report(make_run(made_up("values"), seconds=7260.4)).read_text())
    assert found.tiles["test loss"] == "0.01437"
    assert found.tiles["time"] == "2:01:00"
    assert not [key for key in found.tiles if "accuracy" in key]


def test_config_seeds_versions_and_command_are_there(finished: Path) -> None:
    found = page(finished)
    command, config = found.text["pre"]
    assert command == "surgrad train 'some run/config.toml'"
    assert config == (finished / "config.toml").read_text().strip()
    rows = dict(zip(found.text["th"], found.text["td"], strict=True))
    assert rows["data.split_seed"] == "3"
    assert rows["torch"] == "2.13.0"
    assert rows["test.loss"] == "0.1437"


def test_the_confusion_matrix_is_the_one_of_the_summary(made_up: MadeUp, make_run: MakeRun) -> None:
    matrix = [[5, 2], [0, 7]]
    html = write_report(
        make_run(made_up(labels=["cat", "dog"], classes=2), confusion=matrix)
    ).read_text()
    drawn = html[html.index('id="confusion"') : html.index('id="examples"')]
    assert "12 of 14 right. Most often taken: cat for dog (2)." in drawn
    numbers = re.findall(r"<text[^>]*>(\d+)</text>", drawn)
    assert sorted(numbers) == ["2", "5", "7"]


def test_the_fractions_of_silent_and_saturated_neurons_are_named(finished: Path) -> None:
    layer = Evidence.load(finished / "examples.npz").layers[0]
    silent = float((layer.rates == 0).mean())
    notes = " ".join(page(finished).text["p"])
    assert f"Silent: {silent:.1%}. Saturated: 0.0%." in notes
    assert "h is above 10% of its peak for 3.4% of neurons × steps." in notes


@pytest.mark.browser
def test_a_hostile_name_and_hostile_labels_stay_text(
    made_up: MadeUp, make_run: MakeRun, chromium: str, tmp_path: Path
) -> None:
    seen = made_up(labels=[HOSTILE[k:] for k in range(10)])
    html = write_report(make_run(seen, name=HOSTILE))
    for found in (Page(html.read_text()), Page(shown(chromium, html, tmp_path))):
        assert found.text["h1"] == [HOSTILE]
        assert not [tag for tag, _ in found.tags if tag in ("script", "img", "iframe", "object")]
        assert not [key for _, attrs in found.tags for key in attrs if key.startswith("on")]


def test_nothing_is_fetched(finished: Path) -> None:
    html = (finished / "report.html").read_text()
    found = Page(html)
    links = [
        attrs.get(key) or "" for _, attrs in found.tags for key in ("src", "href", "xlink:href")
    ]
    assert {link.split(":")[0] for link in links if link and not link.startswith("#")} <= {"data"}
    assert "http" not in html.replace("http-equiv", "")
    assert "@import" not in html and "@font-face" not in html
    policy = next(a for tag, a in found.tags if tag == "meta" and "http-equiv" in a)
    assert str(policy["content"]).startswith("default-src 'none'")


def test_ids_are_unique_and_all_references_resolve(finished: Path) -> None:
    html = (finished / "report.html").read_text()
    ids = [attrs["id"] for _, attrs in Page(html).tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)


def test_text_stays_text_in_the_fonts_and_colours_of_the_page(finished: Path) -> None:
    html = (finished / "report.html").read_text()
    title = "membrane potentials of a few neurons, and their thresholds"
    assert {title, "U − ϑ"} <= set(Page(html).text["text"])
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert not re.findall(r"#[0-9a-f]{6}\b", drawings)
    style = html[html.index("<style>") : html.index("</style>")]
    assert set(re.findall(r"var\(--([a-z0-9]+)\)", html)) <= set(re.findall(r"--(\w+):", style)) | {
        "c"
    }


def test_the_same_files_give_the_same_page(
    finished: Path, made_up: MadeUp, make_run: MakeRun
) -> None:
    again = write_report(make_run(made_up(layers=2)))
    assert again.read_bytes() == (finished / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("target", "spikes", "classes", "layers"),
    [
        ("class", 50_000, 35, 3),
        pytest.param("class", 1500, 1000, 20, marks=pytest.mark.slow),
        pytest.param("step_class", 1500, 35, 20, marks=pytest.mark.slow),
        pytest.param("values", 1500, 35, 20, marks=pytest.mark.slow),
        pytest.param("spikes", 1500, 35, 20, marks=pytest.mark.slow),
    ],
)
def test_no_run_makes_a_page_of_two_megabytes(
    target: str, spikes: int, classes: int, layers: int, made_up: MadeUp, make_run: MakeRun
) -> None:
    labels = [f"a rather long label of class {k}" * 9 for k in range(classes)]
    sizes = {"steps": 1000, "neurons": 1024, "inputs": 2312, "classes": classes}
    seen = made_up(target, labels, spikes=spikes, layers=layers, **sizes)
    matrix = np.random.default_rng(0).integers(0, 99, (classes, classes)).tolist()
    html = write_report(make_run(seen, epochs=200, confusion=matrix if "class" in target else []))
    assert html.stat().st_size < 2_000_000
    # the axes of numbers that fall far are written as numbers
    assert "mathdefault" not in html.read_text()


@pytest.mark.parametrize("spikes", [1500, 1501])
def test_spikes_are_drawn_one_by_one_or_as_pixels(spikes: int, made_up: MadeUp) -> None:
    seen = made_up(spikes=spikes)
    with theme():
        svg = example(seen, seen.examples[0], "it").svg
    # for the input and for the hidden layer
    strokes = [path.count("M") for path in re.findall(r' d="([^"]*)"', svg)]
    assert strokes.count(spikes) == (2 if spikes == 1500 else 0)
    assert svg.count("data:image/png") == (0 if spikes == 1500 else 2)


@pytest.mark.parametrize(("outputs", "apart"), [(30, False), (31, True)])
def test_the_spikes_of_many_outputs_are_drawn_below_their_targets(
    outputs: int, apart: bool, made_up: MadeUp
) -> None:
    seen = made_up("spikes", classes=outputs)
    one = seen.examples[0]
    with theme():
        drawn = example(seen, one, "it")
    wanted, found = len(one.target), int((one.output > 0.5).sum())
    titles = f"target spikes · {wanted}", f"output spikes · {found}"
    assert [title in drawn.svg for title in titles] == [apart, apart]
    assert bool(drawn.keys) == ("output spikes over target spikes" in drawn.svg) == (not apart)


def test_an_interrupted_run_shows_how_far_it_got(make_run: MakeRun) -> None:
    run = make_run()
    (run / "summary.json").unlink()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 21, "train": {"lo')
    found = Page(write_report(run).read_text())
    assert found.sections == ["curves", "run"]
    assert "unfinished" in found.text["span"]
    assert found.tiles == {"seed": "7", "rule": "bptt"}


def test_a_run_of_one_epoch_has_points(make_run: MakeRun) -> None:
    html = write_report(make_run(epochs=1, confusion=[])).read_text()
    # loss and accuracy of train and validation, a rate, a gradient norm
    markers = re.findall(r'<use href="#curve-', html)
    ticks = re.findall(r'<use href="#[^"]*" x="[^"]*" y="[^"]*" style="fill: var\(--line\)', html)
    assert len(markers) - len(ticks) == 6


@pytest.mark.parametrize(
    ("file", "content", "culprit"),
    [
        ("config.toml", None, "config.toml"),
        ("config.toml", "name = ", "config.toml"),
        ("summary.json", '{"status": ', "summary.json"),
        ("summary.json", "[1]", "summary.json"),
        ("examples.npz", "not a zip", "examples.npz"),
        ("examples.npz", "", "examples.npz"),
    ],
)
def test_a_damaged_run_is_refused_by_name(
    file: str, content: str | None, culprit: str, made_up: MadeUp, make_run: MakeRun
) -> None:
    run = make_run(made_up())
    (run / file).unlink()
    if content is not None:
        (run / file).write_text(content)
    with pytest.raises(FormatError, match=culprit):
        write_report(run)
    assert not (run / "report.html").exists()


def test_what_is_not_installed_is_named(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'surgrad[report]'")):
        write_report(make_run())


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({}, ""),
        ({"data": {"kind": "shd"}, "network": {"readout": {"neuron": "li"}}}, "shd → li"),
        ({"network": {"layers": [{"size": 3, "neuron": "lif"}, {"neuron": "lif"}]}}, "3 lif → lif"),
    ],
)
def test_the_network_in_one_line(config: dict[str, Any], line: str) -> None:
    assert outline(config) == line
