"""The card of a model that was trained or added."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.learner import Learner
from service.cards import Card


def new_card(
    name: str,
    title: str,
    learner: Learner,
    *,
    input: Mapping[str, Any],
    training: Mapping[str, Any],
    limits: Sequence[str] = (),
    outputs: int | None = None,
) -> Card:
    """A card without figures. The limits of the learner are the learner's own."""
    card = {
        "name": name,
        "title": title,
        "algorithm": learner.algorithm,
        "paper": learner.paper,
        "kind": learner.kind.value,
        "input": input,
        "max_ways": learner.max_ways,
        "max_examples": learner.max_examples,
        "several_labels": learner.several_labels,
        "weighted_examples": learner.weighted_examples,
        "outputs": outputs,
        "deviations": learner.deviations,
        "transductive": learner.transductive,
        "order_sensitive": learner.order_sensitive,
        "training": training,
        "limits": limits,
    }
    return Card.model_validate(card)
