"""Recognising audio, by its exact content and by its sound."""
