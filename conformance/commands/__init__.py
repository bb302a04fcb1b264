"""Commands of the command line, a file each: parse, call, exit code; `conformance.cli` is their group."""
