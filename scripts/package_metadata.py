"""Completes the package's metadata while hatchling builds: the project's addresses, and a README for an index.

The address of the repository is the variable SDSTREAM_REPOSITORY, else git's `origin`, else the address in the sdist.
On an index a relative link leads nowhere: links become absolute, or plain text where no address is known.
"""

import os
import re
import subprocess
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)\s]+)\)")
"""A Markdown link or picture with a relative address: mark of a picture, text, address."""


class PackageMetadata(MetadataHookInterface):
    """Adds `readme` and `urls`."""

    def update(self, metadata: dict) -> None:
        """Complete `metadata`, in place."""
        root = Path(self.root)
        address = repository(root)
        text = absolute((root / "README.md").read_text(encoding="utf-8"), address)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(address)


def repository(root: Path) -> str:
    """Return the https address of the repository, or an empty text."""
    told = os.environ.get("SDSTREAM_REPOSITORY") or _origin(root) or _sdist(root)
    address = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", told.strip())
    address = re.sub(r"^(https?://)[^/@]*@", r"\1", address)  # a password has no place in the metadata
    address = address.removesuffix("/").removesuffix(".git")
    return address if re.match(r"https?://[^/]+/", address) else ""


def urls(address: str) -> dict[str, str]:
    """Return the project's addresses by label."""
    if not address:
        return {}
    pages = {"Changelog": "CHANGELOG.md", "Documentation": "docs/configuration.md"}
    return {
        "Source": address,
        "Issues": f"{address}/issues",
        **{k: f"{address}/blob/HEAD/{v}" for k, v in pages.items()},
    }


def absolute(page: str, address: str) -> str:
    """Return a page in Markdown without relative links; code stays as it is."""
    parts = re.split(r"(^```.*?^```$|^ {4}[^\n]*$|`[^`\n]*`(?!\]))", page, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if index % 2 else LINK.sub(lambda m: _link(m, address), part) for index, part in enumerate(parts)
    )


def _link(found: re.Match[str], address: str) -> str:
    picture, text, place = found.groups()
    text = LINK.sub(lambda inner: _link(inner, address), text)
    if not address:
        return "" if picture else text
    return f"{picture}[{text}]({address}/{'raw' if picture else 'blob'}/HEAD/{place})"


def _origin(root: Path) -> str:
    command = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _sdist(root: Path) -> str:
    info = root / "PKG-INFO"
    text = info.read_text(encoding="utf-8") if info.is_file() else ""
    found = re.search(r"^Project-URL: Source, (\S+)$", text, re.MULTILINE)
    return found[1] if found else ""
