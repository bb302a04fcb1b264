"""Control of a check against a formula: its NumPy reference, computed here and judged like a subject.

No framework has the operation. What the formula's own text loses in a dtype, an overflow as it is written,
is thus seen, and inherited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from conformance.arithmetic import to_storage
from conformance.arithmetic.formats import FORMATS, round_to
from conformance.caches import cache_directory
from conformance.cases.case import Case
from conformance.execution.participants import Participants
from conformance.judging.collector import Collector
from conformance.judging.references import References
from conformance.operations.formula.operation import FormulaOperation
from conformance.plan import requests as plan
from conformance.plan.events import Answer, Hello
from conformance.plan.requests import Request
from conformance.subjects.subject import Subject

#: The control's name in the frame.
REFERENCE = "numpy"


def reference_rows(operation: FormulaOperation, cases: Sequence[Case], dtypes: Sequence[str]) -> pd.DataFrame:
    """The rows of the NumPy reference: a run's `results`, of one subject.

    Args:
        operation: The formula's operation.
        cases: Its cases.
        dtypes: The dtypes; none: all.
    """
    the_plan = plan.make(cases, [REFERENCE], dtypes)
    references = References(cache_directory(), the_plan.groups)
    subjects = {REFERENCE: Subject(REFERENCE, "numpy")}
    participants = Participants()
    participants.expect(Hello(REFERENCE, {"version": np.__version__}))
    collector = Collector(the_plan, references.get, participants, subjects)
    for request in the_plan.requests[REFERENCE]:
        if collector.add(_answer(operation, request)) is not None:
            references.drop(request.group)
    references.close()
    return collector.frames([])["results"]


def _answer(operation: FormulaOperation, request: Request) -> Answer:
    """What the reference returns for a request."""
    group = request.group
    arrays: dict[str, Any] = {}
    assert group.flow is not None
    for quantity in request.quantities:
        exact = operation.reference(group.arguments, quantity, group.flow, group.dtype)
        rounded = round_to(FORMATS[group.dtype], np.asarray(exact, np.float64))
        stored = to_storage(rounded, group.dtype)
        arrays[quantity] = stored.view(np.uint16) if group.dtype == "bfloat16" else stored
    outcomes = {quantity: {"status": "returned"} for quantity in request.quantities}
    return Answer(REFERENCE, request, outcomes, arrays, dict.fromkeys(request.quantities, group.dtype))
