"""Text of the case that a search found: YAML, ready for the corpus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.operations import OPERATIONS
from conformance.searching.climb import Found
from conformance.sweeping.subject_call import FORMULATIONS
from conformance.sweeping.summary import short_digits
from conformance.yaml.writing import wrapped


def file_text(found: Sequence[Found], subject: str, source: str) -> str:
    """A case file of what was found.

    Args:
        found: The failing inputs.
        subject: The subject's name.
        source: Where the cases come from, in one line.
    """
    lines = [f"source: {json.dumps(source)}", "cases:"]
    for number, each in enumerate(found, 1):
        lines += _case(each, subject, number)
    return "\n".join(lines) + "\n"


def _case(found: Found, subject: str, number: int) -> list[str]:
    candidate = found.candidate
    offered = OPERATIONS[candidate.operation].formulations
    formulations = [name for name in FORMULATIONS if name in offered]
    kind = candidate.quantity.partition(":")[0]
    name = f"search-{candidate.operation}-{subject}-{candidate.dtype}-{number}"
    identifier = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    lines = [
        f"  - id: {identifier}",
        f"    why: {json.dumps(why(found, subject))}",
        f"    operation: {candidate.operation}",
        "    inputs:",
    ]
    keywords = ("weight", "pos_weight")
    for key, tensor in candidate.tensors.items():
        if key not in keywords:
            lines += wrapped(f"      {key}: {numbers(tensor, candidate.dtype)}", " " * 8)
    parameters = [f"{key}: {_scalar(value)}" for key, value in candidate.scalars.items()]
    parameters += [
        f"{key}: {numbers(candidate.tensors[key], candidate.dtype)}"
        for key in keywords
        if key in candidate.tensors
    ]
    if parameters:
        lines += wrapped(f"    parameters: {{{', '.join(parameters)}}}", " " * 6)
    lines += [
        f"    dtypes: [{candidate.dtype}]",
        f"    formulations: [{', '.join(formulations)}]",
        f"    quantities: [{kind}]",
        "    tags: [search]",
    ]
    return lines


def why(found: Found, subject: str) -> str:
    """What was observed, with its figures, in one line."""
    judgement, candidate = found.judgement, found.candidate
    about = f"{subject} {candidate.quantity} in {candidate.dtype}: {judgement.verdict}"
    if judgement.observed is None:
        return f"{about}: {judgement.message.splitlines()[0] if judgement.message else ''}"
    return (
        f"{about}, {judgement.observed:.9g} where {short_digits(judgement.exact)} is right, "
        f"{judgement.ulp_error:.4g} ulps, bound {judgement.ulp_bound:.4g}"
    )


def numbers(tensor: Any, dtype: str) -> str:
    """A tensor in YAML's flow style."""
    if np.ndim(tensor):
        return f"[{', '.join(numbers(each, dtype) for each in tensor)}]"
    if not isinstance(tensor, (float, np.floating)):
        return str(int(tensor))
    value = float(tensor)
    if value != value:
        return ".nan"
    if np.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return str(np.float32(value)) if dtype == "float32" else repr(value)


def _scalar(value: Any) -> str:
    return json.dumps(value)
