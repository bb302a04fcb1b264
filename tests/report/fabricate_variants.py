"""Made-up runs of kernel variants: TensorFlow's two part where nan is hidden, torch's two nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from report.fabricate import fabricate

from conformance.results.run import Run

VARIANTS = {
    "tensorflow/onednn": {"onednn": True, "isa": "Intel AVX-512 with Intel DL Boost"},
    "tensorflow/eigen": {"onednn": False},
    "torch/default": {"cpu_capability": "DEFAULT"},
    "torch/avx2": {"cpu_capability": "AVX2"},
}
HIDES_NAN = "oneDNN's softmax hides nan (measured: TensorFlow 2.21.0)"
LARGE, SMALL = "softmax-nan-large", "softmax-nan"


def inputs_of(case: str, dtype: str) -> dict[str, Any]:
    """The inputs of the two cases that have some; KeyError for all others."""
    return {SMALL: {"x": np.array([[0.0, np.nan]])}, LARGE: {"x": np.zeros((4, 8))}}[case]


def fabricate_variants(checks: int = 5_200, known: bool = False) -> Run:
    """A run of four variants: onednn returns 0 for nan on two cases of softmax, and crashes on a third.

    On a fourth check eigen is exact and onednn stable, which is no divergence; nor is what textbook
    formulations do, of which one parts.
    """
    plain = fabricate(checks)
    whole = plain.frame[plain.frame["conforms"].eq(True).fillna(False)]
    frames = []
    for name in VARIANTS:
        framework = name.partition("/")[0]
        frames.append(whole[whole["subject"].eq(framework)].assign(subject=name))
    frame = pd.concat(frames, ignore_index=True)
    _part(frame, known)
    frame = frame.astype(plain.frame.dtypes.to_dict())
    described = plain.environment["subjects"]
    subjects = {
        name: {
            **described[name.partition("/")[0]],
            "variant": name.partition("/")[2],
            "kernels": kernels,
            "mode": "eager",
        }
        for name, kernels in VARIANTS.items()
    }
    deviations = {HIDES_NAN: "kernels: onednn"} if known else {}
    environment = {**plain.environment, "subjects": subjects, "kernel_deviations": deviations}
    run = Run(frame, environment, plain.frames)
    run.arguments = inputs_of
    return run


def _part(frame: pd.DataFrame, known: bool) -> None:
    """Writes what the variants of TensorFlow return on five checks."""
    onednn = frame["subject"].eq("tensorflow/onednn")
    softmax = frame["operation"].eq("softmax") & frame["formulation"].eq("functional")
    softmax &= frame["quantity"].eq("value") & frame["dtype"].eq("float32")
    cases = list(dict.fromkeys(frame.loc[softmax & onednn, "case"]))
    large, small, crash, accuracy = (softmax & frame["case"].eq(case) for case in cases[:4])
    for rows, name, elements in ((large, LARGE, 32), (small, SMALL, 2)):
        frame.loc[rows, ["case", "elements", "exact", "observed"]] = [name, elements, "nan", "nan"]
        frame.loc[rows & onednn, ["verdict", "observed", "worst_index"]] = ["wrong", "0.0", "[0, 0]"]
        frame.loc[rows & onednn, ["conforms", "known"]] = [False, HIDES_NAN if known else ""]
    frame.loc[crash & onednn, ["verdict", "message", "observed"]] = ["crashed", "signal 6", ""]
    frame.loc[crash & onednn, ["conforms", "elements"]] = [False, 0]
    frame.loc[accuracy, "verdict"] = "exact"
    frame.loc[accuracy & onednn, "verdict"] = "stable"
    naive = frame["textbook"].eq(True) & onednn
    frame.loc[frame.index[naive][0], ["verdict", "conforms"]] = ["wrong", False]
