"""The quick builder."""
