"""What the device keeps of clients, their states and the features of their examples, and the jobs that use it."""

from collections.abc import Sequence

from torch import Tensor

from service.arrays import Array, SupportSet
from service.engine.base import StateNotCached
from service.engine.jobs import AdaptJob, Kept, PredictJob
from service.engine.state_cache import StateCache


class KeptStates(StateCache[Kept]):
    """The entries of clients, each under the key of a state. A job is made with the features that are kept."""

    def keep(self, key: str, kept: Kept) -> None:
        """Keep an entry; the least recently used ones make room."""
        self.put(key, kept, kept.nbytes())

    def keep_features(self, job: AdaptJob, features: Tensor) -> None:
        """Keep the features of a support set with its state, if the state is kept without them."""
        if (now := self.get(job.key)) is not None and now.features is None:
            support = job.support
            self.keep(job.key, now._replace(features=features, targets=support.targets, weights=support.weights))

    def numbers(self, key: str) -> int:
        """How many numbers a state has; 0 if it is not kept."""
        kept = self.get(key)
        return sum(value.numel() for value in kept.state.values()) if kept else 0

    def support_job(self, model: str, key: str, support: SupportSet, tenant: str) -> AdaptJob:
        """A job for the support set of a state."""
        kept = self.get(key)
        return AdaptJob(model, key, support, None if kept is None else kept.features, tenant)

    def extending_job(
        self, model: str, key: str, support: SupportSet, extends: str | None, places: Sequence[int] | None, tenant: str
    ) -> AdaptJob:
        """A job for a support set that begins with the examples of the state `extends`, or with those at `places`."""
        known = None if extends is None else self.get(extends)
        features = None if known is None else known.features
        features = features if features is None or places is None else features[[*places]]
        return AdaptJob(model, key, support, features, tenant)

    def predict_job(self, model: str, key: str, queries: Array, tenant: str) -> PredictJob:
        """A job for queries to a state. Raises StateNotCached."""
        kept = self.get(key)
        if kept is None:
            raise StateNotCached
        return PredictJob(model, kept.state, queries, tenant)

    def familiar_job(self, model: str, key: str, queries: Array, support: SupportSet | None, tenant: str) -> AdaptJob:
        """A job for the support set that queries are compared with: the features that are kept with the state, or else
        `support`. Raises StateNotCached if there is neither."""
        kept = self.get(key)
        if kept is not None and kept.features is not None and kept.targets is not None:
            known = SupportSet(queries[:0], kept.targets, int(kept.targets.max()) + 1, weights=kept.weights)
            return AdaptJob(model, key, known, kept.features, tenant)
        if support is None:
            raise StateNotCached
        return AdaptJob(model, key, support._replace(names=None), None, tenant)
