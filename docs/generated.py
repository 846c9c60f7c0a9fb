"""Reference pages made from the code: Python names, keys of input files, verbs of the command line.

Each function returns Markdown, which conf.py puts where a page says `<!-- generated: NAME -->`.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import typer
import yaml
from pydantic import BaseModel
from typer.main import get_command

import simulator
from hw_models.spec import ChipSpec
from simulator import api
from simulator.allocation.file import AllocationFile
from simulator.explore.study import Study
from simulator.fusion.schedule_file import ScheduleFile
from simulator.mapping.mapping import MappingFile
from traces import schema as schema_module
from traces.cli import verbs
from traces.plots.theme import CAUSE_STYLES
from traces.schema import CAUSES, STREAM_SUFFIX, TABLES

HERE = Path(__file__).parent
MEANINGS: dict[str, dict[str, str]] = yaml.safe_load(
    (HERE / "meanings.yaml").read_text(encoding="utf-8")
)
"""Class -> key -> meaning, of keys that the docstring of the class does not explain."""

BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "not empty",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "pattern": "must match `{}`",
}
"""Word of JSON schema -> rule."""

Schema = dict[str, Any]


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def python_page() -> str:
    """Every stable name with its signature and docstring."""
    parts = []
    for name in api.__all__:
        found = getattr(simulator, name)
        if not inspect.isclass(found):
            parts.append(_entry("function", f"{name}{_signature(found)}", found))
            continue
        members = [
            _entry("method", f"{name}.{key}{_signature(member)}", member)
            if inspect.isfunction(member)
            else _entry("property", f"{name}.{key}", member)
            for key, member in vars(found).items()
            if not key.startswith("_")
            and (inspect.isfunction(member) or isinstance(member, property))
            and inspect.getdoc(member)
        ]
        parts.append("\n\n".join([_entry("class", name, found), *members]))
    return "\n\n".join(parts)


def _entry(kind: str, title: str, found: Any) -> str:
    text = [inspect.getdoc(found) or ""]
    if is_dataclass(found):
        text.append("Fields: " + ", ".join(f"`{x.name}: {x.type}`" for x in fields(found)) + ".")
    elif inspect.isclass(found) and issubclass(found, BaseModel):
        text.append(f"Fields: those of the [file](#keys-{found.__name__}).")
    body = "\n\n".join(text)
    return f"````{{py:{kind}}} {title}\n\n{body}\n````"


def _signature(found: Callable[..., Any]) -> str:
    return re.sub(r"\(self(, )?", "(", str(inspect.signature(found)).replace("'", ""))


def keys_page(model: type[BaseModel]) -> str:
    """Every key of a file: name, type, rule, default, meaning; a section for each part of it.

    Before them comes the example in the docstring of the module, if that has one.
    """
    schema = model.model_json_schema()
    parts = {schema["title"]: schema, **_in_order(schema)}
    sections = [_section(name, part) for name, part in parts.items()]
    example = (inspect.getdoc(inspect.getmodule(model)) or "").partition("\n\n")[2]
    if re.match("[a-z_]+: ", example):
        sections.insert(0, f"```yaml\n{example}\n```")
    return "\n\n".join(sections)


def _in_order(schema: Schema) -> dict[str, Schema]:
    """The definitions that a schema refers to, in the order in which a reader meets them."""
    found: dict[str, Schema] = {}
    definitions = schema.get("$defs", {})

    def visit(part: Schema) -> None:
        for name in _references(part):
            if name not in found:
                found[name] = definitions[name]
                visit(definitions[name])

    visit({key: value for key, value in schema.items() if key != "$defs"})
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]
        for key, value in part.items():
            if key != "discriminator":
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _section(name: str, part: Schema) -> str:
    keys = part.get("properties", {})
    intro, meanings = explained(part.get("description", ""), list(keys))
    meanings = {**MEANINGS.get(name, {}), **meanings}
    required = part.get("required", [])
    rows = [
        (
            f"`{key}`",
            _type(value),
            _rule(value),
            "required" if key in required else _default(value),
            meanings.get(key, ""),
        )
        for key, value in keys.items()
    ]
    headings = ("key", "type", "rule", "default", "meaning")
    return f"(keys-{name})=\n### {name}\n\n{intro}\n\n{table(headings, rows)}"


def explained(text: str, keys: list[str]) -> tuple[str, dict[str, str]]:
    """What a docstring says of all, and of each key: `key: meaning.` or `key, key: meaning.`"""
    text = " ".join(text.split())
    starts = [
        match
        for match in re.finditer(r"(?:^|(?<=[.;] ))([a-z0-9_]+(?:, [a-z0-9_]+)*): ", text)
        if set(match[1].split(", ")) <= set(keys)
    ]
    if not starts:
        return text, {}
    ends = [match.start() for match in starts[1:]] + [len(text)]
    meanings = {
        key: text[match.end() : end].strip(" ;")
        for match, end in zip(starts, ends, strict=True)
        for key in match[1].split(", ")
    }
    return text[: starts[0].start()].strip(), meanings


def _type(value: Schema) -> str:
    if "$ref" in value:
        return _link(value["$ref"])
    if "enum" in value or "const" in value:
        return ", ".join(f"`{word}`" for word in value.get("enum", [value.get("const")]))
    for key in ("anyOf", "oneOf", "allOf"):
        if key in value:
            kinds = [_type(part) for part in value[key] if part.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if value.get("type") == "array":
        return f"list of {_type(value['items'])}" if "items" in value else _tuple(value)
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        return f"name: {_type(inner)}" if isinstance(inner, dict) else "mapping"
    names = {"string": "text", "integer": "int", "boolean": "true or false"}
    kind = str(value.get("type", "any value"))
    return names.get(kind, kind)


def _tuple(value: Schema) -> str:
    return f"[{', '.join(_type(part) for part in value.get('prefixItems', []))}]"


def _link(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f"[{name}](#keys-{name})"


def _rule(value: Schema) -> str:
    """The bounds of a value, or of what it is made of."""
    if "prefixItems" in value:
        return ""
    own = [text.format(value[word]) for word, text in BOUNDS.items() if word in value]
    parts = list(value.get("anyOf", []))
    parts += [value[key] for key in ("items", "additionalProperties") if key in value]
    own += [rule for part in parts if isinstance(part, dict) and (rule := _rule(part))]
    return ", ".join(dict.fromkeys(own))


def _default(value: Schema) -> str:
    """The default as a file would say it; of a mapping with keys of its own, that it has them."""
    default = value.get("default")
    if default is None or default in ("", [], {}):
        return "none"
    return "its own" if isinstance(default, dict) else json.dumps(default).strip('"')


def verbs_page() -> str:
    """Every verb with its usage, arguments and options."""
    parts = []
    for verb, point in verbs().items():
        loaded = point.load()
        app = loaded if isinstance(loaded, typer.Typer) else typer.Typer(add_completion=False)
        if app is not loaded:
            app.command(verb)(loaded)
        parts.append(_verb(f"tilesim {verb}", get_command(app), 2))
    return "\n\n".join(parts)


def _verb(name: str, command: Any, level: int) -> str:
    context = command.context_class(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    rows = [
        (f"`{record[0]}`", record[1])
        for parameter in command.get_params(context)
        if "--help" not in parameter.opts
        and (record := parameter.get_help_record(context)) is not None
    ]
    parts = [f"{'#' * level} {name}", inspect.cleandoc(command.help or ""), f"    {usage}"]
    if rows:
        parts.append(table(("argument or option", "meaning"), rows))
    for key, inner in getattr(command, "commands", {}).items():
        parts.append(_verb(f"{name} {key}", inner, level + 1))
    return "\n\n".join(parts)


def trace_page() -> str:
    """The tables of a trace with their columns, and the causes."""
    parts = []
    for name, schema in TABLES.items():
        rows = [(f"`{column.name}`", _arrow(column.type)) for column in schema]
        parts.append(f"### {name}{STREAM_SUFFIX}\n\n{table(('column', 'type'), rows)}")
    causes = [(f"`{cause}`", CAUSE_STYLES[cause].phrase) for cause in CAUSES]
    text = re.sub(r"\n(\w+): ", r"\n\n**\1**: ", _below(schema_module, "TABLES"))
    return "\n\n".join(
        [text, *parts, "## Causes", table(("cause", "cycles that went into"), causes)]
    )


def _arrow(kind: Any) -> str:
    return "text" if pa.types.is_dictionary(kind) else str(kind)


def _below(module: ModuleType, name: str) -> str:
    """The docstring below an assignment of a module."""
    body = ast.parse(inspect.getsource(module)).body
    for before, after in pairwise(body):
        if isinstance(before, ast.AnnAssign) and ast.unparse(before.target) == name:
            return inspect.cleandoc(ast.literal_eval(ast.unparse(after)))
    raise AssertionError(f"{module.__name__}.{name} has no docstring")


PAGES: dict[str, Callable[[], str]] = {
    "python": python_page,
    "commands": verbs_page,
    "trace": trace_page,
    "chip file": lambda: keys_page(ChipSpec),
    "mapping file": lambda: keys_page(MappingFile),
    "allocation file": lambda: keys_page(AllocationFile),
    "schedule file": lambda: keys_page(ScheduleFile),
    "study file": lambda: keys_page(Study),
}
"""Name in `<!-- generated: NAME -->` -> what is put there."""


def filled(text: str) -> str:
    """A page with all that is to be generated in it. Raises KeyError for an unknown name."""
    return re.sub(r"<!-- generated: ([a-z ]+) -->", lambda match: PAGES[match[1]](), text)
