"""The errors that calls on one client have in common, for OpenAPI."""

from service import errors

READS = (
    errors.Unauthorized,
    errors.UnknownClient,
    errors.CorruptRecord,
    errors.Conflict,
    errors.Unprocessable,
    errors.Unavailable,
)
CHANGES = (
    *READS,
    errors.Contended,
    errors.PreconditionFailed,
    errors.TooManyWays,
    errors.Diverged,
    errors.Busy,
    errors.StoreFull,
    errors.DeadlineExceeded,
)
BODY = (
    errors.TooSlow,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.Overloaded,
)
PAST = (errors.UnknownVersion, errors.VersionGone)
"""Of calls that may name a version."""
