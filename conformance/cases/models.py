"""Keys of a case file and of `known.yaml`: pydantic models."""
# ruff: noqa: RUF012 - pydantic copies the default of a field

from __future__ import annotations

import fnmatch
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from conformance.yaml.keys import Keys
from conformance.yaml.problems import shown

DTYPES = ("float16", "bfloat16", "float32", "float64")
QUANTITIES = ("value", "gradient", "second", "jvp")
#: Gradient patterns: which tensors are tracked as it runs; `weights`: all inputs and weights.
TRACKED = ("all", "first", "none", "weights")
#: What gradients go back through: the call alone; the same graph a second time; two calls that share their
#: inputs, the second with an upstream gradient of 0; a first input that is itself a result.
GRAPHS = ("single", "retained", "shared", "result")
#: What a case may expect; the special values are checked against the exact value by `conformance validate`.
EXPECTATIONS = ("value", "error", "nan", "inf", "-inf", "zero")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Dtype = Literal["float16", "bfloat16", "float32", "float64"]

#: `conformance.adapters.layouts.LAYOUTS`, which a test holds to be these.
LayoutName = Literal[
    "transposed", "channels_last", "strided", "padded", "offset", "reversed", "broadcast", "far"
]
TensorDtype = Literal[
    "float16", "bfloat16", "float32", "float64", "bool", "int8", "uint8", "int16", "int32", "int64"
]
#: A name of a layout, or an order of the axes; a fault is told of the one that is meant.
LayoutKey = Annotated[
    Annotated[LayoutName, Tag("layout")] | Annotated[list[int], Field(max_length=32), Tag("axes")],
    Discriminator(lambda value: "axes" if isinstance(value, list) else "layout"),
]


def flags_of(processor: str) -> dict[str, bool]:
    """What `Known.processor` says: instruction set -> whether the processor has it."""
    phrases = [word.split() for word in processor.split(",") if word.strip()]
    return {" ".join(words[words[0] == "not" :]): words[0] != "not" for words in phrases}


@lru_cache(maxsize=1 << 16)
def globbed(globs: str, name: str) -> bool:
    """Whether one of the globs, separated by commas, is like the name."""
    return any(fnmatch.fnmatchcase(name, glob.strip()) for glob in globs.split(","))


def _figure(value: int | float | str) -> str:
    """A figure as text: `nan`, `inf`, `-inf`, or a number in the digits in which it is written."""
    try:
        return str(Decimal(str(value).strip()))
    except InvalidOperation:
        raise ValueError(f"{shown(value)} is no number") from None


Figure = Annotated[int | float | str, AfterValidator(_figure)]
Ends = Annotated[list[float], Field(min_length=2, max_length=2)]


class Observed(Keys):
    """What an entry of `known` observes, and in which of its checks: what else is returned is a discrepancy.

    Each key that is given must hold of a check's row. The first five narrow the entry's own checks.

    Attributes:
        cases: ids of cases, or globs of them; empty: all of the entry's.
        subjects: names of subjects; empty: all of the entry's.
        dtypes: dtypes; empty: all of the entry's.
        formulations: formulations; empty: all of the entry's.
        quantities: quantities, `gradient` for every gradient; empty: all of the entry's.
        verdicts: verdicts, one of which the check has.
        ulps: least and greatest error of the worst element, in ulps of the dtype (`ulp_error`).
        values: figures, one of which the worst element rounds to at the digits written (`observed`).
        between: least and greatest value of the worst element.
        message: a fragment of the message, as an error's type.
    """

    cases: Annotated[list[Text], Field(description="a list of case ids or globs of them")] = []
    subjects: Annotated[list[Text], Field(description="a list of subjects, as [torch, torch:compile]")] = []
    dtypes: Annotated[list[Dtype], Field(description="a list of dtypes, as [float32, float64]")] = []
    formulations: Annotated[list[Text], Field(description="a list of formulations")] = []
    quantities: Annotated[list[Text], Field(description="a list of quantities, as [value, gradient:x]")] = []
    verdicts: Annotated[
        list[Literal["lossy", "wrong", "raised", "crashed", "timed out"]],
        Field(description="a list of verdicts: lossy, wrong, raised, crashed or timed out"),
    ] = []
    ulps: Annotated[
        Ends | None, Field(description="the least and the greatest error in ulps, as [4, 64]")
    ] = None
    values: Annotated[
        list[Figure], Field(description="a list of figures that the worst element is, as [.nan, 0, 16.118]")
    ] = []
    between: Annotated[
        Ends | None, Field(description="the least and the greatest value of the worst element, as [0, 0.25]")
    ] = None
    message: Annotated[str, Field(description="a part of the message, as InvalidArgumentError")] = ""

    @model_validator(mode="after")
    def _states_something(self) -> Observed:
        if not (self.verdicts or self.ulps or self.values or self.between or self.message):
            raise ValueError("nothing is stated: verdicts, ulps, values, between or message")
        return self

    @field_validator("ulps", "between")
    @classmethod
    def _in_order(cls, ends: list[float] | None) -> list[float] | None:
        if ends is not None and not ends[0] <= ends[1]:
            raise ValueError(f"{ends[0]:g} is not below {ends[1]:g}")
        return ends


class Known(Keys):
    """A documented deviation: which checks of the case deviate, how, why, and who says so.

    Attributes:
        subject: globs of subjects, separated by commas; a name without variant and device means all of them.
        dtype: globs of dtypes, separated by commas.
        formulation: globs of formulations, separated by commas.
        quantity: globs of quantities; `gradient` means every gradient, `second` every second derivative.
        reason: what the subject returns and why.
        source: where the deviation is documented.
        versions: PEP 440 specifier of the framework's versions; empty for any.
        processor: what the processor that the subject runs on has and lacks; empty for any.
        kernels: globs of what the framework reports of its kernels, and (`not`) does not; empty for any.
        observed: what is observed, each in some of the checks; empty: whatever does not conform.
        conforming: why the entry speaks of checks that conform; empty: it speaks of none.
    """

    subject: Annotated[Text, Field(description="globs of subjects, as 'torch, torch:compile' or jax*")]
    dtype: Annotated[Text, Field(description="a glob of dtypes, as float16 or *float16")] = "*"
    formulation: Annotated[Text, Field(description="a glob of formulations, as functional")] = "*"
    quantity: Annotated[Text, Field(description="value, gradient, or a glob as gradient:logits")] = "*"
    reason: Annotated[Text, Field(description="what the subject returns and why, in one line")]
    source: Annotated[Text, Field(description="where the deviation is documented: a link or a file's name")]
    versions: Annotated[
        str, Field(description="versions of the framework as PEP 440 has them, as '<0.11'")
    ] = ""
    processor: Annotated[
        str,
        Field(description="what the processor has and lacks, as 'avx512f, not avx512_fp16'"),
    ] = ""
    kernels: Annotated[
        str, Field(description="globs of what the framework reports of its kernels, as 'isa=AVX512*'")
    ] = ""
    observed: Annotated[
        list[Observed],
        Field(description="a list of what is observed, as {values: [.nan], dtypes: [float16]}"),
    ] = []
    conforming: Annotated[
        str, Field(max_length=2000, description="why the entry covers checks that conform, in one line")
    ] = ""

    def __hash__(self) -> int:
        return hash((self.subject, self.reason, self.source))

    @field_validator("quantity")
    @classmethod
    def _every_gradient(cls, value: str) -> str:
        globs = (glob.strip() for glob in value.split(","))
        return ",".join(f"{glob}:*" if glob in QUANTITIES[1:] else glob for glob in globs)

    @field_validator("versions")
    @classmethod
    def _specifier(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier:
            raise ValueError(f"{shown(value)} names no versions") from None
        return value


class Equals(Keys):
    """Another case whose result this one's must equal, and what is done to the other's first.

    Only the rows `at` of this case are compared where they are given; one row of the other's stands for each.
    In this order: `rows` are taken from it, `classes` permuted (of arrays that have the input's shape), it is
    divided by `over`, and then it is taken as `value` and `gradient` say; `absent`: not compared.
    """

    case: Annotated[Text, Field(description="the other case's id")]
    relation: Annotated[Text, Field(description="the identity, as 'BCE(x, t) = BCE(-x, 1 - t)'")]
    value: Annotated[
        Literal["same", "negated", "complement", "absent"],
        Field(description="same, negated, complement (1 - value) or absent"),
    ] = "same"
    gradient: Annotated[
        Literal["same", "negated", "complement", "absent"],
        Field(description="same, negated, complement or absent"),
    ] = "same"
    rows: Annotated[list[int] | None, Field(description="a list of the other's rows")] = None
    classes: Annotated[list[int] | None, Field(description="a list of the other's classes")] = None
    over: Annotated[int | None, Field(description="what the other is divided by, as its rows")] = None
    at: Annotated[list[int] | None, Field(description="a list of its own rows, which are compared")] = None
    invariance: Annotated[
        Literal["batch", "position", "layout", "repeat", "threads", "concurrency"] | None,
        Field(
            description="batch, position, layout, repeat, threads or concurrency: no bit should change by it"
        ),
    ] = None


class Parts(Keys):
    """What a case is split into: a case for each part, whose results together must be this one's.

    Either `rows` (micro-batches: a mean becomes sums, divided by `over`) or `classes` (shards) has the sizes.
    """

    relation: Annotated[Text, Field(description="the identity, as 'sum of micro-batches / rows = mean'")]
    rows: Annotated[list[int] | None, Field(description="a list of the rows of each part")] = None
    classes: Annotated[list[int] | None, Field(description="a list of the classes of each part")] = None
    over: Annotated[
        float | None, Field(gt=0, description="a positive number that the parts' sum is divided by")
    ] = None

    @model_validator(mode="after")
    def _one_axis(self) -> Parts:
        if not (self.rows or self.classes) or (self.rows and self.classes):
            raise ValueError("parts of rows or of classes: a list of sizes, as rows: [1, 3]")
        return self


class CaseEntry(Keys):
    """One entry under `cases`; its tensors are read by the operation's signature (`tensors.reading`)."""

    id: Annotated[Name, Field(description="a name unique over all files: letters, digits and - _ . +")]
    title: Annotated[Text, Field(description="a text")] = ""
    operation: Annotated[str, Field(description="an operation's name, as cross_entropy")]
    inputs: Annotated[dict[str, Any], Field(description="a mapping of the operation's inputs to tensors")]
    parameters: Annotated[dict[str, Any], Field(description="a mapping of the operation's parameters")] = {}
    dtypes: Annotated[
        list[Dtype], Field(min_length=1, description="a list of dtypes, as [float32, float64]")
    ] = ["float16", "bfloat16", "float32", "float64"]
    formulations: Annotated[
        list[str], Field(min_length=1, description="a list of the operation's formulations; left out: all")
    ] = []
    quantities: Annotated[
        list[Literal["value", "gradient", "second", "jvp"]],
        Field(
            min_length=1, description="a list of value, gradient, second and jvp; left out: [value, gradient]"
        ),
    ] = ["value", "gradient"]
    upstream: Annotated[
        Any, Field(description="the upstream gradient, a tensor of the result's shape; left out: the suite's")
    ] = None
    tracked: Annotated[
        Literal["all", "first", "none", "weights"],
        Field(
            description="what is tracked for gradients: all inputs, the first, none (inference), "
            "or the weights, too"
        ),
    ] = "all"
    graph: Annotated[
        Literal["single", "retained", "shared", "result"],
        Field(description="what gradients go back through: single, retained, shared or result"),
    ] = "single"
    printed: Annotated[Any, Field(description="a figure as the source shows it, or lists of figures")] = None
    decimals: Annotated[
        int, Field(ge=0, le=30, description="how many decimals of the inputs are known, from 0 to 30")
    ] = 0
    expect: Annotated[
        Literal["value", "error", "nan", "inf", "-inf", "zero"],
        Field(description="value, error, or the special value that every element has"),
    ] = "value"
    warns: Annotated[
        bool, Field(description="true where the framework must warn, false where it must not")
    ] = False
    layout: Annotated[
        dict[str, LayoutKey],
        Field(description="a mapping of tensors to transposed, padded, ... or the order of their axes"),
    ] = {}
    call: Annotated[
        Literal["once", "twice", "one_thread", "at_once"],
        Field(description="how it is called: once, twice (the second counts), one_thread or at_once (two)"),
    ] = "once"
    convention: Annotated[
        Literal["", "masked_row", "empty_mean"],
        Field(description="masked_row or empty_mean: whichever way a subject decides it is right"),
    ] = ""
    dtype_of: Annotated[
        dict[str, TensorDtype],
        Field(description="a mapping of tensors to dtypes of their own, as {weight: float32}"),
    ] = {}
    label_dtype: Annotated[
        Literal["int8", "uint8", "int16", "int32", "int64"],
        Field(description="the integers in which labels are handed over: int8, uint8, int16, int32 or int64"),
    ] = "int64"
    tags: Annotated[list[Name], Field(description="a list of names of letters, digits and - _ . +")] = []
    known: Annotated[list[Known], Field(description="a list of {subject, reason, source, ...}")] = []
    equals: Annotated[Equals | None, Field(description="a mapping {case, relation, ...}")] = None
    parts: Annotated[Parts | None, Field(description="a mapping {rows or classes, relation}")] = None
    why: Annotated[Text, Field(description="one line: what only this case would catch")] = ""
    source: Annotated[
        Text, Field(description="where this example comes from, if not from the file's source")
    ] = ""
    vary: Annotated[
        dict[str, dict[str, dict[str, Any]]],
        Field(description="axes of options: a case for each combination, its options' keys over these"),
    ] = {}
    cover: Annotated[
        Any,
        Field(description="a covering array: {strength, axes, never}; `sizes` completes its generators"),
    ] = None

    @field_validator("dtypes", "formulations", "quantities", "tags")
    @classmethod
    def _each_once(cls, values: list[str]) -> list[str]:
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"{shown(twice[0])} is listed twice")
        return values


class CaseFile(Keys):
    """The top of a case file."""

    source: Annotated[
        Text, Field(description="where the examples come from: a post's file name, an issue's link, a paper")
    ] = ""
    title: Annotated[Text, Field(description="a text")] = ""
    tags: Annotated[list[Name], Field(description="a list of names that every case of the file has")] = []
    cases: Annotated[list[Any], Field(min_length=1, description="a list of cases")]


class Deviation(Known):
    """A deviation that many cases show: a known entry, and the cases that it belongs to."""

    id: Annotated[Name, Field(description="a name unique in the file: letters, digits and - _ . +")]
    operation: Annotated[str, Field(description="an operation's name, as cross_entropy")]
    cases: Annotated[list[Text], Field(min_length=1, description="a list of case ids or globs of them")]

    def __hash__(self) -> int:
        return hash((self.id, self.source))


class Accepted(Deviation):
    """A deviation of a user's own file: accepted, wherever it is documented."""

    __hash__ = Deviation.__hash__


class DeviationFile(Keys):
    """The top of a `known.yaml`: the deviations of the cases in its folder and the folders below."""

    known: Annotated[
        list[Deviation], Field(min_length=1, description="a list of {id, operation, cases, ...}")
    ]
