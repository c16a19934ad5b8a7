"""SipHash-2-4 with a result of 128 bits (Aumasson and Bernstein, 2012)."""

from typing import List

_MASK = 0xFFFFFFFFFFFFFFFF


def siphash128(key: bytes, data: bytes) -> bytes:
    """The digest (16 bytes) of data under a key of 16 bytes."""
    k0 = int.from_bytes(key[:8], "little")
    k1 = int.from_bytes(key[8:], "little")
    v = [
        k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D ^ 0xEE,
        k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573,
    ]
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for i in range(0, len(padded), 8):
        word = int.from_bytes(padded[i:i + 8], "little")
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xEE
    _rounds(v, 4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    _rounds(v, 4)
    second = v[0] ^ v[1] ^ v[2] ^ v[3]
    return first.to_bytes(8, "little") + second.to_bytes(8, "little")


def _rounds(v: List[int], count: int) -> None:
    for _ in range(count):
        v[0] = v[0] + v[1] & _MASK
        v[1] = _rotate(v[1], 13) ^ v[0]
        v[0] = _rotate(v[0], 32)
        v[2] = v[2] + v[3] & _MASK
        v[3] = _rotate(v[3], 16) ^ v[2]
        v[0] = v[0] + v[3] & _MASK
        v[3] = _rotate(v[3], 21) ^ v[0]
        v[2] = v[2] + v[1] & _MASK
        v[1] = _rotate(v[1], 17) ^ v[2]
        v[2] = _rotate(v[2], 32)


def _rotate(x: int, bits: int) -> int:
    return (x << bits | x >> 64 - bits) & _MASK
