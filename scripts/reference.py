"""Write the reference pages from the code: docs/settings.md, the table of errors in docs/api.md, and docs/openapi.json.

python -m scripts.reference
"""

import inspect
import json
import re
import types
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from service import errors
from service.app import create_app
from service.cards import Catalogue
from service.errors import HandfulError
from service.settings import ZOO, Settings

ROOT = Path(__file__).parents[1]
SETTINGS_PAGE, API_PAGE, OPENAPI = ROOT / "docs/settings.md", ROOT / "docs/api.md", ROOT / "docs/openapi.json"
NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", dict: "JSON object"}
NAMES |= {list: "JSON list", SecretStr: "text, secret", type(None): "none"}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
HEAD = """# Settings

Every setting is an environment variable. Handful reads it once, when it starts; with an invalid
value it does not start, and the message names the variable. For Docker and Kubernetes secrets, a file in `/run/secrets`
with the name of the variable in lower case, such as `/run/secrets/handful_redis_url`, sets it too.

This page is generated from `service/settings.py` by `python -m scripts.reference`.

| variable | type | default | meaning |
| --- | --- | --- | --- |
"""


TAIL = """
Other programs read eight more variables. `HANDFUL_NATIVE=0` turns the C++ kernel off. `HANDFUL_DATA` is the path of
`omniglot.npz` for `make` and the tests. `HANDFUL_PUBLISH` is the address on which `docker compose` publishes the port.
`HANDFUL_TORCH` is the build of torch for the worker's image. `HANDFUL_ENCODERS` is the folder of encoders that
`compose.own-models.yml` mounts. `HANDFUL_SUBNET` is the start of the addresses in `compose.scale.yml`, 172.31.83 by
default. `HANDFUL_URL` and `HANDFUL_KEY` are the address and the API key for `handful client`.
"""
NO_SUCH_CALL = "| 404, 405 | `http` | No such path, or no such method there. | |"


def main() -> None:
    """Write the pages."""
    SETTINGS_PAGE.write_text(settings_page())
    API_PAGE.write_text(api_page(API_PAGE.read_text()))
    OPENAPI.write_text(openapi())


def openapi() -> str:
    """The contract as JSON, a line for each value, so that a change is easy to see."""
    return json.dumps(openapi_document(), indent=1, ensure_ascii=False) + "\n"


def openapi_document() -> dict[str, Any]:
    """The contract of the HTTP API."""
    app = create_app(Settings(models=ZOO), "redis://localhost", Catalogue(ZOO), nullcontext())  # type: ignore[arg-type]
    return app.openapi()


def settings_page() -> str:
    """The page: one row for each setting, in the order of the class."""
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items()) + TAIL


def api_page(text: str) -> str:
    """The page of the API with the table of errors between its markers."""
    return re.sub(r"(?s)(<!-- errors -->\n).*?(<!-- /errors -->)", lambda found: found[1] + _errors() + found[2], text)


def _errors() -> str:
    """A row for each error that a request can get, by status and code. A base class that is never raised has no row."""
    defined = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, HandfulError)]
    raised = sorted(
        (each for each in defined if each is not errors.NotFound), key=lambda each: (each.status, each.code)
    )
    rows = [*map(_error, raised), NO_SUCH_CALL]
    head = "| status | code | meaning | Retry-After, seconds |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"{row}\n" for row in sorted(rows))


def _error(error: type[HandfulError]) -> str:
    """The meaning is the first line of the docstring; the base class stands for failures of the service itself."""
    meaning = error.title + "." if error is HandfulError else inspect.cleandoc(error.__doc__ or "").split("\n")[0]
    return f"| {error.status} | `{error.code}` | {meaning} | {error.retry_after_s or ''} |"


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
    """The default as it is written in the environment. Paths inside the repository are relative to it."""
    if value is None or value == SecretStr("") or value == "":
        return "none"
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT) if value.is_relative_to(ROOT) else value}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


if __name__ == "__main__":
    main()
