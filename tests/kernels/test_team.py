"""The threads that work together: torch's own, or a pool where those cannot be had."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest
import torch

from surgrad.kernels import blocks, team


@pytest.fixture(params=["torch's own", "a pool"])
def two(request, monkeypatch):
    if request.param == "a pool":
        monkeypatch.setattr(team, "_openmp", lambda: None)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.skipif(sys.platform != "linux", reason="torch brings another OpenMP there, or none")
def test_torch_s_own_threads_are_found():
    assert torch.backends.openmp.is_available() == (team._openmp() is not None)


def test_all_work_at_once_and_the_caller_too(two):
    meeting, seen = threading.Barrier(2, timeout=20), {}

    def work(thread: int) -> None:
        meeting.wait()
        seen[thread] = threading.get_ident()

    for _ in range(3):
        seen.clear()
        team.everyone(work)
        assert sorted(seen) == [0, 1]
        assert seen[0] == threading.get_ident() != seen[1]


@pytest.mark.parametrize("fails", [0, 1])
def test_an_error_comes_out_when_all_have_ended(two, fails):
    meeting, ended = threading.Barrier(2, timeout=20), []

    def work(thread: int) -> None:
        meeting.wait()
        if thread == fails:
            raise KeyError("a task that fails")
        ended.append(thread)

    with pytest.raises(KeyError, match="a task that fails"):
        team.everyone(work)
    assert ended == [1 - fails]


def test_a_thread_begins_with_the_blocks_that_it_has_had_before(two):
    meeting, firsts = threading.Barrier(2, timeout=20), {}

    def work(index: int, first: int, last: int) -> None:
        if threading.get_ident() not in firsts:
            firsts[threading.get_ident()] = index
            meeting.wait()

    for _ in range(10):
        firsts.clear()
        blocks.run([(0, 1), (1, 2), (2, 3), (3, 4)], work)
        assert firsts.pop(threading.get_ident()) == 0
        assert list(firsts.values()) == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork there")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_child_of_a_fork_has_threads_of_its_own(two):
    meeting = threading.Barrier(2, timeout=10)
    team.everyone(lambda thread: None)
    child = os.fork()
    if child == 0:
        # a child that waits for threads which it has not got must not wait for ever
        signal.alarm(20)
        try:
            team.everyone(lambda thread: meeting.wait())
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
