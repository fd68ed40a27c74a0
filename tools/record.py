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
from tools import claims

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    # By the last two nbconvert writes scripts as .py.
    "language_info": {"name": "python", "file_extension": ".py", "nbconvert_exporter": "python"},
}

# What folds a cell that is tagged hide-input: in JupyterLab, on Colab. The tag itself is what pages go by.
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}

STILL = re.compile('<style class="gan-lessons-still.*</style><script>.*</script>')


class Client(NotebookClient):
    """Runs the cells, and keeps in `differences` which of the text's claims do not hold after them."""

    differences: list[str]

    async def async_execute_cell(
        self, cell: nbformat.NotebookNode, cell_index: int, execution_count: int | None = None, store_history: bool = True
    ) -> nbformat.NotebookNode:
        done = await super().async_execute_cell(cell, cell_index, execution_count, store_history)
        if wanted := claims.expressions(cell):
            assert self.kc is not None
            reply = await self.async_wait_for_reply(self.kc.execute("", silent=True, user_expressions=wanted))
            assert reply is not None
            self.differences += claims.differences(cell, reply["content"]["user_expressions"])
        return done


def record(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as runs:  # no lesson is to go on from what another run of it has left
        os.environ["GAN_LESSONS_RUNS"] = runs
        client = Client(
            notebook,
            timeout=900,
            kernel_name="python3",
            resources={"metadata": {"path": path.parent}},
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
        )
        client.differences = []
        client.execute()
    clean(notebook)
    nbformat.validate(notebook)
    checks = [cell for cell in notebook.cells if "check" in cell.metadata.get("tags", [])]
    said = [output.text.strip() for cell in checks for output in cell.outputs]
    if differences := client.differences + said:
        raise SystemExit("\n".join([f"{path}: left as it was, for its text is not true:", *differences]))
    write_whole(path, (nbformat.writes(notebook) + "\n").encode())
    print(f"{path}: {time.monotonic() - started:.0f} s, {path.stat().st_size / 1e6:.2f} MB")


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep in the metadata the kernel's name, the cells' tags and claims; fold what is tagged so; number the cells by position."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03}"
        kept = {key: cell.metadata[key] for key in ("tags", "claims") if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept | (FOLDED if "hide-input" in kept.get("tags", []) else {}))
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.output_type != "clear_output"]
            for output in cell.outputs:
                output.pop("transient", None)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = smaller(output.data["image/png"])
                # A widget's view without its kernel would hide what stands for it.
                if "text/plain" in output.get("data", {}):
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
