"""A process that writes one ONNX file: an export takes seconds of Python, much memory, and switches of torch that hold
for a whole process. It can be killed.

It reads a request of `pack` from stdin, and writes a head, which is a line of JSON, and the file to stdout. If there is
no file, the head has `refusal`, a sentence.
"""

import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from safetensors.numpy import load, save

from service.arrays import TEXT, Arrays
from service.engine.base import ExportJob

NICENESS = 5
"""The worker and the decoders come first on a busy processor."""
JOB, EXAMPLE, STATE = "job", "example", "state "
"""The name in the metadata of a request, the name of its example inputs, and the prefix of the tensors of the state."""


def pack(job: ExportJob, weights: Path) -> bytes:
    """A request as bytes: a safetensors file."""
    texts = job.example.dtype == TEXT
    fields = {
        "weights": str(weights),
        "texts": job.example.tolist() if texts else None,
        "output": job.output,
        "temperature": job.temperature,
        "metadata": job.metadata,
    }
    tensors = {STATE + name: np.ascontiguousarray(value) for name, value in job.state.items()}
    tensors |= {} if texts else {EXAMPLE: np.ascontiguousarray(job.example)}
    return save(tensors, {JOB: orjson.dumps(fields).decode()})


def main() -> None:
    """Write the file that is asked for on stdin."""
    limit_s, memory_bytes = float(sys.argv[1]), int(sys.argv[2])
    signal.setitimer(signal.ITIMER_REAL, limit_s)  # ends the process, also if its worker has died
    os.nice(NICENESS)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the file
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    head, content = export(sys.stdin.buffer.read(), memory_bytes)
    with out:
        out.write(orjson.dumps(head | {"cpu_s": time.process_time()}) + b"\n")
        out.write(content)


def export(request: bytes, memory_bytes: int) -> tuple[dict[str, Any], bytes]:
    """The head and the file of the answer."""
    from models.onnx_file import NotExportable  # noqa: PLC0415
    from service.inputs.decoder_process import limit_memory  # noqa: PLC0415

    limit_memory(memory_bytes)
    try:
        return {}, _file(request)
    except NotExportable as error:
        return {"refusal": str(error)}, b""
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        return {"memory": memory_bytes}, b""


def _file(request: bytes) -> bytes:
    import torch  # noqa: PLC0415

    from models import checkpoint  # noqa: PLC0415
    from models.onnx_file import ClientNetwork, arrays_of, text_encoder_of, to_onnx  # noqa: PLC0415
    from service.engine.delta_encoding import DeltaEncoding  # noqa: PLC0415

    torch.set_num_threads(1)
    fields, tensors = _unpacked(request)
    learner = checkpoint.load(Path(fields["weights"])).eval()
    state = {name.removeprefix(STATE): tensors[name] for name in tensors if name.startswith(STATE)}
    batch = {name: torch.from_numpy(value).unsqueeze(0) for name, value in state.items()}
    decoded = DeltaEncoding(dict(learner.named_parameters())).decode(batch)
    network = ClientNetwork(
        learner, {name: value[0] for name, value in decoded.items()}, fields["output"], fields["temperature"]
    )
    example = fields["texts"] or torch.from_numpy(tensors[EXAMPLE])
    metadata = fields["metadata"]
    if (encoder := text_encoder_of(learner)) is not None:
        metadata |= {"tokenizer": encoder.tokenizer_json()}
    return to_onnx(network, arrays_of(learner, example), metadata)


def _unpacked(request: bytes) -> tuple[dict[str, Any], Arrays]:
    header = orjson.loads(request[8 : 8 + int.from_bytes(request[:8], "little")])
    fields: dict[str, Any] = orjson.loads(header["__metadata__"][JOB])
    return fields, load(request)


if __name__ == "__main__":
    main()
