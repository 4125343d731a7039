"""What happened to a recording, signed."""
