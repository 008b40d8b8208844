"""From what is normal to an int8 autoencoder and the figures of how well it tells what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert import interpreter as litert

from lib import quantise
from lib.report import BuildError, say
from lib.training import autoencoder, flatbuffer, motor, surface
from lib.training.material import Material


def material(training: dict, shape: dict, photographs: Path | None, own: Path | None) -> Material:
    """What the model learns from: `own` data, or what source.toml says. `shape` is model.toml's [input]."""
    match training["data"]:
        case "motor":
            samples, rate = shape["samples"], shape["rate_hz"]
            return motor.recorded(own, samples) if own else motor.simulated(training, samples, rate)
        case "surface":
            side = shape["size"][0]
            if own:
                return surface.collected(own, side)
            if photographs is None:
                raise BuildError("this model learns from photographs: give --photographs, or --data")
            return surface.photographed(training, side, photographs)
    raise BuildError(f"source.toml: training.data: there is no {training['data']!r}")


def errors(model: bytes, rows: np.ndarray) -> np.ndarray:
    """Of every row the mean of (output − input)² in real values, by the reference kernels: what kind = "anomaly" decodes."""
    runner = litert.Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)
    runner.allocate_tensors()
    source, target = runner.get_input_details()[0], runner.get_output_details()[0]
    found = []
    for row in rows:
        scale, zero = source["quantization"]
        taken = np.clip(np.floor(row / scale + zero + 0.5), -128, 127).astype(np.int8).reshape(source["shape"])
        runner.set_tensor(source["index"], taken)
        runner.invoke()
        given = (taken.astype(np.float64) - zero) * scale
        scale_out, zero_out = target["quantization"]
        made = (runner.get_tensor(target["index"]).astype(np.float64) - zero_out) * scale_out
        found.append(np.mean((made - given) ** 2))
    return np.array(found)


def learn(source: dict, description: dict, given: Material) -> tuple[bytes, dict]:
    """The int8 model; `model.toml`: values by table and key, and how well defects are told from the normal."""
    training = source["training"]
    schedule = autoencoder.Schedule(
        tuple(training["hidden"]), training["epochs"], training["batch"], training["rate"], training["weights_seed"]
    )
    length = given.training.shape[1]
    say(f"learning from {len(given.training)} normal inputs of {length} numbers, {schedule.epochs} times over")
    layers = autoencoder.train(given.training, schedule)

    side = description["input"].get("size", [0])[0]
    model = flatbuffer.autoencoder(layers, side=side, description=description["model"]["description"])
    shape = [1, side, side, 1] if side else [1, 1, 1, length]
    some = given.training[:: max(1, len(given.training) // training["calibration"])]
    ranges = quantise.value_ranges(quantise.write(model), (row.astype(np.float32).reshape(shape) for row in some))
    ranges["input"] = tuple(training["input_range"])
    quantise.bound_outputs(model, ranges, [tuple(training["output_range"])])
    say(f"lifted {quantise.lift_dead_channels(model, ranges)} dead channels")
    result = quantise.quantise(quantise.write(model), training["recipe"], ranges)
    say(f"quantised by {training['recipe']}: {len(result)} bytes")

    normal = errors(result, given.normal)
    mean, std = float(f"{normal.mean():.3g}"), float(f"{normal.std():.3g}")
    values = {"decode.mean": mean, "decode.std": std}
    if given.scale:
        values |= {"input.mean": f"[{given.scale[0]}]", "input.std": f"[{given.scale[1]}]"}
    held_out = (errors(result, given.held_out) - mean) / std
    report = {"model.toml": values, "held_out": {"inputs": len(held_out), "greatest": round(float(held_out.max()), 1)}}
    say(f"normal: error {mean} ± {std}; of {len(held_out)} held-out normal inputs the greatest score is {held_out.max():.1f}")
    for name, rows in given.defects.items():
        scores = (errors(result, rows) - mean) / std
        report[name] = told_apart(held_out, scores, training["threshold"])
        say(f"{name}: " + ", ".join(f"{key} {value}" for key, value in report[name].items()))
    return result, report


def told_apart(normal: np.ndarray, defective: np.ndarray, threshold: float) -> dict[str, float]:
    """Area under the ROC curve (the share of pairs in the right order), and what a threshold sees of each."""
    pairs = np.mean(defective[:, np.newaxis] > normal) + np.mean(defective[:, np.newaxis] == normal) / 2
    return {
        "auc": round(float(pairs), 3),
        "median": round(float(np.median(defective)), 1),
        "found": round(float(np.mean(defective > threshold)), 3),
        "false_alarms": round(float(np.mean(normal > threshold)), 3),
    }
