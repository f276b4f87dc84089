"""All errors that a request can get.

    HandfulError
    ├── BadRequest 400          the request cannot be read
    ├── Unauthorized 401        no API key, an unknown one, or two different ones
    ├── Forbidden 403           a browser sends it from another site
    ├── MissingScope 403        the API key may not do this
    ├── QuotaExceeded 403       the tenant may not have more clients or examples
    ├── NotFound 404
    │   ├── UnknownModel
    │   ├── UnknownKey          there is no API key of this id
    │   ├── UnknownClient       never adapted, forgotten, expired or of another tenant; the answer is the same
    │   ├── UnknownExample      the client has no example with this id
    │   ├── UnknownClass        the client has no class with this label
    │   ├── UnknownPrediction   the query of this prediction is not kept, or no longer
    │   └── UnknownVersion      the client has no such version, or no longer
    ├── TooSlow 408             the request did not arrive in time
    ├── Conflict 409            the client has another model, or its model is no longer served
    │   ├── TooFewExamples      a predict needs examples of two classes, or one point of a regression
    │   ├── Contended           other requests kept adapting the client
    │   ├── CorruptRecord       a stored value of the client cannot be read; an adapt or DELETE repairs it
    │   └── RequestInProgress   a request with the same idempotency key still runs
    ├── VersionGone 410         a removal took the version; the error has its receipt
    ├── PreconditionFailed 412  the client has changed since the request's `If-Match`
    ├── TooLarge 413            the body is over the limit
    ├── UnsupportedMediaType 415
    ├── Unprocessable 422       readable, but refused: names the field, the limit and the way out
    │   ├── TooManyWays         more classes than the model takes
    │   ├── TooCostly           the job takes too much time or memory of the device
    │   ├── AnswerTooLarge      the answer would be over the limit
    │   ├── KeyReused           the idempotency key came with another body before
    │   └── Diverged            the state or the answer is not finite
    ├── Busy 429                the queue is full; no work was done
    ├── RateExceeded 429        the tenant has sent too many requests, or used the device too much
    ├── TooManyWrongKeys 429    the address has sent too many unknown API keys
    ├── HeadTooLarge 431        the URL, headers and trailers are over the limit
    ├── NotExportable 501       the model cannot be written as an ONNX file, or the extra onnx is not installed
    ├── Unavailable 503         Redis or the device worker is away
    │   ├── Overloaded          the bodies in flight take all the memory that is allowed
    │   └── StoreFull      507  Redis has no memory left
    ├── DeadlineExceeded 504    waited too long; nothing was changed
    └── StorageExceeded 507     the tenant may not store more bytes

Each class carries its HTTP status and a stable `code`. One handler turns them into problem+json (RFC 9457).
"""

from typing import Any, ClassVar


class HandfulError(Exception):
    """Base class. `detail` says what was wrong, the limit and the way out; `field` says where. `receipt` is that of the
    removal that caused the error."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "The service failed"
    retry_after_s: int | None = None

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        receipt: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail, self.field, self.receipt = detail, field, receipt
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class BadRequest(HandfulError):
    """The request cannot be read."""

    status, code, title = 400, "malformed", "The request cannot be read"


class Unauthorized(HandfulError):
    """No API key, an unknown one, or two different ones."""

    status, code, title = 401, "unauthorized", "A known API key is required"


class Forbidden(HandfulError):
    """The request comes from a site that may not use this service."""

    status, code, title = 403, "forbidden", "Not allowed from this site"


class MissingScope(HandfulError):
    """The API key lacks the scope that the call needs."""

    status, code, title = 403, "missing_scope", "The API key may not do this"


class QuotaExceeded(HandfulError):
    """The tenant may not have more clients or examples. Nothing was changed."""

    status, code, title = 403, "quota_exceeded", "The quota is used up"


class NotFound(HandfulError):
    """There is nothing at this path."""

    status, code, title = 404, "not_found", "Not found"


class UnknownModel(NotFound):
    """No model of that name is served."""

    code, title = "unknown_model", "Unknown model"


class UnknownKey(NotFound):
    """There is no API key of this id."""

    code, title = "unknown_key", "Unknown API key"


class UnknownClient(NotFound):
    """This tenant has no adapted client of that name."""

    code, title = "unknown_client", "Unknown client"


class UnknownExample(NotFound):
    """The client has no example with this id."""

    code, title = "unknown_example", "Unknown example"


class UnknownClass(NotFound):
    """The client has no class with this label."""

    code, title = "unknown_class", "Unknown class"


class UnknownPrediction(NotFound):
    """The query of this prediction is not kept, or no longer."""

    code, title = "unknown_prediction", "Unknown prediction"


class UnknownVersion(NotFound):
    """The client has no such version, or no longer."""

    code, title = "unknown_version", "Unknown version"


class TooSlow(HandfulError):
    """The request did not arrive in time."""

    status, code, title = 408, "too_slow", "The request did not arrive in time"


class Conflict(HandfulError):
    """The request contradicts what is stored."""

    status, code, title = 409, "conflict", "Contradicts what is stored"


class TooFewExamples(Conflict):
    """The client has too few examples to predict."""

    code, title = "too_few_examples", "Too few examples to predict"


class Contended(Conflict):
    """Other requests kept adapting the client; nothing was changed."""

    code, retry_after_s = "contended", 1


class CorruptRecord(Conflict):
    """A stored value of the client cannot be read. Adapting it again or DELETE repairs it."""

    code, title = "corrupt_record", "The stored client cannot be read"


class RequestInProgress(Conflict):
    """A request with the same idempotency key has not been answered yet."""

    code, title, retry_after_s = "request_in_progress", "The same request is still running", 1


class VersionGone(HandfulError):
    """A removal took this version. The error has its receipt."""

    status, code, title = 410, "version_gone", "The version is gone"


class PreconditionFailed(HandfulError):
    """The client has changed since the version that `If-Match` names."""

    status, code, title = 412, "precondition_failed", "The client has changed"


class TooLarge(HandfulError):
    """The body is over the limit."""

    status, code, title = 413, "too_large", "The body is too large"


class UnsupportedMediaType(HandfulError):
    """The call does not take this content type, or the body is compressed."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class Unprocessable(HandfulError):
    """The request is readable, but cannot be carried out."""

    status, code, title = 422, "invalid", "Invalid input"


class TooManyWays(Unprocessable):
    """More classes than the model takes."""

    code = "too_many_ways"


class TooCostly(Unprocessable):
    """The job takes too much time or memory of the device."""

    code = "too_costly"


class AnswerTooLarge(Unprocessable):
    """The answer would be over the limit."""

    code = "answer_too_large"


class Diverged(Unprocessable):
    """The state or the answer holds infinite or undefined numbers."""

    code = "diverged"


class KeyReused(Unprocessable):
    """The idempotency key was sent before with another body."""

    code, title = "idempotency_key_reused", "The idempotency key belongs to another request"


class Busy(HandfulError):
    """The queue is full."""

    status, code, title, retry_after_s = 429, "busy", "Too many requests are waiting", 1


class RateExceeded(HandfulError):
    """The tenant has sent too many requests, or used the device too much. No work was done."""

    status, code, title, retry_after_s = 429, "rate_exceeded", "Too many requests", 1


class TooManyWrongKeys(HandfulError):
    """The address has sent too many unknown API keys. Known ones are still accepted from it."""

    status, code, title, retry_after_s = 429, "too_many_wrong_keys", "Too many unknown API keys", 10


class HeadTooLarge(HandfulError):
    """The URL, headers and trailers are over the limit."""

    status, code, title = 431, "head_too_large", "The request head is too large"


class NotExportable(HandfulError):
    """The model of the client cannot be written as an ONNX file here."""

    status, code, title = 501, "not_exportable", "No ONNX file of this model"


class Unavailable(HandfulError):
    """A part of the service is away and will be back soon."""

    status, code, title, retry_after_s = 503, "unavailable", "Temporarily unavailable", 2


class Overloaded(Unavailable):
    """The requests in flight take all the memory that is allowed."""

    code, title, retry_after_s = "overloaded", "Too much is being sent at once", 1


class StoreFull(Unavailable):
    """The store has no room for the support set. Stored clients can still predict."""

    status, code, title, retry_after_s = 507, "store_full", "The store is full", 60


class DeadlineExceeded(HandfulError):
    """The request waited longer than the deadline."""

    status, code, title, retry_after_s = 504, "deadline_exceeded", "Waited too long", 1


class StorageExceeded(HandfulError):
    """The tenant may not store more bytes. Nothing was changed."""

    status, code, title = 507, "storage_exceeded", "The quota of bytes is used up"
