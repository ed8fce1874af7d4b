"""Reading over HTTP in the conventions of IPFS's trustless and path gateways."""
