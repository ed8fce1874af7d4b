"""From a file to slots and back, pure and streaming: cipher, capability, manifest, erasure code, slot trees."""
