"""Run notebooks from the top in this environment and keep what they put out, with clean metadata.

Run from the notebook's own folder, as a reader would. A notebook that fails is left as it was.
"""

import argparse
import base64
import io
import os
import re
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

from gan_lessons.runtime import write_whole

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    # By the last two nbconvert writes scripts as .py.
    "language_info": {"name": "python", "file_extension": ".py", "nbconvert_exporter": "python"},
}

STILL = re.compile('<style class="gan-lessons-still.*</style>')


def record(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as runs:  # no lesson is to go on from what another run of it has left
        os.environ["GAN_LESSONS_RUNS"] = runs
        NotebookClient(
            notebook,
            timeout=900,
            kernel_name="python3",
            resources={"metadata": {"path": path.parent}},
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
        ).execute()
    clean(notebook)
    nbformat.validate(notebook)
    write_whole(path, (nbformat.writes(notebook) + "\n").encode())
    print(f"{path}: {time.monotonic() - started:.0f} s, {path.stat().st_size / 1e6:.2f} MB")


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep nothing in the metadata but the kernel's name and the cells' tags; number the cells by position."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.output_type != "clear_output"]
            for output in cell.outputs:
                output.pop("transient", None)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = smaller(output.data["image/png"])
                    # A widget's view without its kernel would hide the picture that stands for it.
                    output.data.pop("application/vnd.jupyter.widget-view+json", None)
                if "text/html" in output.get("data", {}):
                    # With the view goes the picture that would take its place: the one above is shown anyway.
                    output.data["text/html"] = STILL.sub('<style class="gan-lessons-still"></style>', output.data["text/html"])
                if "metadata" in output:
                    output.metadata = nbformat.from_dict({})


def smaller(png: str) -> str:
    """A picture in 128 colours, if that makes it smaller: a quarter of the size, where faces are drawn. Base64 both ways."""
    picture, content = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), io.BytesIO()
    picture.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return min(png, base64.b64encode(content.getvalue()).decode(), key=len)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="for example notebooks/04_mlp_gan.ipynb")
    for path in parser.parse_args().notebooks:
        record(path.resolve())


if __name__ == "__main__":
    main()
