"""cadencebus: the small, durable bus between "it is time" and "it was done"."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cadencebus.bus import Bus as Bus

__version__ = "0.1.0"
__all__ = ["Bus", "__version__"]


def __getattr__(name: str) -> object:
    """Load `Bus` when it is asked for: `cadence enqueue` must not pay for what it does not use."""
    if name == "Bus":
        from cadencebus.bus import Bus  # noqa: PLC0415 - lazy on purpose, see the docstring

        return Bus
    raise AttributeError(name)
