"""The command line: one short file per command, built on the functions of `rdmf_cli.api`."""
