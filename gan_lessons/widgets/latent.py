"""Panels that play with a generator's latent space; `widgets` offers them.

Each keeps a copy of the generator in eval mode, so that training on does not change what a panel shows, and random
numbers of its own, so that playing does not change a training run.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from ipywidgets import Button, Checkbox, FloatSlider, Layout, SelectionSlider, Text, ToggleButton, ToggleButtons, VBox
from torch import Tensor, nn

from gan_lessons import latent, plots, runtime
from gan_lessons.widgets.panel import FaceButtons, Panel, Picture, beside, filmstrip, hidden_style, text, wrapped

KEPT = 8
HINT = (
    "The sliders count standard deviations of z; <b>strength</b> multiplies them all. <b>Truncation</b> scales the face's "
    "own z: at 0 every face becomes one and the same picture, that of z = 0."
)


def latent_sliders(
    generator: nn.Module, directions: Mapping[str, Tensor] | None = None, faces: int = 1, seed: int = 0
) -> "LatentPanel":
    """A face and a slider for each direction of z by its name; without directions, six principal ones.

    A direction is a tensor of latent_size numbers, of which only the direction counts, not the length. `faces` are moved
    together, 16 of them in a 4×4 grid. `seed` chooses the first face and those that come after it. Raises ValueError for
    no direction, for one that is zero, not finite or of the wrong length, and for fewer faces than one.
    """
    return time_travel({"": generator}, directions, faces, seed)


def time_travel(
    generators: Mapping[str | int, nn.Module], directions: Mapping[str, Tensor] | None = None, faces: int = 1, seed: int = 0
) -> "LatentPanel":
    """The panel of `latent_sliders` with a slider more: over generators, each under its number of turns, in order.

    Without directions it takes six principal ones of the last generator. Raises ValueError as `latent_sliders` does, for no
    generator, and for generators whose z differ in size.
    """
    if not generators:
        raise ValueError("There is no generator to travel to: give a mapping from the number of turns to the generator.")
    last = list(generators.values())[-1]
    if directions is None:
        principal = latent.principal_directions(last, min(6, latent.first_layer(last).shape[1]))
        directions = {f"direction {n}": direction for n, direction in enumerate(principal, 1)}
    if not directions:
        raise ValueError("There is no direction to make a slider of: give a mapping from names to tensors of latent_size.")
    return LatentPanel(generators, directions, faces, seed)


class LatentPanel(Panel):
    """Sliders over directions of z beside the picture; made by `latent_sliders`, `time_travel` and `teach_direction`.

    `directions` are unit vectors by name, `sliders` the FloatSliders by name, `z` the codes on the screen, N×latent_size;
    `generators` are its own copies, by the words for their turns.
    """

    def __init__(
        self, generators: Mapping[str | int, nn.Module], directions: Mapping[str, Tensor], faces: int, seed: int
    ) -> None:
        self.generators = {_label(turns): _frozen(generator) for turns, generator in generators.items()}
        size = _common_size(self.generators)
        if faces < 1:
            raise ValueError(f"A panel shows at least one face, not {faces}.")
        self._random = torch.Generator().manual_seed(seed)
        self._base = torch.randn(faces, size, generator=self._random)
        self._z = torch.zeros(faces, size, device=_device(self.generators))
        self.directions: dict[str, Tensor] = {}
        self.sliders: dict[str, FloatSlider] = {}
        self._kept: dict[Button, dict] = {}
        self._drawing = True
        super().__init__([], _words(len(directions), len(self.generators)), self._filmstrip)
        self._make_controls(round(faces**0.5))
        for name, direction in directions.items():
            self._put_slider(name, direction)
        self._arrange()
        self._draw()

    def _make_controls(self, columns: int) -> None:
        self.strength = _slider("strength", 1.0, 0.0, 3.0, ".1f")
        self.truncation = _slider("truncation", 1.0, 0.0, 1.0, ".2f", 0.05)
        self.turns = SelectionSlider(
            options=list(self.generators), value=list(self.generators)[-1], description="turns", **_wide()
        )
        self.lock = Checkbox(description="a random face keeps the sliders", indent=False, layout=Layout(width="auto"))
        self._slider_box = VBox()
        self.picture = Picture(columns, 420 if columns == 1 else 540)
        self.kept = FaceButtons(72)
        for control in (self.strength, self.truncation, self.turns):
            control.observe(self.guarded(self._draw), names="value")

    def _arrange(self) -> None:
        buttons = wrapped(
            self.button("Random face", self.random_face, "random"),
            self.button("Reset", self.reset, "undo"),
            self.button("Keep", self.keep, "bookmark"),
            self.button("Save as PNG", self.save, "download"),
        )
        travel = [self.turns] if len(self.generators) > 1 else []
        column = [*travel, self._slider_box, self.strength, self.truncation, self.lock]
        row = beside(column, self.picture)
        self.children = [hidden_style(), row, buttons, self.kept, self.message, text(HINT)]

    @property
    def z(self) -> Tensor:
        return self._z.cpu().clone()

    def add_direction(self, name: str, direction: Tensor) -> None:
        """Put a slider of this name onto the panel, or give a new direction to the one there is. Raises as `latent_sliders`."""
        self._put_slider(name, direction)
        self._draw()

    def _put_slider(self, name: str, direction: Tensor) -> None:
        self.directions[name] = _unit(name, direction, self._base.shape[1])
        if name not in self.sliders:
            self.sliders[name] = _slider(name, 0.0, -3.0, 3.0, "+.1f")
            self.sliders[name].observe(self.guarded(self._draw), names="value")
            self._slider_box.children = list(self.sliders.values())

    def random_face(self) -> None:
        """Draw new codes; the sliders return to 0 unless the lock holds them."""
        self._base = torch.randn(self._base.shape, generator=self._random)
        with self._together():
            if not self.lock.value:
                _to_zero(self.sliders)

    def reset(self) -> None:
        """The same face with all sliders where they began."""
        with self._together():
            _to_zero(self.sliders)
            self.strength.value = self.truncation.value = 1.0

    def keep(self) -> None:
        """Keep what is on the screen as a small picture that leads back to it; the oldest of nine goes."""
        button = self.button(f"Return to: {self._caption()}", lambda: self._return_to(button))
        self._kept[button] = {
            "base": self._base,
            "controls": {control: control.value for control in self._controls()},
            "picture": self.picture.image.value,
        }
        for oldest in list(self._kept)[:-KEPT]:
            del self._kept[oldest]
        self.kept.show({button: state["picture"] for button, state in self._kept.items()})

    def _return_to(self, button: Button) -> None:
        state = self._kept[button]
        self._base = state["base"]
        with self._together():
            _to_zero(self.sliders)  # those that came after it was kept
            for control, value in state["controls"].items():
                control.value = value

    def save(self) -> None:
        """Write the picture into the notebook's folder as face_1.png, face_2.png and so on, and say where it is."""
        folder = Path.cwd()
        number = next(n for n in range(1, 10**6) if not (folder / f"face_{n}.png").exists())
        path = folder / f"face_{number}.png"
        try:
            runtime.write_whole(path, self.picture.enlarged())
        except OSError as error:
            reason = f"The picture was not saved, since {folder} cannot be written to ({error.strerror})."
            self.say(f"{reason} Copy it by a right click.")
        else:
            self.say(f"Saved as {path.name} in {folder}.")

    def _controls(self) -> list:
        return [*self.sliders.values(), self.strength, self.truncation, self.turns]

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Change several things, and draw once."""
        self._drawing = False
        try:
            yield
        finally:
            self._drawing = True
        self._draw()

    def _draw(self) -> None:
        if self._drawing:
            self._z.copy_(self._codes(self._base, {name: slider.value for name, slider in self.sliders.items()}))
            with torch.inference_mode():
                self.picture.show(self.generators[self.turns.value](self._z), self._caption())

    def _codes(self, base: Tensor, values: Mapping[str, float]) -> Tensor:
        codes = self.truncation.value * base
        for name, value in values.items():
            codes += self.strength.value * value * self.directions[name]
        return codes

    def _caption(self) -> str:
        moved = [f"{name} {slider.value:+.1f}" for name, slider in self.sliders.items() if slider.value]
        words = "A face" if len(self._base) == 1 else f"{len(self._base)} faces"
        words += f" moved by {', '.join(moved)}" if moved else ", all sliders at 0"
        words += f", strength {self.strength.value:.1f}" if self.strength.value != 1 else ""
        words += f", truncation {self.truncation.value:.2f}" if self.truncation.value != 1 else ""
        return words + (f", after {self.turns.value} turns" if self.turns.value else "")

    @torch.inference_mode()
    def _filmstrip(self) -> bytes:
        """Three faces at every milestone, or one face with three sliders at five places each."""
        title = "A still of the panel: run the notebook to move its sliders"
        if len(self.generators) > 1:
            few = torch.randn(3, self._z.shape[1], generator=torch.Generator().manual_seed(0)).to(self._z)
            drawn = torch.stack([generator(few) for generator in self.generators.values()])
            rows = {f"face {n}": drawn[:, n - 1] for n in (1, 2, 3)}
            return filmstrip(rows, list(self.generators), title)
        places = {"−3": -3.0, "−1.5": -1.5, "0": 0.0, "+1.5": 1.5, "+3": 3.0}
        (generator,) = self.generators.values()
        rows = {
            name: generator(torch.cat([self._codes(self._base[:1], {name: place}) for place in places.values()]).to(self._z))
            for name in list(self.sliders)[:3]
        }
        return filmstrip(rows or {"": generator(self._z[:1].expand(5, -1))}, list(places), title)


def morph(generator: nn.Module, start: Tensor | None = None, end: Tensor | None = None, seed: int = 0) -> "MorphPanel":
    """A slider from one face to another, straight or on the arc, above the way in nine pictures.

    `start` and `end` are codes of latent_size numbers; without them they are random. Raises ValueError for a code of the
    wrong length, and for two that have no arc between them (see `latent.slerp`).
    """
    return MorphPanel(generator, start, end, seed)


class MorphPanel(Panel):
    """The way between two codes; made by `morph`.

    `z` is the code on the screen, `start` and `end` are the two ends, of shape latent_size each.
    """

    def __init__(self, generator: nn.Module, start: Tensor | None, end: Tensor | None, seed: int) -> None:
        self._generator = _frozen(generator)
        self._device = _device({"": self._generator})
        self._size = latent.first_layer(generator).shape[1]
        self._random = torch.Generator().manual_seed(seed)
        self.start, self.end = (self._draw_code() if code is None else _code(code, self._size) for code in (start, end))
        super().__init__([], "[A slider from one face to another: run the notebook to move it.]", self._filmstrip)
        self.t = FloatSlider(value=0.5, min=0.0, max=1.0, step=0.02, description="t", **_wide("2em"))
        self.way = ToggleButtons(options={"on the arc (slerp)": latent.slerp, "straight (lerp)": latent.lerp})
        self.picture, self.strip = Picture(1, 420), Picture(9, 600)
        self.t.observe(self.guarded(self._draw), names="value")
        self.way.observe(self.guarded(self._draw_all), names="value")
        ends = wrapped(
            self.button("Another start", self.another_start, "random"), self.button("Another end", self.another_end, "random")
        )
        top = beside([self.t, self.way, ends, self.message], self.picture)
        self.children = [hidden_style(), top, wrapped(self.strip)]
        self._draw_all()

    @property
    def z(self) -> Tensor:
        return self.way.value(self.start, self.end, self.t.value)

    def another_start(self) -> None:
        self.start = self._draw_code()
        self._draw_all()

    def another_end(self) -> None:
        self.end = self._draw_code()
        self._draw_all()

    def _draw_code(self) -> Tensor:
        return torch.randn(self._size, generator=self._random)

    @torch.inference_mode()
    def _draw(self) -> None:
        z = self.z
        words = f"The face at t = {self.t.value:.2f}, {self._way()}: its z has length {z.norm():.1f}"
        self.picture.show(self._generator(z[None].to(self._device)), words)

    def _draw_all(self) -> None:
        self._draw()
        lengths = latent.path(self.start, self.end, 9, self.way.value).norm(dim=1)
        words = f"The way in nine faces, {self._way()}; lengths of z: {', '.join(f'{length:.1f}' for length in lengths)}"
        self.strip.show(self._nine(self.way.value), words)

    @torch.inference_mode()
    def _nine(self, way: latent.Way) -> Tensor:
        return self._generator(latent.path(self.start, self.end, 9, way).to(self._device))

    def _way(self) -> str:
        return "on the arc" if self.way.value is latent.slerp else "on the straight line"

    def _filmstrip(self) -> bytes:
        rows = {"slerp": self._nine(latent.slerp), "lerp": self._nine(latent.lerp)}
        title = "From one face to another: run the notebook to move the slider"
        return filmstrip(rows, [f"{n / 8:.2f}" for n in range(9)], title)


def teach_direction(generator: nn.Module, faces: int = 24, seed: int = 0) -> "TeachPanel":
    """Samples to click: those that have "it" become a direction by a linear fit, and at once a slider.

    `faces` are shown at a time; more can be called for, and the marks on earlier ones count too. Raises ValueError for
    fewer faces than two: a direction is a difference between faces that have "it" and faces that have not.
    """
    return TeachPanel(generator, faces, seed)


class TeachPanel(Panel):
    """Faces to mark, and a latent panel that grows sliders; made by `teach_direction`.

    `faces` are the ToggleButtons, `name` the Text, `panel` the LatentPanel; `z` the codes seen so far, N×latent_size, and
    `marked` which of them were marked, N times yes or no. What was found is in `directions`, unit vectors by name.
    """

    def __init__(self, generator: nn.Module, faces: int, seed: int) -> None:
        if faces < 2:
            raise ValueError(f"There must be at least two faces to choose from, not {faces}.")
        self.panel = LatentPanel({"": generator}, {}, 1, seed)
        (self._generator,) = self.panel.generators.values()
        self._random = torch.Generator().manual_seed(seed)
        self.faces = [ToggleButton() for _ in range(faces)]
        self._earlier: list[tuple[Tensor, Tensor]] = []
        super().__init__([], f"[{faces} faces to click and a slider to make of them: run the notebook.]", self._filmstrip)
        self.name = Text(description="What is it?", placeholder="glasses, a smile, …", style={"description_width": "initial"})
        self._sheet, self._count = FaceButtons(96), text()
        for face in self.faces:
            face.observe(self.guarded(self._count_marks), names="value")
        make = self.button("Make a slider", self.make_slider, "sliders")
        more = self.button(f"{faces} more faces", self.more_faces, "random")
        invitation = text("Click every face that has <b>it</b>: glasses, a smile, whatever you choose. Then give it a name.")
        below = [self._count, wrapped(self.name, make, more), self.message, self.panel]
        self.children = [hidden_style(), invitation, self._sheet, *below]
        self._new_sheet()

    @property
    def directions(self) -> dict[str, Tensor]:
        return self.panel.directions

    @property
    def z(self) -> Tensor:
        return torch.cat([z for z, _ in self._earlier] + [self._z])

    @property
    def marked(self) -> Tensor:
        return torch.cat([marks for _, marks in self._earlier] + [self._marks()])

    def make_slider(self) -> None:
        """Fit a direction to all marks so far, and put it onto the panel under the name in `name`, moved by 2."""
        name = self.name.value.strip()
        if not name:
            raise ValueError("the slider has no name yet. Say in a word what the marked faces have.")
        self.panel.add_direction(name, latent.linear_direction(self.z, self.marked))
        self.panel.sliders[name].value = 2.0
        self.say(f"There is a slider {name!r} below, found from {self.marked.sum()} marked faces of {len(self.marked)}.")

    def more_faces(self) -> None:
        """A new sheet; the marks on the old one count on."""
        self._earlier.append((self._z, self._marks()))
        self._new_sheet()

    def _new_sheet(self) -> None:
        self._z = torch.randn(len(self.faces), self.panel.z.shape[1], generator=self._random)
        with torch.inference_mode():
            images = self._generator(self._z.to(_device({"": self._generator})))
        for face in self.faces:
            face.value = False
        self._sheet.show({face: FaceButtons.picture(image) for face, image in zip(self.faces, images)})
        self._count_marks()

    def _marks(self) -> Tensor:
        return torch.tensor([face.value for face in self.faces])

    def _count_marks(self) -> None:
        for number, face in enumerate(self.faces, 1):
            face.description = f"Face {number}, {'marked' if face.value else 'not marked'}"
        self._count.value = f"{self.marked.sum()} of {len(self.marked)} faces are marked."

    @torch.inference_mode()
    def _filmstrip(self) -> bytes:
        images = self._generator(self._z[:24].to(_device({"": self._generator})))
        rows = {f"{start + 1} …": images[start : start + 8] for start in range(0, len(images), 8)}
        return filmstrip(rows, [""] * min(8, len(images)), "Faces to click: run the notebook to teach it a direction")


def _frozen(generator: nn.Module) -> nn.Module:
    return copy.deepcopy(generator).eval().requires_grad_(False)


def _device(generators: Mapping[str, nn.Module]) -> torch.device:
    return latent.first_layer(next(iter(generators.values()))).device


def _label(turns: str | int) -> str:
    return plots.spaced(turns) if isinstance(turns, int) else str(turns)


def _common_size(generators: Mapping[str, nn.Module]) -> int:
    sizes = {label: latent.first_layer(generator).shape[1] for label, generator in generators.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{label!r} takes {size}" for label, size in sizes.items())
        raise ValueError(f"The generators need a z of one size to share the sliders, but {listed}.")
    return next(iter(sizes.values()))


def _code(code: Tensor, size: int) -> Tensor:
    code = torch.as_tensor(code).detach().cpu().float()
    if code.shape != (size,):
        raise ValueError(f"The generator takes codes of {size} numbers; this one has the shape {tuple(code.shape)}.")
    return code


def _unit(name: str, direction: Tensor, size: int) -> Tensor:
    direction = torch.as_tensor(direction).detach().cpu().float()
    if direction.shape != (size,):
        shape = tuple(direction.shape)
        raise ValueError(f"The direction {name!r} has the shape {shape}; this generator's z has {size} numbers.")
    if not direction.isfinite().all() or not direction.any():
        raise ValueError(f"The direction {name!r} leads nowhere: it must be finite, and not all zeros.")
    return direction / direction.norm()


def _wide(description_width: str = "9em") -> dict:
    return {"layout": Layout(width="auto"), "style": {"description_width": description_width}}


def _slider(name: str, value: float, low: float, high: float, form: str, step: float = 0.1) -> FloatSlider:
    return FloatSlider(value=value, min=low, max=high, step=step, readout_format=form, description=name, **_wide())


def _to_zero(sliders: Mapping[str, FloatSlider]) -> None:
    for slider in sliders.values():
        slider.value = 0.0


def _words(sliders: int, generators: int) -> str:
    if generators > 1:
        return f"[A slider over {generators} moments of training and {sliders} over z: run the notebook to move them.]"
    return f"[{sliders} sliders over directions of z and the face they make: run the notebook to move them.]"
