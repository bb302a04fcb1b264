"""Promotion: the dtype of a result whose tensors have dtypes of their own."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Pattern

#: Width of each floating dtype; of two half types the wider is float32, which alone holds both.
BITS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}
#: The default dtype of every framework: what integers and booleans become.
DEFAULT = "float32"
FLOWS = ("upstream", "direction")

#: What a framework says of dtypes that it does not take together, or of integers where it wants numbers.
REFUSALS: Dict[str, Pattern[str]] = {
    "torch": re.compile(
        r"expected scalar type \w+ but found|[Ff]ound dtype \w+ but expected"
        r"|not implemented for '(Long|Int|Short|Char|Byte|Bool)'|expected target dtype to be Long"
        r"|operator, (on|with) a bool tensor|Expected dtype int32/int64 for index"
        r"|only applicable to index tensor|must have the same dtype|m1 and m2 to have the same dtype"
    ),
    "jax": re.compile(r"does not accept dtype|must be of integer type"),
    "tensorflow": re.compile(
        r"Tensor conversion requested dtype|was expected to be an? \w+ tensor but is"
        r"|is not in the list of allowed values|Cannot convert .* to EagerTensor of dtype"
        r"|that does not match( type|expected type)|must have the same d?type|not in list of allowed values"
        r"|don't all match|but expected one of|conflicting types|has type \w+ that does not match"
    ),
    "numpy": re.compile(
        r"ufunc .* not supported|numpy boolean (negative|subtract)|a target of shape .* for"
        r"|must be an integer array"
    ),
}


def promoted(dtypes: Iterable[str]) -> str:
    """The narrowest floating dtype that holds the numbers of all; integers and booleans do not count."""
    floating = sorted({dtype for dtype in dtypes if dtype in BITS}, key=BITS.__getitem__)
    if floating[:2] == ["bfloat16", "float16"] or floating[:2] == ["float16", "bfloat16"]:
        floating.append("float32")
    return max(floating, key=BITS.__getitem__) if floating else DEFAULT


def given(request: Dict[str, Any]) -> Dict[str, str]:
    """The dtype of each floating argument of a request, by name."""
    entries = [entry for entry in request["arrays"] if entry["name"] not in FLOWS]
    return {entry["name"]: entry["dtype"] for entry in entries if entry["dtype"] in BITS}


def result_dtypes(framework: str, request: Dict[str, Any], users: bool) -> List[str]:
    """The dtypes that a result may have, the framework's documented one first.

    Args:
        framework: Its name.
        request: The request.
        users: Whether a user's function answers it, which may promote, or keep the dtype of its scores.
    """
    dtypes = given(request)
    first = request["arrays"][0]["dtype"]
    scores = first if first in BITS else DEFAULT
    everything = promoted(dtypes.values())
    if users:
        return list(dict.fromkeys((everything, scores)))
    if framework == "tensorflow":
        return [scores]  # TensorFlow takes no two dtypes together; Keras converts to that of the scores
    decides = DECIDES.get((framework, request["operation"], request["formulation"]))
    return [dtypes.get(decides, DEFAULT) if decides else everything]


#: PyTorch multiplies in place here, which keeps the dtype of what is multiplied; a linear layer's loss in
#: chunks, and those that are composed, have the dtype of the hidden states.
DECIDES = {
    **{("torch", "linear_cross_entropy", name): "hidden" for name in ("chunked", "composed")},
    **{
        ("jax", "linear_cross_entropy", name): "hidden"
        for name in ("functional", "chunked", "composed", "naive")
    },
    ("torch", "binary_cross_entropy", "functional"): "probs",
    ("torch", "binary_cross_entropy", "module"): "probs",
    ("torch", "binary_cross_entropy_with_logits", "functional"): "target",
    ("torch", "binary_cross_entropy_with_logits", "module"): "target",
    ("torch", "binary_cross_entropy_with_logits", "naive"): "logits",
}


def refuses(framework: str, error: Exception) -> bool:
    """Whether an error only says that the framework does not take such dtypes, or not together."""
    refusal = REFUSALS.get(framework)
    return refusal is not None and refusal.search(str(error)) is not None
