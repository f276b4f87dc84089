"""The options of calls, for type checkers and editors. An option that is left out has the default of the service."""

from typing import Literal, TypedDict


class AdaptOptions(TypedDict, total=False):
    """Options of `adapt`.

    Attributes:
        model: The name of a model.
        mode: "replace" (the default) or "append".
        ttl_s: Seconds after which the client is forgotten.
        keep: The most examples of each class that stay when the client learns more.
        half_life_s: Seconds in which an example loses half of its weight.
        keep_duplicates: Whether to store an example again that the client has.
        use_label_names: Whether labels that are words may be learned from.
        keep_queries_s: Seconds to keep each query, so that predictions have an `id` for `feedback`.
        quality: Whether the answer has the quality of the client.
        if_match: The `etag` of an answer: the call fails with 412 if the client has changed since.
    """

    model: str | None
    mode: Literal["replace", "append"]
    ttl_s: int | None
    keep: int | None
    half_life_s: float | None
    keep_duplicates: bool
    use_label_names: bool | None
    keep_queries_s: int | None
    quality: bool
    if_match: str | None


class PredictOptions(TypedDict, total=False):
    """Options of `predict`.

    Attributes:
        top_k: The number of classes in each answer.
        version: The version to ask.
        explain: Whether each answer has an `explanation`.
        abstain: Whether each answer says if it is `unknown`.
        coverage: With `abstain`, the share of known inputs that shall not be `unknown`.
        min_probability: Answers that are less probable are `unknown`.
        interval: The probability with which the `interval` of each answer contains the right value. Regression only.
    """

    top_k: int | None
    version: int | None
    explain: bool
    abstain: bool
    coverage: float
    min_probability: float | None
    interval: float | None
