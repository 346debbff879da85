"""Compare the time of `rdmf query`, without a cache, with the usual way to do the same work.

    python benchmarks/peers.py SOURCE FOLDER [--minutes 5] [--rounds 5] [--kinds h264-250 h264-30]

SOURCE is any video. From SOURCE, the script makes 720p videos of the wanted length in FOLDER, and
CLIP ViT-B/32 with RANDOM weights: the weights change the answers, but not the times. The usual way:
ffmpeg reads a frame every two seconds into memory; open_clip encodes the frames with torch in
float32, 60 at once, and compares them with the sentence. "Decoder alone": the frames that rdmf
needs are decoded and not used.

Each measurement is a whole process; the processes take turns in each round, and the table shows
medians. CPU time and memory include the programs that a process starts; memory is the largest of
these processes, not their sum.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ARCHITECTURE, SENTENCE = "ViT-B-32", "a rabbit runs over a meadow"
CLIP_SECONDS, BATCH, WIDTH, HEIGHT = 2, 60, 1280, 720
HERE = Path(__file__).resolve()

KINDS = {
    "h264-250": ["-c:v", "libx264", "-preset", "fast", "-g", "250"],
    "h264-30": ["-c:v", "libx264", "-preset", "fast", "-g", "30"],
    "hevc-250": ["-c:v", "libx265", "-preset", "fast", "-x265-params", "keyint=250:log-level=none"],
    "vp9-128": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1500k"],
}
"""For each kind of video (codec, and number of frames from one key frame to the next), the options
of ffmpeg that make it.
"""


class Cost(NamedTuple):
    seconds: float
    cpu: float
    megabytes: float


def make_video(source: Path, folder: Path, kind: str, minutes: float) -> Path:
    """Repeat the source to the wanted length; the frames of each repeat are encoded again."""
    path = folder / f"{kind}_{minutes:g}min.{'webm' if 'vp9' in kind else 'mp4'}"
    if not path.exists():
        scaled = f"scale={WIDTH}:{HEIGHT},fps=30"
        made = path.with_name(f"part_{path.name}")
        command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(source)]
        command += ["-t", str(60 * minutes), "-an", "-vf", scaled, *KINDS[kind]]
        subprocess.run([*command, "-pix_fmt", "yuv420p", str(made)], check=True)
        made.rename(path)
    return path


def make_weights(folder: Path) -> Path:
    path = folder / "random_vit_b_32.safetensors"
    if not path.exists():
        import open_clip
        import torch
        from safetensors.torch import save_model

        torch.manual_seed(0)
        save_model(open_clip.create_model(ARCHITECTURE, pretrained=None), str(path))
    return path


def fields_way(video: str, weights: str) -> None:
    """Answer one sentence as the field's repositories do; runs in its own process."""
    import open_clip
    import torch
    from PIL import Image

    size = HEIGHT * WIDTH * 3
    command = ["ffmpeg", "-v", "error", "-i", video, "-vf", f"fps=1/{CLIP_SECONDS}"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    frames = np.frombuffer(raw, np.uint8)[: len(raw) // size * size].reshape(-1, HEIGHT, WIDTH, 3)
    model, _, prepare = open_clip.create_model_and_transforms(ARCHITECTURE, pretrained=weights)
    model.eval()
    pictures = torch.stack([prepare(Image.fromarray(frame)) for frame in frames])
    with torch.no_grad():
        rows = torch.cat([model.encode_image(some) for some in pictures.split(BATCH)])
        text = model.encode_text(open_clip.get_tokenizer(ARCHITECTURE)([SENTENCE]))
    scores = torch.nn.functional.cosine_similarity(rows, text)
    print(int(scores.argmax()) * CLIP_SECONDS)


def decode_alone(video: str) -> None:
    """Decode only the frames that rdmf needs, and do nothing else."""
    from rdmf_cli.video import open_clips

    with open_clips(Path(video), CLIP_SECONDS) as clips:
        print(sum(1 for _ in clips))


def measured(command: list[str], environment: dict[str, str]) -> Cost:
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {command}")
    seconds = time.perf_counter() - begun
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def ways(video: Path, weights: Path) -> dict[str, list[str]]:
    def query(encoder: str) -> list[str]:
        asked = ["query", str(video), SENTENCE, "--json", "--no-cache", "--encoder", encoder]
        return ["-m", "rdmf_cli", *asked]

    return {
        "the usual way, CLIP": [str(HERE), "--as-field", str(video), str(weights)],
        "rdmf, the same CLIP": query(f"{ARCHITECTURE}/{weights}"),
        "rdmf, embedded": query("embedded"),
        "decoder alone": [str(HERE), "--decode", str(video)],
    }


def compare(video: Path, weights: Path, rounds: int, environment: dict[str, str]) -> None:
    taken: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for name, command in ways(video, weights).items():
            taken.setdefault(name, []).append(measured(command, environment))
    print(f"\n{video.name}, {rounds} rounds, medians; ratios are medians over the rounds")
    print(f"{'':24s} {'s':>7s} {'CPU s':>7s} {'MB':>6s}   field's / it: wall, CPU   it / decoder")
    field, decoder = taken["the usual way, CLIP"], taken["decoder alone"]
    for name, costs in taken.items():
        wall, cpu, megabytes = (statistics.median(column) for column in zip(*costs, strict=True))
        less = [f.seconds / c.seconds for f, c in zip(field, costs, strict=True)]
        less_cpu = [f.cpu / c.cpu for f, c in zip(field, costs, strict=True)]
        share = [c.seconds / d.seconds for c, d in zip(costs, decoder, strict=True)]
        line = f"{name:24s} {wall:7.2f} {cpu:7.2f} {megabytes:6.0f}"
        line += f"   {statistics.median(less):11.2f} {statistics.median(less_cpu):11.2f}"
        print(f"{line}   {statistics.median(share):12.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["h264-250", "h264-30"])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    weights = make_weights(args.folder)
    videos = [make_video(args.source, args.folder, kind, args.minutes) for kind in args.kinds]
    with tempfile.TemporaryDirectory() as scratch:
        given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment = {
            **given,
            "PYTHONPATH": str(HERE.parents[1]),
            "PYTHONPYCACHEPREFIX": str(Path(scratch, "compiled")),
            "RDMF_CACHE_DIR": str(Path(scratch, "cache")),
            "RDMF_DATA_DIR": str(args.folder / "data"),  # the converted towers are kept
        }
        first = ways(videos[0], weights)
        for name in ("rdmf, the same CLIP", "rdmf, embedded"):
            measured(first[name], environment)  # converts CLIP once, and compiles the modules
        for video in videos:
            compare(video, weights, args.rounds, environment)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-field"]:
        fields_way(*sys.argv[2:])
    elif sys.argv[1:2] == ["--decode"]:
        decode_alone(sys.argv[2])
    else:
        main()
