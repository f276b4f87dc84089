"""Imported by the forkserver only: what workers import late, so that a restarted worker need not import it again."""

from contextlib import suppress

with suppress(ImportError):  # only models with encoders from model folders need it
    import transformers.models.auto.modeling_auto
    import transformers.models.bert.modeling_bert  # noqa: F401
