"""The building blocks of the schema: strict tables, and tables that are one of several kinds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    Strict,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Spec(BaseModel):
    """A table of an experiment file: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def options(self) -> dict[str, Any]:
        """The entries without the one that says the kind: arguments for what it stands for."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}


class Kind(Spec):
    """A table with a `kind`."""

    kind: str


@dataclass(frozen=True, eq=False)
class OneOf:
    """Annotates a field that is one of several tables; the entry `key` says which.

    Args:
        models: the table for each value of the key.
        default: the value where the key is left out.
        key: the entry that decides.
        plain: the type of a value that is not a table, where that is allowed too.

    Example:
        >>> from pydantic import TypeAdapter
        >>> class Cat(Kind):
        ...     lives: int = 9
        >>> TypeAdapter(Annotated[Kind, OneOf({"cat": Cat}, "cat")]).validate_python({"lives": 7})
        Cat(kind='cat', lives=7)
    """

    models: Mapping[str, type[BaseModel]]
    default: str
    key: str = "kind"
    plain: Any = None

    def tag(self, name: object) -> str:
        """How pydantic marks a branch in the place of an error; no TOML key looks like it."""
        return f"<{self.key}={name}>"

    def _tag_of(self, value: Any) -> str | None:
        if isinstance(value, Mapping):
            return self.tag(value[self.key])
        if isinstance(value, BaseModel):
            return self.tag(getattr(value, self.key))
        return self.tag("") if self.plain is not None else None

    def _fill(self, value: Any) -> Any:
        if isinstance(value, Mapping) and self.key not in value:
            return {self.key: self.default, **value}
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = {self.tag(name): handler.generate_schema(m) for name, m in self.models.items()}
        if self.plain is not None:
            choices[self.tag("")] = handler.generate_schema(self.plain)
        union = core_schema.tagged_union_schema(choices, self._tag_of)
        return core_schema.no_info_before_validator_function(self._fill, union)


def name_of(names: Iterable[str]) -> AfterValidator:
    """Annotates a string, or strings in a tuple, that must be among `names`."""
    known = list(names)

    def check(value: Any) -> Any:
        for name in (value,) if isinstance(value, str) else value:
            if name not in known:
                raise PydanticCustomError("name", "unknown name", {"got": name, "names": known})
        return value

    return AfterValidator(check)


def wrong(
    at: str = "", *, got: object = None, expected: object = None, fix: str | None = None
) -> PydanticCustomError:
    """What a validator raises: the parts of a `ConfigError`, and a place below its own."""
    told = {"at": at, "got": got, "expected": expected, "fix": fix}
    return PydanticCustomError("wrong", "wrong", {k: v for k, v in told.items() if v is not None})


class Made(Kind):
    """A table that stands for an object: its entries are the arguments of `maker`."""

    maker: ClassVar[Callable[..., Any]]

    def make(self) -> Any:
        """The object."""
        return type(self).maker(**self.options())

    @model_validator(mode="after")
    def _makes(self) -> Self:
        self.make()
        return self


def models_of(registry: Mapping[str, Callable[..., Any]]) -> dict[str, type[Made]]:
    """The table of each entry of a registry: the keyword parameters of what it makes.

    Args:
        registry: functions or classes by kind, whose parameters are annotated.

    Example:
        >>> def truncated(window: int = 50) -> str:
        ...     return f"within {window} steps"
        >>> models_of({"truncated": truncated})["truncated"](window=3).make()
        'within 3 steps'
    """
    return {kind: _model_of(kind, make) for kind, make in registry.items()}


def _model_of(kind: str, make: Callable[..., Any]) -> type[Made]:
    hints = get_type_hints(make.__init__ if inspect.isclass(make) else make, include_extras=True)
    fields: dict[str, Any] = {"kind": (str, kind)}
    for name, parameter in inspect.signature(make).parameters.items():
        if name == "dt":
            continue  # the data say it
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (_from_toml(hints[name]), default)
    model = create_model(kind, __base__=Made, **fields)
    model.maker = staticmethod(make)
    return model


def _from_toml(hint: Any) -> Any:
    """The type of a tuple that TOML can give, which has lists only."""
    return Annotated[hint, Strict(False)] if get_origin(hint) is tuple else hint
