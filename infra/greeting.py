"""A Dask client that a scheduler may greet with more than one message; imported only where one is made."""

from __future__ import annotations

from distributed import Client

TRIES = 5


class GreetedClient(Client):  # type: ignore[misc] # distributed publishes no types
    """Asks again where the scheduler's greeting came together with news for all its clients.

    Both travel in one batch if something ends within the same 2 ms; distributed (2026.8) takes the greeting only
    alone and fails with a bare `assert len(msg) == 1`.
    """

    id: str

    async def _ensure_connected(self, timeout: float | None = None) -> None:
        for again in range(1, TRIES + 1):
            try:
                await super()._ensure_connected(timeout=timeout)
            except AssertionError:
                if again == TRIES:
                    raise
                # Under a name of its own: the scheduler forgets the name that the lost connection was greeted by
                self.id = f"{self.id}-{again}"
            else:
                return
