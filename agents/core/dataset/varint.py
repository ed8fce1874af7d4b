"""Unsigned varints, as in protobuf, CIDs and CARs: seven bits a byte, the lowest first."""


def varint(value: int) -> bytes:
    """The shortest form of ``value``."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
