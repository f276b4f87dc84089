"""From the inputs of jobs to their features, which the learners adapt to and answer."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from models.class_names import plain_words
from models.functional import encode_many
from models.learner import Learner
from service.arrays import Array, text_array
from service.engine.batching import run_in_groups
from service.engine.compile import per_model
from service.engine.feature_cache import FeatureCache, keys_of
from service.engine.grouping import Supported, joined
from service.engine.jobs import AdaptJob
from service.engine.placement import Placement


class InputEncoder:
    """Encodes the inputs of all jobs in one pass, without padding. `reused` counts those that the cache had."""

    def __init__(
        self, learners: Mapping[str, Learner], placement: Placement, cache: FeatureCache, *, compiling: bool
    ) -> None:
        self._learners, self._placement, self._cache = learners, placement, cache
        self._encode_many = per_model(encode_many, list(learners), compiling=compiling)
        self.reused = 0

    def encodes(self, model: str) -> bool:
        """Whether a model encodes inputs, in a way that all clients share."""
        return type(self._learners[model]).encode is not Learner.encode

    def encode(self, model: str, inputs: Sequence[Array], tenants: Sequence[str] = ()) -> list[Tensor]:
        """Features (n, *features) of the inputs (n, *input) of each job, in one pass over all inputs of one shape.

        Args:
            model: Name of the model.
            inputs: The inputs of each job.
            tenants: The tenant of each job, whose identical inputs are encoded once. None: nothing is cached.
        """
        owned = list(zip(tenants or [""] * len(inputs), inputs, strict=True))
        return run_in_groups(
            partial(self._encode_group, model), owned, lambda one: (one[0] == "", one[1].shape[1:], one[1].dtype)
        )

    def supported(self, jobs: Sequence[AdaptJob]) -> list[Supported]:
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

    def _encode_group(self, model: str, group: Sequence[tuple[str, Array]]) -> Sequence[Tensor]:
        """Features of the inputs of tenants, (tenant, inputs), of one shape."""
        together = np.concatenate([each for _, each in group])
        if self.encodes(model) and self._cache.accepts(*group[0]):
            keys = [key for tenant, each in group for key in keys_of(tenant, model, each)]
            features, count = self._cache.encode(keys, together, partial(self._encode, model))
            self.reused += len(keys) - count
        else:
            features = self._encode(model, together)
        return torch.split(features, [len(each) for _, each in group])

    def _encode(self, model: str, inputs: Array) -> Tensor:
        learner = self._learners[model]
        with self._placement.encoding(learner):
            features: Tensor = self._encode_many[model](learner, self._placement.inputs(inputs))
            return features

    def _words(self, job: AdaptJob) -> Array | None:
        """The names of a job's classes as words, where they are used."""
        if job.support.names is None or not self._learners[job.model].uses_class_names:
            return None
        return text_array([plain_words(name) for name in job.support.names])
