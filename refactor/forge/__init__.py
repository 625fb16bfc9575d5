"""Repositories and code hosts: a rewrite as a branch of commits, and as a pull request that a bot keeps."""
