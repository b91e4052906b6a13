"""The house has floors, and imports only go down the stairs."""

from __future__ import annotations

import ast
import graphlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The longest name that fits a module says where it lives: a folder for all of its modules.
FLOORS = {
    "cadencebus": 0,
    "cadencebus.errors": 0,
    "cadencebus.clock": 0,
    "cadencebus.workers": 0,
    "cadencebus.model": 1,
    "cadencebus.policy": 2,
    "cadencebus.policy.due": 3,
    "cadencebus.policy.admit": 3,
    "cadencebus.policy.settle": 3,
    "cadencebus.streams": 2,
    "cadencebus.units": 2,
    "cadencebus.store": 4,
    "cadencebus.bus": 5,
    "cadencebus.session": 5,
    "cadencebus.daemon": 6,
    "cadencebus.checkup": 7,
    "cadencebus.desk": 8,
    "cadencebus.cli": 9,
    "cadencebus.cli.main": 10,
    "cadencebus.__main__": 11,
}

# The package's front door opens upwards, and only when somebody knocks.
FRONT_DOOR = ("cadencebus", "cadencebus.bus")

# Where a library lives; nobody else knows that it exists.
LIBRARIES = {
    "cronsim": ("cadencebus.policy.timetable",),
    "psutil": ("cadencebus.session", "cadencebus.store.fitness"),
    "rich": ("cadencebus.cli", "cadencebus.desk"),
    "tenacity": ("cadencebus.policy.backoff",),
    "watchdog": ("cadencebus.daemon.wakeups",),
    "yaml": ("cadencebus.store.yamltext",),
}

# Floors 1 to 3 are told the facts, the time and the randomness. What could ask the world stays below them.
PURE = ("cadencebus.model", "cadencebus.policy", "cadencebus.streams", "cadencebus.units")
WORLDLY = {
    *("asyncio", "fcntl", "glob", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets"),
    *("select", "shutil", "socket", "subprocess", "sys", "tempfile", "threading", "time"),
}


def test_a_module_imports_only_from_lower_floors(modules: dict[str, ast.Module]) -> None:
    """Lazy and type-only imports count too; inside a folder leaves come first, and there is no circle."""
    offences = []
    stairs: dict[str, set[str]] = {}
    for source, tree in modules.items():
        for line, target in imports_from_here(tree, set(modules)):
            if floor(target) < floor(source) or target == source or (source, target) == FRONT_DOOR:
                continue
            if floor(target) == floor(source) and folder(target) == folder(source):
                stairs.setdefault(source, set()).add(target)
            else:
                offences.append(f"{source}:{line} (floor {floor(source)}) names {target} ({floor(target)})")
    assert not offences, "\n".join(offences)
    try:
        graphlib.TopologicalSorter(stairs).prepare()
    except graphlib.CycleError as error:
        raise AssertionError("a circle: " + " <- ".join(error.args[1])) from None


def test_a_library_is_known_in_one_place(modules: dict[str, ast.Module]) -> None:
    """Every import from outside the standard library stands in the table, and nowhere else in the house."""
    offences = [
        f"{source}:{line} imports {library}"
        for source, tree in modules.items()
        for line, library in imports_from_outside(tree)
        if library not in sys.stdlib_module_names
        if not any(within(source, place) for place in LIBRARIES.get(library, ()))
    ]
    assert not offences, "\n".join(offences)


def test_the_lower_floors_do_not_ask_the_world(modules: dict[str, ast.Module]) -> None:
    """Nouns, rules and parsers import nothing that reads a clock, a disk, a die or the environment."""
    offences = [
        f"{source}:{line} imports {name}"
        for source, tree in modules.items()
        if any(within(source, pure) for pure in PURE)
        for line, name in imports_from_outside(without_type_only(tree))
        if name in WORLDLY
    ]
    assert not offences, "\n".join(offences)


def within(module: str, place: str) -> bool:
    """Tell whether a module is this one, or lies in this folder."""
    return module == place or module.startswith(f"{place}.")


def floor(module: str) -> int:
    """Find the floor of a module: a new folder must be given one before anything in it may be imported."""
    place = max((place for place in FLOORS if within(module, place)), key=len)
    assert module == place or place != "cadencebus", f"{module} has no floor: give it one in FLOORS"
    return FLOORS[place]


def folder(module: str) -> str:
    """Name the folder of a module; one that lies in none is a folder of its own."""
    return ".".join(module.split(".")[:2])


def imports_from_here(tree: ast.Module, modules: set[str]) -> Iterator[tuple[int, str]]:
    """List what a module names of this package: by statement, or as a string that `python -m` could take."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                named = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(base), names=aliases):
                named = [f"{base}.{alias.name}" for alias in aliases]
                named = [name if name in modules else base for name in named]
            case ast.Constant(value=str(text)) if "." in text and text in modules:
                named = [text]
            case _:
                continue
        yield from ((node.lineno, name) for name in named if within(name, "cadencebus"))


def imports_from_outside(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """List the foreign top-level names that a module imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                named = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(base)):
                named = [base]
            case _:
                continue
        yield from ((node.lineno, name.partition(".")[0]) for name in named if not within(name, "cadencebus"))


def without_type_only(tree: ast.Module) -> ast.Module:
    """Leave out what stands under `if TYPE_CHECKING`: a rule may say that it takes a `random.Random`."""
    return ast.Module([node for node in tree.body if not is_type_only(node)], [])


def is_type_only(node: ast.stmt) -> bool:
    """Tell whether a block is for type checkers alone."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
