"""`python -m gan_lessons`: whether this machine is ready for the lessons; see `doctor`."""

import io
import sys

from gan_lessons.doctor import main

if isinstance(sys.stdout, io.TextIOWrapper):  # a dot between two words is not worth a failure where the encoding has none
    sys.stdout.reconfigure(errors="replace")
sys.exit(main(sys.argv[1:]))
