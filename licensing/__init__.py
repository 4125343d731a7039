"""What may be done with a recording, and why."""
