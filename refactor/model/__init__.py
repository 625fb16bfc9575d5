"""What a Dockerfile means, read by a second reader that shares nothing with `refactor.syntax`.

Codemods import :mod:`refactor.model.aspects` at start-up; the readers (:mod:`refactor.model.build_model`,
:mod:`refactor.model.comparison`, :mod:`refactor.model.produced`) are for rewritten files only.
"""
