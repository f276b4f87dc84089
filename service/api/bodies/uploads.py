"""Bodies that hold only inputs and labels. The other fields of the request are query parameters."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from service.api.bodies import csv_file, form, zip_folders
from service.api.bodies.options import options_of, parameters_of
from service.api.bodies.upload import Item, Upload, listed
from service.errors import Unprocessable, UnsupportedMediaType
from service.inputs.json_limits import Bytes

UPLOADS = FORM, CSV, ZIP = "multipart/form-data", "text/csv", "application/zip"
PARSERS: dict[str, Callable[[Upload], list[Item]]] = {
    FORM: form.parse,
    CSV: csv_file.parse,
    ZIP: zip_folders.parse,
    "application/x-zip-compressed": zip_folders.parse,  # what browsers on Windows send
}
COLUMNS = {
    "text": "The columns that hold the text, with commas between. For tables and vectors: the columns to use. "
    "Default: known names such as subject and text; for tables and vectors, all columns.",
    "label": "The column of labels. Default: a known name such as label or category.",
    "id": "The column of ids. Default: none.",
}
"""Query parameters of CSV."""
QUERY_ONLY = "For a form, CSV or a zip. "


def parse_upload(request: Request, body: Bytes, model: type[BaseModel], field: str, limit: int) -> dict[str, Any]:
    """The fields of a request, as JSON would have them.

    Args:
        request: The request, for its headers and its query.
        body: Its body.
        model: What the request is read as.
        field: The name of the list of inputs in `model`.
        limit: Maximum inputs.

    Raises:
        BadRequest, Unprocessable: The body is invalid.
        UnsupportedMediaType: The request takes no list of inputs.
    """
    if field not in model.model_fields:
        raise UnsupportedMediaType(f"Only requests with inputs take {media_type(request)}. Send application/json.")
    options = options_of(request.query_params, model, field)
    media = media_type(request)
    columns = {name: str(options.pop(name)) for name in COLUMNS if name in options} if media == CSV else {}
    content_type = request.headers["content-type"]
    upload = Upload(body, content_type, columns, field != "inputs", limit, field)
    items = PARSERS[media](upload)
    if not items:  # a zip of the wrong folder would replace all examples by none
        raise Unprocessable(f"{field}: the body holds none. Send at least one.", field=field)
    return options | listed(items, field)


def media_type(request: Request) -> str:
    """The media type of the body."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def same_body(request: Request, body: Bytes) -> tuple[str, Bytes]:
    """What a retry of a request has in common with it: the type and the query, and the body without boundaries.

    Clients choose a new boundary for each form. Raises BadRequest.
    """
    media, content_type = media_type(request), request.headers.get("content-type", "")
    if media not in PARSERS:
        return content_type, body
    if media == FORM:
        body = body.replace(form.boundary_of(content_type), b"")
    return f"{media}?{request.url.query}", body


def documented_uploads() -> dict[str, Any]:
    """The bodies, for OpenAPI."""
    part = {"anyOf": [{"type": "string"}, {"type": "string", "format": "binary"}]}
    several = {"anyOf": [part, {"type": "array", "items": part}]}
    about = "Each field is an input: a file or a text. Its name is the label."
    return {
        FORM: {"schema": {"type": "object", "additionalProperties": several, "description": about}},
        CSV: {"schema": {"type": "string", "description": "CSV in UTF-8 with a header. Each row is an input."}},
        ZIP: {"schema": {"type": "string", "format": "binary", "description": "A zip with a folder for each class."}},
    }


def with_uploads(documents: dict[str, Any], model: type[BaseModel], field: str) -> dict[str, Any]:
    """The OpenAPI of a route that takes uploads too."""
    body = documents["requestBody"]
    body = body | {"content": body["content"] | documented_uploads()}
    parameters = [*documents["parameters"], *documented_query(model, field)]
    return documents | {"requestBody": body, "parameters": parameters}


def documented_query(model: type[BaseModel], field: str) -> list[dict[str, Any]]:
    """The query parameters, for OpenAPI."""
    parameters = parameters_of(model, field)
    for each in parameters:
        each["description"] = QUERY_ONLY + each["schema"].pop("description", "")
    text = {"in": "query", "required": False, "schema": {"type": "string"}}
    columns = [{"name": name, "description": f"For CSV. {about}"} | text for name, about in COLUMNS.items()]
    return parameters + columns
