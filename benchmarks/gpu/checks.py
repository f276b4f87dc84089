"""What must hold on any device. Each check returns its figures, or raises CheckFailed."""

from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np
import torch

from benchmarks.gpu.work import adapts, predicts, support
from benchmarks.services import SERVICES, running
from models.learner import Kind
from service.arrays import Array
from service.cards import Card
from service.engine.device import Device
from service.engine.jobs import Adapted
from service.engine.memory import is_out_of_memory
from service.settings import ZOO

CLOSE = 0.02
"""The largest difference of a probability, or of a value over the spread of all values. TF32 keeps 10 bits."""
QUERIES = 4
TOO_MANY = 2000
"""Examples of an adapt that does not fit into a quarter of a gigabyte."""
HTTP_MODELS = ("glyphs-maml", "glyphs-protonet", "texts", "photos", "tables", "sinusoid")


class CheckFailed(Exception):
    """A device does not do what it must."""


def agreement(here: Device, there: Device, card: Card) -> dict[str, float]:
    """The largest difference between two devices that adapt and answer the same, and between one job and a batch."""
    other, alone, among = answers(here, card, 1)[0], answers(there, card, 1)[0], answers(there, card, 16)[0]
    apart, batched = difference(card, other, alone), difference(card, alone, among)
    if max(apart, batched) > CLOSE:
        raise CheckFailed(f"{card.name}: other device {apart:.3g}, batch {batched:.3g}; the limit is {CLOSE}")
    return {"other_device": apart, "batch": batched}


def answers(device: Device, card: Card, jobs: int) -> list[Array]:
    """The answers of clients to the same queries."""
    found = device.predict(predicts(device, card, jobs, QUERIES))
    if any(isinstance(each, Exception) for each in found):
        raise CheckFailed(f"{card.name}: an answer is not finite")
    return [each for each in found if isinstance(each, np.ndarray)]


def difference(card: Card, some: Array, others: Array) -> float:
    """The largest difference of two answers (q, ways) or (q, outputs)."""
    if card.kind == Kind.REGRESSION.value:
        return float(np.abs(some - others).max() / (np.ptp(some) + 1))
    return float(np.abs(softmax(some, card) - softmax(others, card)).max())


def softmax(logits: Array, card: Card) -> Array:
    """Probabilities (q, ways)."""
    scaled = torch.from_numpy(logits).double() / (card.temperature or 1.0)
    probabilities: Array = scaled.softmax(-1).numpy()
    return probabilities


def out_of_memory(device: Device, card: Card, name: str) -> dict[str, Any]:
    """A job that does not fit fails alone, its memory comes back, and the next job runs."""
    if not name.startswith("cuda"):
        return {"skipped": "only a GPU has a limit to reach"}
    free, total = torch.cuda.mem_get_info(name)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(name) + 2**28) / total, name)
    try:
        device.adapt([adapts(card, 1)[0]._replace(support=support(card, 0, examples=TOO_MANY))])
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    else:
        raise CheckFailed("a job that cannot fit has run")
    finally:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(1.0, name)
    if not isinstance(device.adapt(adapts(card, 1))[0], Adapted):
        raise CheckFailed("the next job did not run")
    return {"free_before": free, "free_after": torch.cuda.mem_get_info(name)[0]}


def over_http(device: str, redis_url: str, cards: Mapping[str, Card]) -> dict[str, str]:
    """`handful serve` on the device adapts and predicts with models of each kind."""
    names = [name for name in HTTP_MODELS if name in cards]
    extra = {"DEVICE": device, "SERVE": ",".join(names), "DEFAULT_MODEL": names[0], "PRECISION": "auto"}
    found = {}
    with (
        running(SERVICES["handful"], ZOO, redis_url, **extra) as one,
        httpx.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=120) as http,
    ):
        for name in names:
            card = cards[name]
            shown = card.input.show(np.asarray(card.input.examples(10, np.random.default_rng(0))))
            labels = [0.5] * 10 if card.kind == "regression" else [f"class {i % 2}" for i in range(10)]
            body = [{"input": each, "label": label} for each, label in zip(shown, labels, strict=True)]
            for path, sent in (("adapt", {"model": name, "support": body}), ("predict", {"inputs": shown[:2]})):
                answer = http.post(f"/{path}", json={"client_id": name} | sent)
                if answer.status_code != httpx.codes.OK:
                    raise CheckFailed(f"{name}: /{path} answered {answer.status_code}: {answer.text[:200]}")
            found[name] = "adapts and predicts"
    return found
