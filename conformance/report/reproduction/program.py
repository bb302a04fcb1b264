"""Program of one check: it imports the framework alone, and prints what the report says."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.base import MASKS
from conformance.adapters.registry import description
from conformance.operations import JVP, OPERATIONS, SECOND, direction, upstream
from conformance.report.figures import shorten
from conformance.report.interfaces import Arguments
from conformance.report.reproduction import framework_syntax, layout_statements, literals
from conformance.report.reproduction.formulation_source import Source, formulation, second_by_hand
from conformance.report.reproduction.framework_syntax import Program, Tensor
from conformance.report.reproduction.program_parts import NAMES

DEFAULTS: dict[str, object] = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean", "axis": -1}
FLOWS = ("upstream", "direction")
#: What is said of tensors, by their names.
OF_TENSORS = ("layout", "dtype_of")
#: What is said beside a call's arguments: how it is asked.
MANNER = ("tracked", "graph")
#: What a mode maps a call over its inputs' rows with.
VMAP = {"torch": "torch.func.vmap", "jax": "jax.vmap"}
#: Modes whose call is on a row.
BY_ROWS = ("vmap", "vmap_axes")


@dataclass(frozen=True)
class Check:
    """Check of a report, with what the report says of it.

    Attributes:
        operation: Its operation.
        formulation: Its formulation.
        quantity: Its quantity.
        dtype: Its dtype.
        framework: The subject's framework.
        mode: The subject's mode; empty for the framework's own.
        variant: The kernel variant that it ran; empty for what the framework dispatches by itself.
        device: The subject's device; empty for the framework's own choice.
        case: Its case.
        worst_index: Where its worst element is; empty for the whole array.
        observed: What the subject returned there.
        exact: The exact value there.
        message: What the subject said.
    """

    operation: str
    formulation: str
    quantity: str
    dtype: str
    framework: str
    mode: str = ""
    variant: str = ""
    device: str = ""
    case: str = ""
    worst_index: tuple[int, ...] = ()
    observed: str = ""
    exact: str = ""
    message: str = ""


def check_of(row: Mapping[str, object], environment: Mapping[str, object] | None = None) -> Check:
    """The check of a row of a run's frame; its mode is the subject's, or the environment's default."""
    subject = str(row["subject"])
    named = re.fullmatch(r"(\w+)(?:==[^:/@]+)?(?::(\w+))?(?:/(\w+))?(?:@(.+))?", subject)
    described = (environment or {}).get("subjects")
    about = described.get(subject, {}) if isinstance(described, Mapping) else {}
    mode = (named[2] if named else "") or about.get("mode") or ""
    variant = (named[3] if named else "") or about.get("variant") or ""
    device = (named[4] if named else "") or ""
    texts = {name: _text(row.get(name)) for name in ("operation", "formulation", "quantity", "dtype", "case")}
    return Check(
        **texts,
        framework=named[1] if named else "",
        mode=str(mode),
        variant=str(variant),
        device=str(device),
        worst_index=tuple(int(index) for index in re.findall(r"\d+", _text(row.get("worst_index")))),
        observed=_text(row.get("observed")),
        exact=_text(row.get("exact")),
        message=_text(row.get("message")),
    )


def reproduce(
    check: Check,
    arguments: Arguments,
    source: Source | None = None,
    *,
    heading: bool = True,
    write: Callable[[str, literals.Array, str], Tensor | None] | None = None,
) -> str | None:
    """The program of one check; None where there is none to write (a user's own function, inputs too large).

    Args:
        check: The check.
        arguments: The case's inputs and parameters, rounded to the dtype: float64 arrays, labels in their own
            integers, scalars; and `upstream`, `layout`, `dtype_of` and `tracked`, where the case has them.
        source: Takes the place of the adapters' own: a user's function, by the name that its imports give it.
        heading: Whether comments say first what is reproduced.
        write: Writes a tensor, given its name, numbers and the check's dtype; None: as literals of its bits.
    """
    manner = {name: str(arguments[name]) for name in MANNER if name in arguments}
    arguments = {name: value for name, value in arguments.items() if name not in MANNER}
    by_hand = check.quantity.startswith(SECOND) and check.framework == "numpy" and source is None
    source = source or _source(check)
    if source is None:
        return None
    names, wrt = [item.name for item in OPERATIONS[check.operation].inputs], check.quantity.partition(":")[2]
    tensors = _named(_tensors(check, arguments, names, by_hand))
    arguments = _named(arguments) | {
        name: _named(each)
        for name, each in arguments.items()
        if name in OF_TENSORS and isinstance(each, dict)
    }
    names = list(_named(dict.fromkeys(names)))
    written = _written(check, arguments, tensors, write or _tensor)
    if written is None:
        return None
    keywords = _keywords(check, arguments, names, tensors)
    definitions, call = _call(source, [*(FLOWS if by_hand else ()), *names], keywords)
    call = _in_mode(check, call, names, [name for name in tensors if name not in FLOWS])
    program = Program(
        imports=list(source.imports),
        tensors=written,
        inputs=[name for name in tensors if name not in FLOWS],
        definitions=[*source.definitions, *definitions],
        call=call,
        wrt="" if by_hand else NAMES.get(wrt, wrt),
        second=check.quantity.startswith(SECOND),
        forward=check.quantity.startswith(JVP),
        upstream="upstream" in tensors,
        dtype=check.dtype,
        mode=check.mode,
        device=check.device,
        index=check.worst_index,
        function=ast.unparse(ast.fix_missing_locations(source.expression)),
        cast=check.operation == "one_hot",
        mixed=bool(_dtypes_of_their_own(arguments)),
        untracked=manner.get("tracked") == "none",
        graph=manner.get("graph", ""),
        widened=_is_widened(check),
    )
    text = _switches(check) + framework_syntax.write(check.framework, program)
    return _heading(check) + text if heading else text


def _named(by_name: Mapping[str, Any]) -> dict[str, Any]:
    """The same by the names that a program has for them."""
    return {NAMES.get(name, name): each for name, each in by_name.items()}


def _source(check: Check) -> Source | None:
    """The function that a check calls, cut from the adapters' own; None where no program can be written."""
    if check.framework == "numpy" and check.quantity.startswith(JVP):
        return None
    if check.framework == "numpy" and check.quantity.startswith(SECOND):
        return second_by_hand(check.operation, check.formulation)
    if check.framework not in framework_syntax.WRITERS:
        return None
    return formulation(check.framework, check.operation, check.formulation, check.quantity != "value")


def _dtypes_of_their_own(arguments: Arguments) -> dict[str, str]:
    """The dtype of each tensor that has another than the check's."""
    dtypes = arguments.get("dtype_of")
    return dtypes if isinstance(dtypes, dict) else {}


def _written(
    check: Check,
    arguments: Arguments,
    tensors: dict[str, literals.Array],
    write: Callable[[str, literals.Array, str], Tensor | None],
) -> list[Tensor] | None:
    """The tensors as the program writes them, in their dtypes and layouts; None where one is too large."""
    dtypes = {**dict.fromkeys(MASKS, "bool"), **_dtypes_of_their_own(arguments)}
    written = []
    for name, value in tensors.items():
        if name in dtypes:
            tensor = _tensor(name, value, check.dtype, dtypes[name])
        else:
            tensor = write(name, value, check.dtype)
        tensor = _laid_out(check, tensor, arguments, value.shape)
        if tensor is None:
            return None
        written.append(tensor)
    return written


def tensors_of(check: Check, arguments: Arguments) -> dict[str, literals.Array]:
    """The tensors that a check's program may define, by name; upstream gradient and direction too."""
    names = [parameter.name for parameter in OPERATIONS[check.operation].inputs]
    return _tensors(check, arguments, names, by_hand=True)


def _tensors(
    check: Check, arguments: Arguments, names: list[str], by_hand: bool
) -> dict[str, literals.Array]:
    """The tensors that a check's program defines: the arguments', the upstream gradient and the direction."""
    tensors = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
    flow = tensors.pop("upstream", None)
    if check.quantity != "value" and not check.quantity.startswith(JVP):
        operation = OPERATIONS[check.operation]
        taken = [item.name for item in operation.inputs] + [item.name for item in operation.parameters]
        shape = operation.result_shape({name: arguments[name] for name in taken if name in arguments})
        raised = bool(check.message and not check.observed)  # perhaps on the flow, which runs always give
        folded = check.framework == "jax"  # XLA folds a constant of 1 into what it fuses: other bits
        if shape or by_hand or raised or folded or flow is not None:
            tensors["upstream"] = upstream(shape) if flow is None else flow
    if check.quantity.startswith((SECOND, JVP)):
        tensors["direction"] = direction(tensors[names[0]].shape)
    return tensors


def _in_mode(check: Check, call: str, names: list[str], tensors: list[str]) -> str:
    """The call as the modes make it that wrap it alike in every framework: by rows, computed again."""
    rows = ", ".join(names)
    if check.mode == "vmap":
        return f"{VMAP[check.framework]}(lambda {rows}: {call})({rows})"
    if check.mode == "vmap_axes":  # the first input's rows lie along its last axis, and the result's
        axes = ", ".join(["-1", *["0"] * (len(names) - 1)])
        moved = ", ".join([f"jnp.moveaxis({names[0]}, 0, -1)", *names[1:]])
        mapped = f"jax.vmap(lambda {rows}: {call}, in_axes=({axes},), out_axes=-1)({moved})"
        return f"jnp.moveaxis({mapped}, -1, 0)"
    if check.mode == "checkpoint":
        taken = ", ".join(tensors)
        return f"jax.checkpoint(lambda {taken}: {call})({taken})"
    return call


def _is_widened(check: Check) -> bool:
    """Whether the check's mode returns the operation's value in float32."""
    modes = description(check.framework).modes
    return any(check.operation in mode.widened for mode in modes if mode.name == check.mode)


def _keywords(
    check: Check, arguments: Arguments, names: list[str], tensors: Mapping[str, literals.Array]
) -> dict[str, ast.expr]:
    """The keywords of the call: what is no input and not the default, and tensors by their names."""
    keywords = {
        name: _literal(value) for name, value in arguments.items() if name not in names and _said(name, value)
    }
    if _ignores(arguments):  # not every framework's default is the suite's
        keywords["ignore_index"] = _literal(arguments["ignore_index"])
    keywords |= {
        name: ast.Name(name, ast.Load()) for name in tensors if name not in names and name not in FLOWS
    }
    axis = arguments.get("axis")
    if check.mode in BY_ROWS and isinstance(axis, int) and axis > 0:
        keywords["axis"] = _literal(axis - 1)  # that of a row
    return keywords


def _heading(check: Check) -> str:
    """What the program reproduces, as comments: one line each, whatever the texts hold."""
    at = f" at {list(check.worst_index)}" if check.worst_index else ""
    lines = [f"{check.operation}, {check.formulation}, {check.dtype}, {check.quantity}: {check.case}"]
    if check.exact:
        lines.append(f"exact value{at}: {check.exact}")
    if check.observed:
        lines.append(f"returned{at}: {check.observed}")
    elif check.message:
        lines.append(f"the report says: {check.message}")
    return "".join(f"# {shorten(line, 200)}\n" for line in lines)


def _switches(check: Check) -> str:
    """What chooses the kernels of a variant: before anything is imported, NumPy too."""
    for variant in description(check.framework).variants:
        if variant.name == check.variant:
            lines = [f"os.environ[{name!r}] = {value!r}" for name, value in variant.environment.items()]
            return "\n".join(["import os", "", *lines, "", ""])
    return ""


def _said(name: str, value: object) -> bool:
    """Whether a parameter has to be written: it is no tensor and not the default."""
    if name in ("layout", "dtype_of"):
        return False
    if value is None:
        return name == "axis"
    return not isinstance(value, np.ndarray) and not (name in DEFAULTS and DEFAULTS[name] == value)


def _ignores(arguments: Arguments) -> bool:
    """Whether a label is the ignored one."""
    labels = arguments.get("target")
    if "ignore_index" not in arguments or not isinstance(labels, np.ndarray) or labels.dtype.kind == "f":
        return False
    return bool((labels == arguments["ignore_index"]).any())


def _literal(value: object) -> ast.expr:
    if isinstance(value, np.generic):
        value = value.item()
    return ast.parse(repr(value), mode="eval").body


def _tensor(name: str, value: literals.Array, dtype: str, own: str = "") -> Tensor | None:
    """A tensor as it is written, in a dtype of its `own` where it has one."""
    if own and own not in literals.SCALARS:
        value = value.astype(own)
    integers = own or ("" if value.dtype.kind == "f" else value.dtype.name)
    dtype = own if own in literals.SCALARS else dtype
    if not value.size and value.ndim > 1:  # nested lists say nothing of the axes behind an empty one
        return Tensor(name, "[]", value.shape, integers, "")
    if value.size <= literals.MAX_LISTED_ELEMENTS:
        return Tensor(name, literals.nested(value, dtype), None, integers, "")
    packed = literals.packed(value)
    return None if packed is None else Tensor(name, packed[0], value.shape, integers, packed[1])


def _laid_out(
    check: Check, tensor: Tensor | None, arguments: Arguments, shape: tuple[int, ...]
) -> Tensor | None:
    """The tensor with the statements that lay it out in memory as the case says."""
    layouts = arguments.get("layout", {})
    if tensor is None or not isinstance(layouts, dict) or tensor.name not in layouts:
        return tensor
    floating = not tensor.integers or tensor.integers in literals.SCALARS
    layout = layouts[tensor.name]
    lines = layout_statements.statements(check.framework, tensor.name, layout, shape, floating)
    return replace(tensor, laid_out=tuple(lines))


def _call(source: Source, inputs: list[str], keywords: dict[str, ast.expr]) -> tuple[list[str], str]:
    """Definitions that the call still needs, and the call as text; lambdas are written out."""
    expression = source.expression
    positional: list[ast.expr] = [ast.Name(name, ast.Load()) for name in inputs]
    named = [ast.keyword(name, value) for name, value in keywords.items()]
    if isinstance(expression, ast.Lambda):
        return [], ast.unparse(ast.fix_missing_locations(_inlined(expression, positional, keywords)))
    if source.of_class:
        made = ast.Call(expression, [], named)
        return [], ast.unparse(ast.fix_missing_locations(ast.Call(made, positional, [])))
    statements = []
    function = expression
    if isinstance(expression, ast.Call):
        statements = [f"function = {ast.unparse(ast.fix_missing_locations(expression))}"]
        function = ast.Name("function", ast.Load())
    return statements, ast.unparse(ast.fix_missing_locations(ast.Call(function, positional, named)))


def _inlined(function: ast.Lambda, positional: list[ast.expr], keywords: dict[str, ast.expr]) -> ast.expr:
    """The body of a lambda with its parameters replaced by what it is called with."""
    parameters = [parameter.arg for parameter in (*function.args.posonlyargs, *function.args.args)]
    values: dict[str, ast.expr] = {}
    defaults = function.args.defaults
    values.update(zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True))
    for parameter, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if default is not None:
            values[parameter.arg] = default
    values.update(zip(parameters, positional, strict=False))
    values.update(keywords)

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return values.get(node.id, node)

    body = Replace().visit(ast.parse(ast.unparse(function.body), mode="eval").body)
    assert isinstance(body, ast.expr)
    return body


def _text(value: object) -> str:
    return "" if value is None or value != value else textwrap.dedent(str(value))
