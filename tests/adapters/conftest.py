"""One worker a framework for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from adapters.driving import Client

FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")


@pytest.fixture(scope="session")
def client() -> Iterator[Callable[..., Client]]:
    """The worker with these arguments: started once, ended with the session."""
    started: dict[tuple[str, ...], Client] = {}

    def get(*arguments: str) -> Client:
        if arguments not in started:
            started[arguments] = Client(*arguments)
        return started[arguments]

    yield get
    for one in started.values():
        one.close()
