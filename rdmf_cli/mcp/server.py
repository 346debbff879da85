"""The server: publishes the tools with their schemas, and turns errors into tool errors."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Annotated

from mcp.server import MCPServer
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent, ToolAnnotations
from pydantic import Field

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
Time = Annotated[str, Field(description='seconds, or m:ss; "": the whole video')]
Second = Annotated[float, Field(description="seconds")]
Searched = Annotated[CallToolResult, SearchResult]
Answered = Annotated[CallToolResult, QueryResult]
WasCut = Annotated[CallToolResult, CutResult]
Described = Annotated[CallToolResult, StatusResult]
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)


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
        start: Time = "",
        end: Time = "",
        pictures: Pictures = True,
    ) -> Answered:
        return _called(lambda: tools.query(video, query, top_k, (start, end), pictures))

    def cut(video: Video, start: Second, end: Second) -> WasCut:
        return _called(lambda: tools.cut(video, start, end))

    def library_status() -> Described:
        return _called(tools.library_status)

    server = MCPServer("rdmf", version=__version__, instructions=ABOUT, log_level="ERROR")
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
        text = TextContent(type="text", text=" ".join(str(as_rdmf_error(error)).split()))
        return CallToolResult(content=[text], is_error=True)
    content: list[ContentBlock] = [TextContent(type="text", text=words)]
    for picture in pictures:
        data = b64encode(picture).decode()
        content.append(ImageContent(type="image", data=data, mime_type="image/jpeg"))
    structured = result.model_dump(mode="json", by_alias=True)
    return CallToolResult(content=content, structured_content=structured)
