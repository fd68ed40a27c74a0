"""What a game measured, turn by turn, and its CSV file."""

import csv
import io
import math
import operator
from pathlib import Path
from typing import NamedTuple

from gan_lessons import runtime


class Record(NamedTuple):
    """What one turn measured: the mean of D(x) and of D(G(z)) before D's step, both losses, and the size of G's gradient.

    The size is the Euclidean norm over all of G's parameters, from before G's step; NaN where nobody measured it.
    """

    turn: int
    real_p: float
    fake_p: float
    generator_loss: float
    discriminator_loss: float
    generator_gradient: float = math.nan


class History(list[Record]):
    """One `Record` a turn, in order."""

    def column(self, name: str) -> list[float]:
        """One measure over all turns, by its name in `Record`. Raises KeyError for another name."""
        if name not in Record._fields:
            raise KeyError(f"The history has no column {name!r}; it has {', '.join(Record._fields)}.")
        return list(map(operator.itemgetter(Record._fields.index(name)), self))

    def write_csv(self, path: str | Path, turns_per_epoch: float) -> None:
        """Write a CSV file, whole or not at all: a row a turn, with the epoch (passes over the data so far) first.

        The column of G's gradient is left out where no turn measured it.
        """
        if not turns_per_epoch > 0:
            raise ValueError(f"turns_per_epoch is images / batch size, above 0, not {turns_per_epoch}.")
        measured = any(not math.isnan(record.generator_gradient) for record in self)
        names = Record._fields if measured else Record._fields[:-1]
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("epoch", *names))
        for record in self:
            measures = (f"{measure:.6f}" for measure in record[1 : len(names)])
            rows.writerow((f"{record.turn / turns_per_epoch:.4f}", record.turn, *measures))
        runtime.write_whole(path, text.getvalue().encode())

    @classmethod
    def read_csv(cls, path: str | Path) -> "History":
        """The history in a file that `write_csv` wrote. Raises ValueError for a file that holds something else."""
        with open(path, newline="", encoding="utf-8") as file:
            try:
                rows = csv.DictReader(file)
                if rows.fieldnames not in (["epoch", *Record._fields], ["epoch", *Record._fields[:-1]]):
                    raise ValueError(f"its columns are {rows.fieldnames}")
                measures = rows.fieldnames[2:]
                return cls(Record(int(row["turn"]), *(float(row[name]) for name in measures)) for row in rows)
            except (ValueError, TypeError, csv.Error) as error:
                raise ValueError(f"{path} is no history that write_csv wrote: {error}.") from None
