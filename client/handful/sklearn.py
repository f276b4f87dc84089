"""Estimators of scikit-learn whose models live in the service.

    classifier = HandfulClassifier()
    classifier.fit(X, y).predict(X)

They need scikit-learn: pip install 'handful-client[sklearn]'. The address and the key come from HANDFUL_URL and
HANDFUL_KEY. A fitted estimator holds the id of its client and no key, so it can be pickled and copied.
"""

import atexit
import os
import uuid
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d, validate_data

from handful.address import address
from handful.blocking import Handful
from handful.inputs import listed

DAY_S = 86400
ROWS = ("table", "vector")
"""Kinds of input that are rows of numbers, which scikit-learn can check. Texts and images are sent as they are."""


class _Remote(BaseEstimator):
    """An estimator whose fit adapts a client of the service."""

    def __init__(
        self,
        model: str,
        *,
        client_id: str | None = None,
        url: str | None = None,
        ttl_s: int | None = DAY_S,
        timeout_s: float = 600,
    ) -> None:
        self.model = model
        self.client_id = client_id
        self.url = url
        self.ttl_s = ttl_s
        self.timeout_s = timeout_s

    def close(self) -> None:
        """Forget the client. The estimator can be fitted again."""
        if hasattr(self, "client_id_"):
            self._service().forget(self.client_id_)
            del self.client_id_

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    def _service(self) -> Handful:
        return _connection(*address(self.url, None), self.timeout_s, os.getpid())

    def _adapt(self, inputs: Any, labels: list[Any]) -> None:
        """Adapt a client of the given name, or a new one which the service forgets after `ttl_s`."""
        self.client_id_ = self.client_id or f"sklearn-{uuid.uuid4().hex}"
        ttl_s = None if self.client_id else self.ttl_s
        answer = self._service().adapt(self.client_id_, inputs, labels, model=self.model, ttl_s=ttl_s)
        self.version_: int = answer["version"]

    def _ask(self, X: Any, **options: Any) -> list[dict[str, Any]]:
        check_is_fitted(self, "client_id_")
        inputs = self._inputs(X, reset=False)
        return self._service().predict(self.client_id_, inputs, version=self.version_, **options)

    def _inputs(self, X: Any, *, reset: bool) -> Any:
        """The inputs as they are sent. Rows of numbers are checked as scikit-learn does. Raises ValueError."""
        if reset:
            self._input_type: str = self._service().model(self.model)["input"]["type"]
        if self._input_type not in ROWS:
            return list(listed(X))
        if hasattr(X, "columns"):  # a data frame, whose columns may have any types
            validate_data(self, X, reset=reset, skip_check_array=True)
            return listed(X)
        return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")


class HandfulClassifier(ClassifierMixin, _Remote):
    """A classifier.

    Args:
        model: A model of the service: `tables` for rows of numbers or of a data frame, `texts`, `photos`, ...
        client_id: Names the client, which then stays. Default: a new one for each fit.
        url: Address of the service. Default: HANDFUL_URL, otherwise http://127.0.0.1:8000.
        ttl_s: Seconds after which the service forgets a client without a `client_id`; None: never.
        timeout_s: Seconds to wait for each answer.

    Attributes:
        classes_: The labels.
        client_id_, version_: The client, and its version that answers.
    """

    def __init__(
        self,
        model: str = "tables",
        *,
        client_id: str | None = None,
        url: str | None = None,
        ttl_s: int | None = DAY_S,
        timeout_s: float = 600,
    ) -> None:
        super().__init__(model, client_id=client_id, url=url, ttl_s=ttl_s, timeout_s=timeout_s)

    def fit(self, X: Any, y: Any) -> Self:
        """Adapt the model to examples.

        Args:
            X: Rows (n, columns), a data frame, or a list of n texts or images.
            y: The labels (n,).

        Raises:
            ValueError: There are fewer than two classes, or the inputs are invalid.
            RefusedError: The service has refused them.
        """
        inputs = self._inputs(X, reset=True)
        labels = _labels(inputs, y)
        check_classification_targets(labels)
        self.classes_, indices = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}; a classifier needs two classes or more")
        texts = self.classes_.dtype.kind in "UO" and all(isinstance(label, str) for label in self.classes_)
        self._adapt(inputs, [str(self.classes_[i]) if texts else int(i) for i in indices])
        self._sent = [str(label) for label in self.classes_] if texts else [str(i) for i in range(len(self.classes_))]
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probabilities (n, classes), in the order of `classes_`."""
        found = [answer["probabilities"] for answer in self._ask(X, top_k=None)]
        sent = np.array([[each[label] for label in self._sent] for each in found]).reshape(-1, len(self._sent))
        probabilities: NDArray[np.float64] = sent / sent.sum(1, keepdims=True)  # they are sent with seven digits
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label of each input (n,)."""
        probabilities = self.predict_proba(X)
        chosen: NDArray[Any] = self.classes_[probabilities.argmax(1)]
        return chosen


class HandfulRegressor(RegressorMixin, _Remote):
    """A regressor. Takes the arguments of `HandfulClassifier`; the default model is `tables-regression`."""

    def __init__(
        self,
        model: str = "tables-regression",
        *,
        client_id: str | None = None,
        url: str | None = None,
        ttl_s: int | None = DAY_S,
        timeout_s: float = 600,
    ) -> None:
        super().__init__(model, client_id=client_id, url=url, ttl_s=ttl_s, timeout_s=timeout_s)

    def fit(self, X: Any, y: Any) -> Self:
        """Adapt the model to rows X (n, columns) and their numbers y (n,). Raises ValueError, RefusedError."""
        inputs = self._inputs(X, reset=True)
        self._adapt(inputs, _labels(inputs, y).astype(float).tolist())
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The value at each row (n,)."""
        return np.array([answer["value"] for answer in self._ask(X)], dtype=float)


def _labels(inputs: Any, y: Any) -> NDArray[Any]:
    """The labels as an array (n,). Raises ValueError."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    labels: NDArray[Any] = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    if len(labels) != len(inputs):
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {[len(inputs), len(labels)]}")
    return labels


@lru_cache(maxsize=8)
def _connection(url: str, api_key: str | None, timeout_s: float, process: int) -> Handful:
    """The connections of this process to a service. Estimators share them and hold none, so they can be copied."""
    handful = Handful(url, api_key=api_key, timeout_s=timeout_s)
    atexit.register(handful.close)
    return handful
