"""The server: publishes the tools with their schemas, and turns errors into tool errors."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    CallToolResult,
    ContentBlock,
    ImageContent,
    InputRequiredResult,
    TextContent,
    ToolAnnotations,
)
from pydantic import Field, ValidationError

from rdmf_cli import __version__
from rdmf_cli.errors import as_rdmf_error
from rdmf_cli.mcp.results import CutResult, QueryResult, SearchResult, StatusResult
from rdmf_cli.mcp.tools import Told, Tools

ABOUT = (
    "Find the moments of videos that a sentence describes. search looks through all videos, query "
    "through one video. Times are seconds. A presence or relevance below 0.5 does not convince."
)
Sentence = Annotated[str, Field(description="what to look for")]
Video = Annotated[str, Field(description="path of the video, as search returns it")]
Count = Annotated[int, Field(description="the largest number of moments, 1 to 100")]
Pictures = Annotated[bool, Field(description="return a frame of each of the best moments")]
Time = Annotated[float | str, Field(description='seconds, or text: "90", "1:30", "0:01:30.5"')]
PartTime = Annotated[
    float | str | None,
    Field(description='seconds, or text: "90", "1:30", "0:01:30.5"; null: the whole video'),
]
Searched = Annotated[CallToolResult, SearchResult]
Answered = Annotated[CallToolResult, QueryResult]
WasCut = Annotated[CallToolResult, CutResult]
Described = Annotated[CallToolResult, StatusResult]
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)


class _Server(MCPServer):
    """A server that refuses unknown arguments, and describes wrong arguments in one line."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by name with arguments."""
        tools = {tool.name: tool.input_schema["properties"] for tool in await self.list_tools()}
        if name not in tools:
            return _failed(f"there is no tool {name}; {_choices(name, tools)}")
        for argument in arguments:
            if argument not in tools[name]:
                choices = _choices(argument, tools[name])
                return _failed(f"{argument}: {name} has no such argument; {choices}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            wrong = error.__cause__
            return _failed(_wrong(wrong) if isinstance(wrong, ValidationError) else str(error))


def _choices(name: str, known: Iterable[str]) -> str:
    """List names, and begin with the one that is nearest to an unknown name."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    nearest = f"did you mean {close[0]}? " if close else ""
    return f"{nearest}choose one of: {', '.join(known) or 'none'}"


def _wrong(error: ValidationError) -> str:
    """Describe wrong arguments: "top_k must be a valid integer, not 'many'"."""
    found: dict[str, list[str]] = {}
    given: dict[str, Any] = {}
    for one in error.errors():
        name = str(one["loc"][0])
        given[name] = None if one["type"] == "missing" else one["input"]
        what = "given" if one["type"] == "missing" else one["msg"].removeprefix("Input should be ")
        found.setdefault(name, []).append(what[:1].lower() + what[1:])
    return "; ".join(
        f"{name} must be {' or '.join(wanted)}"
        + ("" if wanted == ["given"] else f", not {given[name]!r}")
        for name, wanted in found.items()
    )


def make_server(tools: Tools) -> MCPServer:
    """Make the server of some tools.

    Args:
        tools: The tools; `cut` is published only if the server may write.
    """

    def search(query: Sentence, top_k: Count = 10, pictures: Pictures = True) -> Searched:
        return _called(lambda: tools.search(query, top_k, pictures))

    def query(
        video: Video,
        query: Sentence,
        top_k: Count = 5,
        start: PartTime = None,
        end: PartTime = None,
        pictures: Pictures = True,
    ) -> Answered:
        return _called(lambda: tools.query(video, query, top_k, (start, end), pictures))

    def cut(video: Video, start: Time, end: Time) -> WasCut:
        return _called(lambda: tools.cut(video, start, end))

    def library_status() -> Described:
        return _called(tools.library_status)

    server = _Server("rdmf", version=__version__, instructions=ABOUT, log_level="ERROR")
    about = "Search all videos, and list the moments that show a sentence, the most relevant first."
    server.add_tool(search, description=about, annotations=READS)
    about = "Find the moments of one video that a sentence describes, best first."
    server.add_tool(query, description=about, annotations=READS)
    if tools.reach.cuts is not None:
        about = "Write a span of a video as a video file, exact to the frame, and return its path."
        server.add_tool(cut, description=about, annotations=WRITES)
    about = "List the folders that may be read, and the state of the library."
    server.add_tool(library_status, description=about, annotations=READS)
    return server


def _called(call: Callable[[], Told]) -> CallToolResult:
    """Call a tool; any failure becomes a tool error with one line."""
    try:
        result, words, pictures = call()
    except Exception as error:
        return _failed(str(as_rdmf_error(error)))
    content: list[ContentBlock] = [TextContent(type="text", text=words)]
    for picture in pictures:
        data = b64encode(picture).decode()
        content.append(ImageContent(type="image", data=data, mime_type="image/jpeg"))
    structured = result.model_dump(mode="json", by_alias=True)
    return CallToolResult(content=content, structured_content=structured)


def _failed(what: str) -> CallToolResult:
    """Return a tool error of one line."""
    text = TextContent(type="text", text=" ".join(what.split()))
    return CallToolResult(content=[text], is_error=True)
