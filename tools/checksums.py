"""Write data/SHA256SUMS anew: every bundled file that lessons read, and what is unpacked from those ending in .gz."""

import argparse
import gzip
import hashlib
import subprocess
from pathlib import Path

from gan_lessons.runtime import write_whole

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "data"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "data"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    lines = []
    for path in (ROOT / name for name in sorted(set(filter(None, listed)))):
        if path.suffix in (".md", ".txt") or path.name == "SHA256SUMS" or not path.exists():
            continue
        content, name = path.read_bytes(), path.relative_to(FOLDER).as_posix()
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        if path.suffix == ".gz":
            lines.append(f"{hashlib.sha256(gzip.decompress(content)).hexdigest()}  {name.removesuffix('.gz')}\n")
    write_whole(FOLDER / "SHA256SUMS", "".join(lines).encode())


if __name__ == "__main__":
    main()
