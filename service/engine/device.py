"""Learners on a device: batches of numpy arrays in, numpy arrays out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models import checkpoint
from models.functional import adapt_many, encode_many, predict_many
from models.learner import Kind, Learner, State, Support
from service.arrays import Array, Arrays, all_finite
from service.engine.base import SupportSet
from service.engine.batching import mask, pad_and_stack, split
from service.engine.compile import per_model
from service.engine.delta_encoding import DeltaEncoding
from service.errors import Diverged
from service.settings import Settings


class AdaptWork(NamedTuple):
    """One client's adapt."""

    model: str
    support: SupportSet


class PredictWork(NamedTuple):
    """One client's queries, and the state to answer them from."""

    model: str
    state: State
    queries: Array


class Device:
    """The learners of a folder, in memory. Every batch is of one model and of arrays that stack.

    For one thread: torch's `functional_call` puts a client's weights into the learner while it runs. A thread more
    needs a Device more.
    """

    def __init__(self, names: Sequence[str], settings: Settings) -> None:
        torch.set_num_threads(settings.threads)
        self._device = torch.device(settings.device)
        self._dtype = getattr(torch, settings.precision)
        self._adapt_many = per_model(adapt_many, names, compiling=settings.compile)
        self._predict_many = per_model(predict_many, names, compiling=settings.compile)
        self._learners: dict[str, Learner] = {
            name: checkpoint.load(settings.models / f"{name}.safetensors").to(self._device) for name in names
        }
        self._forms = {
            name: DeltaEncoding(dict(learner.named_parameters())) for name, learner in self._learners.items()
        }
        self._compact = settings.state_precision == "float16"

    def adapt(self, works: Sequence[AdaptWork]) -> list[Arrays]:
        """The states of a batch of clients with equally many classes."""
        supports = [work.support for work in works]
        batch = Support(
            self._features(works[0].model, pad_and_stack([support.inputs for support in supports])),
            torch.from_numpy(pad_and_stack([support.targets for support in supports])).to(self._device),
            torch.from_numpy(mask([len(support.inputs) for support in supports])).to(self._device),
            supports[0].ways,
        )
        model = works[0].model
        with torch.no_grad(), self._autocast():
            states = self._kept(model, self._adapt_many[model](self._learners[model], batch))
        stacked = {name: value.cpu().numpy() for name, value in states.items()}
        return [_checked(split(stacked, i)) for i in range(len(works))]

    def predict(self, works: Sequence[PredictWork]) -> list[Array]:
        """The answers of a batch of clients with equally shaped states."""
        model = works[0].model
        queries = self._features(model, pad_and_stack([work.queries for work in works]))
        kept = {name: torch.stack([work.state[name] for work in works]) for name in works[0].state}
        with torch.no_grad(), self._autocast():
            states = self._forms[model].decode(kept)
            answers = self._predict_many[model](self._learners[model], states, queries)
        rows = zip(answers.float().cpu().numpy(), works, strict=True)
        return [_finite(np.array(answer[: len(work.queries)])) for answer, work in rows]

    def memory_bytes(self) -> int:
        """What torch has taken of an accelerator. None of the CPU's, which the process knows better."""
        return torch.accelerator.memory_reserved(self._device) if self._device.type != "cpu" else 0

    def transductive(self, model: str) -> bool:
        """Whether an answer depends on the other queries of its request, which then must be all that are with it."""
        return self._learners[model].transductive

    def _kept(self, model: str, states: State) -> State:
        """States in the precision they are kept in. Values that are not probabilities have no scale to be exact to."""
        states, learner = {name: value.float() for name, value in states.items()}, self._learners[model]
        rounds = self._compact and learner.kind is Kind.CLASSIFICATION and not learner.exact_states
        return self._forms[model].encode(states) if rounds else states

    def place(self, state: Arrays) -> State:
        """A state on the device. On the CPU it stays where it is, if that may be written to, as torch asks."""
        writeable = {name: np.require(value, requirements="W") for name, value in state.items()}
        return {name: torch.from_numpy(value).to(self._device) for name, value in writeable.items()}

    def _features(self, model: str, inputs: Array) -> Tensor:
        """Features (clients, n, *features) of inputs (clients, n, *input), encoded in one flat batch."""
        with torch.no_grad(), self._autocast():
            flat = self._inputs(inputs).flatten(0, 1)
            return encode_many(self._learners[model], flat).unflatten(0, inputs.shape[:2])

    def _inputs(self, inputs: Array) -> Tensor:
        """Ink of 0 to 255 becomes 0 to 1; numbers stay as they are."""
        moved = torch.from_numpy(inputs).to(self._device)
        return moved.float() / 255 if moved.dtype is torch.uint8 else moved

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not torch.float32)


def _checked(state: Arrays) -> Arrays:
    return {name: _finite(value) for name, value in state.items()}


def _finite(values: Array) -> Array:
    """The values. Raises Diverged for a batch with others, which is then run again one by one."""
    if not all_finite(values):
        raise Diverged("These numbers lead beyond the range of arithmetic: are they of a usual size?")
    return values
