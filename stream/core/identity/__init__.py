"""Whose is it: the forest of identity nodes (IDENTITY rules), claims, resolutions."""
