"""The built-in model: a small decoder that writes string quartets, voice by voice in parallel."""
