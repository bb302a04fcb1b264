"""Blame for a process's death: which formulation, and which quantity of it, a process dies of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.plan.events import Answer

if TYPE_CHECKING:
    from conformance.plan.requests import Request


class Suspects:
    """Programs beside which a process died, and the formulations of each that killed it twice."""

    def __init__(self) -> None:
        self._fatal: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)

    def compile_alone(self, request: Request) -> bool:
        """Whether a request's formulation must not be compiled with the others of its program."""
        return request.group.program in self._fatal

    def divide(self, request: Request) -> bool:
        """Whether a request's quantities must be asked one by one: a process has died of them together.

        A user who asks for the value alone gets it where only the gradient is fatal.
        """
        fatal = self._fatal.get(request.group.program, ())
        return len(request.quantities) > 1 and (request.attempts > 0 or request.formulation in fatal)

    def convict(self, request: Request, timed_out: bool) -> bool:
        """Whether the death that came while a request was the oldest is its verdict; else it is tried again.

        A process may die between two requests: only one that dies on the same request again is its doing,
        or on the same formulation of a program that killed it twice before. What is compiled with others
        may die of one of them: from the first death on each is compiled alone.
        """
        convicted = self._fatal[request.group.program]
        if request.attempts and not timed_out:
            convicted.add(request.formulation)
        if timed_out or request.formulation in convicted:
            return True
        request.attempts += 1
        return False


class Divisions:
    """Requests that are asked quantity by quantity, and the answers of their parts so far."""

    def __init__(self) -> None:
        self._whole: dict[int, tuple[Request, Sequence[Request], list[Answer]]] = {}

    def parts(self, request: Request) -> list[Request]:
        """A request for each quantity of `request`, under the same index, in order."""
        parts = [replace(request, quantities=(quantity,)) for quantity in request.quantities]
        answers: list[Answer] = []
        for part in parts:  # `parts` is kept beside them: an identity stays one while its object lives
            self._whole[id(part)] = request, parts, answers
        return parts

    def joined(self, answer: Answer) -> Answer | None:
        """The answer itself; that of a part is kept, and with the last the answer to the whole comes."""
        if id(answer.request) not in self._whole:
            return answer
        request, parts, answers = self._whole[id(answer.request)]
        answers.append(answer)
        if len(answers) < len(parts):
            return None
        for part in parts:
            del self._whole[id(part)]
        return Answer(
            answer.subject,
            request,
            {name: outcome for part in answers for name, outcome in part.outcomes.items()},
            {name: array for part in answers for name, array in part.arrays.items()},
            {name: dtype for part in answers for name, dtype in part.dtypes.items()},
            tuple(dict.fromkeys(text for part in answers for text in part.warnings)),
            sum(part.seconds for part in answers),
            b"".join(part.body for part in answers),
            max(part.compilations for part in answers),
        )
