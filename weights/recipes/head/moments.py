"""Add a head that `rdmf train` wrote to weights/, as the head that `rdmf query` uses.

python -m recipes.head.moments RUN weights "rdmf train --dataset BOTH/train.jsonl ..."
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rdmf_cli.heads.learned.head import SHIPPED
from rdmf_cli.heads.learned.torch.checkpoint import load
from rdmf_cli.heads.learned.torch.export import export
from recipes.manifest import list_in_manifest

ROLE = "the universal head: moments from what a query says of each clip"
DATA = (
    "QVHighlights-captions train: the official test split, 1,542 queries with five paraphrases "
    "each; sentence embeddings (all-MiniLM-L6-v2) of clip captions and of queries. Queries and "
    "labels CC BY-NC-SA 4.0 (moment_detr), captions and paraphrases MIT (VTG-GPT). And 1,352 "
    "queries on 500 videos that pans.py made of Flickr8k val photographs and captions, as the "
    "embedded encoder sees and reads them"
)


def main(run: Path, out: Path, command: str) -> None:
    about = {"command": command, "data": DATA}
    export(load(run / "model"), out / SHIPPED, about, force=True)
    kept = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    epochs = [json.dumps(row) for row in kept if row.get("kind") == "epoch"]
    (out / "moments_log.jsonl").write_text("\n".join(epochs) + "\n")
    list_in_manifest(out, {SHIPPED: ROLE}, {"moments": about})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
