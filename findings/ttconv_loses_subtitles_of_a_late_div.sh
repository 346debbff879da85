#!/usr/bin/env bash
# ttconv 1.2.3: subtitles inside a div or body that begins later are lost, or those late in it.
#
# TTML counts a paragraph's times from the beginning of the div around it, and a div without an end lasts
# as long as what it holds. Parts of a programme are put together in this way: <div begin="10s"> around
# paragraphs from 1 to 2 s and from 15 to 22 s, which are seen at 11 to 12 s and at 25 to 32 s. ttconv
# takes the paragraphs' ends for those of the film: the div "ends" at 22 s, so the second paragraph is
# gone, and a div with the first one alone ends at 2 s, before it begins, and the SubRip and WebVTT files
# that come out are empty. The same for <body begin>. No error and no message. Where the div says end="40s",
# which changes nothing, both come.
#
# What to do: give each div and body with a begin its end, or add the begin to the paragraphs, before
# converting; compare the number of cues with that of paragraphs.
# Seen with: ttconv 1.2.3, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet ttconv==1.2.3
"$work/env/bin/python" - <<'PY'
import importlib.metadata
import re
import xml.etree.ElementTree as et

import ttconv.imsc.reader
import ttconv.srt.writer
import ttconv.vtt.writer

DOCUMENT = """<tt xml:lang="en" xmlns="http://www.w3.org/ns/ttml">
<head><layout><region xml:id="r"/></layout></head>
<body{body}><div{div}>{paragraphs}</div></body></tt>"""
FIRST = '<p region="r" begin="1s" end="2s">one</p>'
SECOND = '<p region="r" begin="15s" end="22s">two</p>'
TIME = re.compile(r"(\d+:\d+:\d+)[,.]\d+ --> (\d+:\d+:\d+)[,.]\d+")


def cues(paragraphs: str, div: str = "", body: str = "") -> list[tuple[str, str]]:
    """(start, end) of each cue, the same in SubRip and WebVTT."""
    text = DOCUMENT.format(body=body, div=div, paragraphs=paragraphs)
    model = ttconv.imsc.reader.to_model(et.ElementTree(et.fromstring(text)))
    subrip, webvtt = (
        TIME.findall(writer.from_model(model)) for writer in (ttconv.srt.writer, ttconv.vtt.writer)
    )
    assert subrip == webvtt
    return subrip


ONE, TWO = ("00:00:11", "00:00:12"), ("00:00:25", "00:00:32")
print("ttconv", importlib.metadata.version("ttconv"))
late, whole = ' begin="10s"', ' begin="10s" end="40s"'
for name, arguments, expected in (
    ("div with an end", (FIRST + SECOND, whole), [ONE, TWO]),
    ("div without, one and two", (FIRST + SECOND, late), [ONE]),
    ("div without, one alone", (FIRST, late), []),
    ("body with an end", (FIRST + SECOND, "", whole), [ONE, TWO]),
    ("body without, one and two", (FIRST + SECOND, "", late), [ONE]),
    ("body without, one alone", (FIRST, "", late), []),
):
    found = cues(*arguments)
    print(f"{name:26}", found)
    assert found == expected, "behaves otherwise now"
PY
echo "as described"
