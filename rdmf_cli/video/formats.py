"""The kinds of files that are read as videos: single files, and lists of files with a known suffix.

A list (HLS, ffconcat) names other files, which are read in place of the list. But a file from
another person must not decide which files of this machine are read. So a file counts as a list only
by its suffix, and only files in its own folder are opened. Nothing is ever opened over a network.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from rdmf_cli.errors import RdmfError

LISTS = {".m3u8": "hls", ".m3u": "hls", ".ffconcat": "concat"}

# FFmpeg's demuxers of a single file. Left out: lists, numbered pictures, demuxers that open
# neighbouring files (mlv, vobsub, imf), devices, networks, scripts, subtitles, and raw samples,
# which do not state their own format.
SINGLE_FILES = """
3dostr 3g2 3gp 4xm aa aac aax ac3 ac4 ace acm act adp ads adx aea afc aiff aix alias_pix alp
amr amrnb amrwb anm apac apc ape apm apng aptx aptx_hd apv argo_asf argo_brp argo_cvg asf
asf_o ast au av1 avi avr avs avs2 avs3 bethsoftvid bfi bfstm bink binka bit bmp_pipe bmv boa
bonk brender_pix brstm c93 caf cavsvideo cdg cdxl cine codec2 cri_pipe daud dcstr dds_pipe
derf dfa dfpwm dhav dirac dnxhd dpx_pipe dsf dsicin dss dts dtshd dv dxa ea ea_cdata eac3
epaf evc exr_pipe film_cpk filmstrip fits flac flic flv frm fsb fwse g722 g723_1 g726 g726le
g728 g729 gdv gem_pipe genh gif gif_pipe gsm gxf h261 h263 h264 hca hcom hdr_pipe hevc hnm
hxvs iamf ico idcin iff ifv ilbc image2pipe ingenient ipmovie ipu ircam iss iv8 ivf ivr
j2k_pipe jpeg_pipe jpegls_pipe jpegxl_anim jpegxl_pipe jpegxs_pipe jv kux kvag laf lc3
live_flv lmlm4 loas luodat lvf lxf m4a m4v matroska mca mgsts mj2 mjpeg mjpeg_2000 mlp mm
mmf mods moflex mov mp3 mp4 mpc mpc8 mpeg mpegts mpegtsraw mpegvideo mpjpeg msf msnwctcp msp
mtaf mtv musx mv mvi mxf mxg nc nistsphere nsp nsv nut nuv obu ogg oma osq paf pam_pipe
pbm_pipe pcx_pipe pdv pfm_pipe pgm_pipe pgmyuv_pipe pgx_pipe phm_pipe photocd_pipe
pictor_pipe pmp png_pipe pp_bnk ppm_pipe psd_pipe psxstr pva pvf qcp qdraw_pipe qoa qoi_pipe
r3d redspark rka rl2 rm roq rpl rsd rso s337m sbc scd sdns sdr2 sds sdx ser sga sgi_pipe shn
siff simbiosis_imx sln smjpeg smk smush sol sox spdif sunrast_pipe svag svs swf tak thp
tiertexseq tiff_pipe tmv truehd tta txd ty usm vag vbn_pipe vc1 vc1test vividas vivo vmd voc
vpk vqf vvc w64 wady wav wavarc wc3movie webm webp_pipe wsaud wsd wsvqa wtv wv wve xa
xbm_pipe xmd xmv xpm_pipe xvag xwd_pipe xwma yop yuv4mpegpipe
"""

PROTOCOLS = "file"
LIST_NOTE = "this is a list of other files; they are read from its folder, and nothing is cached"
JOIN = "if the list is yours, join its parts into one video: ffmpeg -i LIST -c copy FILM.mkv"


def is_list(path: Path) -> bool:
    """Return whether a file is a list of other files, by its suffix."""
    return path.suffix.lower() in LISTS


def options(path: Path) -> dict[str, str]:
    """Return the FFmpeg options that allow only demuxers for a file's name."""
    kinds = SINGLE_FILES.split()
    if is_list(path):
        kinds.append(LISTS[path.suffix.lower()])
    return {"format_whitelist": ",".join(kinds), "protocol_whitelist": PROTOCOLS}


def opener(path: Path) -> Callable[[str, int, Any], IO[bytes]] | None:
    """Return the function that opens the files of a list; None: the file is no list.

    The function replaces FFmpeg's own function. It raises PermissionError for a file outside the
    list's folder.
    """
    if not is_list(path):
        return None
    folder = path.absolute().parent.resolve()

    def open_inside(url: str, flags: int, options: Any) -> IO[bytes]:
        wanted = Path(url.removeprefix(f"{PROTOCOLS}:")).absolute()
        if wanted != path.absolute() and not wanted.resolve().is_relative_to(folder):
            raise PermissionError(f"{wanted.name} lies outside the folder of the list")
        return wanted.open("rb")

    return open_inside


# The first bytes of lists (with any name): HLS, ffconcat, DASH and similar, SDP, music playlists.
LIST_BEGINNINGS = re.compile(
    rb"#EXTM3U|ffconcat version|<(MPD|SmoothStreaming|ASX)\b|^v=0\s|^\[playlist\]|^c=IN\b",
    re.IGNORECASE | re.MULTILINE,
)
NUMBERED = re.compile(r"%\d*d")
HEAD_BYTES = 2048


def looks_like_list(path: Path) -> bool:
    """Return whether a file begins like a list, or its name stands for a sequence of pictures."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return bool(LIST_BEGINNINGS.search(head)) or bool(NUMBERED.search(path.name))


def require_single(path: Path, reader: str) -> None:
    """Check that a file is not a list; for programs that rdmf cannot restrict to one folder.

    Args:
        path: The video file.
        reader: The program's name, for the error.

    Raises:
        RdmfError: The file is a list of other files.
    """
    if is_list(path) or looks_like_list(path):
        raise RdmfError(
            f"is a list of other files, and {reader} must not read such lists", path, JOIN
        )
