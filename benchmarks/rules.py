"""What learning rules cost beside back-propagation through time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks import driver
from benchmarks.contenders import Entry
from benchmarks.results import Row, Run
from benchmarks.workloads import Workload

# rounds of what takes long
FEW, LONG = 3, 400


def measured(work: Workload, entries: list[Entry], plan: driver.Plan) -> Iterator[Run]:
    """The times of a step and the memory that it takes; each rule is in a process of its own."""
    some = plan._replace(rounds=min(plan.rounds, FEW)) if work.time > LONG else plan
    yield replace(driver.time(work, entries, some), kind="rules")
    held = driver.memory(work, entries, plan)
    output = work.time * work.batch * work.sizes[-1] * 4 / 1e6
    held.rows.append(Row("(the output)", "limit", growth=output))
    yield replace(held, kind="rules memory")
