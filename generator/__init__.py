"""Making audio. It knows nothing of rights."""
