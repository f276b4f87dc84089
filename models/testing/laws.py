"""The laws that every learner obeys, as functions that a test suite calls. They need torch only.

A package that adds a learner runs them over it like this:

    import pytest, torch
    from models.checkpoint import Spec, build
    from models.testing.laws import LAWS, Case

    CASE = Case(
        learner=lambda: build(Spec("my-learner", "conv4")),
        inputs=lambda count, generator: torch.randn(count, 1, 28, 28, generator=generator),
    )

    @pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
    def test_my_learner_obeys(law):
        law(CASE)

Each law raises AssertionError where the learner breaks it. A learner may declare exceptions by its attributes:
`order_sensitive`, `transductive` and `max_ways` (a fixed head).
"""

from collections.abc import Callable

from models.testing import answer_laws, example_laws
from models.testing.case import Case

__all__ = ["LAWS", "Case", "Law"]

Law = Callable[[Case], None]

LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        answer_laws.the_features_of_an_input_do_not_depend_on_the_others,
        answer_laws.a_state_is_a_flat_dict_of_finite_contiguous_tensors_that_own_their_memory,
        answer_laws.adapting_another_client_changes_nothing,
        answer_laws.predicting_twice_gives_the_same_answer,
        answer_laws.no_call_writes_to_the_learner_or_to_its_arguments,
        answer_laws.the_order_of_the_support_does_not_matter,
        answer_laws.permuting_the_classes_permutes_the_outputs,
        answer_laws.padding_under_the_mask_changes_nothing,
        answer_laws.a_batch_of_clients_equals_one_client_at_a_time,
        answer_laws.a_query_alone_equals_the_query_among_others,
        answer_laws.the_order_of_queries_changes_no_answer,
        answer_laws.a_state_gives_the_same_answer_through_safetensors_and_back,
        example_laws.weights_of_one_change_nothing,
        example_laws.an_example_of_weight_zero_is_not_there,
        example_laws.a_smaller_weight_changes_the_answers,
        example_laws.what_examples_contribute_adds_up_to_the_answer,
        example_laws.reordering_the_support_reorders_what_its_examples_contribute,
    )
}
"""All laws, by what they state."""
