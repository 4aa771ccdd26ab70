"""Where the program begins: from here on a Ctrl-C is one line, whatever is being imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with ``sys.argv``, and leave the process with its exit code."""
    try:
        from hotswap.cli.table import quick_answer

        text = quick_answer(sys.argv[1:])
        if text is None:
            if not sys.warnoptions:  # what libraries warn their programmers of is no business of the user
                import warnings

                warnings.simplefilter("ignore")
            from hotswap.cli.root import root

            root.main(prog_name="hotswap")
        else:
            print(text)
            sys.stdout.flush()
    except KeyboardInterrupt:  # while modules are imported; later root.main sees to it
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except OSError as error:  # a full disk, or nobody who reads
        from hotswap.cli.failures import report
        from hotswap.cli.invocation import Invocation

        sys.exit(report(error, Invocation(), sys.argv))
    finally:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the interpreter's own end would answer one with a traceback
