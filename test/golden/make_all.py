"""Remakes every golden file: /usr/bin/python3 test/golden/make_all.py"""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    sys.path.insert(0, str(HERE))
    for script in sorted(HERE.glob("make_*.py")):
        if script.name != Path(__file__).name:
            print(script.name)
            runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
