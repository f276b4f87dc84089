"""Learners on a device: the jobs of one model in, their results out."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.explanations import margins_without
from models.familiarity import familiarity
from models.learner import Kind, Learner, State
from service.arrays import UNLABELLED, Array, Arrays
from service.engine.batching import run_in_groups
from service.engine.feature_cache import FeatureCache
from service.engine.grouping import Asked, Supported, adapt_key, alone, chosen, predict_key
from service.engine.input_encoder import InputEncoder
from service.engine.jobs import Adapted, AdaptJob, HeldOut, PredictJob
from service.engine.memory import peak_bytes
from service.engine.placement import Placement
from service.engine.stacked_jobs import StackedJobs
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
        self._learners, self._placement = learners, Placement(settings.device, settings.precision)
        cache = FeatureCache(0, 0) if features is None else features
        self._encoder = InputEncoder(learners, self._placement, cache, compiling=compiling)
        self._stacked = StackedJobs(learners, self._placement, settings.state_precision, compiling=compiling)

    @torch.no_grad()
    def adapt(self, jobs: Sequence[AdaptJob]) -> list[Adapted | Diverged]:
        """Adapt to the support sets of a batch of jobs. Returns a result for each."""
        return self._adapt(jobs[0].model, self._encoder.supported(jobs))

    @torch.no_grad()
    def predict(self, jobs: Sequence[PredictJob]) -> list[Array | Diverged]:
        """Answer the queries of a batch of jobs. Returns logits (q, ways) or values (q, outputs) for each."""
        model = jobs[0].model
        features = self._encoder.encode(model, [job.queries for job in jobs], [job.tenant for job in jobs])
        return self._predict(model, list(zip(jobs, features, strict=True)))

    @torch.no_grad()
    def held_out(self, job: AdaptJob, folds: Sequence[Array]) -> list[HeldOut | Diverged]:
        """Answer examples of a support set from the states of adapting to the others.

        Args:
            job: The support set.
            folds: The places of the examples that are left out together.

        Returns:
            For each fold the answers to its examples, and how familiar they are.
        """
        model, [whole] = job.model, self._encoder.supported([job])
        kept = [np.setdiff1d(np.arange(len(whole.features)), fold) for fold in folds]
        adapted = self._adapt(model, [chosen(whole, each) for each in kept])
        asked: list[Asked] = [
            (PredictJob(model, one.kept.state, job.support.inputs[:0]), whole.features[torch.from_numpy(fold)])
            for one, fold in zip(adapted, folds, strict=True)
            if isinstance(one, Adapted)
        ]
        answers = iter(self._predict(model, asked))
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
        [whole] = self._encoder.supported([job])
        return self._familiar(whole, query)

    @torch.no_grad()
    def encode(self, model: str, inputs: Sequence[Array], tenants: Sequence[str] = ()) -> list[Tensor]:
        """Features (n, *features) of the inputs (n, *input) of each job. See `InputEncoder.encode`."""
        return self._encoder.encode(model, inputs, tenants)

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
        [whole], learner = self._encoder.supported([job]), self._learners[job.model]
        found = learner.explain(self._stacked.support_of(whole), query.float(), self._placement.tensor(contrast))
        names = found.examples[:, :0] if found.names is None else found.names
        arrays = {"weights": found.examples, "names": names}
        kinds = {"exact": np.array([True]), "votes": np.array([learner.explains == "votes"])}
        return {name: each.cpu().numpy() for name, each in arrays.items()} | kinds

    @torch.no_grad()
    def without(self, job: AdaptJob, query: Tensor, contrast: Array, places: Array) -> Array:
        """The difference that `contrast` (q, ways) says, after adapting without the example of each place, (k, q)."""
        [whole], learner = self._encoder.supported([job]), self._learners[job.model]
        support = self._stacked.support_of(whole)
        asked = query, self._placement.tensor(contrast), self._placement.tensor(places)
        with self._placement.autocast():
            found: Array = margins_without(learner, support, *asked).float().cpu().numpy()
        return found

    def explains(self, model: str) -> bool:
        """Whether a model has exact explanations."""
        return self._learners[model].explains is not None

    def encodes(self, model: str) -> bool:
        """Whether a model encodes inputs, in a way that all clients share."""
        return self._encoder.encodes(model)

    def transductive(self, model: str) -> bool:
        """Whether an answer may depend on the other queries of its request."""
        return self._learners[model].transductive

    def place(self, state: Arrays) -> State:
        """Copy a state to the device. On the CPU it is shared if torch may write to it."""
        return self._placement.state(state)

    def timer(self) -> Callable[[], float]:
        """Start a timer of this thread's work. It returns NaN once features came from the cache: such work says nothing
        about its cost."""
        clock, reused = self._placement.clock(), self._encoder.reused
        began = clock()
        return lambda: clock() - began if self._encoder.reused == reused else math.nan

    def peak_bytes(self, job: AdaptJob) -> int:
        """The memory that an adapt takes at most at a time."""
        return peak_bytes(lambda: self.adapt([job]), self._placement.device)

    def memory_bytes(self) -> int:
        """Memory that torch has reserved on an accelerator; 0 on the CPU."""
        return self._placement.memory_bytes()

    def _adapt(self, model: str, supported: Sequence[Supported]) -> list[Adapted | Diverged]:
        run = partial(self._stacked.adapt, model, keeps=self.encodes(model))
        return run_in_groups(run, supported, adapt_key)

    def _predict(self, model: str, asked: Sequence[Asked]) -> list[Array | Diverged]:
        key = alone if self.transductive(model) else predict_key
        return run_in_groups(partial(self._stacked.predict, model), asked, key)

    def _tells_familiarity(self, model: str) -> bool:
        """Whether a model can tell how familiar queries are: it classifies feature vectors that all clients share."""
        return self.encodes(model) and self._learners[model].kind is Kind.CLASSIFICATION

    def _familiar(self, known: Supported, query: Tensor) -> Array | None:
        support = known.job.support
        if not self._tells_familiarity(known.job.model) or query.ndim != 2 or support.several:
            return None
        targets, counts = self._placement.tensor(support.targets), self._stacked.weights([support])
        weights = F.one_hot(targets.clamp(min=0), support.ways) * (targets != UNLABELLED).to(query.dtype).unsqueeze(-1)
        weights = weights if counts is None else weights * counts[0].unsqueeze(-1)
        scores = familiarity(F.normalize(known.features, dim=-1), weights, F.normalize(query, dim=-1))
        found: Array = scores.float().cpu().numpy()
        return found
