"""Codemods that build for several platforms."""
