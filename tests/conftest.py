"""Nothing in a test reaches the network: a socket to anywhere but this machine is an error."""

from __future__ import annotations

import socket

import pytest
from hypothesis import settings

# A property is true or not; how long one example takes on a busy machine says nothing of it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_LOCAL = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address):
        if isinstance(address, tuple) and address[0] not in _LOCAL:
            raise OSError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
