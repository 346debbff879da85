"""Measure the CPU time of the extraction of 1,000 hours: one task of `rdmf index --ray`.

    python benchmarks/extraction_cost.py VIDEO...

Each video is read as a worker reads it: it is scanned, then extracted as one section, by an encoder
in one thread. The CPU time of the process is measured, because other work on the machine hardly
changes it. Core-hours are this time, scaled to 1,000 hours of the same footage; no footage of this
length is extracted.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from rdmf_cli.encoders import load_encoder
from rdmf_cli.features import Selection
from rdmf_cli.features.extraction import extract_section, plan_sections

WHOLE = 1 << 60


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--encoder", default="embedded")
    args = parser.parse_args()
    os.environ["RDMF_THREADS"] = "1"
    encoder, clips = load_encoder(args.encoder, "cpu"), Selection()
    columns = ("video", "minutes", "scan: CPU s", "extract: CPU s", "clips per CPU s")
    shown = Table(*columns, "core-hours per 1,000 hours", box=box.SIMPLE_HEAD)
    for number, video in enumerate([args.videos[0], *args.videos]):
        begun = time.process_time()
        scanned, (section,) = plan_sections(video, encoder, clips, WHOLE)
        read = time.process_time()
        extract_section(scanned, encoder, clips, section)
        scan, rest = read - begun, time.process_time() - read
        if not number:
            continue  # the first run also loads the encoder
        hours, total = scanned.info.duration / 3600, scan + rest
        values = (60 * hours, scan, rest, section.stop / total, total / 3.6 / hours)
        shown.add_row(video.name, *(f"{value:.1f}" for value in values))
    Console(width=110).print(shown)


if __name__ == "__main__":
    main()
