"""A component of one's choice, as the configuration writes it: a name and its options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True)
class Component:
    """A component: its registered name and its options.

    In YAML it is the bare name or a mapping ``{name: NAME, option: value, ...}``; written back it is the mapping. The
    options are not checked here: the registry of its kind does, once the plugins are loaded.

    Example:
        >>> Component.of({"name": "huber", "delta": 1.0})
        Component(name='huber', options={'delta': 1.0})
        >>> Component.of("mae")
        Component(name='mae', options={})
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: "Component | str | Mapping[str, Any]") -> "Component":
        """Return the component that a bare name or a mapping with `name` describes.

        Raises:
            PydanticCustomError: a value of another shape; inside a schema, pydantic adds the place.
        """
        match value:
            case Component():
                return value
            case str() if value:
                return cls(value)
            case Mapping():
                name = value.get("name")
                if not isinstance(name, str) or not name:
                    raise PydanticCustomError("component", "needs a name: {name: NAME, option: value}")
                for key in value:
                    if not isinstance(key, str):
                        raise PydanticCustomError("component", "the option '{key}' must be text", {"key": str(key)})
                return cls(name, {key: option for key, option in value.items() if key != "name"})
        raise PydanticCustomError("component", "should be a component: its name, or {name: NAME, option: value}")

    def to_mapping(self) -> dict[str, Any]:
        """Return the mapping form, ``{"name": ..., option: value, ...}``."""
        return {"name": self.name, **self.options}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate with `of`, serialise with `to_mapping`."""
        return core_schema.no_info_plain_validator_function(
            cls.of, serialization=core_schema.plain_serializer_function_ser_schema(cls.to_mapping)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe both forms."""
        mapping = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        return {"anyOf": [{"type": "string", "minLength": 1}, mapping]}
