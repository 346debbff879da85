"""Print the README's code block that follows the comment <!-- ci: NAME -->."""

import re
import sys
from pathlib import Path

name = sys.argv[1]
text = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")
block = re.search(rf"<!-- ci: {re.escape(name)} -->\n```\w*\n(.*?)```", text, re.S)
if block is None:
    sys.exit(f"README.md has no code block named {name}")
print(block[1], end="")
