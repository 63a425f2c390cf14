import sys

import pytest

from surgrad.errors import MissingExtraError
from surgrad.extras import need


def test_returns_the_module_itself():
    import json.decoder

    assert need("json.decoder", extra="data") is json.decoder


def test_a_missing_module_names_the_extra_that_brings_it():
    with pytest.raises(MissingExtraError) as caught:
        need("not_there.inner", extra="report")
    assert str(caught.value) == "not_there: got not installed. Fix: pip install 'surgrad[report]'"
    assert isinstance(caught.value, ImportError)


def test_a_broken_install_shows_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import what_it_needs_and_lacks\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_needs_and_lacks") as caught:
        need("half_installed", extra="data")
    assert not isinstance(caught.value, MissingExtraError)
    assert "half_installed" not in sys.modules
