"""The requests and answers of the protocol. Unknown fields are ignored, as the protocol allows extensions."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Parameters = dict[str, Any]
Size = Annotated[int, Field(ge=0, le=2**31, strict=True)]
MOST_DIMENSIONS = 8


class TensorSent(BaseModel):
    """An input tensor: `data`, or binary data of `binary_data_size` bytes after the JSON."""

    name: str
    shape: list[Size] = Field(min_length=1, max_length=MOST_DIMENSIONS)
    datatype: str = Field(description="BYTES, BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32 or FP64.")
    parameters: Parameters = Field({}, description="`binary_data_size`: the bytes of the tensor after the JSON.")
    data: list[Any] | None = Field(None, description="The elements, flat or nested.")


class OutputAsked(BaseModel):
    """An output that is asked for."""

    name: str
    parameters: Parameters = Field({}, description="`binary_data`: whether it is sent after the JSON.")


class InferRequest(BaseModel):
    """Inputs for a client's adapted model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "42",
                    "parameters": {"client_id": "bob"},
                    "inputs": [{"name": "input", "datatype": "FP32", "shape": [2, 1], "data": [-1, 1]}],
                }
            ]
        }
    )

    id: str | None = Field(None, max_length=1024, description="Comes back in the answer.")
    parameters: Parameters = Field(
        {},
        description="`client_id`, and the options of /predict such as `top_k`. `binary_data_output`: whether outputs "
        "are sent after the JSON.",
    )
    inputs: list[TensorSent] = Field(min_length=1, max_length=1, description="The tensor `input`.")
    outputs: list[OutputAsked] | None = Field(None, max_length=16, description="Default: all outputs.")


class TensorAnswered(BaseModel):
    """An output tensor."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters | None = None
    data: list[Any] | None = None


class InferResponse(BaseModel):
    """The outputs of a client's adapted model."""

    model_name: str
    model_version: str = Field(description="The version of the client.")
    id: str | None = None
    outputs: list[TensorAnswered]


class TensorMetadata(BaseModel):
    """A tensor of a model. A size of -1 varies."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model. Its versions are those of each client, and are not listed."""

    name: str
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the process answers."""

    live: bool


class Ready(BaseModel):
    """Whether the service can do its job."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model is served."""

    name: str
    ready: bool


class InferenceError(BaseModel):
    """An error."""

    error: str
