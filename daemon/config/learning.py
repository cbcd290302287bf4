"""The tables about learning: how the online model learns, how models are trained, judged and replaced."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daemon.config.fields import FilePath, Fraction, Section
from learning.training.settings import DEFAULT_ENSEMBLES, DEFAULT_FAMILIES


class LearningSection(Section):
    """How the online model learns, and how its probability enters a decision."""

    mode: Literal["score_enhancement", "filter", "replace", "off"] = "score_enhancement"
    """How the model's probability enters: mixed into the score, as a gate, instead of the score, or not at all."""
    technical_weight: Fraction = 0.7
    """The technical score's share of a mixed score; the probability has the rest."""
    minimum_score: Fraction = 0.5
    """The least blended score that may become an order."""
    minimum_labels: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Labels before the model may speak."""
    minimum_per_class: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Winners, and losers, before the model may speak."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.005
    """Size of the first learning step; it shrinks with the root of the number of labels."""
    l2: Fraction = 0.05
    """How strongly weights are drawn to 0."""
    threshold_mode: Literal["default", "conservative", "aggressive"] = "default"
    """The probability below which filter and replace refuse: 0.5, 0.65 or 0.35."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A threshold of one's own; none takes the mode's."""
    online: Literal["gated", "speaks"] = "gated"
    """Whether the online model is only heard beside a deployed one, or speaks by itself from `minimum_labels` on."""
    learner: Literal["logistic", "passive_aggressive", "neural", "forest"] = "logistic"
    """What the online model is."""
    blend: bool = True
    """Whether a deployed model is blended with the online one by their recent log-loss."""


class TrainingSection(Section):
    """How models are trained, judged and replaced. Nothing is deployed that did not beat the current one."""

    enabled: bool = True
    """Whether the daemon trains by itself; the commands train all the same."""
    families: Annotated[tuple[str, ...], Field(strict=False, min_length=1, max_length=20)] = DEFAULT_FAMILIES
    """Model families to try: logistic, histogram_boosting, random_forest, gradient_boosting, lightgbm, xgboost, svm,
    neural_network, or one of your own."""
    ensembles: Annotated[tuple[str, ...], Field(strict=False, max_length=5)] = DEFAULT_ENSEMBLES
    """How families are joined, as further trials: voting, blending, stacking, bayesian, dynamic."""
    families_folder: FilePath | None = None
    """A folder of model families of your own."""
    budget: Annotated[int, Field(ge=1, le=200)] = 3
    """The most trials in one training, ensembles included; each counts against the verdict."""
    small_below: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000
    """With fewer samples only the first family is tried."""
    splits: Annotated[int, Field(ge=3, le=12)] = 5
    """Groups of the purged cross-validation, of which two are held out at a time."""
    verdict_share: Annotated[float, Field(ge=0.05, le=0.5)] = 0.2
    """The newest part of the samples, untouched until the verdict."""
    minimum_samples: Annotated[int, Field(ge=50, le=1_000_000)] = 500
    """Resolved samples before a training."""
    minimum_resolved: Annotated[int, Field(ge=20, le=1_000_000)] = 200
    """Resolved signals, unseen by the models, before a verdict."""
    minimum_new: Annotated[int, Field(ge=0, le=1_000_000)] = 50
    """New samples since the last training below which a trigger only reports."""
    minimum_per_class: Annotated[int, Field(ge=10, le=1_000_000)] = 50
    """Winners, and losers, before a training."""
    largest_imbalance: Annotated[float, Field(ge=1, le=1_000)] = 3.0
    """The larger class over the smaller, at most."""
    largest_missing: Fraction = 0.1
    """The share of missing values among the features in use, at most."""
    window_days: Annotated[int, Field(ge=7, le=3_650)] = 90
    """Samples decided earlier are not trained on."""
    retention_days: Annotated[int, Field(ge=30, le=36_500)] = 365
    """Collected samples older than this leave training for good; the journal keeps them."""
    half_life_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    """The age at which a sample counts half; none counts all alike."""
    balanced: bool = True
    """Whether winners and losers weigh alike in training; probabilities are recalibrated after it."""
    promotions_a_year: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """The chance of a false promotion in a year, spent over all verdicts."""
    verdict_every_days: Annotated[int, Field(ge=1, le=365)] = 28
    """The least time between two verdicts: the error that a verdict may spend grows with it."""
    expires_after_days: Annotated[int, Field(ge=1, le=365)] = 30
    """A champion that no evaluation confirmed for so long is expired."""
    keep: Annotated[int, Field(ge=3, le=1_000)] = 10
    """The newest bundles that stay on disk, besides those in use."""
    effect_delay_minutes: Annotated[int, Field(ge=0, le=10_080)] = 30
    """In a replay, how long after its start a training takes effect."""
    deadline_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    """How long a training may take."""
    memory_mb: Annotated[int, Field(ge=200, le=1_000_000)] = 2_000
    """How much private memory it may take."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """What everything random in a training is drawn from."""
