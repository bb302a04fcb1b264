"""Messages from workers to the run, and the queue that carries them, with a byte budget (back pressure)."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.plan.requests import Request

#: Bytes of messages that nobody has taken from which on no more requests are sent.
MAX_QUEUE_BYTES = 1 << 23
#: Bytes that a message takes beside its arrays: Python's objects.
MESSAGE_OVERHEAD_BYTES = 2000


@dataclass(frozen=True)
class Answer:
    """Answer to a request.

    Attributes:
        subject: The name of the subject that answered.
        request: The request.
        outcomes: By quantity: `status`, and what belongs to it (`error`, `message`, `overwritten`).
        arrays: By quantity, for those that returned: the array as stored (bfloat16 as uint16).
        dtypes: By quantity: the wire dtype of its array.
        warnings: The texts of the warnings that the call gave.
        seconds: Processor seconds of the call.
        body: The arrays' bytes as they came: what the journal keeps.
        compilations: Programs that the worker's process has compiled so far.
    """

    subject: str
    request: Request
    outcomes: dict[str, dict[str, Any]]
    arrays: dict[str, Any]
    dtypes: dict[str, str]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    body: bytes = b""
    compilations: int = 0


@dataclass(frozen=True)
class Hello:
    """First message of a worker's process.

    Attributes:
        subject: The subject's name.
        header: The framework, its version, the versions of its libraries, the hardware, formulations.
    """

    subject: str
    header: dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """A worker that cannot be what its subject says: no such variant, device, mode or framework there.

    Attributes:
        subject: The subject's name.
        reason: The worker's own line.
    """

    subject: str
    reason: str


@dataclass(frozen=True)
class Ended:
    """Last message of a worker: it has answered, or given up, everything.

    Attributes:
        subject: The subject's name.
    """

    subject: str


Message = Answer | Hello | Refused | Ended


def message_bytes(message: Message) -> int:
    """Bytes that a message takes in memory."""
    return MESSAGE_OVERHEAD_BYTES + (len(message.body) if isinstance(message, Answer) else 0)


class MessageQueue(queue.Queue[Message]):
    """Queue of worker messages with a byte budget (back pressure).

    Attributes:
        bytes_waiting: Bytes of the messages that nobody has taken yet.
    """

    bytes_waiting = 0

    @property
    def over_budget(self) -> bool:
        """Whether senders should wait; what comes all the same is taken."""
        return self.bytes_waiting > MAX_QUEUE_BYTES

    def take_available(self, limit: int) -> list[Message]:
        """The messages that have come in already, `limit` at most; waits for none."""
        messages: list[Message] = []
        while len(messages) < limit:
            try:
                messages.append(self.get_nowait())
            except queue.Empty:
                break
        return messages

    # The hooks by which the library lets a queue keep more than its items.

    def _put(self, item: Message) -> None:
        super()._put(item)
        self.bytes_waiting += message_bytes(item)

    def _get(self) -> Message:
        item = super()._get()
        self.bytes_waiting -= message_bytes(item)
        return item
