"""`surgrad convert` prints the table, draws it, and names what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

pytest.importorskip("sklearn")
Run = Callable[..., tuple[int, str, str]]

FACTORY = """\
import torch
from torch import nn

def digits():
    return nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))

def strange():
    return nn.Sequential(nn.Linear(64, 10), nn.Softsign())

def flat():
    return nn.Sequential(nn.Conv2d(1, 10, 3), nn.Flatten())

number = 3
"""


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(FACTORY)
    return path


def test_a_table_a_page_and_the_weights(run: Run, factory: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    torch.save(net.state_dict(), tmp_path / "w.pt")
    options = ("--data", "digits", "--weights", "w.pt", "--method", "shift", "--limit", "50")
    code, out, err = run("convert", "nets.py:digits", *options, "--steps", "64,2")
    assert code == 0, err
    rows = re.findall(r"^ *(\d+) +([\d.]+) % +([+-][\d.]+) +(\d+) +(\d+)", out, re.M)
    assert [row[0] for row in rows] == ["2", "64"]
    # untrained, but after 64 steps it says what the analogue network says
    assert abs(float(rows[1][2])) <= 6.01
    assert int(rows[1][4]) == pytest.approx(10 * int(rows[1][3]), abs=6)
    folder = tmp_path / "runs" / "convert-digits-digits-shift"
    page = (folder / "conversion.html").read_text()
    assert page.count("<svg") == 3 and "--method=shift" in page and "--limit=50" in page
    assert torch.load(folder / "weights.pt", weights_only=True)["0.weight"].shape == (20, 64)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nets.py:strange", "--data", "digits"], "layer 1: got Softsign"),
        (["nets.py:flat", "--data", "digits"], "the network on digits"),
        (["nets.py:nothing", "--data", "digits"], "no function nothing"),
        (["nets.py:number", "--data", "digits"], "no function number"),
        (["nets.py", "--data", "digits"], "FILE.py:FUNCTION"),
        (["gone.py:digits", "--data", "digits"], "no file gone.py"),
        (["no_such_module:digits", "--data", "digits"], "no module"),
        (["nets.py:digits", "--data", "randman"], "one of digits, mnist"),
        (["nets.py:digits", "--data", "digits", "--method", "best"], "one of max, percentile"),
        (["nets.py:digits", "--data", "digits", "--steps", "4,x"], "whole numbers"),
        (["nets.py:digits", "--data", "digits", "--weights", "w.pt"], "weights w.pt"),
    ],
)
def test_mistakes_are_named(run: Run, factory: Path, arguments: list[str], said: str) -> None:
    code, _, err = run("convert", *arguments)
    assert code == 2
    assert said in " ".join(err.split())
