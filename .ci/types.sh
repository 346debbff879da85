#!/usr/bin/env bash
# Check the types, as strictly as mypy can: pyproject.toml switches no flag off. What an environment
# cannot know is passed over there alone:
# - without torch, its classes and decorators are of unknown type;
# - numpy for Python 3.10 states no default types of arrays.
set -euo pipefail
cd "$(dirname "$0")/.."
unknown=()
python3 -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' ||
    unknown+=(--allow-subclassing-any --allow-untyped-decorators)
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || unknown+=(--allow-any-generics)
exec python3 -m mypy ${unknown[@]+"${unknown[@]}"} "$@"
