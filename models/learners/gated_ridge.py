"""Ridge regression on several views of frozen features, with gates for what suits some kinds of photos only.

The head is that of Bertinetto, Henriques, Torr, Vedaldi 2019, arXiv:1805.08136. Whitening within classes is that of
linear discriminant analysis, regularised as by Ledoit and Wolf 2004.
"""

import math
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.datasets.episode import EpisodeSampler
from models.datasets.pool import EncodableSampler
from models.encoders import Encoder
from models.encoders.precision import encode_as_served
from models.explanations import of_affine
from models.functional import class_means
from models.learner import Contributions, Episode, Learner, State, Support, full_mask
from models.learners.ridge import ridge_coefficients, ridge_regression, with_constant

TINY = 1e-6
LAYOUT_LENGTH = 0.25
"""Length of the layout among the views: short, so that it hardly counts where whole views are compared."""
LAYOUT_THRESHOLD, LAYOUT_GATE_WIDTH = 0.5, 0.03
"""The similarity of layouts at which their gate is half open, and the change that opens it by a factor of e. On
validation data, groceries have 0.41, fruits on a turntable 0.73, and drawings 0.82."""


class GatedRidge(Learner):
    """Ridge regression of one-hot labels on views of the features of a frozen encoder. Any number of classes.

    Each part of the features (`Encoder.parts`) has two views of length 1. The first is whitened within the classes of
    meta-training. The second adds a learned projection of low rank to the first. What is learned on one kind of photo
    harms another kind, so the learned views count by g, between 0 and 1: the gate. It opens where the support set is
    similar to the classes of meta-training. The kernel of a client is (1 - g) times the mean of the kernels of the
    whitened views, plus g times the mean of the kernels of all views.

    The layout of a photo (`Encoder.layout_dim`) helps where all photos show an object at one place, before one
    background, and harms elsewhere. So it takes a part of the share 1 - g, where photos of different classes have
    similar layouts.

    Args:
        encoder: The encoder that all clients share.
        classes: Number of classes of meta-training.
        rank: Rank of the learned projections.
        shrinkage: Weight of the identity in the covariance within classes.
        ridge: Added to the diagonal of the kernel.
        scale: Initial scale of the logits.
        threshold: The similarity at which the gate is half open.
        width: The change of similarity that opens the gate by a factor of e.
        layout_weight: What an open gate gives the layout, of the share of the views that are not learned.
    """

    ridge: Tensor
    centres: Tensor

    algorithm = "Gated ridge regression"
    paper = "Bertinetto, Henriques, Torr, Vedaldi 2019, arXiv:1805.08136 (the head)"
    several_labels = True
    weighted_examples = True
    explains = "logits"

    def __init__(
        self,
        encoder: Encoder,
        classes: int,
        rank: int = 128,
        shrinkage: float = 0.9,
        ridge: float = 1.0,
        scale: float = 10.0,
        threshold: float = 0.35,
        width: float = 0.04,
        layout_weight: float = 0.7,
    ) -> None:
        super().__init__()
        self.encoder, self.threshold, self.width, self.layout_weight = encoder, threshold, width, layout_weight
        self.views = nn.ModuleList(Views(part, rank, shrinkage) for part in encoder.parts)
        self.register_buffer("ridge", torch.tensor(ridge))
        self.register_buffer("centres", F.normalize(torch.ones(classes, encoder.parts[0]), dim=-1))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def encode(self, inputs: Tensor) -> Tensor:
        """The whitened view of each part, then the learned ones, then the layout."""
        return self.views_of(native.encode(self.encoder, inputs))

    def views_of(self, features: Tensor) -> Tensor:
        """Views (n, views_dim) of the encoder's features (n, feature_dim)."""
        with torch.autocast(features.device.type, enabled=False):
            *parts, layout = self._split(features)
            pairs = [view(part) for view, part in zip(self.views, parts, strict=True)]
            views = [white for white, _ in pairs] + [learned for _, learned in pairs]
            return torch.cat([*views, LAYOUT_LENGTH * layout], -1)

    def adapt(self, support: Support) -> State:
        """Weights (views_dim + 1, ways). The last row is the intercept."""
        with torch.autocast(support.inputs.device.type, enabled=False):
            scale = self._scale(self.gate(support), self.layout_gate(support))
            weights = ridge_regression(*self._system(support, scale))
            return {"weights": (weights * F.pad(scale, (0, 1), value=1.0).unsqueeze(-1)).contiguous()}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scaled scores of the classes (q, ways)."""
        with torch.autocast(query.device.type, enabled=False):
            return with_constant(query) @ state["weights"] * self.log_scale.exp()

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example contributes: the kernel of the query and the example, times the example's coefficient.

        Adds up to the logit like ridge regression, with the gates as the support set has opened them. The base is the
        intercept.
        """
        scale = self._scale(self.gate(support), self.layout_gate(support))
        system = self._system(support, scale)
        duals = ridge_coefficients(*system) * self.log_scale.exp()
        return of_affine(query * scale, system[0], duals, contrast)

    def _system(self, support: Support, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The scaled points (n, views_dim + 1) and their labels (n, ways), each times the root of its weight; the
        ridge."""
        roots = support.counts(scale).sqrt().unsqueeze(-1)
        labels = F.one_hot(support.targets, support.ways) * roots
        return with_constant(support.inputs * scale) * roots, labels, self.ridge

    def gate(self, support: Support) -> Tensor:
        """How much the learned views count, 0 to 1: by the mean over the support set of the largest cosine to the mean
        of a class of meta-training. Always 1 in `train()` mode, whose classes those are."""
        if self.training:
            return torch.ones_like(self.ridge)
        cosines = (support.inputs[:, : self.centres.shape[1]] @ self.centres.T).amax(-1)
        counts = support.counts(cosines)
        similarity = (cosines * counts).sum() / counts.sum()
        return torch.sigmoid((similarity - self.threshold) / self.width)

    def layout_gate(self, support: Support) -> Tensor:
        """How much the layout counts, 0 to 1: by the mean cosine between layouts of different classes. Always 0 in
        `train()` mode."""
        if self.training:
            return torch.zeros_like(self.ridge)
        layouts = support.inputs[:, 2 * sum(self.encoder.parts) :] / LAYOUT_LENGTH
        counts = support.counts(layouts)
        members = F.one_hot(support.targets, support.ways) * counts.unsqueeze(-1)
        sums, sizes = members.T @ layouts, members.sum(0)
        cosines = sums.sum(0).square().sum() - sums.square().sum()
        pairs = sizes.sum().square() - sizes.square().sum()
        return torch.sigmoid((cosines / pairs.clamp(min=TINY) - LAYOUT_THRESHOLD) / LAYOUT_GATE_WIDTH)

    def _scale(self, gate: Tensor, layout_gate: Tensor) -> Tensor:
        """The factor of each number of the views, (views_dim,). The scaled views have length 1."""
        layout = (1 - gate) * layout_gate * self.layout_weight
        learned = (gate / 2 / len(self.views)).sqrt()
        white = ((1 - gate / 2 - layout) / len(self.views)).sqrt()
        of_layout = layout.sqrt() / LAYOUT_LENGTH
        dims = (sum(self.encoder.parts), sum(self.encoder.parts), self.encoder.layout_dim)
        return torch.cat([each.expand(dim) for each, dim in zip((white, learned, of_layout), dims, strict=True)])

    def _split(self, features: Tensor) -> tuple[Tensor, ...]:
        """The parts of the encoder's features, and the layout."""
        return torch.split(features, [*self.encoder.parts, self.encoder.layout_dim], -1)

    @torch.no_grad()
    def prepare(self, training: EpisodeSampler) -> EpisodeSampler:
        """Fit whitening and class means to a fixed set of training examples, and freeze the encoder.

        Returns episodes of the encoder's features. Other samplers stay as they are, and train the encoder too.
        """
        if not isinstance(training, EncodableSampler):
            return training
        encoded = training.encoded(partial(encode_as_served, self.encoder))
        features, classes = encoded.labelled()
        targets = torch.from_numpy(classes).to(features.device)
        labelled = Support(features, targets, full_mask(features), len(self.centres))
        for view, part in zip(self.views, self._split(features)[:-1], strict=True):
            cast(Views, view).fit(part.double(), labelled)
        white = self.views_of(features)[:, : self.centres.shape[1]]
        self.centres.copy_(F.normalize(class_means(white, labelled), dim=-1))
        return encoded

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The query loss of an episode. The encoder's features, as `prepare` draws them, are not encoded again."""
        support, query, targets = episode
        encode = self.views_of if query.shape[1:] == (self.encoder.feature_dim,) else self.encode
        answers = self.predict(self.adapt(support._replace(inputs=encode(support.inputs))), encode(query))
        return self.loss(answers, targets, full_mask(targets))


class Views(nn.Module):
    """Two views of features (n, d): whitened, and with a learned projection on top, which starts as the identity."""

    mean: Tensor
    whitening: Tensor

    def __init__(self, feature_dim: int, rank: int, shrinkage: float) -> None:
        super().__init__()
        self.shrinkage = shrinkage
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("whitening", torch.eye(feature_dim))
        self.down = nn.Parameter(torch.randn(feature_dim, rank) / math.sqrt(feature_dim))
        self.up = nn.Parameter(torch.zeros(rank, feature_dim))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The two views, each (n, d) of length 1."""
        white = (features - self.mean) @ self.whitening
        return F.normalize(white, dim=-1), F.normalize(white + white @ self.down @ self.up, dim=-1)

    def fit(self, features: Tensor, labelled: Support) -> None:
        """Fit the mean and the covariance within classes to labelled features (n, d)."""
        means = class_means(features, labelled)
        self.mean.copy_(means.mean(0))
        inner = features - means[labelled.targets]
        covariance = inner.T @ inner / len(inner)
        variance = covariance.diagonal().mean()
        identity = torch.eye(len(covariance), dtype=features.dtype, device=features.device)
        shrunk = (1 - self.shrinkage) * covariance / variance + self.shrinkage * identity
        values, vectors = torch.linalg.eigh(shrunk)
        self.whitening.copy_(vectors @ (values.rsqrt().unsqueeze(1) * vectors.T) / variance.sqrt())
