"""Downloads over HTTP from a real server on loopback, with all kinds of failures."""

from __future__ import annotations

import hashlib
import socket
import time
from base64 import b64encode
from pathlib import Path

import pytest
from filelock import FileLock
from hub_server import AUTHORITY, COMMIT, Hub, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdmf_cli.encoders.download import NotOnServerError, Remote, UnreachableError, download
from rdmf_cli.errors import RdmfError

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several blocks
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SETTINGS = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PATH = "/org/name/resolve/main/weights.bin"


@pytest.fixture
def hub():
    with serving() as hub:
        hub.files = {PATH: CONTENT, "/plain.bin": CONTENT}
        yield hub


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "weights.bin"


def plain(hub: Hub, sha256: str = "") -> Remote:
    """The same file without a redirect and without a hash in the response."""
    return Remote(f"{hub.url}/bytes/plain.bin", sha256)


def part_of(target: Path, content: bytes) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(f"{target}.part")
    part.write_bytes(content)
    return part


class TestWholeFiles:
    def test_hub_file_is_verified_by_the_hash_in_the_redirect(self, hub: Hub, target: Path) -> None:
        done = download(Remote(hub.url + PATH), target)
        assert target.read_bytes() == CONTENT
        assert (done.sha256, done.size_bytes, done.verified) == (SHA256, len(CONTENT), "sha256")
        assert not Path(f"{target}.part").exists()

    def test_progress_ends_at_the_size(self, hub: Hub, target: Path) -> None:
        seen: list[tuple[int, int | None]] = []
        download(plain(hub), target, lambda done, total: seen.append((done, total)))
        assert seen[0] == (0, len(CONTENT))
        assert seen[-1] == (len(CONTENT), len(CONTENT))
        assert seen == sorted(seen)

    def test_without_a_hash_the_size_verifies(self, hub: Hub, target: Path) -> None:
        assert download(plain(hub), target).verified == "size"
        assert target.read_bytes() == CONTENT

    def test_what_nothing_verifies_is_refused_unless_asked_for(
        self, hub: Hub, target: Path
    ) -> None:
        hub.says_length = False
        with pytest.raises(RdmfError, match=r"neither a hash nor a length.*--unverified"):
            download(plain(hub), target)
        assert [path.name for path in target.parent.iterdir()] in ([], [".lock"])
        assert download(plain(hub), target, unverified=True).verified == "nothing"
        assert target.read_bytes() == CONTENT

    def test_the_commit_is_told(self, hub: Hub, target: Path) -> None:
        assert download(Remote(hub.url + PATH), target).revision == COMMIT

    def test_first_digits_of_a_hash_are_enough(self, hub: Hub, target: Path) -> None:
        assert download(plain(hub, SHA256[:8]), target).verified == "sha256"

    def test_empty_file(self, hub: Hub, target: Path) -> None:
        hub.files["/plain.bin"] = b""
        assert download(plain(hub), target).size_bytes == 0


SECRET = {"authorization": "Bearer secret"}


class TestSecrets:
    """HF_TOKEN, and the user and password of an address, go to one host, only over https."""

    @pytest.fixture
    def safe(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with serving(encrypted=True) as hub:
            hub.files = {PATH: CONTENT, "/plain.bin": CONTENT}
            yield hub

    def keys(self, hub: Hub) -> list[str | None]:
        return [key for _, _, key in hub.log]

    def test_go_to_the_first_host_and_to_no_other(self, safe: Hub, target: Path) -> None:
        download(Remote(safe.url + PATH, headers=SECRET), target)
        assert self.keys(safe) == ["Bearer secret", None]
        assert target.read_bytes() == CONTENT

    def test_stay_with_the_host_on_a_redirect_to_itself(self, safe: Hub, target: Path) -> None:
        safe.leads_to = safe.url
        download(Remote(safe.url + PATH, headers=SECRET), target)
        assert self.keys(safe) == ["Bearer secret"] * 2

    def test_never_go_without_encryption(self, hub: Hub, target: Path) -> None:
        hub.leads_to = hub.url
        download(Remote(hub.url + PATH, headers=SECRET), target)
        download(Remote(plain(hub).url.replace("//", "//me:secret@"), SHA256), target)
        assert self.keys(hub) == [None] * 3

    def test_encryption_is_never_left(self, safe: Hub, hub: Hub, target: Path) -> None:
        safe.leads_to = hub.url
        with pytest.raises(RdmfError, match="without encryption"):
            download(Remote(safe.url + PATH, headers=SECRET), target)
        assert hub.log == []

    def test_a_user_in_the_address_is_told_to_the_server(self, safe: Hub, target: Path) -> None:
        download(Remote(plain(safe).url.replace("//", "//me:s%40cret@")), target)
        assert self.keys(safe) == [f"Basic {b64encode(b'me:s@cret').decode()}"]

    @pytest.mark.parametrize("status", [401, 404, 418, 500])
    def test_are_in_no_error(self, hub: Hub, target: Path, status: int) -> None:
        hub.status = [status] * 9
        address = plain(hub).url.replace("//", "//me:secret@") + "?key=secret"
        remote = Remote(address, headers=SECRET)
        with pytest.raises(RdmfError) as caught:
            download(remote, target)
        assert "secret" not in f"{caught.value} {caught.value.as_dict()} {remote!r}"

    @pytest.mark.parametrize("url", ["http://me:secret@none.invalid/x", "ftp://me:secret@h/x"])
    def test_are_in_no_error_without_a_server(self, target: Path, url: str) -> None:
        with pytest.raises(UnreachableError) as caught:
            download(Remote(url), target)
        assert "secret" not in str(caught.value)

    def test_of_a_proxy_are_in_no_error(
        self, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("https_proxy", "http://me:secret@127.0.0.1:9")
        with pytest.raises(UnreachableError) as caught:
            download(Remote("https://none.invalid/x"), target)
        assert "secret" not in str(caught.value)

    def test_files_of_this_machine_are_no_servers(self, tmp_path: Path, target: Path) -> None:
        (tmp_path / "x").write_bytes(CONTENT)
        with pytest.raises(UnreachableError, match="not an http or https address"):
            download(Remote((tmp_path / "x").as_uri()), target)


class TestResuming:
    @SETTINGS
    @given(start=st.integers(1, len(CONTENT)))
    def test_any_part_is_continued(self, hub: Hub, target: Path, start: int) -> None:
        part_of(target, CONTENT[:start])
        assert download(Remote(hub.url + PATH), target).sha256 == SHA256
        assert hub.ranges_asked()[-1] == f"bytes={start}-"

    @SETTINGS
    @given(cuts=st.lists(st.integers(1, 400_000), max_size=4))
    def test_cut_connections_are_taken_up(self, hub: Hub, target: Path, cuts: list[int]) -> None:
        hub.cut_after = list(cuts)
        for address in (plain(hub), Remote(hub.url + PATH)):
            assert download(address, target).sha256 == SHA256

    def test_server_without_ranges_starts_over(self, hub: Hub, target: Path) -> None:
        hub.ranges = False
        hub.cut_after = [300_000]
        assert download(plain(hub), target).sha256 == SHA256

    def test_a_link_where_the_part_should_be_is_not_followed(self, hub: Hub, target: Path) -> None:
        target.parent.mkdir(parents=True)
        marker = target.parent / "marker"
        marker.write_bytes(b"mine")
        Path(f"{target}.part").symlink_to(marker)
        download(Remote(hub.url + PATH, sha256=SHA256), target)
        assert target.read_bytes() == CONTENT
        assert marker.read_bytes() == b"mine"

    def test_part_of_another_file_is_thrown_away(self, hub: Hub, target: Path) -> None:
        part_of(target, b"x" * 5000)
        assert download(Remote(hub.url + PATH), target).sha256 == SHA256

    def test_part_longer_than_the_file_is_thrown_away(self, hub: Hub, target: Path) -> None:
        part_of(target, CONTENT + b"x")
        assert download(Remote(hub.url + PATH), target).sha256 == SHA256

    def test_part_is_not_trusted_without_a_hash(self, hub: Hub, target: Path) -> None:
        part_of(target, b"x" * 5000)
        assert download(plain(hub), target).sha256 == SHA256

    def test_server_that_stumbles_is_asked_again(self, hub: Hub, target: Path) -> None:
        hub.status = [503, 429]
        assert download(plain(hub), target).sha256 == SHA256

    def test_part_stays_when_the_server_goes_for_good(self, hub: Hub, target: Path) -> None:
        hub.cut_after = [1000]
        hub.status = []

        def fail_from_now_on(done: int, total: int | None) -> None:
            hub.status = [500] * 9 if done else []

        with pytest.raises(UnreachableError, match="500"):
            download(Remote(hub.url + PATH), target, fail_from_now_on)
        assert Path(f"{target}.part").read_bytes() == CONTENT[:1000]
        assert not target.exists()
        hub.status = []
        assert download(Remote(hub.url + PATH), target).sha256 == SHA256


class TestFailures:
    def test_wrong_content_never_arrives(self, hub: Hub, target: Path) -> None:
        hub.wrong_hash = True
        with pytest.raises(RdmfError, match="checksum mismatch"):
            download(Remote(hub.url + PATH), target)
        assert not target.exists()
        assert not Path(f"{target}.part").exists()

    def test_missing_file(self, hub: Hub, target: Path) -> None:
        with pytest.raises(NotOnServerError):
            download(Remote(f"{hub.url}/none"), target)

    @pytest.mark.parametrize("status", [401, 403])
    def test_closed_file_names_the_token(self, hub: Hub, target: Path, status: int) -> None:
        hub.status = [status]
        with pytest.raises(RdmfError, match="HF_TOKEN"):
            download(plain(hub), target)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/x", "http://none.invalid/x", "x:y"])
    def test_no_server_at_all_fails_at_once(self, target: Path, url: str) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = url.format(port=unused.getsockname()[1])
            start = time.monotonic()
            with pytest.raises(UnreachableError, match="cannot be reached"):
                download(Remote(address), target)
        assert time.monotonic() - start < 20  # retries of the hub take 47 s

    def test_unwritable_place(self, hub: Hub, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(RdmfError, match="cannot be written"):
            download(plain(hub), tmp_path / "file" / "weights.bin")

    def test_file_larger_than_the_disk(self, hub: Hub, target: Path) -> None:
        class Endless(bytes):
            def __len__(self) -> int:
                return 1 << 62

        hub.files["/plain.bin"] = Endless(b"x")
        with pytest.raises(RdmfError, match="disk is full"):
            download(plain(hub), target)

    def test_two_at_once_do_not_mix(self, hub: Hub, target: Path) -> None:
        target.parent.mkdir()
        with (
            FileLock(target.with_name(".lock")),
            pytest.raises(RdmfError, match="another process"),
        ):
            download(plain(hub), target)

    def test_interruption_keeps_the_part(self, hub: Hub, target: Path) -> None:
        def interrupt(done: int, total: int | None) -> None:
            if done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            download(Remote(hub.url + PATH), target, interrupt)
        assert CONTENT.startswith(Path(f"{target}.part").read_bytes())
        assert not target.exists()
