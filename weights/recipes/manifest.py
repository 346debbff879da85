"""Add files to weights/manifest.json: their role, their sha256, and how they were made.

python -m recipes.manifest weights rates.json "rates of the training-free answer"
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from rdmf_cli.files import write_own

FACTS = {
    "made_by": "weights/recipes: data.py, text.py, image.py, together.py, heads.py, export.py",
    "data": "Flickr8k train, a COCO sample, twelve labelled sets; sentences of these, of benchmark "
    "training splits and of clip captions: weights/README.md has the list and its terms",
    "licence_note": "Weights: Apache-2.0 as far as they are ours to license. The photographs they "
    "learned from belong to their authors and came from research sets; see weights/README.md.",
}


def list_in_manifest(out: Path, files: dict[str, str], facts: dict[str, object]) -> None:
    """Add files, by name and role, and facts; entries of other files stay unchanged."""
    path = out / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {"files": {}}
    for name, role in files.items():
        content = (out / name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        manifest["files"][name] = {"sha256": sha256, "bytes": len(content), "role": role}
    for key, value in facts.items():
        old = manifest.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = {**old, **value}
        manifest[key] = value
    write_own(path, (json.dumps(manifest, indent=2) + "\n").encode())


if __name__ == "__main__":
    list_in_manifest(Path(sys.argv[1]), {sys.argv[2]: sys.argv[3]}, {})
