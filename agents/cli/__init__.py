"""The command line: typer commands, one file a command group. Thin: parse, ask runtime, print."""
