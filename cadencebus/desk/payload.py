"""`--payload` and `--set`: the tick's data as one JSON object."""

from __future__ import annotations

import os
import sys

from cadencebus.errors import BadData, NoSuch, Usage
from cadencebus.model import strictjson


def payload_of(options: dict[str, list[str]], most: int) -> str:
    """The payload as JSON text, checked as strictly as the consumer will; a tick has at most `most` bytes."""
    payload: dict[str, object] = {}
    if "payload" in options:
        data = _text(options["payload"][-1], most)
        if len(data) > most:
            raise BadData(
                f"--payload: more than {most} bytes, where {most} are allowed",
                next_step="name a file in it instead",
            )
        value = _loads(data)
        if not isinstance(value, dict):
            raise BadData('--payload: not a JSON object such as {"week": 47}')
        payload = value
    for pair in options.get("set", []):
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise Usage(f"--set {pair}: wants k=v")
        payload[utf8("--set", key)] = _value(utf8("--set", text))
    return strictjson.dumps(payload).decode().strip()


def utf8(option: str, text: str) -> str:
    """The text of a word of the command line, whatever the locale took its bytes for."""
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        raise BadData(f"{option}: not UTF-8") from None


def _text(argument: str, most: int) -> bytes:
    try:
        if argument == "-":
            return sys.stdin.buffer.read(most + 1)
        if argument.startswith("@"):
            with open(argument[1:], "rb") as file:
                return file.read(most + 1)
    except OSError as error:
        raise NoSuch(f"--payload {argument}: {error.strerror}") from None
    return argument.encode("utf-8", "surrogateescape")


def _loads(data: bytes) -> object:
    try:
        return strictjson.loads(data)
    except strictjson.BadJSON as error:
        raise BadData(f"--payload: {error.message}") from None


def _value(text: str) -> object:
    try:
        return strictjson.loads(text.encode())
    except strictjson.BadJSON:
        return text
