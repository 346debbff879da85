"""The tokenizer of the embedded encoder: texts to numbers of word pieces, in plain Python.

The tokenizer is WordPiece of uncased BERT (Devlin et al. 2019). Text in lower case without accents
is split at spaces and around punctuation. Then each word is split, from the left, into the longest
pieces in the vocabulary. A piece that continues a word begins with "##".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SPECIAL = (PAD, UNKNOWN, START, END)
LONGEST_WORD = 100  # characters; a longer word becomes [UNK]

# In scripts without spaces, each character is one word, as in BERT.
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
    """Split a text into words and punctuation: "A dog's café" gives a, dog, ', s, cafe."""
    plain = unicodedata.normalize("NFD", text.lower())
    return "".join(map(_spaced, plain)).split()


class WordPieces:
    """A vocabulary that tokenizes texts.

    >>> WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ski", "##ing"])("Skiing!")
    [2, 4, 5, 1, 3]

    Args:
        pieces: The word pieces, in the order of their numbers.
        longest: Maximum number of pieces per text, with [CLS] and [SEP].
    """

    def __init__(self, pieces: Sequence[str], longest: int = 48):
        self.pieces = list(pieces)
        self.longest = longest
        self._number = {piece: i for i, piece in enumerate(self.pieces)}
        self._unknown, self._start, self._end = (self._number[s] for s in SPECIAL[1:])
        self._of_word = lru_cache(maxsize=65_536)(self._split)

    def __call__(self, text: str, without: Collection[int] = ()) -> list[int]:
        """Tokenize a text.

        Args:
            text: The text.
            without: Numbers of pieces not to use (training draws some at random, so that it also
                learns shorter pieces).

        Returns:
            The numbers of the text's pieces, between [CLS] and [SEP]; at most `longest` numbers.
        """
        room = self.longest - 2
        numbers: list[int] = []
        for word in words(text[: 20 * self.longest + 1000]):
            numbers += self._split(word, without) if without else self._of_word(word)
            if len(numbers) >= room:
                break
        return [self._start, *numbers[:room], self._end]

    def overflows(self, text: str) -> bool:
        """Return whether a text has more than `longest` pieces; then its end is cut off."""
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
