"""Text to the numbers of word pieces, in plain Python: the text tower's first step.

The scheme is BERT's (Devlin et al. 2019) in its uncased form: lower case without accents, cut at
spaces and around punctuation, then each word from the left into the longest pieces that the
vocabulary has; a piece that continues a word is written with a leading "##".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SPECIAL = (PAD, UNKNOWN, START, END)
LONGEST_WORD = 100  # characters; what is longer is no word

# Characters of scripts that are written without spaces stand alone, as in BERT.
_ALONE = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))


def _is_punctuation(char: str) -> bool:
    ascii_sign = char.isascii() and not char.isalnum() and char.isprintable()
    return ascii_sign or unicodedata.category(char).startswith("P")


def _stands_alone(char: str) -> bool:
    return _is_punctuation(char) or any(low <= ord(char) <= high for low, high in _ALONE)


def _spaced(char: str) -> str:
    if char.isspace():
        return " "
    kind = unicodedata.category(char)
    if kind == "Mn" or kind.startswith("C") or char == "\ufffd":
        return ""
    return f" {char} " if _stands_alone(char) else char


def words(text: str) -> list[str]:
    """The words and signs of a text: "A dog's café" gives a, dog, ', s, cafe."""
    plain = unicodedata.normalize("NFD", text.lower())
    return "".join(map(_spaced, plain)).split()


class WordPieces:
    """A vocabulary, and how it writes text.

    >>> WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ski", "##ing"])("Skiing!")
    [2, 4, 5, 1, 3]
    """

    def __init__(self, pieces: Sequence[str], longest: int = 48):
        self.pieces = list(pieces)
        self.longest = longest
        self._number = {piece: i for i, piece in enumerate(self.pieces)}
        self._unknown, self._start, self._end = (self._number[s] for s in SPECIAL[1:])
        self._of_word = lru_cache(maxsize=65_536)(self._split)

    def __call__(self, text: str, without: Collection[int] = ()) -> list[int]:
        """The numbers of a text's pieces, between those of [CLS] and [SEP]; at most `longest`.

        without: pieces not to be used (training draws some, so that rare spellings are learned)
        """
        room = self.longest - 2
        numbers: list[int] = []
        for word in words(text[: 20 * self.longest + 1000]):
            numbers += self._split(word, without) if without else self._of_word(word)
            if len(numbers) >= room:
                break
        return [self._start, *numbers[:room], self._end]

    def overflows(self, text: str) -> bool:
        """Whether `longest` pieces do not hold the whole text."""
        room = self.longest - 2
        for word in words(text):
            room -= len(self._of_word(word))
            if room < 0:
                return True
        return False

    def _split(self, word: str, without: Collection[int] = ()) -> tuple[int, ...]:
        if len(word) > LONGEST_WORD:
            return (self._unknown,)
        numbers: list[int] = []
        at = 0
        while at < len(word):
            found = self._longest_at(word, at, without)
            if found is None:
                return (self._unknown,)
            number, at = found
            numbers.append(number)
        return tuple(numbers)

    def _longest_at(self, word: str, at: int, without: Collection[int]) -> tuple[int, int] | None:
        mark = "##" if at else ""
        for end in range(len(word), at, -1):
            number = self._number.get(mark + word[at:end])
            if number is not None and (number not in without or end == at + 1):
                return number, end
        return None
