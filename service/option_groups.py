"""Options that several commands share: a command takes them as one argument, a dataclass."""

from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any

Command = Callable[..., None]


def spread(command: Command) -> Command:
    """A command in which the fields of a dataclass are options, and stand where the dataclass stood."""
    parameters = signature(command).parameters.values()
    groups: dict[str, Any] = {each.name: each.annotation for each in parameters if is_dataclass(each.annotation)}

    @wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{option.name: given.pop(option.name) for option in _options(group)})
        command(**given)

    listed = [_options(groups[each.name]) if each.name in groups else [each] for each in parameters]
    options = [option.replace(kind=Parameter.KEYWORD_ONLY) for some in listed for option in some]
    run.__signature__ = Signature(options)  # type: ignore[attr-defined]  # typer reads it
    return run


def _options(group: Any) -> Iterable[Parameter]:
    return signature(group).parameters.values()
