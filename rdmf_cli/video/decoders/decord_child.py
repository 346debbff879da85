"""The child process of `decord.py`: decodes frames by number and writes them to standard output.

    python -I decord_child.py PATH COUNT FOLDER...        (frame numbers on standard input)

PATH is absolute. COUNT is the number of frames that the file must have; with another number of
frames, the frame numbers would mean other frames. Modules are imported only from each FOLDER and
from Python's own folders. Each answer is HEADER (frame number, height, width) and height * width *
3 bytes of RGB. For a frame that failed, height is 0, width is the length of a message, and the
message follows in UTF-8.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import BinaryIO

HEADER = struct.Struct("=3q")
NO_FRAME = -1  # the frame number of a message about the whole file
# With its default number of threads decord 0.6.0 fails on some VP9 files: "Check failed:
# run_.load()".
THREADS = 2


def main(path: str, count: int) -> None:
    """Read frame numbers from standard input and decode these frames."""
    # FFmpeg and decord may print to standard output, which is for frames only.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    numbers = [int(line) for line in sys.stdin]
    try:
        import decord

        reader = decord.VideoReader(f"file:{path}", num_threads=THREADS)
    except Exception as error:
        return _say(answers, NO_FRAME, str(error))
    if len(reader) != count:
        return _say(answers, NO_FRAME, f"it finds {len(reader)} frames, the file has {count}")
    for number in numbers:
        _answer(answers, reader, number)


def _answer(answers: BinaryIO, reader: object, number: int) -> None:
    try:
        image = reader[number].asnumpy()  # type: ignore[index]
    except Exception as error:
        return _say(answers, number, str(error))
    answers.write(HEADER.pack(number, *image.shape[:2]) + image.tobytes())
    answers.flush()


def _say(answers: BinaryIO, number: int, message: str) -> None:
    text = message.encode(errors="replace")
    answers.write(HEADER.pack(number, 0, len(text)) + text)
    answers.flush()


if __name__ == "__main__":
    sys.path[:0] = sys.argv[3:]
    main(sys.argv[1], int(sys.argv[2]))
