"""What judgement looks at: an ending, with what its fields and words amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.model.ending import RESULT_GRACE

if TYPE_CHECKING:
    from cadencebus.model.ending import Ending, Report, Result

# What a shell, or a CLI that catches them, makes of SIGHUP, SIGINT and SIGTERM.
SIGNALLED_EXITS = (129, 130, 143)
UNKNOWN_COMMAND = ("Unknown command", "Unknown slash command", "Unknown skill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Facts of one ending; `said` is empty where nothing failed by itself."""

    ending: Ending
    report: Report
    said: str
    status: int | None
    exit_code: int | None
    signal: int | None

    @property
    def result(self) -> Result | None:
        """The last word of an agent."""
        return self.report.result

    @property
    def failed(self) -> Result | None:
        """The last word, where it is a failure."""
        return self.result if self.result and not self.result.good else None

    @property
    def well(self) -> bool:
        """Whether it had a good result and left as it should, or was helped out after it."""
        return self.result is not None and self.result.good and self.exit_code == 0

    @property
    def called(self) -> str | None:
        """What the CLI calls its own error."""
        return self.report.assistant_error if self.failed else None

    @property
    def terminal_reason(self) -> str | None:
        """Where its loop ended, as a failed result says."""
        return self.failed.terminal_reason if self.failed else None

    @property
    def signalled(self) -> bool:
        """Whether a signal ended it, as the system or a shell saw it."""
        return self.signal is not None or self.exit_code in SIGNALLED_EXITS

    @property
    def unmet(self) -> bool:
        """Whether the contract asks for something that is not there."""
        return self.ending.contract_unmet is not None

    @property
    def any_will_do(self) -> bool:
        """Whether the cadence said `expect: {result: any}`, and all else that it expects is there."""
        return not self.ending.result_required and not self.unmet and self.exit_code is not None

    @property
    def stopped_as(self) -> str | None:
        """Why the bus ended it, if it did; help after a result is no reason."""
        stop = self.ending.stop
        return stop.klass if stop is not None and stop.klass != RESULT_GRACE else None

    @property
    def limit_announced(self) -> bool:
        """Whether a refused limit was announced, and nothing else explains the failure."""
        explained = self.status or self.called or self.well or self.signalled
        return self.report.rate_limit is not None and not explained

    @property
    def start_error(self) -> str | None:
        """An error in the result that reads like one of the command line."""
        errors = self.failed.errors if self.failed else ()
        return errors[0] if errors and errors[0].startswith("Error: ") else None

    @property
    def no_turn(self) -> bool:
        """Whether the prompt was taken for a slash command: a success without one word of a model.

        Where that was meant, only a command that nobody knows is none.
        """
        if not (self.well and self.result) or self.result.num_turns != 0 or self.report.model_messages:
            return False
        return not self.ending.slash or self.result.text.startswith(UNKNOWN_COMMAND)
