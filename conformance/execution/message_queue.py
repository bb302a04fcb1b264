"""What the workers told and nobody has taken yet, and how much it is: those who are far ahead may wait."""

from __future__ import annotations

import queue

from conformance.plan.events import Answer, Message

#: Bytes of messages from which on no more requests are sent.
FULL = 1 << 23
#: Bytes of answers that wait for other subjects' from which on all but the last subject are held back.
AHEAD = 1 << 27
#: Bytes that a message takes beside its arrays: Python's objects.
_OBJECTS = 2000


def weight(message: Message) -> int:
    """Bytes that a message takes."""
    return _OBJECTS + len(message.body) if isinstance(message, Answer) else _OBJECTS


class Inbox(queue.Queue[Message]):
    """Messages in the order in which they came; `held` says how many bytes they take."""

    held = 0

    @property
    def enough(self) -> bool:
        """Whether more should wait: what comes all the same is taken."""
        return self.held > FULL

    def at_hand(self, most: int) -> list[Message]:
        """Those that have come in already, but no more than so many."""
        found: list[Message] = []
        while len(found) < most:
            try:
                found.append(self.get_nowait())
            except queue.Empty:
                break
        return found

    # The hooks by which the library lets a queue keep more than its items.

    def _put(self, item: Message) -> None:
        super()._put(item)
        self.held += weight(item)

    def _get(self) -> Message:
        item = super()._get()
        self.held -= weight(item)
        return item
