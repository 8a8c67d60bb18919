"""Resume a failed Step Functions execution from the state in which it ended."""
