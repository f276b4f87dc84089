"""Requests and answers of the protocol: JSON, with the bytes of tensors after it."""

from typing import Any, NamedTuple

import orjson
from fastapi import Response
from starlette.datastructures import Headers

from service.api.inference_protocol.schemas import InferRequest, OutputAsked
from service.api.inference_protocol.tensors import Tensor, inputs_of
from service.api.parsing import JSON
from service.errors import BadRequest, Unprocessable
from service.inputs.json_limits import Bytes, check_structure, limits_for

HEADER = "Inference-Header-Content-Length"
"""The bytes of the JSON, if tensors follow it."""
BINARY = "application/octet-stream"
OWN = ("binary_data_output", "priority", "timeout")
"""Parameters of a request that are not options of /predict."""


class Inference(NamedTuple):
    """A request: its JSON, and its inputs."""

    asked: InferRequest
    inputs: list[Any]

    def options(self) -> dict[str, Any]:
        """The fields of /predict."""
        options = {name: value for name, value in self.asked.parameters.items() if name not in OWN}
        return options | {"inputs": self.inputs}


def parse(body: Bytes, headers: Headers, limit: int) -> Inference:
    """A request. Raises BadRequest, Unprocessable, ValidationError."""
    size = _json_size(headers, len(body))
    check_structure(body[:size], limits_for(limit))
    try:
        document = orjson.loads(body[:size])
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON in UTF-8: {error}.") from None
    asked = InferRequest.model_validate(document)
    (tensor,) = asked.inputs
    if tensor.name != "input":
        raise Unprocessable(
            f"inputs: there is no input {tensor.name[:80]!r}. The input is called 'input'.", field="inputs"
        )
    return Inference(asked, inputs_of(tensor, _binary(tensor.parameters, bytes(body[size:])), limit))


def _json_size(headers: Headers, size: int) -> int:
    value = headers.get(HEADER)
    if value is None:
        return size
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= size):
        raise BadRequest(f"{HEADER}: takes the bytes of the JSON, at most those of the body.")
    return int(value)


def _binary(parameters: dict[str, Any], rest: bytes) -> bytes | None:
    """The bytes of the tensor; None if it has none."""
    size = parameters.get("binary_data_size")
    if size is None and not rest:
        return None
    if type(size) is not int or size != len(rest):
        raise Unprocessable(
            f"binary_data_size: it is {size!r:.40}, and {len(rest)} bytes follow the JSON.", field="binary_data_size"
        )
    return rest


def answered(inference: Inference, model: str, version: int, tensors: dict[str, Tensor]) -> Response:
    """The answer with these tensors, as the request asks for them. Raises Unprocessable."""
    asked, binary = _asked(inference.asked, tensors), bytearray()
    outputs: list[dict[str, Any]] = []
    for output in asked:
        tensor = tensors[output.name]
        described: dict[str, Any] = {"name": output.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if _is_binary(output, inference.asked):
            content = tensor.binary()
            binary += content
            outputs.append(described | {"parameters": {"binary_data_size": len(content)}})
        else:
            outputs.append(described | {"data": tensor.elements})
    answer: dict[str, Any] = {"model_name": model, "model_version": str(version), "outputs": outputs}
    if inference.asked.id is not None:
        answer["id"] = inference.asked.id
    header = orjson.dumps(answer)
    if not binary:
        return Response(header, media_type=JSON)
    return Response(header + binary, media_type=BINARY, headers={HEADER: str(len(header))})


def _asked(request: InferRequest, tensors: dict[str, Tensor]) -> list[OutputAsked]:
    if request.outputs is None:
        return [OutputAsked(name=name) for name in tensors]
    for output in request.outputs:
        if output.name not in tensors:
            raise Unprocessable(
                f"outputs: there is no output {output.name[:80]!r}. There are {', '.join(tensors)}.", field="outputs"
            )
        if "classification" in output.parameters:
            raise Unprocessable(
                "outputs: the extension `classification` is not supported. Send `top_k` as a parameter.",
                field="outputs",
            )
    return request.outputs


def _is_binary(output: OutputAsked, request: InferRequest) -> bool:
    return bool(output.parameters.get("binary_data", request.parameters.get("binary_data_output", False)))
