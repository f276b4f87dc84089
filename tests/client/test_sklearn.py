"""The estimators of scikit-learn against a real service."""

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from handful.sklearn import HandfulClassifier, HandfulRegressor
from service.settings import ZOO, Settings
from tests.service.serving import serving, working

MODELS = ("tables", "tables-regression")
IRIS = load_iris(return_X_y=True)
FEW = np.random.default_rng(0).permutation(len(IRIS[1]))
X, Y = IRIS[0][FEW], IRIS[1][FEW]


@pytest.fixture(scope="module")
def service(redis_url, tmp_path_factory) -> Iterator[httpx.Client]:
    """A service with the models of tables."""
    folder = tmp_path_factory.mktemp("tables")
    for path in (path for name in MODELS for path in ZOO.glob(f"{name}.*")):
        shutil.copy(path, folder)
    settings = Settings(models=Path(folder), redis_url=redis_url, default_model="tables")
    with working(settings) as worker, serving(settings, worker) as client:
        yield client


@pytest.fixture(autouse=True)
def address(service, monkeypatch) -> None:
    monkeypatch.setenv("HANDFUL_URL", str(service.base_url))


@parametrize_with_checks([HandfulClassifier(), HandfulRegressor()])
def test_the_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def clients(service: httpx.Client) -> list[dict]:
    return service.get("/clients", params={"limit": 1000}).json()["clients"]


def test_a_classifier_learns_in_a_pipeline_and_in_cross_validation():
    pipeline = make_pipeline(StandardScaler(), HandfulClassifier())
    assert pipeline.fit(X[:60], Y[:60]).score(X[60:], Y[60:]) > 0.9
    assert cross_val_score(HandfulClassifier(), X[:90], Y[:90], cv=3).mean() > 0.9


def test_a_grid_search_chooses_and_refits():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), HandfulClassifier()), {"standardscaler__with_mean": [True, False]}
    )
    search.fit(X[:60], Y[:60])
    assert search.score(X[60:], Y[60:]) > 0.9


def test_a_regressor_explains_more_than_the_mean():
    rows, values = load_diabetes(return_X_y=True)
    regressor = HandfulRegressor().fit(rows[:150], values[:150])
    assert regressor.score(rows[150:250], values[150:250]) > 0.2


def test_a_data_frame_may_have_texts_and_missing_values():
    plans = np.array(["free", "pro"])[Y[:60] % 2]
    frame = pd.DataFrame({"plan": plans, "size": X[:60, 2]})
    frame.loc[3, "size"] = np.nan
    labels = np.where(Y[:60] % 2, "leaves", "stays")
    classifier = HandfulClassifier().fit(frame, labels)
    assert (classifier.predict(frame) == labels).mean() > 0.95
    assert list(classifier.feature_names_in_) == ["plan", "size"]
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame.rename(columns={"plan": "tariff"}))


def test_a_fitted_estimator_is_pickled_without_a_key(service, monkeypatch):
    monkeypatch.setenv("HANDFUL_KEY", "top-secret")
    fitted = HandfulClassifier().fit(X[:30], Y[:30])
    written = pickle.dumps(fitted)
    assert b"top-secret" not in written
    assert "top-secret" not in repr(vars(fitted))
    assert np.array_equal(pickle.loads(written).predict_proba(X[30:]), fitted.predict_proba(X[30:]))
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


def test_a_client_without_a_name_expires_and_is_forgotten_on_close(service):
    before = len(clients(service))
    with HandfulClassifier(ttl_s=1000).fit(X[:30], Y[:30]) as classifier:
        (made,) = [each for each in clients(service) if each["client_id"] == classifier.client_id_]
        assert made["expires_at"] is not None
    assert len(clients(service)) == before
    with pytest.raises(NotFittedError):
        classifier.predict(X)


def test_a_client_with_a_name_stays_and_answers_with_the_version_of_the_fit(service):
    classifier = HandfulClassifier(client_id="iris").fit(X[:30], Y[:30])
    before = classifier.predict_proba(X[30:40])
    HandfulClassifier(client_id="iris").fit(X[30:], 2 - Y[30:])
    assert np.array_equal(classifier.predict_proba(X[30:40]), before)
    (made,) = [each for each in clients(service) if each["client_id"] == "iris"]
    assert made["expires_at"] is None


def test_one_class_is_refused_before_anything_is_sent(service):
    with pytest.raises(ValueError, match="one class"):
        HandfulClassifier().fit(X[:5], np.zeros(5, int))
