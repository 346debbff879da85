#!/usr/bin/env bash
# decord 0.6.0: `pip check` calls it unsupported in every environment that pip has just installed it into.
#
# pip decides whether a wheel fits by the tags in its file name; decord's says py3-none-manylinux2010,
# so it is installed on any Python 3. `pip check` of newer pips decides by the tags in the file WHEEL
# inside, and there decord states cp36-cp36m-manylinux2010. So an installation that works, and that
# pip itself made a second before, is reported as "decord 0.6.0 is not supported on this platform"
# with exit code 1, and a build that ends with `pip check` fails for good. Reinstalling, another
# machine or another Python (but 3.6) change nothing.
#
# What to do: pass over this one line of pip check, by its full text.
# Seen with: decord 0.6.0, pip 24.3.1 and 25.3 (reported), pip 23.2.1 (not reported), Python 3.11,
# Linux x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1

python3 -m venv "$work/env"
python="$work/env/bin/python"
"$python" -m pip install --quiet decord==0.6.0
"$python" -c 'import decord; print("decord", decord.__version__, "is imported")'
grep -h '^Tag:' "$work"/env/lib/python3*/site-packages/decord-0.6.0.dist-info/WHEEL

check() {  # PIP reported|silent
    "$python" -m pip install --quiet "pip==$1"
    local said
    said=$("$python" -m pip check || true)
    echo "pip $1: $said"
    if [ "$2" = reported ]; then
        [ "$said" = "decord 0.6.0 is not supported on this platform" ]
    else
        [ "$said" = "No broken requirements found." ]
    fi
}
check 23.2.1 silent
check 24.3.1 reported
check 25.3 reported
echo "as described"
