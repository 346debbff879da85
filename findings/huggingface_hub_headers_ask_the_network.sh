#!/usr/bin/env bash
# huggingface_hub 2.4.0: making a dictionary of request headers is itself a request to the hub.
#
# `build_hf_headers()` returns headers for a request that the caller will send, perhaps to a mirror of
# his own, perhaps never. In 2.4.0 the first call in a process asks $HF_ENDPOINT/api/agent-harnesses
# for a list, by which the user agent is completed, and keeps it in HF_HOME for a day. Where the
# endpoint does not answer, that first call waits up to three seconds; a failure is silent, and
# nothing is kept, so each process asks anew. Every function that builds headers inherits this: a
# program that meant to open one address first opens another.
#
# What to do: set HF_HUB_OFFLINE=1 around code that must not touch the network, or write the two
# headers that are needed (user-agent, authorization) by hand.
# Seen with: huggingface_hub 2.4.0 (asks), 0.36.0 (does not), Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/try.py" <<'PY'
import http.server
import os
import sys
import threading

asked = []


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers nothing, and notes what it was asked for."""

    def do_GET(self):
        asked.append(self.path)
        self.send_error(404)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"

import huggingface_hub
from huggingface_hub.utils import build_hf_headers

assert not asked, "the import asks for nothing"
headers = build_hf_headers(library_name="example", library_version="1.0")
print("huggingface_hub", huggingface_hub.__version__, "asked for", asked, "headers", sorted(headers))
assert asked == (["/api/agent-harnesses"] if sys.argv[1] == "asks" else []), "behaves otherwise now"
PY

check() {  # VERSION asks|silent
    python3 -m venv "$work/$1"
    "$work/$1/bin/python" -m pip install --quiet "huggingface_hub==$1"
    env -u HF_HUB_OFFLINE -u HF_TOKEN HF_HOME="$work/home$1" "$work/$1/bin/python" "$work/try.py" "$2"
}
check 2.4.0 asks
check 0.36.0 silent
echo "as described"
