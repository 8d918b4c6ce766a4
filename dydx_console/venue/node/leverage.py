"""The messages of `dydxprotocol.clob.Query/Leverage`, which v4-proto 8 does not have.

Source: dydxprotocol/v4-chain proto/dydxprotocol/clob/query.proto, since protocol version 9. They are declared in a pool
of their own: generated code that knows them too would otherwise refuse to be loaded beside them.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

__all__ = ["QueryLeverageRequest", "QueryLeverageResponse"]

_PACKAGE = "dydxprotocol.clob"
_FIELDS: dict[str, tuple[tuple[str, "FieldDescriptorProto.Type.ValueType"], ...]] = {
    "QueryLeverageRequest": (("owner", FieldDescriptorProto.TYPE_STRING), ("number", FieldDescriptorProto.TYPE_UINT32)),
    "ClobPairLeverageInfo": (
        ("clob_pair_id", FieldDescriptorProto.TYPE_UINT32),
        ("custom_imf_ppm", FieldDescriptorProto.TYPE_UINT32),
    ),
    "QueryLeverageResponse": (("clob_pair_leverage", FieldDescriptorProto.TYPE_MESSAGE),),
}
_ROWS = f".{_PACKAGE}.ClobPairLeverageInfo"


def _declared() -> DescriptorPool:
    file = FileDescriptorProto(name="dydxprotocol/clob/leverage_query.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, start=1):
            row = message.field.add(name=field, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
            if kind == FieldDescriptorProto.TYPE_MESSAGE:
                row.label, row.type_name = FieldDescriptorProto.LABEL_REPEATED, _ROWS
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _declared()
QueryLeverageRequest: Any = GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.QueryLeverageRequest"))
"""Asks for a subaccount: `owner`, `number`."""
QueryLeverageResponse: Any = GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.QueryLeverageResponse"))
"""Tells `clob_pair_leverage`: rows of `clob_pair_id` and `custom_imf_ppm`, for the markets where one was chosen."""
