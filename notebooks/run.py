"""Runs the code cells of a notebook in one process, without Jupyter.

    python3 run.py first-look.ipynb

A cell that fails ends the run with its number, its source and the exception.
"""

import json
import sys


def main(path):
    with open(path, encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        try:
            exec(compile(source, f"{path}, cell {number}", "exec"), names)
        except BaseException:
            print(f"cell {number} of {path} failed:\n\n{source}\n", file=sys.stderr)
            raise


if __name__ == "__main__":
    main(sys.argv[1])
