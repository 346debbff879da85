"""Search a hundred artificial videos whose answer is only said, only shown, or both.

    python benchmarks/subtitles.py --footage DIR --out DIR [--half report|choose] [--json]

--footage holds clips and meta.jsonl (a line per clip: file, caption, seconds). A video joins six
clips and has an SRT file beside it with six lines (this needs the ffmpeg program). Queries and
lines are the pairs of subtitles_pairs.tsv, which were written for this script: a query shares at
most half of its content words with its line. Half of the lines that name a picture of the video are
said during another picture. 50 videos are made from the even pairs, with which the numbers of
`channels/speech.py` and `heads/speech.py` were chosen. 50 videos are made from the odd pairs; the
results are reported for these.

said: a line answers the query, and no picture does. shown: a picture answers, and no line does.
both: a picture and a line answer, and both are right. absent: neither the line nor the picture of
the pair is in the video. A query is hit if the best moment overlaps a true moment by IoU 0.5.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from rdmf_cli import Searcher
from rdmf_cli.channels.speech import content_words
from rdmf_cli.moments.types import Answer
from rdmf_cli.text import time_code

VIDEOS, CLIPS = 50, 6  # videos per half, clips per video
SHORTEST, LONGEST = 2.5, 10.0  # seconds of a clip that are shown
SECONDS_PER_WORD, LEAST_SECONDS = 0.35, 1.4  # of a line of speech
KINDS = ("said", "shown", "both")


class Pair(NamedTuple):
    file: str  # the clip that query and line name; "-": none
    query: str
    line: str


@dataclass
class Made:
    kind: str
    query: str
    absent: str
    windows: list[tuple[float, float]] = field(default_factory=list)
    path: Path = Path()


def pairs(half: str) -> list[Pair]:
    text = Path(__file__).with_name("subtitles_pairs.tsv").read_text(encoding="utf-8")
    read = [Pair(*line.split("\t")) for line in text.splitlines()]
    for pair in read:
        shared = stems(pair.query) & stems(pair.line)
        assert 2 * len(shared) <= len(stems(pair.query)), pair
    return read[0 if half == "choose" else 1 :: 2]


def stems(text: str) -> set[str]:
    """Return content words; singular and plural are equal."""
    return {word.removesuffix("s") for word in content_words(text)}


def make(footage: Path, out: Path, half: str) -> list[Made]:
    """Make the videos of a half that do not exist yet; each run makes the same videos."""
    out.mkdir(parents=True, exist_ok=True)
    told = (json.loads(line) for line in (footage / "meta.jsonl").read_text().splitlines())
    seconds = {clip["file"]: clip["seconds"] for clip in told}
    known = pairs(half)
    pictured = [p for p in known if seconds.get(p.file, 0) >= SHORTEST]
    draw = random.Random(half)
    made = []
    for number in range(VIDEOS):
        clips = draw.sample(pictured, CLIPS)
        kind = KINDS[number % len(KINDS)]
        asked = next_said(known, clips, number) if kind == "said" else clips[0]
        draw.shuffle(clips)
        strangers = [p for p in known if p not in clips and p != asked]
        naming = [p for p in clips if p != asked][: CLIPS - 1]
        sixth = draw.choice(strangers) if kind == "shown" else asked
        lengths = [min(seconds[p.file] - 0.1, LONGEST) for p in clips]
        begins = [sum(lengths[:place]) for place in range(CLIPS)]
        shots = [(a, a + b) for a, b in zip(begins, lengths, strict=True)]
        spoken = laid(naming, sixth, clips, shots, draw, at_home=number % 2 == 0)
        one = Made(kind, asked.query, draw.choice([p for p in strangers if p != sixth]).query)
        if kind != "said":
            one.windows.append(shots[clips.index(asked)])
        if kind != "shown":
            one.windows += [(a, b) for a, b, line in spoken if line == asked.line]
        one.path = out / f"{half}{number:02d}.mp4"
        one.path.with_suffix(".srt").write_text(srt(spoken), encoding="utf-8")
        if not one.path.exists():
            join([footage / p.file for p in clips], lengths, one.path)
        made.append(one)
    return made


def next_said(known: list[Pair], clips: list[Pair], number: int) -> Pair:
    """For every two videos, ask a query that no clip shows, and a query of another video."""
    only = [p for p in known if p.file == "-"]
    others = [p for p in known if p.file != "-" and p not in clips]
    pool = only if number % 2 else others
    return pool[number // len(KINDS) % len(pool)]


def laid(
    naming: list[Pair],
    sixth: Pair,
    clips: list[Pair],
    shots: list[tuple[float, float]],
    draw: random.Random,
    at_home: bool,
) -> list[tuple[float, float, str]]:
    """Say one line in each shot; half of the lines that name a shot are said in that shot."""
    lines = [*naming, sixth]
    homes = {p: clips.index(p) for p in lines if p in clips}
    stay = [p for place, p in enumerate(homes) if place % 2 == 0 and p != sixth]
    stay += [sixth] if at_home and sixth in homes else []
    away = [p for p in lines if p not in stay]
    free = [place for place in range(len(clips)) if place not in [homes[p] for p in stay]]
    while True:
        draw.shuffle(free)
        placed = dict(zip(away, free, strict=True))
        if len(away) < 2 or all(homes.get(p) != place for p, place in placed.items()):
            break
    placed |= {p: homes[p] for p in stay}
    spoken = []
    for pair, place in placed.items():
        start, end = shots[place]
        wanted = max(SECONDS_PER_WORD * len(pair.line.split()), LEAST_SECONDS)
        length = min(wanted, end - start - 0.2)
        begin = start + 0.1 + draw.random() * (end - start - 0.2 - length)
        spoken.append((round(begin, 3), round(begin + length, 3), pair.line))
    return sorted(spoken)


def srt(spoken: list[tuple[float, float, str]]) -> str:
    cues = (
        f"{n}\n{time_code(a, ',')} --> {time_code(b, ',')}\n{line}\n"
        for n, (a, b, line) in enumerate(spoken, 1)
    )
    return "\n".join(cues)


def join(files: list[Path], lengths: list[float], out: Path) -> None:
    inputs = [
        word
        for file, length in zip(files, lengths, strict=True)
        for word in ("-t", f"{length:.3f}", "-i", str(file))
    ]
    fit = "scale=256:192:force_original_aspect_ratio=decrease,pad=256:192:-1:-1,setsar=1,fps=10"
    graph = "".join(f"[{n}:v]{fit}[v{n}];" for n in range(len(files)))
    graph += "".join(f"[v{n}]" for n in range(len(files))) + f"concat=n={len(files)}:v=1[v]"
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", graph, "-map", "[v]"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, "-threads", "1", str(out)], check=True)


def iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (max(a[1], b[1]) - min(a[0], b[0]))


def is_hit(answer: Answer, windows: list[tuple[float, float]]) -> bool:
    if not answer.moments:
        return False
    best = answer.moments[0]
    return any(iou((best.start, best.end), window) >= 0.5 for window in windows)


def measure(made: list[Made], subtitles: str, head: str) -> dict[str, float]:
    searcher = Searcher(encoder="embedded", head=head, subtitles=subtitles)
    hits: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    present, absent = [], []
    for one in made:
        shown, not_there = searcher.ask(one.path, [one.query, one.absent])
        hits[one.kind].append(is_hit(shown, one.windows))
        present.append(shown.presence >= 0.5)
        absent.append(not_there.presence >= 0.5)
    told = {f"R1@0.5, {kind}": 100 * sum(x) / len(x) for kind, x in hits.items()}
    told["found by presence, %"] = 100 * sum(present) / len(present)
    told["absent, called present, %"] = 100 * sum(absent) / len(absent)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--footage", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--half", choices=("report", "choose"), default="report")
    parser.add_argument("--head", choices=("learned", "training-free"), default="learned")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    made = make(args.footage, args.out, args.half)
    told = {name: measure(made, name, args.head) for name in ("none", "auto")}
    if args.json:
        json.dump(told, sys.stdout)
        return
    table = Table("", *(f"--subtitles {name}" for name in told), box=box.SIMPLE_HEAD)
    for name in told["none"]:
        table.add_row(name, *(f"{told[choice][name]:.1f}" for choice in told))
    Console().print(table)


if __name__ == "__main__":
    main()
