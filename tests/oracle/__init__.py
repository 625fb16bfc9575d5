"""Small Dockerfiles for the comparison with BuildKit's own parser."""
