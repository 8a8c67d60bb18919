"""The verbs of the command, a file each: what it is called, its options, its help, and what it does."""
