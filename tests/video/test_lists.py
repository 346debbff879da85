"""Lists of other files: read only by suffix, only in their own folder, never over a network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from barcoded import Recipe, read_barcode

from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder
from rdmf_cli.errors import RdmfError
from rdmf_cli.features import FeatureStore, extract
from rdmf_cli.video import open_clips

PIECE = Recipe("piece", "libx264", "ts", b_frames=2)
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile {}\n"
DASH = '<?xml version="1.0"?>\n<MPD type="static"><BaseURL>{}</BaseURL></MPD>\n'
LISTS = {"list.m3u8": HLS, "list.m3u": HLS, "list.ffconcat": CONCAT}


@pytest.fixture
def folder(made: Callable[[Recipe], Path], tmp_path: Path) -> Path:
    """A folder with a video, beside another folder with a video."""
    for place in ("own", "other"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "piece.ts").write_bytes(made(PIECE).read_bytes())
    return tmp_path / "own"


@pytest.mark.parametrize("name", LISTS)
class TestListsByName:
    def test_are_read_in_their_own_folder_with_a_note(self, name: str, folder: Path) -> None:
        (folder / name).write_text(LISTS[name].format("piece.ts"))
        with open_clips(folder / name) as reader:
            assert [read_barcode(frame.image) for _, frame in reader] == [24, 74, 124]
            assert "list of other files" in reader.info.warnings[0]

    @pytest.mark.parametrize("decoder", ["auto", "pyav", "ffmpeg", "decord"])
    @pytest.mark.parametrize("place", ["../other/piece.ts", "{parent}/other/piece.ts"])
    def test_reach_no_other_folder(
        self, name: str, decoder: str, place: str, folder: Path, ffmpeg_program: str
    ) -> None:
        (folder / name).write_text(LISTS[name].format(place.format(parent=folder.parent)))
        with pytest.raises(RdmfError, match="list of other files"):
            open_clips(folder / name, decoder=decoder)

    def test_are_never_cached(self, name: str, folder: Path) -> None:
        """The list can stay the same while its files change."""
        (folder / name).write_text(LISTS[name].format("piece.ts"))
        encoder, store = EmbeddedEncoder(), FeatureStore()
        first = extract(folder / name, encoder, store=store)
        Recipe("piece", "libx264", "ts", frames=50).make(folder)
        second = extract(folder / name, encoder, store=store)
        assert (len(first.rows), len(second.rows)) == (3, 1)
        assert not second.cached
        assert store.entries() == []


def test_a_link_in_the_folder_leads_no_further(folder: Path) -> None:
    (folder / "link.ts").symlink_to(folder.parent / "other" / "piece.ts")
    (folder / "list.m3u8").write_text(HLS.format("link.ts"))
    with pytest.raises(RdmfError, match=r"link\.ts lies outside the folder of the list"):
        open_clips(folder / "list.m3u8")


@pytest.mark.parametrize("decoder", ["auto", "pyav", "ffmpeg", "decord"])
class TestOtherNames:
    @pytest.mark.parametrize("text", [HLS, CONCAT, DASH], ids=["hls", "ffconcat", "dash"])
    @pytest.mark.parametrize("name", ["film.mp4", "film.ts", "film.mpd"])
    def test_a_list_under_another_name_is_refused(
        self, decoder: str, text: str, name: str, folder: Path, ffmpeg_program: str
    ) -> None:
        (folder / name).write_text(text.format("piece.ts"))
        with pytest.raises(RdmfError, match="is a list of other files"):
            open_clips(folder / name, decoder=decoder)

    def test_a_sequence_of_pictures_is_refused(
        self, decoder: str, folder: Path, ffmpeg_program: str
    ) -> None:
        from PIL import Image

        for name in ("p%d.png", "p1.png", "p2.png"):
            Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / name)
        with pytest.raises(RdmfError, match="list of other files"):
            open_clips(folder / "p%d.png", decoder=decoder)

    def test_no_network_address_is_opened(
        self, decoder: str, folder: Path, ffmpeg_program: str
    ) -> None:
        asked: list[str] = []

        class Server(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

        server = HTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/piece.ts"
        for name, text in {**LISTS, "film.mp4": HLS, "film.mpd": DASH}.items():
            (folder / name).write_text(text.format(address))
            with pytest.raises(RdmfError):
                open_clips(folder / name, decoder=decoder)
        server.shutdown()
        server.server_close()
        assert asked == []
