"""Registries: own entries, and those that other packages add by entry points."""

from importlib.metadata import EntryPoint

import pytest

from models import registry
from models.registry import Registry

GROUP = "handful.test"


@pytest.fixture
def installed(monkeypatch):
    """Entry points as if packages had been installed that declare them."""
    points = [
        EntryPoint("added", "collections:OrderedDict", GROUP),
        EntryPoint("own", "collections:Counter", GROUP),
        EntryPoint("broken", "no_such_module:Thing", GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: [point for point in points if point.group == group])


@pytest.mark.usefixtures("installed")
def test_an_installed_package_adds_an_entry():
    entries = Registry(GROUP, {"own": dict})
    assert entries["added"].__name__ == "OrderedDict"
    assert list(entries) == ["own", "added", "broken"]
    assert len(entries) == 3


@pytest.mark.usefixtures("installed")
def test_an_installed_package_cannot_replace_an_own_entry():
    assert Registry(GROUP, {"own": dict})["own"] is dict


@pytest.mark.usefixtures("installed")
def test_a_broken_package_does_not_hide_the_others():
    entries = Registry(GROUP, {"own": dict})
    assert "broken" in list(entries)
    with pytest.raises(ModuleNotFoundError):
        entries["broken"]


def test_an_unknown_name_raises_key_error():
    with pytest.raises(KeyError):
        Registry(GROUP, {"own": dict})["other"]
    assert "other" not in Registry(GROUP, {"own": dict})
