"""What is wrong with an experiment file, all at once and in the user's terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from surgrad.errors import ConfigError, SurgradError
from surgrad.training.toml import show
from surgrad.training.unions import OneOf

MOST_LINES, WIDTH = 20, 76
"""What fits on a screen, with some room."""
FEW = 6
"""Names that are listed even beside a suggestion."""

_EXPECTED = re.compile(r"^Input should be (?:a valid |an )?")
_TOLD = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string in quotes",
    "path_type": "a path in quotes",
    "tuple_type": "a list",
    "string_pattern_mismatch": "letters, digits, and _ - . within",
    "finite_number": "a finite number",
}
_TABLE_TYPES = {"model_type", "model_attributes_type", "dict_type", "union_tag_not_found"}


def config_error(
    source: str, error: ValidationError, model: type[BaseModel], table: Mapping[str, Any]
) -> ConfigError:
    """One error that tells all that pydantic found.

    Args:
        source: the file.
        error: what validating `table` as `model` raised.
        model: the schema, for the keys that would have been known.
        table: what was validated.
    """
    return summary(source, [_problem(details, model, table) for details in error.errors()])


def summary(source: str, problems: list[ConfigError]) -> ConfigError:
    """One error for several problems in a file, at most a screen long."""
    lines = [f"{source}: {len(problems)} problem{'s' if len(problems) > 1 else ''}"]
    height = 1
    for index, problem in enumerate(problems):
        line = f"  {problem}"
        height += -(-len(line) // WIDTH)
        if index and height > MOST_LINES:
            lines.append(f"  and {len(problems) - index} more")
            break
        lines.append(line)
    return ConfigError("\n".join(lines))


def did_you_mean(word: object, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """A suggestion for a mistyped name.

    Example:
        >>> did_you_mean("epoch", ["epochs", "batch_size"])
        'did you mean epochs?'
    """
    close = get_close_matches(str(word), list(known), n=2, cutoff=0.55)
    if not close:
        return otherwise
    ratios = [SequenceMatcher(a=str(word), b=name).ratio() for name in close]
    alike = [name for name, ratio in zip(close, ratios, strict=True) if ratio > ratios[0] - 0.03]
    return f"did you mean {' or '.join(alike)}?"


def _problem(
    details: ErrorDetails, model: type[BaseModel], table: Mapping[str, Any]
) -> ConfigError:
    context = details.get("ctx", {})
    place = (_place(details["loc"], table) + str(context.get("at", ""))).lstrip(".")
    value = details["input"]
    got = f"a table with {len(value)} keys" if isinstance(value, Mapping) else show(value)
    match details["type"]:
        case "extra_forbidden":
            return _unknown_key(place, details["loc"], model)
        case "missing":
            key = details["loc"][-1]
            return ConfigError(place, got="nothing", expected=f"a value for {key}")
        case "union_tag_invalid":
            union = _walk(model, details["loc"])
            return _unknown_kind(place, value, union if isinstance(union, OneOf) else None)
        case "name":
            word, names = context["got"], context["names"]
            return _unknown_name(place, word, names)
        case "literal_error":
            names = re.findall(r"'([^']*)'", str(context["expected"]))
            return _unknown_name(place, value, names)
        case "wrong":
            return ConfigError(
                place or "the experiment", got=context.get("got", got), **_told(context)
            )
        case "value_error":
            fields = list(value) if isinstance(value, Mapping) else []
            return _refused(place, context["error"], fields)
        case kind if kind in _TABLE_TYPES:
            return ConfigError(place, got=got, expected="a table", fix=_as_table(place, value))
        case _:
            expected = _TOLD.get(details["type"], _EXPECTED.sub("", details["msg"]))
            return ConfigError(place, got=got, expected=expected)


def _refused(place: str, error: Exception, fields: list[str]) -> ConfigError:
    """What the object said that the table stands for."""
    if not isinstance(error, SurgradError):
        return ConfigError(place, expected=str(error))
    words = re.findall(r"\w+", error.what)
    field = next((word for word in words if word in fields), None)
    place = f"{place}.{field}" if field else place
    return ConfigError(place, got=error.got, expected=error.expected, fix=error.fix)


def _told(context: Mapping[str, Any]) -> dict[str, Any]:
    return {name: context[name] for name in ("expected", "fix") if name in context}


def _place(loc: tuple[int | str, ...], table: Any) -> str:
    """`network.layers[0].size`, without the branches that pydantic took."""
    text = ""
    node: Any = table
    for part in loc:
        if isinstance(part, str) and part.startswith("<"):
            continue
        if isinstance(part, int) and isinstance(node, Mapping):
            continue  # a single table where a list may stand
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
    return text


def _unknown_key(place: str, loc: tuple[int | str, ...], model: type[BaseModel]) -> ConfigError:
    key = str(loc[-1])
    found = _walk(model, loc[:-1])
    fields = list(found.model_fields) if isinstance(found, type) else []
    union, tag = _walk(model, loc[:-2]), loc[-2] if len(loc) > 1 else ""
    if isinstance(union, OneOf):
        others = [
            name
            for name, other in union.models.items()
            if key in other.model_fields and union.tag(name) != tag
        ]
        if others:
            return ConfigError(
                place,
                got="a key that this kind does not have",
                fix=f"{key} belongs to {union.key} = {' or '.join(map(show, others[:3]))}",
            )
    return _unknown_name(place, None, fields, _further_in(key, found) or did_you_mean(key, fields))


def _further_in(key: str, model: Any) -> str | None:
    """A suggestion for a key that belongs to a table of this one."""
    plain: list[str] = []
    kinds: list[str] = []
    for name in model.model_fields if isinstance(model, type) else ():
        node = _step(model, name)
        models = list(node.models.values()) if isinstance(node, OneOf) else [node]
        if any(key in getattr(inner, "model_fields", ()) for inner in models):
            (kinds if isinstance(node, OneOf) else plain).append(f"{name}.{key}")
    places = plain or kinds
    return f"did you mean {' or '.join(places)}?" if 0 < len(places) < FEW else None


def _unknown_kind(place: str, value: Any, union: OneOf | None) -> ConfigError:
    if union is None or not isinstance(value, Mapping):
        return ConfigError(place, got=show(value), expected="another kind")
    return _unknown_name(f"{place}.{union.key}", value[union.key], list(union.models))


def _unknown_name(place: str, word: Any, names: list[str], fix: str | None = None) -> ConfigError:
    fix = fix or did_you_mean(word, names)
    # the whole list is long, and not needed beside a good guess
    brief = fix and len(names) > FEW
    expected = None if brief else ("one of " if len(names) > 1 else "") + ", ".join(names)
    got = "an unknown key" if word is None else show(word)
    return ConfigError(place, got=got, expected=expected, fix=fix)


def _as_table(place: str, value: Any) -> str:
    key = place.rpartition(".")[2]
    if isinstance(value, str):
        return f"write {key} = {{ kind = {show(value)} }}"
    return "write { key = value, … }" if "[" in key else f"write {key} = {{ key = value, … }}"


def _walk(model: Any, loc: tuple[int | str, ...]) -> Any:
    """The table model or the `OneOf` at a place, or None."""
    node: Any = model
    for part in loc:
        node = _step(node, part)
        if node is None:
            return None
    return node


def _step(node: Any, part: int | str) -> Any:
    if isinstance(node, OneOf):
        names = {node.tag(name): other for name, other in node.models.items()}
        return names.get(str(part))
    if isinstance(node, type) and issubclass(node, BaseModel):
        info = node.model_fields.get(str(part))
        return None if info is None else _of_field(info)
    if isinstance(part, int):
        inner = [_of_hint(argument) for argument in get_args(node) if argument is not ...]
        return inner[0] if inner else None
    return None


def _of_field(info: FieldInfo) -> Any:
    unions = [extra for extra in info.metadata if isinstance(extra, OneOf)]
    return unions[0] if unions else _of_hint(info.annotation)


def _of_hint(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        unions = [extra for extra in extras if isinstance(extra, OneOf)]
        return unions[0] if unions else _of_hint(hint)
    inner = [argument for argument in get_args(hint) if argument is not type(None)]
    if len(inner) == 1 and get_origin(hint) is not tuple:
        return _of_hint(inner[0])
    return hint
