"""Small changes to Solidity sources, each of which some test should notice.

Changes are made on the compiler's syntax tree, which gives the exact bytes of every expression: so operators are
exchanged, conditions forced, statements and modifiers removed, constants moved by one and arguments swapped, and nearly
every mutant compiles. Assembly and the emission of events are left alone (the agents' tests look at events; `--events`
makes mutants of emissions alone).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .sources import compiled, errors, source, syntax_trees

Node = dict[str, Any]

OPERATORS: dict[str, tuple[str, ...]] = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("*",), "**": ("*",), "<<": (">>",), ">>": ("<<",),
    "&": ("|",), "|": ("&",), "^": ("&",), "&&": ("||",), "||": ("&&",),
    "+=": ("-=", "="), "-=": ("+=", "="), "*=": ("=",), "/=": ("=",), "|=": ("&=", "="), "&=": ("|=", "="),
    "<<=": (">>=",), ">>=": ("<<=",), "++": ("--",), "--": ("++",),
}  # fmt: skip
FUNCTIONS = {"min": "max", "max": "min", "saturatingSub": "max", "ceilDiv": "max"}
"""Library functions, with another of the same arguments."""

TOGETHER = 40
"""Copies of a file in one compilation; the compiler's memory ends at about a hundred of the largest."""


@dataclass(frozen=True)
class Mutant:
    """One change of one source."""

    file: str
    function: str
    """Contract.function, or Contract for what is outside of functions."""
    kind: str
    start: int
    """Place of the first byte that changes, and one past the last."""
    end: int
    replacement: str

    def text(self) -> str:
        """The whole source, changed."""
        text = source(self.file)
        return (text[: self.start] + self.replacement.encode() + text[self.end :]).decode()

    def lines(self) -> tuple[str, str]:
        """The source lines touched, as they are and as they become, white space at the ends removed."""
        text = source(self.file)
        first = text.rfind(b"\n", 0, self.start) + 1
        last = text.find(b"\n", self.end)
        was, now = text[first:last], text[first : self.start] + self.replacement.encode() + text[self.end : last]
        return _trimmed(was.decode()), _trimmed(now.decode())

    def key(self) -> tuple[str, str, str, str]:
        """Names the mutant for as long as the lines it changes stay as they are, wherever they move in the file."""
        return (self.file, self.function, *self.lines())


def _trimmed(text: str) -> str:
    return "\n".join(line for line in (line.strip() for line in text.split("\n")) if line)


def all_mutants(paths: list[str], events: bool = False) -> list[Mutant]:
    """Every mutant of these sources, in their order; of emissions alone, or of everything else."""
    trees = syntax_trees(paths)
    found = [mutant for path in paths for mutant in _Walk(path).mutants(trees[path])]
    return [mutant for mutant in dict.fromkeys(found) if (mutant.kind == "event") == events]


def stillborn(mutants: list[Mutant]) -> set[Mutant]:
    """Those that are no Solidity. Many are compiled at once, each as a copy of its file beside it."""
    dead = set()
    for first in range(0, len(mutants), TOGETHER):
        copies = {f"{mutant.file}.{at}.sol": mutant for at, mutant in enumerate(mutants[first : first + TOGETHER])}
        answer = compiled({name: mutant.text() for name, mutant in copies.items()}, ["abi"])
        dead |= {copies[error["sourceLocation"]["file"]] for error in errors(answer)}
    return dead


class _Walk:
    """Finds the mutants of one source."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.source = source(file)
        self.contract = ""
        self.function = ""

    def mutants(self, tree: Node) -> Iterator[Mutant]:
        yield from self._visit(tree)

    def _visit(self, node: Node) -> Iterator[Mutant]:
        kind = node.get("nodeType", "")
        if kind in ("InlineAssembly", "ImportDirective", "StructDefinition", "EnumDefinition", "ErrorDefinition"):
            return
        if kind in ("EventDefinition", "UsingForDirective", "ArrayTypeName", "StructuredDocumentation"):
            return
        outer = (self.contract, self.function)
        if kind == "ContractDefinition":
            if node["contractKind"] == "interface":
                return
            self.contract = self.function = node["name"]
        elif kind in ("FunctionDefinition", "ModifierDefinition"):
            name = node["name"] or node.get("kind", "")
            self.function = f"{self.contract}.{name}" if self.contract else name
        elif kind == "EmitStatement":
            yield self._deleted(node, "event")
            return
        yield from self._of(kind, node)
        for key, child in node.items():
            if isinstance(child, dict):
                # Without its step a loop never ends, and a revert's arguments are for people.
                if (kind, key) == ("ForStatement", "loopExpression"):
                    yield from self._visit(child["expression"])
                elif (kind, key) != ("RevertStatement", "errorCall"):
                    yield from self._visit(child)
            elif isinstance(child, list):
                for item in child:
                    if isinstance(item, dict):
                        yield from self._visit(item)
        self.contract, self.function = outer

    def _of(self, kind: str, node: Node) -> Iterator[Mutant]:
        if kind in ("BinaryOperation", "Assignment"):
            side = "Expression" if kind == "BinaryOperation" else "HandSide"
            yield from self._exchanged(node, node["left" + side], node["right" + side])
        elif kind == "UnaryOperation":
            yield from self._unary(node)
        elif kind in ("IfStatement", "Conditional"):
            for value in ("true", "false"):
                yield self._mutant("condition", node["condition"], value)
        elif kind == "ExpressionStatement":
            yield self._deleted(node, "statement")
        elif kind == "RevertStatement":
            yield self._deleted(node, "revert")
        elif kind == "ModifierInvocation" and node.get("kind") == "modifierInvocation":
            yield self._mutant("modifier", node, "")
        elif kind == "Literal":
            yield from self._literal(node)
        elif kind == "FunctionCall":
            yield from self._call(node)
        elif kind in ("Break", "Continue"):
            yield self._mutant("jump", node, "continue" if kind == "Break" else "break")

    def _exchanged(self, node: Node, left: Node, right: Node) -> Iterator[Mutant]:
        begin, end = _span(left)[1], _span(right)[0]
        at = begin + self.source[begin:end].decode("latin-1").index(node["operator"])
        for other in OPERATORS.get(node["operator"], ()):
            yield self._change("operator", at, at + len(node["operator"]), other)

    def _unary(self, node: Node) -> Iterator[Mutant]:
        begin, end = _span(node)
        operator = node["operator"]
        at = begin if node["prefix"] else end - len(operator)
        if operator in ("!", "~", "-"):
            yield self._change("operator", at, at + 1, "")
        for other in OPERATORS.get(operator, ()) if operator in ("++", "--") else ():
            yield self._change("operator", at, at + 2, other)

    def _literal(self, node: Node) -> Iterator[Mutant]:
        text = self._text(node)
        if node["kind"] == "bool":
            yield self._mutant("constant", node, "false" if text == "true" else "true")
        elif node["kind"] == "number":
            if re.fullmatch(r"[0-9_]+", text):
                value = int(text)
                for other in [value + 1, value - 1] if value > 0 else [1]:
                    yield self._mutant("constant", node, str(other))
            else:
                yield self._mutant("constant", node, f"({text} + 1)")

    def _call(self, node: Node) -> Iterator[Mutant]:
        called = node["expression"]
        if (
            called["nodeType"] == "MemberAccess"
            and called["memberName"] in FUNCTIONS
            and node["kind"] == "functionCall"
        ):
            end = _span(called)[1]
            name = called["memberName"]
            yield self._change("function", end - len(name), end, FUNCTIONS[name])
        if node["kind"] == "typeConversion" or node.get("names") or called.get("memberName") in ("min", "max"):
            return
        given = node["arguments"]
        for one, two in itertools.pairwise(given):
            same = one["typeDescriptions"].get("typeString") == two["typeDescriptions"].get("typeString")
            if same and self._text(one) != self._text(two):
                (begin, middle), (after, end) = _span(one), _span(two)
                between = self.source[middle:after].decode()
                yield self._change("arguments", begin, end, self._text(two) + between + self._text(one))

    def _deleted(self, node: Node, kind: str) -> Mutant:
        begin, end = _span(node)
        if self.source[end : end + 1] == b";":
            end += 1
        return self._change(kind, begin, end, "{}")

    def _mutant(self, kind: str, node: Node, replacement: str) -> Mutant:
        return self._change(kind, *_span(node), replacement)

    def _change(self, kind: str, begin: int, end: int, replacement: str) -> Mutant:
        return Mutant(self.file, self.function or self.contract, kind, begin, end, replacement)

    def _text(self, node: Node) -> str:
        begin, end = _span(node)
        return self.source[begin:end].decode()


def _span(node: Node) -> tuple[int, int]:
    begin, length, _file = (int(part) for part in node["src"].split(":"))
    return begin, begin + length
