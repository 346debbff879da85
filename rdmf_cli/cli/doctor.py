"""rdmf doctor: check what is installed, what is missing, and whether everything works."""

from __future__ import annotations

import typer

from rdmf_cli.cli import options


def doctor(context: typer.Context, as_json: options.Json = False) -> None:
    """Check the installation, and search the example video as a test."""
    from rdmf_cli.api.doctor import diagnose
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.wrong_settings import faults
    from rdmf_cli.outputs.upkeep import diagnosis_table

    root = context.find_root()
    diagnosis = diagnose(lambda: faults(root.command, root))
    print_result(diagnosis, as_json, diagnosis_table)
    if diagnosis.failed:
        raise typer.Exit(1)
