"""The package page, the citation and the installation advice match the package."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from rdmf_cli import __version__
from rdmf_cli.errors import EXTRAS, how_to_install
from rdmf_cli.resources import PACKAGE

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "https://github.com/rdmf-cli/rdmf"
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def required(extra: str) -> set[str]:
    """Return the names of the packages that pyproject lists for an extra."""
    (listed,) = re.findall(rf"^{extra} = \[(.*?)\]$", PROJECT, re.M | re.S)
    return set(re.findall(r'"([\w-]+)', listed))


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_packages_that_advice_names_are_those_of_the_extra(extra):
    assert set(EXTRAS[extra]) == required(extra)
    assert how_to_install(extra) == f"pip install {' '.join(EXTRAS[extra])}"


@pytest.mark.parametrize("file", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=str)
def test_no_advice_asks_an_index_for_rdmf(file):
    assert not re.search(r"pip install '?\"?rdmf", file.read_text(encoding="utf-8"))


def test_the_address_is_the_same_everywhere():
    for name in ("pyproject.toml", "README.md", "CITATION.cff"):
        text = (ROOT / name).read_text(encoding="utf-8")
        found = set(re.findall(r"https://github\.com/[\w-]+/[\w-]+", text))
        assert found == {ADDRESS}, name


def test_the_metadata_is_fit_for_a_package_page():
    versions = [f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)]
    for classifier in ("Typing :: Typed", *versions):
        assert f'"{classifier}"' in PROJECT
    assert "[project.urls]" in PROJECT
    assert (PACKAGE / "py.typed").is_file()


def test_the_readme_has_no_relative_link_that_a_package_page_cannot_follow():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(link.startswith(("https://", "#")) for link in re.findall(r"\]\(([^)]+)\)", text))


def test_the_readmes_picture_fetches_no_font():
    picture = (ROOT / "docs" / "figures" / "query.svg").read_text(encoding="utf-8")
    assert "@font-face" not in picture
    assert "url(http" not in picture


def test_the_citation_names_this_version():
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def load_audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    sys.modules["audit"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_lowest_version_that_is_allowed_has_a_known_hole(tmp_path):
    audit = load_audit()
    bounds = dict(re.findall(r'"([\w-]+)>=([\d.]+)[";]', PROJECT))
    assert len(bounds) > 20
    lowest = tmp_path / "lowest.txt"
    lowest.write_text("".join(f"{name}=={version}\n" for name, version in bounds.items()))
    assert audit.known_holes(audit.read_packages(lowest), audit.read_safe_versions()) == []


def test_the_audit_names_what_is_older_than_its_first_safe_version(tmp_path):
    audit = load_audit()
    (tmp_path / "list.txt").write_text("# a comment\nTorch==2.9.1\nnumpy==2.2.6\n")
    (hole,) = audit.known_holes(
        audit.read_packages(tmp_path / "list.txt"), audit.read_safe_versions()
    )
    assert hole.startswith("torch 2.9.1: CVE-2026-24747, ")
    assert hole.endswith("safe from 2.10.0 on")


def test_every_part_of_ci_is_named_where_all_parts_run():
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (named,) = re.findall(r"^parts=\((.*?)\)$", run, re.M)
    on_request = re.findall(r"^# The part `(\w+)`", run, re.M)  # with the reason
    scripts = {path.name for path in (ROOT / ".ci").iterdir() if not path.suffix}
    assert {*named.split(), *on_request} == scripts - {"run", "__pycache__"}
