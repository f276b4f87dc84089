"""Learners on a device: the jobs of one model in, their results out."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models import one_vs_rest
from models.class_names import plain_words
from models.encoders.precision import encoding
from models.explanations import margins_without
from models.familiarity import familiarity
from models.functional import adapt_many, encode_many, predict_many
from models.learner import Kind, Learner, State, Support, full_mask
from models.refinement import Adapt, Predict, refined, refined_alone
from service.arrays import TEXT, UNLABELLED, Array, Arrays, SupportSet, text_array
from service.engine.batching import mask, pad_and_stack, run_in_groups
from service.engine.compile import per_model
from service.engine.delta_encoding import DeltaEncoding
from service.engine.feature_cache import FeatureCache, keys_of
from service.engine.grouping import (
    Asked,
    Supported,
    adapt_key,
    alone,
    chosen,
    finite,
    joined,
    predict_key,
    to_tensor,
    unstacked,
)
from service.engine.jobs import Adapted, AdaptJob, HeldOut, PredictJob
from service.engine.memory import peak_bytes
from service.errors import Diverged
from service.settings import Settings


class Device:
    """Learners on a device. Each call takes jobs of one model.

    The examples of all jobs are encoded in one pass, without padding. Then the jobs whose tensors stack run as one.
    For one thread: torch's `functional_call` writes a client's weights into the learner while it runs. Give each
    thread a Device of its own.
    """

    def __init__(
        self,
        learners: Mapping[str, Learner],
        settings: Settings,
        features: FeatureCache | None = None,
        *,
        compiling: bool,
    ) -> None:
        torch.set_num_threads(settings.threads)
        self._cache = FeatureCache(0, 0) if features is None else features
        self._reused = 0
        self._device = torch.device(settings.device)
        self._precision = settings.precision
        self._learners = learners
        self._encode_many = per_model(encode_many, list(learners), compiling=compiling)
        self._adapt_many = per_model(adapt_many, list(learners), compiling=compiling)
        self._predict_many = per_model(predict_many, list(learners), compiling=compiling)
        self._encodings = {name: DeltaEncoding(dict(learner.named_parameters())) for name, learner in learners.items()}
        self._round_states = settings.state_precision == "float16"

    @torch.no_grad()
    def adapt(self, jobs: Sequence[AdaptJob]) -> list[Adapted | Diverged]:
        """Adapt to the support sets of a batch of jobs. Returns a result for each."""
        model = jobs[0].model
        return run_in_groups(partial(self._adapt_group, model), self._supported(jobs), adapt_key)

    @torch.no_grad()
    def predict(self, jobs: Sequence[PredictJob]) -> list[Array | Diverged]:
        """Answer the queries of a batch of jobs. Returns logits (q, ways) or values (q, outputs) for each."""
        model = jobs[0].model
        key = alone if self.transductive(model) else predict_key
        features = self.encode(model, [job.queries for job in jobs], [job.tenant for job in jobs])
        asked = list(zip(jobs, features, strict=True))
        return run_in_groups(partial(self._predict_group, model), asked, key)

    @torch.no_grad()
    def held_out(self, job: AdaptJob, folds: Sequence[Array]) -> list[HeldOut | Diverged]:
        """Answer examples of a support set from the states of adapting to the others.

        Args:
            job: The support set.
            folds: The places of the examples that are left out together.

        Returns:
            For each fold the answers to its examples, and how familiar they are.
        """
        model, [whole] = job.model, self._supported([job])
        kept = [np.setdiff1d(np.arange(len(whole.features)), fold) for fold in folds]
        adapted = run_in_groups(partial(self._adapt_group, model), [chosen(whole, each) for each in kept], adapt_key)
        asked: list[Asked] = [
            (PredictJob(model, one.kept.state, job.support.inputs[:0]), whole.features[torch.from_numpy(fold)])
            for one, fold in zip(adapted, folds, strict=True)
            if isinstance(one, Adapted)
        ]
        key = alone if self.transductive(model) else predict_key
        answers = iter(run_in_groups(partial(self._predict_group, model), asked, key))
        found = [next(answers) if isinstance(one, Adapted) else one for one in adapted]
        return [
            one
            if isinstance(one, Diverged)
            else HeldOut(one, self._familiar(chosen(whole, rest), whole.features[fold]))
            for one, rest, fold in zip(found, kept, folds, strict=True)
        ]

    @torch.no_grad()
    def familiar(self, job: AdaptJob, query: Tensor) -> Array | None:
        """How familiar queries, as features (q, d), are to a support set with features, (q,). None: the model cannot
        tell."""
        [whole] = self._supported([job])
        return self._familiar(whole, query)

    def features(self, model: str, inputs: Array, tenant: str) -> Array:
        """Features (n, d) of inputs (n, *input), or their numbers if the model encodes nothing."""
        if not self.encodes(model):
            return inputs.reshape(len(inputs), -1).astype(np.float32)
        [features] = self.encode(model, [inputs], [tenant])
        found: Array = features.flatten(1).float().cpu().numpy()
        return found

    @torch.no_grad()
    def explain(self, job: AdaptJob, query: Tensor, contrast: Array) -> Arrays:
        """What the examples and the class names of a support set with features contribute to answers. Their sum with a
        base is the difference that `contrast` (q, ways) says, for queries as features (q, *features)."""
        support, learner = self._support_of(job), self._learners[job.model]
        found = learner.explain(support, query.float(), self._to_device(to_tensor(contrast)))
        names = found.examples[:, :0] if found.names is None else found.names
        arrays = {"weights": found.examples, "names": names}
        kinds = {"exact": np.array([True]), "votes": np.array([learner.explains == "votes"])}
        return {name: each.cpu().numpy() for name, each in arrays.items()} | kinds

    @torch.no_grad()
    def without(self, job: AdaptJob, query: Tensor, contrast: Array, places: Array) -> Array:
        """The difference that `contrast` (q, ways) says, after adapting without the example of each place, (k, q)."""
        support, learner = self._support_of(job), self._learners[job.model]
        asked = query, self._to_device(to_tensor(contrast)), self._to_device(to_tensor(places))
        with self._autocast():
            found: Array = margins_without(learner, support, *asked).float().cpu().numpy()
        return found

    def explains(self, model: str) -> bool:
        """Whether a model has exact explanations."""
        return self._learners[model].explains is not None

    def _support_of(self, job: AdaptJob) -> Support:
        """The support set of one job, whose features are known."""
        [whole] = self._supported([job])
        targets, weights = self._to_device(to_tensor(job.support.targets)), self._weights([job.support])
        one = None if weights is None else weights[0]
        support = Support(whole.features, targets, full_mask(targets), job.support.ways, whole.names, one)
        return refined_alone(support, *self._functions(job.model)) if job.support.unlabelled else support

    def _functions(self, model: str) -> tuple[Adapt, Predict]:
        """Adapt and predict of a model, for stacked support sets and states."""
        learner = self._learners[model]
        return partial(self._adapt_many[model], learner), partial(self._predict_many[model], learner)

    def judges_familiarity(self, model: str) -> bool:
        """Whether a model may tell how familiar queries are: it classifies feature vectors that all clients share."""
        return self.encodes(model) and self._learners[model].kind is Kind.CLASSIFICATION

    def _familiar(self, known: Supported, query: Tensor) -> Array | None:
        if not self.judges_familiarity(known.job.model) or query.ndim != 2 or known.job.support.several:
            return None
        support = known.job.support
        targets, counts = self._to_device(to_tensor(support.targets)), self._weights([support])
        weights = F.one_hot(targets.clamp(min=0), support.ways) * (targets != UNLABELLED).to(query.dtype).unsqueeze(-1)
        weights = weights if counts is None else weights * counts[0].unsqueeze(-1)
        scores = familiarity(F.normalize(known.features, dim=-1), weights, F.normalize(query, dim=-1))
        found: Array = scores.float().cpu().numpy()
        return found

    def place(self, state: Arrays) -> State:
        """Copy a state to the device. On the CPU it is shared if torch may write to it."""
        return {name: self._to_device(to_tensor(each)) for name, each in state.items()}

    def encodes(self, model: str) -> bool:
        """Whether a model encodes inputs, in a way that all clients share."""
        return type(self._learners[model]).encode is not Learner.encode

    def transductive(self, model: str) -> bool:
        """Whether an answer may depend on the other queries of its request."""
        return self._learners[model].transductive

    def timer(self) -> Callable[[], float]:
        """Start a timer of this thread's work: on the CPU in seconds of the processor, in which others on the machine
        do not count. It returns NaN once features came from the cache: such work says nothing about its cost."""
        clock = time.thread_time if self._device.type == "cpu" else time.perf_counter
        began, reused = clock(), self._reused
        return lambda: clock() - began if self._reused == reused else math.nan

    def peak_bytes(self, job: AdaptJob) -> int:
        """The memory that an adapt takes at most at a time."""
        return peak_bytes(lambda: self.adapt([job]), self._device)

    def memory_bytes(self) -> int:
        """Memory that torch has reserved on an accelerator; 0 on the CPU."""
        return torch.accelerator.memory_reserved(self._device) if self._device.type != "cpu" else 0

    @torch.no_grad()
    def encode(self, model: str, inputs: Sequence[Array], tenants: Sequence[str] = ()) -> list[Tensor]:
        """Features (n, *features) of the inputs (n, *input) of each job, in one pass over all inputs of one shape.

        Args:
            model: Name of the model.
            inputs: The inputs of each job.
            tenants: The tenant of each job, whose identical inputs are encoded once. None: nothing is cached.
        """

        def encode(group: Sequence[tuple[str, Array]]) -> Sequence[Tensor]:
            together = np.concatenate([each for _, each in group])
            if self.encodes(model) and self._cache.accepts(*group[0]):
                keys = [key for tenant, each in group for key in keys_of(tenant, model, each)]
                features, count = self._cache.encode(keys, together, partial(self._encode, model))
                self._reused += len(keys) - count
            else:
                features = self._encode(model, together)
            return torch.split(features, [len(each) for _, each in group])

        owned = list(zip(tenants or [""] * len(inputs), inputs, strict=True))
        return run_in_groups(encode, owned, lambda one: (one[0] == "", one[1].shape[1:], one[1].dtype))

    def _encode(self, model: str, inputs: Array) -> Tensor:
        with self._encoding(model):
            features: Tensor = self._encode_many[model](self._learners[model], self._prepared(inputs))
            return features

    def _supported(self, jobs: Sequence[AdaptJob]) -> list[Supported]:
        """Jobs with the features of their support sets, each in memory of its own, and of the names of their classes.
        Only what is not known is encoded, all in one pass."""
        model = jobs[0].model
        unknown = [(job, job.new_inputs()) for job in jobs if len(job.new_inputs())]
        named = [(job, words) for job in jobs if (words := self._words(job)) is not None]
        wanted = unknown + named
        encoded = self.encode(model, [inputs for _, inputs in wanted], [job.tenant for job, _ in wanted])
        new = {id(job): features for (job, _), features in zip(unknown, encoded, strict=False)}
        names = {id(job): features for (job, _), features in zip(named, encoded[len(unknown) :], strict=True)}
        return [Supported(job, joined(job.features, new.get(id(job))), names.get(id(job))) for job in jobs]

    def _words(self, job: AdaptJob) -> Array | None:
        """The names of a job's classes as words, where they are used."""
        if job.support.names is None or not self._learners[job.model].uses_class_names:
            return None
        return text_array([plain_words(name) for name in job.support.names])

    def _adapt_group(self, model: str, group: Sequence[Supported]) -> list[Adapted | Diverged]:
        """Adapt jobs of equally many classes in one computation."""
        supports = [each.job.support for each in group]
        names = [each.names for each in group if each.names is not None]
        batch = Support(
            pad_and_stack([each.features for each in group]),
            self._to_device(pad_and_stack([to_tensor(each.targets) for each in supports])),
            self._to_device(to_tensor(mask([len(each.targets) for each in supports]))),
            supports[0].ways,
            torch.stack(names) if names else None,
            self._weights(supports),
        )
        if supports[0].several:
            states = one_vs_rest.adapt_many(batch)
        else:
            with self._autocast():
                batch = refined(batch, *self._functions(model)) if supports[0].unlabelled else batch
                adapted = self._adapt_many[model](self._learners[model], batch)
            states = self._rounded(model, adapted)
        encodes = self.encodes(model)
        return [unstacked(states, i, each, keeps=encodes) for i, each in enumerate(group)]

    def _weights(self, supports: Sequence[SupportSet]) -> Tensor | None:
        """What the examples of support sets count for, padded and stacked; None: they have no weights."""
        weights = [to_tensor(each.weights) for each in supports if each.weights is not None]
        return self._to_device(pad_and_stack(weights)) if weights else None

    def _predict_group(self, model: str, group: Sequence[Asked]) -> list[Array | Diverged]:
        """Answer jobs with equally shaped states in one computation."""
        kept = {name: torch.stack([job.state[name] for job, _ in group]) for name in group[0][0].state}
        queries = pad_and_stack([features for _, features in group])
        if one_vs_rest.WEIGHTS in kept:
            logits = one_vs_rest.predict_many(kept, queries)
        else:
            states = self._encodings[model].decode(kept)
            with self._autocast():  # autocast cannot stack states of 16 bits
                logits = self._predict_many[model](self._learners[model], states, queries)
        answers = logits.float().cpu().numpy()
        return [finite(np.array(own[: len(features)])) for own, (_, features) in zip(answers, group, strict=True)]

    def _rounded(self, model: str, states: State) -> State:
        """States in the precision in which they are kept. Regressions keep theirs: their values have no fixed scale."""
        states, learner = {name: value.float() for name, value in states.items()}, self._learners[model]
        rounds = self._round_states and learner.kind is Kind.CLASSIFICATION and not learner.exact_states
        return self._encodings[model].encode(states) if rounds else states

    def _prepared(self, inputs: Array) -> Any:
        """Inputs as learners take them: pixels of 0 to 255 as 0 to 1, texts as a list, numbers as they are."""
        if inputs.dtype == TEXT:
            return inputs.tolist()
        moved = self._to_device(to_tensor(inputs))
        return moved.float() / 255 if moved.dtype is torch.uint8 else moved

    def _to_device(self, tensor: Tensor) -> Tensor:
        """Copy to the device; from pinned memory where that lets the copy run beside the computation."""
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bfloat16")

    def _encoding(self, model: str) -> torch.autocast:
        if self._precision == "auto":
            return encoding(getattr(self._learners[model], "encoder", None), self._device)
        return self._autocast()
