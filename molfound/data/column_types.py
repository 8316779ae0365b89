"""Types of a table's columns: the plain one that a file's is read as, and one that holds those of many files."""

import pyarrow as pa
import pyarrow.compute as pc


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column is read as: text as strings whatever its encoding in the file, decimals as float64.

    >>> plain_type(pa.large_list(pa.decimal128(9, 2)))
    ListType(list<item: double>)
    """
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        return pa.list_(plain_type(kind.value_type))
    return kind


def plain(column: pa.Array) -> pa.Array:
    """Return a column in its plain type."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    return pc.cast(column, plain_type(column.type))


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the plain type that the values of both can be read as, or None.

    A column without any value fits all others; numbers go with wider ones, and with text as text.

    >>> common_type(pa.int32(), pa.float64()), common_type(pa.null(), pa.int8()), common_type(pa.int8(), pa.string())
    (DataType(double), DataType(int8), DataType(string))
    >>> common_type(pa.float64(), pa.list_(pa.float64())) is None
    True
    """
    if one == other:
        return one
    if {pa.types.is_string(one), pa.types.is_string(other)} == {True, False}:
        number = other if pa.types.is_string(one) else one
        simple = pa.types.is_integer(number) or pa.types.is_floating(number) or pa.types.is_null(number)
        return pa.string() if simple else None
    schemas = [pa.schema([("column", kind)]) for kind in (one, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field("column").type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
