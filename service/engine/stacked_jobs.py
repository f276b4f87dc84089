"""Jobs of one model whose tensors stack, run in one computation."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from models import one_vs_rest
from models.functional import adapt_many, predict_many
from models.learner import Kind, Learner, State, Support, full_mask
from models.refinement import Adapt, Predict, refined, refined_alone
from service.arrays import Array, SupportSet
from service.engine.batching import mask, pad_and_stack
from service.engine.compile import per_model
from service.engine.delta_encoding import DeltaEncoding
from service.engine.grouping import Asked, Supported, finite, to_tensor, unstacked
from service.engine.jobs import Adapted
from service.engine.placement import Placement
from service.errors import Diverged


class StackedJobs:
    """Adapts and predicts whose features are known. States are kept in the precision `state_precision`."""

    def __init__(
        self, learners: Mapping[str, Learner], placement: Placement, state_precision: str, *, compiling: bool
    ) -> None:
        self._learners, self._placement = learners, placement
        self._adapt_many = per_model(adapt_many, list(learners), compiling=compiling)
        self._predict_many = per_model(predict_many, list(learners), compiling=compiling)
        self._encodings = {name: DeltaEncoding(dict(learner.named_parameters())) for name, learner in learners.items()}
        self._round_states = state_precision == "float16"

    def adapt(self, model: str, group: Sequence[Supported], *, keeps: bool) -> list[Adapted | Diverged]:
        """Adapt to support sets that stack, as of `adapt_key`. `keeps`: their features stay on the device."""
        batch, support = self._stacked(group), group[0].job.support
        if support.several:
            states = one_vs_rest.adapt_many(batch)
        else:
            with self._placement.autocast():
                batch = refined(batch, *self._functions(model)) if support.unlabelled else batch
                adapted = self._adapt_many[model](self._learners[model], batch)
            states = self._rounded(model, adapted)
        return [unstacked(states, i, each, keeps=keeps) for i, each in enumerate(group)]

    def predict(self, model: str, group: Sequence[Asked]) -> list[Array | Diverged]:
        """Answer queries to states that stack, as of `predict_key`."""
        kept = {name: torch.stack([job.state[name] for job, _ in group]) for name in group[0][0].state}
        queries = pad_and_stack([features for _, features in group])
        if one_vs_rest.WEIGHTS in kept:
            logits = one_vs_rest.predict_many(kept, queries)
        else:
            states = self._encodings[model].decode(kept)
            with self._placement.autocast():  # autocast cannot stack states of 16 bits
                logits = self._predict_many[model](self._learners[model], states, queries)
        answers = logits.float().cpu().numpy()
        return [finite(np.array(own[: len(features)])) for own, (_, features) in zip(answers, group, strict=True)]

    def support_of(self, whole: Supported) -> Support:
        """One support set as learners take it; if some examples have no label, with those that the model gives."""
        given = whole.job.support
        targets, weights = self._placement.tensor(given.targets), self.weights([given])
        one = None if weights is None else weights[0]
        support = Support(whole.features, targets, full_mask(targets), given.ways, whole.names, one)
        return refined_alone(support, *self._functions(whole.job.model)) if given.unlabelled else support

    def weights(self, supports: Sequence[SupportSet]) -> Tensor | None:
        """What the examples of support sets count for, padded and stacked; None: they have no weights."""
        weights = [to_tensor(each.weights) for each in supports if each.weights is not None]
        return self._placement.copied(pad_and_stack(weights)) if weights else None

    def _stacked(self, group: Sequence[Supported]) -> Support:
        supports = [each.job.support for each in group]
        names = [each.names for each in group if each.names is not None]
        return Support(
            pad_and_stack([each.features for each in group]),
            self._placement.copied(pad_and_stack([to_tensor(each.targets) for each in supports])),
            self._placement.tensor(mask([len(each.targets) for each in supports])),
            supports[0].ways,
            torch.stack(names) if names else None,
            self.weights(supports),
        )

    def _functions(self, model: str) -> tuple[Adapt, Predict]:
        """Adapt and predict of a model, for stacked support sets and states."""
        learner = self._learners[model]
        return partial(self._adapt_many[model], learner), partial(self._predict_many[model], learner)

    def _rounded(self, model: str, states: State) -> State:
        """States in the precision in which they are kept. Regressions keep theirs: their values have no fixed scale."""
        states, learner = {name: value.float() for name, value in states.items()}, self._learners[model]
        rounds = self._round_states and learner.kind is Kind.CLASSIFICATION and not learner.exact_states
        return self._encodings[model].encode(states) if rounds else states
