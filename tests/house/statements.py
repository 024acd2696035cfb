"""Where the text of a statement of SQL comes from, followed back through the source.

An expression is *ours* when all of its text stands in the source: constants and what is put together from them, through
names, the functions that return a piece, and a parameter's every caller. No name and no type is believed, and what
cannot be followed is not ours.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.house.source import Module

RUN = {"execute", "change", "execute_many"}
OF_TEXT = {"join", "format", "replace", "items", "values"}  # ours where the text is, and what is given to them
SAME_PARTS = {"sorted", "tuple", "list", "frozenset", "reversed"}
NUMBERS = {"int", "len", "range"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Path = tuple[int | None, ...]
"""What is taken out of a value: (1,) is its second part, (None, 1) the second part of each of its elements."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where an expression stands; `function` is None at the top of the file."""

    module: Module
    function: Function | None = None


class Statements:
    """The statements of some files. `believed`: functions, "file:name", whose text and parameters are not followed."""

    def __init__(self, files: tuple[Module, ...], believed: Iterable[str] = ()) -> None:
        self._believed = frozenset(believed)
        self.relied_on: set[str] = set()
        self._files = [Place(module) for module in files]
        self._functions: dict[str, list[Place]] = {}
        self._calls: dict[str, list[tuple[Place, ast.Call, int]]] = {}
        self._seen: set[tuple[ast.AST, Path]] = set()
        for place in self._files:
            self._learn(place.module.tree, place)

    def _learn(self, tree: ast.AST, place: Place) -> None:
        for node in ast.iter_child_nodes(tree):
            inside = place
            if isinstance(node, Function):
                inside = Place(place.module, node)
                self._functions.setdefault(node.name, []).append(inside)
            elif isinstance(node, ast.Call):
                for handed, each in enumerate([node.func, *node.args]):  # database.read(f, a) calls f with tx and a
                    self._calls.setdefault(name_of(each), []).append((place, node, handed))
            self._learn(node, inside)

    def strange(self) -> list[str]:
        """Every statement that is run and is not ours, as "file:line"."""
        found = []
        for place, call, handed in [each for name in RUN for each in self._calls.get(name, [])]:
            runs = not handed and ast.unparse(call.func).rpartition(".")[0].endswith("tx")
            if runs and not self._all(call.args[:1], place):
                found.append(f"{place.module.path}:{call.lineno}")
                self._seen.clear()  # some were held for ours because they lead back to what is not
        return found

    def _ours(self, node: ast.AST, place: Place, path: Path = ()) -> bool:
        if (node, path) in self._seen:  # it was followed, or is being followed
            return True
        self._seen.add((node, path))
        return self._follow(node, place, path)

    def _all(self, nodes: Iterable[ast.AST | None], place: Place, path: Path = ()) -> bool:
        return all(each is not None and self._ours(each, place, path) for each in nodes)

    def _follow(self, node: ast.AST, place: Place, path: Path) -> bool:
        match node:
            case ast.Constant():
                return True
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                if path and path[0] is not None and not any(isinstance(each, ast.Starred) for each in parts):
                    return self._ours(parts[path[0]], place, path[1:])
                return self._all(parts, place, path[1:] if path[:1] == (None,) else ())
            case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part):
                return self._ours(part, place, path[1:])
            case ast.JoinedStr(values=parts):
                return self._all(parts, place)
            case ast.Dict(keys=keys, values=parts):
                return self._all([*keys, *parts], place)
            case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
                return self._all([left, right], place, path)
            case ast.FormattedValue(value=part) | ast.UnaryOp(operand=part) | ast.Subscript(value=part):
                return self._ours(part, place)
            case ast.Starred(value=part):
                return self._ours(part, place, (None, *path))
            case ast.Name(id=name):
                return self._named(name, place, path)
            case ast.Attribute(value=ast.Name(id=enumeration), attr=name) if (
                enumeration[0].isupper() and name.isupper()
            ):
                return True
            case ast.Attribute(value=member, attr="value"):
                return self._ours(member, place, path)
            case ast.Attribute(attr=name):  # of an object of this file
                return self._attribute(name, place.module, path)
            case ast.Call(func=ast.Name(id=name)) if name in NUMBERS:
                return True
            case ast.Call(func=ast.Name(id="enumerate"), args=[each]):
                return path[:2] == (None, 0) or self._ours(each, place, (None, *path[2:]))
            case ast.Call(func=ast.Name(id="zip"), args=parts) if path[:1] == (None,) and path[1:2] != (None,):
                return self._all(parts[path[1] :][:1] if path[1:] else parts, place, (None, *path[2:]))
            case ast.Call(func=ast.Name(id=name), args=[part]) if name in SAME_PARTS:
                return self._ours(part, place, path)
            case ast.Call(func=ast.Name(id="map"), args=[function, _]):
                return self._returned(function, place, path[1:])
            case ast.Call(func=ast.Attribute(value=text, attr=name), args=parts, keywords=keys) if name in OF_TEXT:
                return self._all([text, *parts, *(key.value for key in keys)], place)
            case ast.Call(func=function):
                return self._returned(function, place, path)
        return False

    def _named(self, name: str, place: Place, path: Path) -> bool:
        """A name of a function, else of its file, else of the file that it is imported from."""
        if place.function is not None:
            given = [*place.function.args.posonlyargs, *place.function.args.args, *place.function.args.kwonlyargs]
            for at, each in enumerate(given):
                if each.arg == name and not self._handed_over(place, given, at, path):
                    return False
            bound = any(bindings(ast.walk(place.function), name))
            if bound or any(each.arg == name for each in given):
                return not bound or self._bound(ast.walk(place.function), name, place, path)
        imported = {
            alias.asname or alias.name
            for node in ast.walk(place.module.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        homes = [each for each in self._files if name in imported or each.module is place.module]
        found = [each for each in homes if any(bindings(top(each.module), name))]
        return bool(found) and all(self._bound(top(each.module), name, each, path) for each in found)

    def _attribute(self, name: str, module: Module, path: Path) -> bool:
        places = [each for named in self._functions.values() for each in named if each.module is module]
        found = [each for each in places if each.function and any(bindings(ast.walk(each.function), name))]
        return bool(found) and all(
            self._bound(ast.walk(each.function), name, each, path) for each in found if each.function
        )

    def _bound(self, nodes: Iterable[ast.AST], name: str, place: Place, path: Path) -> bool:
        """Every value that a name is given."""
        found = list(bindings(nodes, name))
        return bool(found) and all(
            value is not None and self._ours(value, place, (*taken, *path)) for value, taken in found
        )

    def _handed_over(self, place: Place, given: list[ast.arg], at: int, path: Path) -> bool:
        """What every caller gives for a parameter, and what it is when nothing is given."""
        assert place.function is not None
        function, name = place.function, given[at].arg
        if self._is_believed(place, function):
            return True
        arguments = function.args
        defaults = [*[None] * len(given), *arguments.defaults, *arguments.kw_defaults][-len(given) :]
        found = []
        for site, call, handed in self._calls.get(function.name, []):
            if function.name.startswith("_") and site.module is not place.module:
                continue  # another's
            by_name = [key.value for key in call.keywords if key.arg == name]
            told = at - (given[0].arg == "self")
            by_place = call.args[handed + told - 1 if handed else told :]
            by_place = [] if given[at] in arguments.kwonlyargs else by_place[:1]
            value = (by_name or by_place or [defaults[at]])[0]
            found.append(value is not None and self._ours(value, site, path))
        return bool(found) and all(found)

    def _returned(self, function: ast.AST, place: Place, path: Path) -> bool:
        """What the functions of that name return, or yield."""
        named = self._functions.get(name_of(function), [])
        for each in [near for near in named if near.module is place.module] or named:
            assert each.function is not None
            if self._is_believed(each, each.function):
                continue
            returns = [node.value for node in ast.walk(each.function) if isinstance(node, ast.Return)]
            yields = [node.value for node in ast.walk(each.function) if isinstance(node, ast.Yield)]
            if not (self._all(yields, each, path[1:]) if yields else self._all(returns, each, path)):
                return False
        return bool(named)

    def _is_believed(self, place: Place, function: Function) -> bool:
        name = f"{place.module.path}:{function.name}"
        self.relied_on |= self._believed & {name}
        return name in self._believed


def top(module: Module) -> Iterator[ast.AST]:
    """What a file does when it is loaded."""
    for node in module.tree.body:
        if not isinstance(node, Function | ast.ClassDef):
            yield from ast.walk(node)


def name_of(function: ast.AST) -> str:
    """`f` and `x.f` → f."""
    return getattr(function, "id", None) or getattr(function, "attr", "")


def bindings(nodes: Iterable[ast.AST], name: str) -> Iterator[tuple[ast.AST | None, Path]]:
    """What a name, or an attribute, is made of: (value, the part that is taken); no value where that cannot be said."""
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from taken(target, name, value, ())
            case ast.AnnAssign(target=target, value=ast.AST() as value) | ast.AugAssign(target=target, value=value):
                yield from taken(target, name, value, ())
            case ast.NamedExpr(target=target, value=value):
                yield from taken(target, name, value, ())
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield from taken(target, name, value, (None,))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=grown), attr="append"), args=parts) if grown == name:
                yield ast.List(elts=parts), ()
            case ast.Call(func=ast.Attribute(value=ast.Name(id=grown), attr="extend"), args=[part]) if grown == name:
                yield part, ()
            case ast.withitem(optional_vars=ast.AST() as target):
                yield from ((None, part) for _, part in taken(target, name, target, ()))
            case ast.MatchAs(name=caught) | ast.MatchStar(name=caught) | ast.ExceptHandler(name=caught):
                if caught == name:
                    yield None, ()


def taken(target: ast.AST, name: str, value: ast.AST, path: Path) -> Iterator[tuple[ast.AST | None, Path]]:
    """Which part of the value the name gets, where it stands in the target."""
    match target:
        case ast.Name(id=found) | ast.Attribute(attr=found) if found == name:
            yield value, path
        case ast.Subscript(value=whole):
            yield from taken(whole, name, value, ())
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for number, part in enumerate(parts):
                yield from taken(part, name, value, (*path, number))
        case ast.Starred(value=part):
            yield from ((None, rest) for _, rest in taken(part, name, value, path))
