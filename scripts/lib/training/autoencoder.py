"""A dense autoencoder and its training, giving the same bits on every processor.

What usually makes training differ from machine to machine is the order in which a BLAS adds,
and whether it fuses multiplication and addition; both only matter where sums are rounded. So
nothing is: before every matrix product both factors are put on a grid of powers of two, coarse
enough for all partial sums to fit the 53 bits of a float64. Then order, fusing, number of threads
and instruction set cannot change the result. All else here is +, −, ×, / and square root of one
element at a time, which IEEE 754 defines to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BITS = 20  # of a factor; 20 + 20 and 13 for the number of terms are 53
MOST_TERMS = 1 << 13


def on_grid(values: np.ndarray, bits: int = BITS) -> np.ndarray:
    """The values rounded to so many bits below the highest of the greatest."""
    greatest = np.abs(values).max(initial=0.0)
    step = np.ldexp(1.0, int(np.frexp(greatest)[1]) - bits)
    return np.rint(values / step) * step


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b without a rounding error, of factors rounded to the grid."""
    assert a.shape[1] <= MOST_TERMS, "the sums would not fit a float64"
    return on_grid(a) @ on_grid(b)


def column_sums(values: np.ndarray) -> np.ndarray:
    return product(np.ones((1, len(values))), values)[0]


@dataclass
class Layer:
    """outputs = inputs · weights + bias."""

    weights: np.ndarray  # inputs × outputs
    bias: np.ndarray


@dataclass(frozen=True)
class Schedule:
    """How it is trained."""

    hidden: tuple[int, ...]  # width of the layers between input and output
    epochs: int
    batch: int
    rate: float  # learning rate at the start; it falls linearly to a tenth of that
    seed: int


def forward(layers: list[Layer], batch: np.ndarray) -> Iterator[np.ndarray]:
    """The output of every layer; ReLU after all but the last."""
    values = batch
    for layer in layers:
        values = product(values, layer.weights) + layer.bias
        if layer is not layers[-1]:
            values = np.maximum(values, 0.0)
        yield values


def gradients(layers: list[Layer], batch: np.ndarray) -> list[np.ndarray]:
    """Of the mean of (output − input)²: for each layer that of the weights and that of the bias."""
    values = [batch, *forward(layers, batch)]
    error = (values[-1] - batch) * (2.0 / batch.size)
    found: list[np.ndarray] = []
    for layer, source in zip(reversed(layers), reversed(values[:-1]), strict=True):
        found[:0] = [product(source.T, error), column_sums(error)]
        error = product(error, layer.weights.T) * (source > 0)
    return found


def train(data: np.ndarray, schedule: Schedule) -> list[Layer]:
    """Layers that reproduce the rows of `data`, by Adam (Kingma and Ba 2015, algorithm 1)."""
    random = np.random.Generator(np.random.PCG64(schedule.seed))
    widths = [data.shape[1], *schedule.hidden, data.shape[1]]
    layers = []
    for inputs, outputs in pairwise(widths):
        spread = np.sqrt(6.0 / inputs)  # He et al. 2015, uniform
        layers.append(Layer((random.random((inputs, outputs)) * 2 - 1) * spread, np.zeros(outputs)))
    layers[-1].weights *= 0.1  # the output begins near the mean
    some = data[:MOST_TERMS]
    mean = column_sums(some) / len(some)
    layers[0].bias = -product(mean[np.newaxis], layers[0].weights)[0]  # half of the units are active at first
    layers[-1].bias = mean

    parameters = [part for layer in layers for part in (layer.weights, layer.bias)]
    first = [np.zeros_like(part) for part in parameters]
    second = [np.zeros_like(part) for part in parameters]
    decay1, decay2 = 1.0, 1.0
    batches = len(data) // schedule.batch
    for epoch in range(schedule.epochs):
        rate = schedule.rate * (1 - 0.9 * epoch / schedule.epochs)
        for rows in random.permutation(len(data))[: batches * schedule.batch].reshape(batches, -1):
            decay1, decay2 = decay1 * 0.9, decay2 * 0.999
            for part, mean, square, slope in zip(parameters, first, second, gradients(layers, data[rows]), strict=True):
                mean += (slope - mean) * 0.1
                square += (slope * slope - square) * 0.001
                part -= rate * (mean / (1 - decay1)) / (np.sqrt(square / (1 - decay2)) + 1e-8)
    return layers
