"""Pages to look at moments: self-contained files, and the parts of the pages of `rdmf serve`.

view.py        what a page shows of an answer or a hit
sections.py    the elements of a page: player, timeline with the curve, moments with pictures
page.py        a whole page with its style and script
moments.py     pages of answers and of hits, written to a file
player.css, player.js
"""
