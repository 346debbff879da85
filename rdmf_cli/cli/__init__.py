"""The command line: one short file per command, over the functions of `rdmf_cli.api`."""
