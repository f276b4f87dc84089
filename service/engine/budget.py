"""The costs of jobs by model: what a job will take, whether that is too much, and what would fit."""

from collections.abc import Callable, Mapping

from models.learner import Learner
from service.engine.costs import Cost, Curve, Terms, adapt_terms, most_that_fits, predict_terms
from service.engine.jobs import AdaptJob, PredictJob
from service.errors import TooCostly

LARGE_ADAPT_S, LARGE_PREDICT_S = 0.03, 0.01
"""Seconds of a job in a batch above which it runs in pieces, beside the batches."""


class Budget:
    """Estimates jobs from measured ones, and refuses those that take more than `limit_s` seconds.

    Nothing is measured, and nothing costs anything, before `measuring` is set: first runs take longer than others.
    """

    def __init__(self, learners: Mapping[str, Learner], limit_s: float) -> None:
        self._learners, self._limit_s = learners, limit_s
        self._adapts = {name: Curve() for name in learners}
        self._predicts = {name: Curve() for name in learners}
        self.measuring = False

    def adapt(self, job: AdaptJob) -> Cost:
        """The cost of an adapt. Raises TooCostly."""
        known = 0 if job.features is None else len(job.features)
        count, ways = len(job.support.inputs), job.support.ways

        def cost(examples: int) -> Cost:
            return self._adapts[job.model].cost(adapt_terms(max(0, examples - known), examples, min(ways, examples)))

        what = f"support: adapting {job.model} to {count} examples"
        return self._checked(cost, count, what, "examples")

    def predict(self, job: PredictJob) -> Cost:
        """The cost of a predict. Raises TooCostly."""

        def cost(queries: int) -> Cost:
            return self._predicts[job.model].cost(self._predict_terms(job, queries))

        what = f"inputs: answering {len(job.queries)} with {job.model}"
        return self._checked(cost, len(job.queries), what, "inputs")

    def measure_adapt(self, job: AdaptJob, seconds: float) -> None:
        """Learn from an adapt that ran alone."""
        if self.measuring:
            terms = adapt_terms(len(job.new_inputs()), len(job.support.inputs), job.support.ways)
            self._adapts[job.model].measure(terms, seconds)

    def measure_predict(self, job: PredictJob, seconds: float) -> None:
        """Learn from a predict that ran alone."""
        if self.measuring:
            self._predicts[job.model].measure(self._predict_terms(job, len(job.queries)), seconds)

    def _predict_terms(self, job: PredictJob, queries: int) -> Terms:
        learner = self._learners[job.model]
        return predict_terms(
            queries,
            sum(value.numel() for value in job.state.values()),
            together=learner.transductive,
            crowded=learner.max_examples is not None,
        )

    def _checked(self, cost: Callable[[int], Cost], count: int, what: str, unit: str) -> Cost:
        found = cost(count)
        if found.seconds <= self._limit_s:
            return found
        most = most_that_fits(lambda size: cost(size).seconds, count, self._limit_s)
        way_out = f"Send at most {most} {unit}" if most else "Send a smaller support set"
        raise TooCostly(
            f"{what} takes about {found.seconds:.1f} s here; a job may take {self._limit_s:g} s "
            f"(HANDFUL_MAX_JOB_S). {way_out}, or use another model.",
            field=what.partition(":")[0],
        )
