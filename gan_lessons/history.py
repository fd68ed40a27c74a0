"""What a game measured, turn by turn, and its CSV file."""

import csv
import io
import operator
from pathlib import Path
from typing import NamedTuple

from gan_lessons import runtime


class Record(NamedTuple):
    """What one turn measured: the mean of D(x) and of D(G(z)) before D's step, and both losses."""

    turn: int
    real_p: float
    fake_p: float
    generator_loss: float
    discriminator_loss: float


class History(list[Record]):
    """One `Record` a turn, in order."""

    def column(self, name: str) -> list[float]:
        """One measure over all turns: 'turn', 'real_p', 'fake_p', 'generator_loss' or 'discriminator_loss'."""
        if name not in Record._fields:
            raise KeyError(f"The history has no column {name!r}; it has {', '.join(Record._fields)}.")
        return list(map(operator.itemgetter(Record._fields.index(name)), self))

    def write_csv(self, path: str | Path, turns_per_epoch: float) -> None:
        """Write a CSV file, whole or not at all: a row a turn, with the epoch (passes over the data so far) first."""
        if not turns_per_epoch > 0:
            raise ValueError(f"turns_per_epoch is images / batch size, above 0, not {turns_per_epoch}.")
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("epoch", *Record._fields))
        for record in self:
            measures = (f"{measure:.6f}" for measure in record[1:])
            rows.writerow((f"{record.turn / turns_per_epoch:.4f}", record.turn, *measures))
        runtime.write_whole(path, text.getvalue().encode())

    @classmethod
    def read_csv(cls, path: str | Path) -> "History":
        """The history in a file that `write_csv` wrote. Raises ValueError for a file that holds something else."""
        with open(path, newline="", encoding="utf-8") as file:
            try:
                rows = csv.DictReader(file)
                if rows.fieldnames != ["epoch", *Record._fields]:
                    raise ValueError(f"its columns are {rows.fieldnames}")
                measures = Record._fields[1:]
                return cls(Record(int(row["turn"]), *(float(row[name]) for name in measures)) for row in rows)
            except (ValueError, TypeError, csv.Error) as error:
                raise ValueError(f"{path} is no history that write_csv wrote: {error}.") from None
