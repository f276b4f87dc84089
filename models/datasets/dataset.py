"""The contract of a dataset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.noise import NoisyLabels
from models.learner import Kind


@dataclass(frozen=True)
class Dataset:
    """A source of episodes.

    Args:
        name: The name in the registry.
        kind: Classification or regression.
        input_type: The type of its inputs, as in a model's card.
        splits: The file of each split. None: the split is generated.
        test_split: The split that a model is evaluated on by default.
        open: Opens a split as `open(path, split, input, **options)`. `input` is the input of the model's card, for
            instance its size in pixels. The options are keyword-only arguments. `within` is the one that
            `handful evaluate --within` sets: the classes of an episode come from one group.
        source: Describes what `--data` takes, for the error when it is missing.
        group: What a group of classes is called. None: the classes have no groups.
        fixed: The splits with fixed episodes, such as a published test: their shape and their number. They are for
            evaluation only.
    """

    name: str
    kind: Kind
    input_type: str
    splits: Mapping[str, str | None]
    test_split: str
    open: Callable[..., EpisodeSampler]
    source: str = ""
    group: str | None = None
    fixed: Mapping[str, tuple[Shape, int]] = field(default_factory=dict)

    def episodes(
        self, path: Path | None, split: str, input: Mapping[str, Any], *, label_noise: float = 0.0, **options: Any
    ) -> EpisodeSampler:
        """The episodes of a split.

        Args:
            path: The file or folder with the data; None for generated data.
            split: A name in `splits`.
            input: The input of the model, as in its card.
            label_noise: Share of the support examples that get a wrong label.
            options: Sampling options of this dataset.

        Raises:
            ValueError: The split or an option is unknown, the data is not given, or the inputs are of another type.
        """
        self._check(path, split, input, options)
        sampler = self.open(path, split, input, **options)
        return NoisyLabels(sampler, label_noise) if label_noise else sampler

    def title(self, split: str, shape: Shape, *, within: bool) -> str:
        """The setting of a measurement, as a heading."""
        parts = (split if len(self.splits) > 1 else "", f"within one {self.group}" if within else "", shape.title())
        return ", ".join(filter(None, parts))

    def data_option(self, split: str) -> str:
        """The command-line option that gives the data of a split; empty for generated data."""
        return f"--data {self.splits[split]}" if self.splits[split] else ""

    def _check(self, path: Path | None, split: str, input: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        if split not in self.splits:
            raise ValueError(f"{self.name} has no split {split!r}; its splits are {', '.join(self.splits)}")
        if self.splits[split] and path is None:
            raise ValueError(f"{self.name} needs data: give --data {self.source or self.splits[split]}")
        if input["type"] != self.input_type:
            raise ValueError(f"{self.name} has inputs of type {self.input_type}; the model takes {input['type']}")
        if split in self.fixed and options:
            raise ValueError(f"{split} is a fixed test: it has no options such as {', '.join(options)}")
        known = [each.name for each in signature(self.open).parameters.values() if each.kind is Parameter.KEYWORD_ONLY]
        for option in options:
            if option not in known:
                raise ValueError(f"{self.name} has no option {option!r}; its options are {', '.join(known) or 'none'}")
