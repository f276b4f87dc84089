"""Write docs/settings.md from service/settings.py.

python -m scripts.settings_reference
"""

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from service.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/settings.md"
NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", dict: "JSON object"}
NAMES |= {list: "JSON list", SecretStr: "text, secret", type(None): "none"}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
HEAD = """# Settings

Every setting is an environment variable. Handful reads it once, when it starts; a value out of bounds stops the start
with a message that names the variable. A file of the same name in lower case in `/run/secrets`, for instance
`/run/secrets/handful_redis_url`, does the same as the variable, for Docker and Kubernetes secrets.

This page is generated from `service/settings.py` by `python -m scripts.settings_reference`.

| variable | type | default | meaning |
| --- | --- | --- | --- |
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


def page() -> str:
    """The page: one row for each setting, in the order of the class."""
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    cells = [f"`HANDFUL_{name.upper()}`", _type(field), _default(field.default), field.description or ""]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _type(field: FieldInfo) -> str:
    bounds = [f"{text} {getattr(rule, name):,}" for rule in field.metadata for name, text in _bounds(rule)]
    return ", ".join([_name(field.annotation), *bounds])


def _bounds(rule: Any) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in BOUNDS.items() if hasattr(rule, name))


def _name(annotation: Any) -> str:
    """A type in words: `integer`, `text or none`, `JSON list`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _name(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if isinstance(annotation, types.UnionType):
        return " or ".join(_name(each) for each in arguments)
    return NAMES[origin or annotation]


def _default(value: Any) -> str:
    """As it is written into the environment. A path inside the repository is relative to it."""
    if value is None or value == SecretStr("") or value == "":
        return "none"
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT) if value.is_relative_to(ROOT) else value}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


if __name__ == "__main__":
    main()
