"""Small faults in a module, one at a time: what `scripts/mutate` tries.

A changed comparison, number, `and`, `not`, sign, condition or return value; a statement left out; an error
that nobody catches.
"""

from __future__ import annotations

import ast
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Spoil = Callable[[], None]
    Fault = tuple[str, Spoil, int]

SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


class Mutant(NamedTuple):
    """One fault: the line, what is wrong there, and which fault of which node of the tree it is."""

    line: int
    said: str
    at: int
    way: int

    def put_into(self, tree: ast.Module) -> ast.Module:
        """Spoil a tree that is as it was read."""
        list(faults(next(islice(ast.walk(tree), self.at, None))))[self.way][1]()
        return ast.fix_missing_locations(tree)


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """Every mutant of a module."""
    spared = no_code(tree)
    for at, node in enumerate(ast.walk(tree)):
        for way, (said, _, line) in enumerate(faults(node)):
            if node not in spared:
                yield Mutant(line, said, at, way)


def no_code(tree: ast.Module) -> set[ast.AST]:
    """What runs for nobody: annotations, decorators, imports for the type checker."""
    spared: set[ast.AST] = set()
    for outer in ast.walk(tree):
        if isinstance(outer, ast.If) and getattr(outer.test, "id", "") == "TYPE_CHECKING":
            spared |= set(ast.walk(outer))
        decorators = getattr(outer, "decorator_list", [])
        for notes in (getattr(outer, "annotation", None), getattr(outer, "returns", None), *decorators):
            if isinstance(notes, ast.AST):
                spared |= set(ast.walk(notes))
    return spared


def faults(node: ast.AST) -> Iterator[Fault]:
    """What can be made wrong with one node: how it is told, and what does it, in place."""
    line = getattr(node, "lineno", 0)
    for kind in (wrong_values, wrong_operators, wrong_conditions):
        for said, spoil in kind(node):
            yield said, spoil, line
    yield from left_out(node)
    yield from not_caught(node)


def wrong_values(node: ast.AST) -> Iterator[tuple[str, Spoil]]:
    """Another number, the opposite truth, nothing for an answer."""
    if isinstance(node, ast.Constant):
        before = node.value
        for after in neighbours(before):
            yield f"{before!r} -> {after!r}", partial(setattr, node, "value", after)
    if (
        isinstance(node, ast.Return)
        and node.value is not None
        and getattr(node.value, "value", 0) is not None
    ):
        yield "return None", partial(setattr, node, "value", ast.Constant(value=None))


def neighbours(value: object) -> tuple[float, ...]:
    """What a constant might have been by mistake."""
    if isinstance(value, bool):
        return (not value,)
    return (value + 1, value - 1) if isinstance(value, int | float) else ()


def wrong_operators(node: ast.AST) -> Iterator[tuple[str, Spoil]]:
    """The operator's neighbour, the other sign, the opposite of `not`."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPS:
        before, after = type(node.ops[0]), SWAPS[type(node.ops[0])]
        yield f"{before.__name__} -> {after.__name__}", partial(setattr, node, "ops", [after()])
    if isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in SWAPS:
        after = SWAPS[type(node.op)]
        yield f"{type(node.op).__name__} -> {after.__name__}", partial(setattr, node, "op", after())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield (
            "without not",
            partial(setattr, node, "operand", ast.UnaryOp(op=ast.Not(), operand=node.operand)),
        )
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "without -", partial(setattr, node, "op", ast.UAdd())


def wrong_conditions(node: ast.AST) -> Iterator[tuple[str, Spoil]]:
    """An `if` that always or never holds, a loop never entered, a filter that lets everything through."""
    if isinstance(node, ast.If | ast.IfExp):
        for always in (False, True):
            yield f"if {always}", partial(setattr, node, "test", ast.Constant(value=always))
    if isinstance(node, ast.While):
        yield "while False", partial(setattr, node, "test", ast.Constant(value=False))
    for comprehension in getattr(node, "generators", ()):
        for condition in comprehension.ifs:
            yield "for without if", partial(comprehension.ifs.remove, condition)


def left_out(node: ast.AST) -> Iterator[Fault]:
    """One of the statements below a node not done: a call, a jump, an error, a change of what outlives it."""
    for block in ("body", "orelse", "finalbody"):
        for at, statement in enumerate(_statements(node, block)):
            match statement:
                case ast.Expr(value=ast.Constant()):
                    continue
                case ast.Assign(targets=[ast.Name()]) | ast.AnnAssign(target=ast.Name()):
                    continue
                case ast.Expr() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
                    pass
                case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                    pass
                case _:
                    continue
            said = ast.unparse(statement).partition("\n")[0]
            yield (
                f"without {said[:60]}",
                partial(getattr(node, block).__setitem__, at, ast.Pass()),
                statement.lineno,
            )


def _statements(node: ast.AST, block: str) -> list[ast.stmt]:
    statements = getattr(node, block, [])
    return statements if isinstance(statements, list) else []


def not_caught(node: ast.AST) -> Iterator[Fault]:
    """An error that goes on up where it was handled."""
    for handler in getattr(node, "handlers", ()):
        if not isinstance(handler.body[0], ast.Raise):
            yield "except: raise", partial(setattr, handler, "body", [ast.Raise()]), handler.lineno
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress") and node.args:
        yield "suppress nothing", partial(setattr, node, "args", []), node.lineno
