"""When a field is left out of JSON: what `exclude_if` of a field says."""


def if_none(value: object) -> bool:
    """Whether there is no value."""
    return value is None


def if_empty(value: object) -> bool:
    """Whether there is no value, nothing in it, or 0."""
    return not value
