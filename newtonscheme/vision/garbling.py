"""Damage that a decoder shows without a word: bytes that no encoder of the format can have written.

H.264 and H.265 put an emulation prevention byte wherever their payload would hold 00 00 00, 00 00 01 or 00 00 02 (ITU-T H.264 7.4.1, H.265
7.4.2.2). Where one of these is inside a unit, the unit was overwritten: above all by the zeros of a sector that was never read or written.
"""

from __future__ import annotations

from collections.abc import Iterator

FORBIDDEN = (b"\0\0\0", b"\0\0\1", b"\0\0\2")
CODECS = {"h264": 4, "hevc": 21}
"""Byte of the decoder configuration whose two lowest bits are the length of a unit's length, less one (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1)."""
LENGTH_PREFIXED = 1
"""First byte of a configuration of this kind; start codes between the units, as in broadcasts, leave none or another."""


def length_size(codec: str, configuration: bytes | None) -> int | None:
    """Bytes of the length before each unit of a packet; None where units are not told apart by lengths, or are none of H.264 and H.265."""
    place = CODECS.get(codec)
    if place is None or configuration is None or len(configuration) <= place or configuration[0] != LENGTH_PREFIXED:
        return None
    return (configuration[place] & 3) + 1


def is_garbled(packet: bytes, size: int) -> bool:
    """Whether a packet of length-prefixed units holds bytes that no encoder writes, or lengths that do not add up."""
    return any(unit is None or any(unit.rstrip(b"\0").find(bad) >= 0 for bad in FORBIDDEN) for unit in _units(packet, size))


def _units(packet: bytes, size: int) -> Iterator[bytes | None]:
    """The units of a packet; None at a length that leads out of it."""
    at = 0
    while at < len(packet):
        length = int.from_bytes(packet[at : at + size], "big")
        at += size
        if at + length > len(packet):
            yield None
            return
        yield packet[at : at + length]
        at += length
