"""The costs of jobs by model: what a job will take, whether that is too much, and what would fit."""

from collections.abc import Callable, Mapping
from math import ceil

from models.learner import Learner
from service.engine.base import Fits
from service.engine.costs import Cost, Curve, Terms, adapt_terms, most_that_fits, predict_terms
from service.engine.jobs import AdaptJob, PredictJob
from service.errors import TooCostly

LARGE_ADAPT_S, LARGE_PREDICT_S = 0.03, 0.01
"""Seconds of a job in a batch above which it runs in pieces, beside the batches."""
MEGABYTE = 1e6


class Budget:
    """Estimates jobs from measured ones, and refuses those above `limit_s` seconds or `limit_bytes` of memory.

    Nothing is measured, and everything is free, before `measuring` is set: first runs take longer than others.
    The memory of encoding and of predicts is bounded by the size of their pieces, and is not counted.
    """

    def __init__(self, learners: Mapping[str, Learner], limit_s: float, limit_bytes: int) -> None:
        self._learners, self._limit_s, self._limit_bytes = learners, limit_s, limit_bytes
        self._adapts = {name: Curve() for name in learners}
        self._predicts = {name: Curve() for name in learners}
        self._memory = {name: Curve() for name in learners}
        self._numbers = dict.fromkeys(learners, 0)
        self.measuring = False

    def adapt(self, job: AdaptJob, *, limited: bool = True) -> Cost:
        """The cost of an adapt. Raises TooCostly if it is `limited`."""
        count, ways = len(job.support.inputs), job.support.ways
        known = 0 if job.features is None else len(job.features)

        def terms(examples: int) -> Terms:
            return adapt_terms(max(0, examples - known), examples, min(ways, examples))

        def refining(examples: int) -> float:
            again = self._adapts[job.model].total(adapt_terms(0, examples, min(ways, examples)))
            return again if job.support.unlabelled else 0.0

        def seconds(examples: int) -> float:
            return self._adapts[job.model].total(terms(examples)) + refining(examples)

        def megabytes(examples: int) -> float:
            return self._memory[job.model].total(terms(examples)) / MEGABYTE

        once, again = self._adapts[job.model].cost(terms(count)), refining(count)
        cost = Cost(once.seconds + again, once.marginal + again)
        if not limited:
            return cost
        what = f"support: adapting {job.model} to {count} examples takes about"
        _check(seconds, count, self._limit_s, what, "s", "HANDFUL_MAX_JOB_S", "examples")
        _check(megabytes, count, self._limit_bytes / MEGABYTE, what, "MB", "HANDFUL_MAX_JOB_BYTES", "examples")
        return cost

    def predict(self, job: PredictJob) -> Cost:
        """The cost of a predict. Raises TooCostly."""
        curve, count = self._predicts[job.model], len(job.queries)

        def seconds(queries: int) -> float:
            return curve.total(self._predict_terms(job, queries))

        what = f"inputs: answering {count} with {job.model} takes about"
        _check(seconds, count, self._limit_s, what, "s", "HANDFUL_MAX_JOB_S", "inputs")
        return curve.cost(self._predict_terms(job, count))

    def held_out(self, job: AdaptJob, folds: int, numbers: int) -> Cost:
        """The cost of answering each example from the state of adapting without its fold.

        Args:
            job: The support set.
            folds: Number of folds.
            numbers: Numbers in the state; 0 if they are not known.

        Raises:
            TooCostly: It takes too long.
        """
        adapts, predicts, learner = self._adapts[job.model], self._predicts[job.model], self._learners[job.model]
        count, ways = len(job.support.inputs), job.support.ways
        adapt_s, encode_s = adapts.total(adapt_terms(0, count, ways)), adapts.total(adapt_terms(1, count, ways))
        encode_s = max(0.0, encode_s - adapt_s)
        crowded, asked = learner.max_examples is not None, -(-count // max(folds, 1))
        answer_s = predicts.total(predict_terms(asked, numbers, together=learner.transductive, crowded=crowded))
        each_s = adapt_s + max(0.0, answer_s - asked * encode_s)  # a predict is measured with its encoding
        seconds = len(job.new_inputs()) * encode_s + folds * each_s
        if seconds > self._limit_s:
            raise TooCostly(
                f"Leaving out {count} examples of {job.model} in {folds} folds takes about {seconds:.3g} s here; a job "
                f"may take {self._limit_s:.3g} s (HANDFUL_MAX_JOB_S)."
            )
        return Cost(seconds, seconds)

    def explain(self, job: AdaptJob, queries: int, parts: int, numbers: int) -> Cost:
        """The cost of explaining the answers to queries.

        Args:
            job: The support set.
            queries: Number of queries.
            parts: Number of queries with a part hidden, which are answered later.
            numbers: Numbers in the state; 0 if they are not known.

        Raises:
            TooCostly: It takes too long. The error says how many queries would fit.
        """
        adapts, learner, support = self._adapts[job.model], self._learners[job.model], job.support
        count, new, ways = len(support.targets), len(job.new_inputs()), support.ways
        adapt_s = adapts.total(adapt_terms(0, count, ways))
        encode_s = max(0.0, adapts.total(adapt_terms(1, count, ways)) - adapt_s)
        states = 2 if learner.explains else count + 1  # an exact explanation takes about two adapts

        def answers_s(asked: int) -> float:
            crowded, together = learner.max_examples is not None, learner.transductive
            return self._predicts[job.model].total(predict_terms(asked, numbers, together=together, crowded=crowded))

        def seconds(asked: int) -> float:
            hidden = ceil(parts * asked / queries)
            each_s = adapt_s + max(0.0, answers_s(asked) - asked * encode_s)  # a predict is measured with its encoding
            return (new + asked) * encode_s + states * each_s + (answers_s(hidden) if hidden else 0.0)

        if (found := seconds(queries)) > self._limit_s:
            most = most_that_fits(seconds, queries, self._limit_s)
            way_out = f"Send at most {most} inputs" if most else "Predict without `explain`, or with fewer examples"
            raise TooCostly(
                f"explain: explaining {queries} answers of {job.model} by {count} examples takes about {found:.3g} s "
                f"here; a job may take {self._limit_s:.3g} s (HANDFUL_MAX_JOB_S). {way_out}.",
                field="inputs" if most else "explain",
            )
        return Cost(found, found)

    def encode(self, model: str, count: int) -> Cost:
        """The cost of encoding so many inputs. Raises TooCostly."""
        adapts = self._adapts[model]
        each_s = adapts.total(adapt_terms(1, 1, 1)) - adapts.total(adapt_terms(0, 1, 1))
        seconds = max(0.0, count * each_s)
        if seconds > self._limit_s:
            raise TooCostly(
                f"Encoding {count} inputs of {model} takes about {seconds:.3g} s here; a job may take "
                f"{self._limit_s:.3g} s (HANDFUL_MAX_JOB_S). Send fewer inputs."
            )
        return Cost(seconds, seconds)

    def fits(self, model: str, ways: int, examples: int, inputs: int) -> Fits:
        """The largest adapt and the largest predict that are accepted. See `Engine.fits`."""
        learner, memory = self._learners[model], self._memory[model]

        def adapt_s(count: int) -> float:
            return self._adapts[model].total(adapt_terms(count, count, min(ways, count)))

        def predict_s(count: int) -> float:
            crowded = learner.max_examples is not None
            terms = predict_terms(count, self._numbers[model], together=learner.transductive, crowded=crowded)
            return self._predicts[model].total(terms)

        def size(count: int) -> float:
            return memory.total(adapt_terms(count, count, min(ways, count)))

        most = most_that_fits(adapt_s, examples + 1, self._limit_s)
        most = min(most, most_that_fits(size, examples + 1, self._limit_bytes))
        asked = most_that_fits(predict_s, inputs + 1, self._limit_s)
        return Fits(most, adapt_s(most), asked, predict_s(asked))

    def fit_together(self, job: AdaptJob, most: int) -> int:
        """How many adapts of a support set, at most `most`, fit into the memory of a job at a time; at least one."""
        size = self._memory[job.model].total(_terms_of(job))
        return max(1, int(min(most, self._limit_bytes / size))) if size > 0 else max(1, most)

    def measure_adapt(self, job: AdaptJob, seconds: float) -> None:
        """Learn from an adapt that ran alone, and once."""
        if self.measuring and not job.support.unlabelled:
            self._adapts[job.model].measure(_terms_of(job), seconds)

    def measure_predict(self, job: PredictJob, seconds: float) -> None:
        """Learn from a predict that ran alone."""
        if self.measuring:
            self._numbers[job.model] = sum(value.numel() for value in job.state.values())
            self._predicts[job.model].measure(self._predict_terms(job, len(job.queries)), seconds)

    def measure_memory(self, job: AdaptJob, size: int) -> None:
        """Learn the bytes of an adapt."""
        self._memory[job.model].measure(_terms_of(job), size)

    def _predict_terms(self, job: PredictJob, queries: int) -> Terms:
        learner = self._learners[job.model]
        numbers = sum(value.numel() for value in job.state.values())
        crowded = learner.max_examples is not None
        return predict_terms(queries, numbers, together=learner.transductive, crowded=crowded)


def _terms_of(job: AdaptJob) -> Terms:
    return adapt_terms(len(job.new_inputs()), len(job.support.inputs), job.support.ways)


def _check(
    amount: Callable[[int], float], count: int, limit: float, what: str, unit: str, setting: str, things: str
) -> None:
    """Raise TooCostly if the amount for `count` things is over the limit; it says how many things would fit."""
    if (found := amount(count)) <= limit:
        return
    most = most_that_fits(amount, count, limit)
    way_out = f"Send at most {most} {things}" if most else "Send a smaller support set"
    raise TooCostly(
        f"{what} {found:.3g} {unit} here; a job may take {limit:.3g} {unit} ({setting}). {way_out}, or use another "
        "model.",
        field=what.partition(":")[0],
    )
