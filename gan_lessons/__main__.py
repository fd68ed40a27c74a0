"""`python -m gan_lessons`: whether this machine is ready for the lessons; see `doctor`."""

import sys

from gan_lessons.doctor import main

sys.exit(main(sys.argv[1:]))
