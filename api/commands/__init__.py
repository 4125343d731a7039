"""The commands of ``linernotes``, one module for each noun. Imports that cost time happen inside them."""
