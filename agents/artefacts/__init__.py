"""Built things that ship with the package: ABIs, bytecode, verifying keys, witness generators."""
