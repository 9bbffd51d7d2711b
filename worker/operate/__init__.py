"""What operators ask: status, reconcile, explain, dead letters, doctor. Functions return plain values."""
