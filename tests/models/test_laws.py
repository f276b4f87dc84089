"""The laws fail for learners that break them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.explanations import shares
from models.functional import class_means, squared_distances
from models.learner import Contributions, Learner, State, Support
from models.testing.laws import LAWS, Case


class Good(Learner):
    """Nearest prototype on a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 4)

    def encode(self, inputs: Tensor) -> Tensor:
        return self.encoder(inputs)

    def adapt(self, support: Support) -> State:
        return {"prototypes": class_means(support.inputs, support)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        return -squared_distances(query, state["prototypes"])


class EncodesTheBatch(Good):
    def encode(self, inputs: Tensor) -> Tensor:
        return super().encode(inputs) - inputs.mean()


class StatesAreViews(Good):
    def adapt(self, support: Support) -> State:
        means = class_means(support.inputs, support)
        return {"prototypes": torch.stack([means, means])[0]}


class RemembersTheLastClient(Good):
    def adapt(self, support: Support) -> State:
        self.last = class_means(support.inputs, support)
        return {"prototypes": self.last.clone()}

    def predict(self, state: State, query: Tensor) -> Tensor:
        return super().predict({"prototypes": self.last}, query)


class WritesToTheSupport(Good):
    def adapt(self, support: Support) -> State:
        support.inputs.mul_(2)
        return super().adapt(support)


class ReadsPadding(Good):
    def adapt(self, support: Support) -> State:
        return super().adapt(support._replace(mask=torch.ones_like(support.mask)))


class PrefersTheFirstClass(Good):
    def predict(self, state: State, query: Tensor) -> Tensor:
        answers = super().predict(state, query)
        return torch.cat([answers[:, :1] + 1, answers[:, 1:]], 1)


class NormalisesOverTheQueries(Good):
    def predict(self, state: State, query: Tensor) -> Tensor:
        return super().predict(state, query - query.mean(0))


class ForgetsTheBase(Good):
    explains = "logits"

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        weights = 2 * query @ support.inputs.T * (contrast @ shares(support, query).T)
        return Contributions(weights, weights.new_zeros(len(query)))


class ExplainsByTheFirstExample(Good):
    explains = "logits"

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        total = (self.predict(self.adapt(support), query) * contrast).sum(-1, keepdim=True)
        return Contributions(F.pad(total, (0, len(support.inputs) - 1)), total.new_zeros(len(query)))


class CountsEveryExample(Good):
    weighted_examples = True

    def adapt(self, support: Support) -> State:
        return super().adapt(support._replace(weights=torch.ones_like(support.inputs[:, 0])))


class CountsByPlace(Good):
    weighted_examples = True

    def adapt(self, support: Support) -> State:
        weights = torch.linspace(1, 2, len(support.mask)).to(support.inputs) if support.weights is not None else None
        return super().adapt(support._replace(weights=weights))


def case_of(kind: type[Learner]) -> Case:
    return Case(kind, lambda count, generator: torch.randn(count, 3, generator=generator))


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_a_good_learner_obeys(law):
    law(case_of(Good))


@pytest.mark.parametrize(("kind", "broken"), [
    (EncodesTheBatch, "the_features_of_an_input_do_not_depend_on_the_others"),
    (StatesAreViews, "a_state_is_a_flat_dict_of_finite_contiguous_tensors_that_own_their_memory"),
    (RemembersTheLastClient, "adapting_another_client_changes_nothing"),
    (WritesToTheSupport, "no_call_writes_to_the_learner_or_to_its_arguments"),
    (ReadsPadding, "padding_under_the_mask_changes_nothing"),
    (PrefersTheFirstClass, "permuting_the_classes_permutes_the_outputs"),
    (NormalisesOverTheQueries, "a_query_alone_equals_the_query_among_others"),
    (ForgetsTheBase, "what_examples_contribute_adds_up_to_the_answer"),
    (CountsEveryExample, "an_example_of_weight_zero_is_not_there"),
    (CountsEveryExample, "a_smaller_weight_changes_the_answers"),
    (CountsByPlace, "weights_of_one_change_nothing"),
    (ExplainsByTheFirstExample, "reordering_the_support_reorders_what_its_examples_contribute"),
])  # fmt: skip
def test_a_learner_that_breaks_a_law_fails_it(kind, broken):
    with pytest.raises(AssertionError):
        LAWS[broken](case_of(kind))
