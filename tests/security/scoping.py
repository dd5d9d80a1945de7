"""Finds the queries on the store that do not name a tenant, by reading the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FIELD = "tenant_id"
QUERIES = frozenset(
    {
        "aggregate",
        "count_documents",
        "delete_many",
        "delete_one",
        "distinct",
        "find",
        "find_one",
        "find_one_and_delete",
        "find_one_and_replace",
        "find_one_and_update",
        "replace_one",
        "update_many",
        "update_one",
    }
)
"""Of PyMongo's collections. What inserts cannot reach what is there; what writes in bulk is looked at by its parts."""
NO_COLLECTIONS = frozenset({"_CROCKFORD", "resolve", "self._routes", "self._journal"})
"""What has methods of the same names."""
PARTS = frozenset({"DeleteMany", "DeleteOne", "ReplaceOne", "UpdateMany", "UpdateOne"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Query:
    where: str
    """`module.Class.function`."""
    call: str
    line: int
    is_scoped: bool
    knows_tenant: bool
    """Whether the function is told for which tenant it works."""


def queries(module: str, source: str) -> Iterator[Query]:
    """Every query in a module."""
    tree = ast.parse(source)
    helpers = {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}
    for names, function in _functions(tree, (module,)):
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (call := _query(node)) is not None:
                is_scoped = any(_is_scoped(argument, function, helpers) for argument in _filters(node, call))
                arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
                yield Query(
                    where=".".join(names),
                    call=call,
                    line=node.lineno,
                    is_scoped=is_scoped,
                    knows_tenant=any(argument.arg == FIELD for argument in arguments),
                )


def _functions(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Function]]:
    """The outermost functions, with their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield (*names, child.name), child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*names, child.name))


def _query(call: ast.Call) -> str | None:
    match call.func:
        case ast.Attribute(attr=name) if name in QUERIES and _is_collection(call.func.value):
            return name
        case ast.Name(id=name) if name in PARTS:
            return name
    return None


def _is_collection(node: ast.expr) -> bool:
    """What is asked with words of PyMongo's and is not known to be something else: rather once too often."""
    match node:
        case ast.Attribute(value=ast.Name(id="self")) | ast.Name() | ast.Subscript():
            return ast.unparse(node) not in NO_COLLECTIONS
    return False


def _filters(call: ast.Call, name: str) -> list[ast.expr]:
    keywords = [keyword.value for keyword in call.keywords if keyword.arg in ("filter", "query")]
    position = 1 if name == "distinct" else 0
    return keywords + call.args[position : position + 1]


def _is_scoped(value: ast.expr, function: Function, helpers: Mapping[str, Function], depth: int = 0) -> bool:
    """Whether this is a dictionary with the field, as far as can be seen in this module."""
    if depth > 4:
        return False
    match value:
        case ast.Dict(keys=keys, values=values):
            return any(
                (isinstance(key, ast.Constant) and (key.value == FIELD or _is_tenant(part)))
                or (key is None and _is_scoped(part, function, helpers, depth + 1))
                for key, part in zip(keys, values, strict=True)
            )
        case ast.Name(id=name):
            assigned = [_assigned(node, name) for node in ast.walk(function)]
            found = [each for each in assigned if each is not None]
            return bool(found) and all(_is_scoped(each, function, helpers, depth + 1) for each in found)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name)) if name in helpers:
            helper = helpers[name]
            returned = [node.value for node in ast.walk(helper) if isinstance(node, ast.Return) and node.value]
            return bool(returned) and all(_is_scoped(each, helper, helpers, depth + 1) for each in returned)
    return False


def _is_tenant(value: ast.expr) -> bool:
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == FIELD
    return False


def _assigned(node: ast.AST, name: str) -> ast.expr | None:
    match node:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            return value
        case ast.AnnAssign(target=ast.Name(id=target), value=value) if target == name:
            return value
    return None
