"""Who is timed, and where to find the code that speaks their language."""

from __future__ import annotations

from typing import Literal, NamedTuple

Family = Literal["surgrad", "loop", "PyTorch", "JAX", "limit"]


class Entry(NamedTuple):
    """A contender.

    Attributes:
        name: as on the command line and in the tables.
        family: surgrad itself, a plain time loop, a peer by its framework, or a limit, which is
            part of the work only.
        builder: the module and the callable that takes a workload and its data.
        packages: what its interpreter must have installed; their versions are reported.
        install: how to get them, "" for what needs nothing that surgrad does not.
    """

    name: str
    family: Family
    builder: str
    packages: tuple[str, ...]
    install: str = ""

    @property
    def peer(self) -> bool:
        """Whether this is somebody else's library."""
        return self.family in ("PyTorch", "JAX")


_TORCH = "pip install torch==2.13.0 and then "
_JAX = "pip install "
_JELLY = "pip install tqdm loguru scipy matplotlib && pip install --no-deps spikingjelly"


def _own(name: str, family: Family, builder: str) -> Entry:
    packages = ("torch", "numba") if family == "surgrad" else ("torch",)
    return Entry(name, family, f"benchmarks.contenders.{builder}", packages)


def _torch(name: str, builder: str, install: str) -> Entry:
    builder = f"benchmarks.contenders.{builder}"
    package = install.split()[-1]
    return Entry(name, "PyTorch", builder, (package, "torch"), _TORCH + install)


def _jax(name: str, package: str, builder: str) -> Entry:
    builder, packages = f"benchmarks.contenders.{builder}", (package, "jax")
    return Entry(name, "JAX", builder, packages, f"{_JAX}{package}")


_LISTED = (
    _own("surgrad", "surgrad", "own:Engine"),
    _own("surgrad triangle", "surgrad", "own:Triangle"),
    _own("plain", "loop", "own:Plain"),
    _own("loop", "loop", "loops:Loop"),
    _own("compiled", "loop", "loops:Compiled"),
    _own("dense product", "limit", "limits:Dense"),
    _own("sparse product", "limit", "limits:Sparse"),
    _own("stream copy", "limit", "limits:Copy"),
    Entry(
        "xla product", "limit", "benchmarks.contenders.limits_in_jax:Dense", ("jax",), _JAX + "jax"
    ),
    _torch("snntorch", "with_snntorch:SNNTorch", "pip install snntorch"),
    _torch("norse", "with_norse:Norse", "pip install norse"),
    _torch(
        "sinabs",
        "with_sinabs:Sinabs",
        "pip install nir h5py pbr matplotlib && pip install --no-deps samna nirtorch sinabs",
    ),
    _torch(
        "spikingjelly",
        "with_spikingjelly:Jelly",
        _JELLY,
    ),
    _torch(
        "spikingjelly CuBa",
        "with_spikingjelly:Cuba",
        _JELLY,
    ),
    _torch("spikingjelly triangle", "with_spikingjelly:Triangle", _JELLY),
    _torch("tracetorch", "with_tracetorch:TraceTorch", "pip install --no-deps tracetorch"),
    _jax("spyx", "spyx", "with_spyx:Spyx"),
    _jax("spyx triangle", "spyx", "with_spyx:Triangle"),
    _jax("slax", "slax", "with_slax:Slax"),
)
CONTENDERS = {entry.name: entry for entry in _LISTED}

_NAMES = "bptt tbptt eprop ottt superspike decolle fa dfa erbp reward"
RULES = {name: _own(name, "surgrad", f"rules:{name}") for name in _NAMES.split()}
