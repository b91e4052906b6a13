"""What an agent waits for while it is silent: the tools that it has called, or its API."""

from __future__ import annotations

from typing import NamedTuple

from cadencebus.model.ending import API_RETRY

# Silence that is believed, with a minute of margin each. The longest tool time of the CLIs is 600 s.
TOOL_S = 660.0
# A request may be silent for 300 s, then for 300 s more in the non-streaming try that follows.
REQUEST_S = 660.0
# Of more calls at a time than this the further ones are not remembered.
_CALLS_MOST = 256


class _Call(NamedTuple):
    name: str
    believed_until: float
    parent: object


class InFlight:
    """The calls whose results are still to come, and whether the API is being tried again."""

    def __init__(self) -> None:
        self._calls: dict[str, _Call] = {}
        self._retry_until: float | None = None

    def call(self, key: str | None, name: str, now: float, *, parent: object = None) -> None:
        """A tool was called; `parent` is the call of the sub-agent that did it."""
        if key and len(self._calls) < _CALLS_MOST:
            self._calls[key] = _Call(name, now + TOOL_S, parent)

    def answer(self, key: str | None) -> None:
        """The result of a call has come."""
        self._calls.pop(key or "", None)

    def answer_all_of(self, parent: object) -> None:
        """The agent that made these calls speaks again: they are over, even where no result was seen."""
        self._calls = {key: call for key, call in self._calls.items() if call.parent != parent}

    def retry(self, now: float, delay: float = 0.0) -> None:
        """The API is tried again, after a delay."""
        self._retry_until = now + delay + REQUEST_S

    def api_answers(self) -> None:
        """Something came from the API: no retry is under way."""
        self._retry_until = None

    def clear(self) -> None:
        """Nothing is waited for any more."""
        self._calls.clear()
        self._retry_until = None

    @property
    def waiting_for(self) -> str | None:
        """The API, or the tool that was called last; None: for nothing that is known."""
        if self._retry_until is not None:
            return API_RETRY
        return next((call.name for call in reversed(self._calls.values())), None)

    @property
    def believed_until(self) -> float | None:
        """Until when silence is believed (monotonic); None: it has no such reason."""
        untils = [call.believed_until for call in self._calls.values()]
        if self._retry_until is not None:
            untils.append(self._retry_until)
        return max(untils, default=None)
