"""Resuming many failures: which are meant, the plan that is shown for all, and how it is carried out."""
