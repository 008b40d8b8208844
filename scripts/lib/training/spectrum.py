"""The feature `log-spectrum` of model.toml, as rust/crates/preprocess/src/samples computes it."""

from __future__ import annotations

import numpy as np

FLOOR = 1e-6  # added to magnitudes before the logarithm


def log_spectrum(windows: np.ndarray) -> np.ndarray:
    """Of each row, less its mean and under a periodic Hann window: ln(magnitude + 10⁻⁶) of half its length and one frequencies.

    The magnitude of a sine on a frequency is its amplitude.
    """
    samples = windows.shape[1]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    centred = windows - windows.mean(axis=1, keepdims=True)
    return np.log(np.abs(np.fft.rfft(centred * hann)) * (2 / hann.sum()) + FLOOR)
