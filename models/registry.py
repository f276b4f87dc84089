"""Registries of names for cards and the command line. Other packages can add entries. Imports no torch."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by name: Handful's own, and those that installed packages add under the entry point group `group`.

    A package that adds an entry declares it in its `pyproject.toml`:

        [project.entry-points."handful.learners"]
        my-learner = "my_package.learner:MyLearner"

    Entry points are looked up once and loaded when they are first asked for. A package cannot replace an own entry.
    """

    def __init__(self, group: str, own: Mapping[str, Entry]) -> None:
        self.group, self._own = group, dict(own)
        self._loaded: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        """The entry of this name. Raises KeyError."""
        if name in self._own:
            return self._own[name]
        if name not in self._loaded:
            self._loaded[name] = self._added[name].load()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._own, *self._added])

    def __len__(self) -> int:
        return len(self._own) + len(self._added)

    @cached_property
    def _added(self) -> dict[str, EntryPoint]:
        found = {point.name: point for point in entry_points(group=self.group)}
        return {name: found[name] for name in sorted(found) if name not in self._own}
