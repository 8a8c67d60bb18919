"""Run the command as `python -m gotostate`."""

import sys

from gotostate.cli import main

sys.exit(main())
