"""Write data/SHA256SUMS anew: every bundled file that lessons read, and what is unpacked from those ending in .gz.

usage: tools/checksums.py
"""

import gzip
import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
from gan_lessons.runtime import write_whole

FOLDER = ROOT / "data"


def main() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "data"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
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
