"""Vibration of an electric motor: a simulation with faults, or recordings as CSV.

The simulation is a sum of what vibration textbooks and ISO 13373-2 describe, not a measurement:
it exercises the whole way from samples to a line, and shows which faults a method can see. What
is alarming for a particular machine only its own recordings say.

Per window, in m/s², radial at the bearing housing:

* rotation at 1450 to 1490 per minute, falling with the load (0.3 to 1 of nominal);
* residual unbalance at 1×, residual misalignment at 2×, both as velocity; a little at 3×;
* magnetic force at 100 Hz, twice the mains, growing with the load; the fan's seven blades at 7×;
* broadband noise of bearings and process through two resonances of the housing.

The faults add, at a severity of 0 to 1:

* unbalance: 1× up to 9 mm/s;
* misalignment: 2× up to 6 mm/s and 3× up to 3 mm/s;
* bearing: an impulse each time a ball passes the damaged outer race (3.585 per revolution, the
  geometry of a 6205), slipping by 1 %, each exciting a decaying resonance at 1250 Hz;
* looseness: 0.5× and its odd multiples, and 1× to 8×, clipped on one side.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from lib.report import BuildError
from lib.training.material import Material
from lib.training.spectrum import log_spectrum

FAULTS = ("unbalance", "misalignment", "bearing", "looseness")
BALLS_PASSING = 3.585  # outer race of a 6205 per revolution, as the bearing data of Case Western Reserve University
STEP = 16 * 9.80665 / 32768  # m/s² of one step of a 16-bit accelerometer of ±16 g


def _velocity(millimetres: float, hertz: float) -> float:
    """Amplitude of acceleration in m/s² of a sine whose velocity has this RMS in mm/s."""
    return millimetres * 1e-3 * np.sqrt(2) * 2 * np.pi * hertz


def _resonance(noise: np.ndarray, rate: float, hertz: float, damping: float) -> np.ndarray:
    """Noise through one resonance, in the frequency domain."""
    ratio = np.fft.rfftfreq(len(noise), 1 / rate) / hertz
    return np.fft.irfft(np.fft.rfft(noise) / (1 - ratio**2 + 2j * damping * ratio), len(noise))


def simulate(random: np.random.Generator, samples: int, rate: float, fault: str | None = None, severity: float = 0.0) -> np.ndarray:
    """`samples` accelerations in m/s², in whole steps of the accelerometer."""
    load = random.uniform(0.3, 1.0)
    rotation = (1497 - 7 - 40 * load + random.uniform(-2, 2)) / 60  # Hz
    time = np.arange(samples) / rate

    def sine(order_hertz: float, amplitude: float) -> np.ndarray:
        return amplitude * np.sin(2 * np.pi * order_hertz * time + random.uniform(0, 2 * np.pi))

    signal = sine(rotation, _velocity(random.uniform(0.3, 0.8), rotation))
    signal += sine(2 * rotation, _velocity(random.uniform(0.1, 0.25), 2 * rotation))
    signal += sine(3 * rotation, _velocity(random.uniform(0.02, 0.08), 3 * rotation))
    signal += sine(100.0, 0.05 + 0.1 * load * random.uniform(0.8, 1.2))
    signal += sine(7 * rotation, random.uniform(0.02, 0.06))
    noise = random.standard_normal(samples) * 0.05 * (0.7 + 0.6 * load)
    signal += noise + 0.15 * _resonance(noise, rate, 870, 0.05) + 0.1 * _resonance(noise, rate, 1520, 0.04)

    match fault:
        case None:
            pass
        case "unbalance":
            signal += sine(rotation, _velocity(9 * severity, rotation))
        case "misalignment":
            signal += sine(2 * rotation, _velocity(6 * severity, 2 * rotation))
            signal += sine(3 * rotation, _velocity(3 * severity, 3 * rotation))
        case "bearing":
            moment = random.uniform(0, 1) / (BALLS_PASSING * rotation)
            while moment < time[-1]:
                after = np.maximum(time - moment, 0.0)
                hit = 4 * severity * random.uniform(0.7, 1.3)
                signal += (time >= moment) * hit * np.exp(-after * 350) * np.sin(2 * np.pi * 1250 * after)
                moment += random.uniform(0.99, 1.01) / (BALLS_PASSING * rotation)
        case "looseness":
            for half in range(1, 17):
                signal += sine(rotation * half / 2, severity * random.uniform(0.1, 0.3))
            signal = np.minimum(signal, 0.7 * signal.max())
        case _:
            raise ValueError(fault)
    return np.rint(signal / STEP) * STEP


def windows(
    random: np.random.Generator, count: int, samples: int, rate: float, fault: str | None = None, severity: float = 0.0
) -> np.ndarray:
    """`count` windows, each of another moment of another day."""
    return np.stack([simulate(random, samples, rate, fault, severity) for _ in range(count)])


def read_csv(path: Path, samples: int) -> np.ndarray:
    """Consecutive windows of a recording: one acceleration in m/s² a line, in the first column; a first line of text is skipped."""
    try:
        with path.open(newline="") as stream:
            rows = [row[0] for row in csv.reader(stream) if row]
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error
    values = []
    for number, text in enumerate(rows, 1):
        try:
            values.append(float(text))
        except ValueError:
            if number > 1:
                raise BuildError(f"{path}:{number}: {text!r} is not a number") from None
    if len(values) < samples or not np.isfinite(values).all():
        raise BuildError(f"{path}: {len(values)} samples; expected at least one window of {samples}, all finite")
    return np.array(values[: len(values) // samples * samples]).reshape(-1, samples)


def normalised(taken: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Input tensors of windows: (log-spectrum − mean) / std.

    On a grid of 1/1000, so that the last bit of a logarithm, which processors disagree on, is not in
    it; no point of that grid lies half-way between two int8 steps of 1/16, where rounding would decide.
    """
    mean, std = scale
    return np.rint((log_spectrum(taken) - mean) / std * 1000) / 1000


def simulated(training: dict, samples: int, rate: float) -> Material:
    """Normal windows, and for each fault and severity as many as are held out."""
    random = np.random.Generator(np.random.PCG64(training["data_seed"]))
    normal = windows(random, training["windows"], samples, rate)
    measured = windows(random, training["held_out"], samples, rate)
    held_out = windows(random, training["held_out"], samples, rate)
    scale = measured_scale(normal)
    defects = {
        f"{fault} {severity}": normalised(windows(random, training["held_out"], samples, rate, fault, severity), scale)
        for fault in FAULTS
        for severity in training["severities"]
    }
    return Material(normalised(normal, scale), normalised(measured, scale), normalised(held_out, scale), defects, scale)


def recorded(path: Path, samples: int) -> Material:
    """A recording of normal running: its first six tenths to learn from, then two parts of two tenths."""
    found = read_csv(path, samples)
    if len(found) < 50:
        raise BuildError(f"{path}: {len(found)} windows of {samples} samples; at least 50 are needed, better a thousand of all loads")
    first, second = len(found) * 6 // 10, len(found) * 8 // 10
    scale = measured_scale(found[:first])
    parts = (normalised(part, scale) for part in np.split(found, [first, second]))
    return Material(*parts, scale=scale)


def measured_scale(taken: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of all log spectra together."""
    spectra = log_spectrum(taken)
    return round(float(spectra.mean()), 2), round(float(spectra.std()), 2)
