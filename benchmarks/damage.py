"""Damage files by a seed, as bad disks, broken downloads and incomplete copies do.

>>> damaged(b"0123456789", seed=1) == damaged(b"0123456789", seed=1)
True
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

HEADER = 1024  # bytes at the start of a file, where most of its numbers are
EXTREMES = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)

Damage = Callable[[bytes, Random], bytes]


def damaged(data: bytes, seed: int) -> bytes:
    """Return the bytes after one to four kinds of damage; equal seeds give equal bytes."""
    random = Random(seed)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(KINDS)(data, random) if data else data
    return data


def flip_bits(data: bytes, random: Random) -> bytes:
    return _flipped(data, random, random.randint(1, 50), len(data))


def flip_bits_of_the_header(data: bytes, random: Random) -> bytes:
    return _flipped(data, random, random.randint(1, 5), min(HEADER, len(data)))


def _flipped(data: bytes, random: Random, count: int, reach: int) -> bytes:
    out = bytearray(data)
    for _ in range(count):
        out[random.randrange(reach)] ^= 1 << random.randrange(8)
    return bytes(out)


def overwrite(data: bytes, random: Random) -> bytes:
    """Overwrite a part with zeros, ones or noise."""
    start, stop = _stretch(data, random)
    fill = random.choice((b"\0", b"\xff", b""))
    return data[:start] + (fill * (stop - start) or random.randbytes(stop - start)) + data[stop:]


def change_a_number(data: bytes, random: Random) -> bytes:
    """Change a number anywhere, or in the header, where sizes, times and counts are."""
    at = random.randrange(random.choice((len(data), min(HEADER, len(data)))))
    width = random.choice((2, 4))
    value = random.choice(EXTREMES) & ((1 << 8 * width) - 1)
    number = value.to_bytes(width, random.choice(("big", "little")))
    return data[:at] + number + data[at + width :]


def cut_short(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def lose_the_start(data: bytes, random: Random) -> bytes:
    return data[random.randrange(len(data)) :]


def lose_a_piece(data: bytes, random: Random) -> bytes:
    start, stop = _stretch(data, random)
    return data[:start] + data[stop:]


def repeat_a_piece(data: bytes, random: Random) -> bytes:
    start, stop = _stretch(data, random)
    return data[:stop] + data[start:]


def swap_two_pieces(data: bytes, random: Random) -> bytes:
    first, second, third = sorted(random.randrange(len(data) + 1) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def insert_noise(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.randbytes(random.randint(1, 2000)) + data[at:]


def _stretch(data: bytes, random: Random) -> tuple[int, int]:
    """Choose a part of at most a quarter of the file; short parts are as likely as long parts."""
    length = max(1, int(len(data) * 0.25 ** random.uniform(1, 6)))
    start = random.randrange(len(data))
    return start, min(len(data), start + length)


KINDS: tuple[Damage, ...] = (
    flip_bits,
    flip_bits_of_the_header,
    overwrite,
    change_a_number,
    cut_short,
    lose_the_start,
    lose_a_piece,
    repeat_a_piece,
    swap_two_pieces,
    insert_noise,
)
