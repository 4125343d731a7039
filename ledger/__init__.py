"""The transparency log: bytes in, proofs out. It never knows what the bytes mean."""
