"""The standard library's JSON in C, without the package around it.

`json` imports `re`, and with it `enum`, `functools` and `collections`: half of what `enqueue --payload` would
take. An interpreter that has no such module, or another one than is known here, does it by `json` itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BLANK = " \t\n\r"
_OTHERWISE = (ImportError, AttributeError, TypeError)


class Malformed(ValueError):
    """What is wrong with a text that is no JSON document, and where."""

    def __init__(self, what: str, text: str, at: int) -> None:
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        # Some of the scanner's own words end with the one that ours go on with.
        super().__init__(f"{what.removesuffix(' at')} at line {line} column {column}")


class _Hooks:
    """What a scanner asks for when it is made."""

    strict = True
    parse_int = int
    object_hook = array_hook = None

    def __init__(
        self,
        pairs: Callable[[list[tuple[str, object]]], object],
        number: Callable[[str], object],
        constant: Callable[[str], object],
    ) -> None:
        self.object_pairs_hook = pairs
        self.parse_float = number
        self.parse_constant = constant


def reader(
    *,
    pairs: Callable[[list[tuple[str, object]]], object],
    number: Callable[[str], object],
    constant: Callable[[str], object],
) -> Callable[[str], object]:
    """Make what reads one document, with these hooks; Malformed is raised where a text is none."""
    scan = _scanner(_Hooks(pairs, number, constant))

    def read(text: str) -> object:
        try:
            value, end = _scanned(scan, text, len(text) - len(text.lstrip(_BLANK)))
        except StopIteration as stopped:
            raise Malformed("Expecting value", text, stopped.value) from None
        except ValueError as error:
            # json.JSONDecodeError, which is not imported for its name.
            if not hasattr(error, "pos"):
                raise
            raise Malformed(getattr(error, "msg", ""), text, error.pos) from None
        rest = text[end:].lstrip(_BLANK)
        if rest:
            raise Malformed("Extra data", text, len(text) - len(rest))
        return value

    return read


def _scanned(scan: Callable[[str, int], tuple[object, int]], text: str, at: int) -> tuple[object, int]:
    try:
        return scan(text, at)
    except SystemError:
        # It raises an error of `json`, and takes that to be loaded: now that it is, it can say what is wrong.
        import json.decoder  # noqa: F401, PLC0415 - dear

        return scan(text, at)


def _scanner(hooks: _Hooks) -> Callable[[str, int], tuple[object, int]]:
    try:
        from _json import make_scanner  # noqa: PLC0415 - it may be missing

        return make_scanner(hooks)  # type: ignore[arg-type]
    except _OTHERWISE:
        from json import JSONDecoder  # noqa: PLC0415 - dear

        decoder = JSONDecoder(
            object_pairs_hook=hooks.object_pairs_hook,
            parse_float=hooks.parse_float,
            parse_constant=hooks.parse_constant,
        )
        return decoder.scan_once  # type: ignore[no-any-return, attr-defined]


def writer() -> Callable[[object], str]:
    """Make what spells a value as one line, with every letter as it is and no NaN."""
    try:
        from _json import encode_basestring, make_encoder  # noqa: PLC0415 - it may be missing

        def write(value: object) -> str:
            encode = make_encoder({}, _refuse, encode_basestring, None, ": ", ", ", False, False, False)  # noqa: FBT003
            return "".join(encode(value, 0))

        write(None)
    except _OTHERWISE:
        from json import JSONEncoder  # noqa: PLC0415 - dear

        return JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    return write


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is not JSON")
