"""Hold lists of packages against known security holes.

    python .ci/audit.py LIST...          each list holds one NAME==VERSION per line

pip-audit asks a service about each package. Where the service does not answer, pip-audit passes the
package over, and still ends well; here those packages are counted. Whether it answers or not, each
list is also held against first_safe_versions.txt. Ends with 1 where a hole is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

SAFE_VERSIONS = Path(__file__).with_name("first_safe_versions.txt")


class Safe(NamedTuple):
    """The first version of a package without a hole."""

    version: Version
    advisory: str
    what: str


def read_safe_versions(path: Path = SAFE_VERSIONS) -> dict[str, Safe]:
    """Return the list by the packages' normalised names."""
    rows = [
        line.split(maxsplit=3)
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return {canonicalize_name(row[0]): Safe(Version(row[1]), row[2], row[3]) for row in rows}


def read_packages(path: Path) -> dict[str, Version]:
    """Return what a list of NAME==VERSION holds."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            needed = Requirement(line)
            (pin,) = needed.specifier
            found[canonicalize_name(needed.name)] = Version(pin.version)
    return found


def known_holes(packages: dict[str, Version], safe: dict[str, Safe]) -> list[str]:
    """Name the packages that are older than their first safe version."""
    return [
        f"{name} {version}: {safe[name].advisory}, {safe[name].what}; "
        f"safe from {safe[name].version} on"
        for name, version in sorted(packages.items())
        if name in safe and version < safe[name].version
    ]


def holes_by_service(path: Path) -> tuple[list[str], int]:
    """Ask pip-audit about a list: what it knows, and the number of packages it had answers for."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(path), "--format", "json"]
    done = subprocess.run(  # noqa: S603  (no shell; every word is ours)
        [*command, "--no-deps", "--disable-pip", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        told = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):  # it could not reach the service at all
        print(f"pip-audit: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return [], 0
    answered = [package for package in told if "skip_reason" not in package]
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}; "
        f"safe from {', '.join(hole['fix_versions']) or 'no version'} on"
        for package in answered
        for hole in package["vulns"]
    ]
    return holes, len(answered)


def audit(path: Path) -> list[str]:
    """Print what could be learned of a list, and return the holes."""
    packages, safe = read_packages(path), read_safe_versions()
    by_service, answered = holes_by_service(path)
    held = sum(name in safe for name in packages)
    print(
        f"{path.stem}: {len(packages)} packages; pip-audit's service answered for {answered}, "
        f"{held} were held against {SAFE_VERSIONS.name}"
    )
    if answered < len(packages):
        print(f"{path.stem}: NOT audited by the service: {len(packages) - answered} packages")
    return by_service + known_holes(packages, safe)


def main() -> None:
    holes = [f"{path}: {hole}" for path in sys.argv[1:] for hole in audit(Path(path))]
    if holes:
        sys.exit("\n".join(["known holes:", *holes]))
    print("no hole is known in the lists")


if __name__ == "__main__":
    main()
