"""Optional dependencies: asked for where they are used, with the command that installs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from surgrad.errors import MissingExtraError


def need(module: str, *, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: its import name, as in `"h5py"` or `"scipy.io"`.
        extra: the extra of this package that brings it.

    Raises:
        MissingExtraError: if it is not installed. A module that is installed and fails to import
            raises its own error.

    Example:
        >>> need("json", extra="data").loads("[1]")
        [1]
        >>> need("surely_not_installed", extra="data")
        Traceback (most recent call last):
        surgrad.errors.MissingExtraError: surely_not_installed: ... pip install 'surgrad[data]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingExtraError(
            package, got="not installed", fix=f"pip install 'surgrad[{extra}]'"
        ) from error
