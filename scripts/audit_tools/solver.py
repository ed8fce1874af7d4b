"""`python solver.py [...] QUERY.smt2`: cvc5 for halmos, reasoning about bit vectors as integers.

The market's formulas are products, quotients and comparisons of amounts, where solvers that look at bits give up. cvc5 comes
as a Python package; it has no command line there. It runs in the auditing tools' environment.
"""

from __future__ import annotations

import sys

import cvc5


def main(path: str) -> None:
    """Print what an SMT solver prints for the commands of a file."""
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    for name, value in {"produce-models": "true", "solve-bv-as-int": "sum", "nl-ext-tplanes": "true"}.items():
        solver.setOption(name, value)
    parser = cvc5.InputParser(solver)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, path)
    symbols = parser.getSymbolManager()
    while not (command := parser.nextCommand()).isNull():
        sys.stdout.write(command.invoke(solver, symbols))
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[-1])
