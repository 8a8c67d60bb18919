"""Plugins that let LocalStack run on this machine alone: no container, no download."""
