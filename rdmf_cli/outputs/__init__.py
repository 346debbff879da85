"""Output of answers: one small writer per format, and plots for the terminal and for figures.

    with open_writer("srt", sys.stdout) as writer:
        for answer in answers:
            writer.write(answer)

`writer.py` describes the interface of a format; `formats.py` lists the formats.
"""

from rdmf_cli.outputs.formats import FORMATS, open_writer
from rdmf_cli.outputs.writer import Writer

__all__ = ["FORMATS", "Writer", "open_writer"]
