"""What an autoencoder learns from and is judged by."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Material:
    """Pictures or windows as rows of real values, as the model's input tensor has them."""

    training: np.ndarray  # normal
    normal: np.ndarray  # normal and held out: where the score's mean and deviation are measured
    held_out: np.ndarray  # normal, from neither: what a defect must be told from
    defects: dict[str, np.ndarray] = field(default_factory=dict)
    scale: tuple[float, float] | None = None  # mean and std that the rows were normalised by, where they are measured
