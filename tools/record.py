"""Run notebooks from the top in this environment and keep what they put out, with clean metadata.

usage: tools/record.py notebooks/04_mlp_gan.ipynb …

Run from the notebook's own folder, as a reader would. A notebook that fails is left as it was.
"""

import base64
import io
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
from gan_lessons.runtime import write_whole

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def record(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
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
                if "metadata" in output:
                    output.metadata = nbformat.from_dict({})


def smaller(png: str) -> str:
    """A picture in 128 colours, if that makes it smaller: a quarter of the size, where faces are drawn. Base64 both ways."""
    picture, content = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), io.BytesIO()
    picture.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return min(png, base64.b64encode(content.getvalue()).decode(), key=len)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        record(Path(name).resolve())
