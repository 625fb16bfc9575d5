""".NET: C#, F# and Visual Basic projects and solutions, on the ASP.NET or the plain runtime of the same version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused

if TYPE_CHECKING:
    from refactor.flow.roots import Root


class DotNet(Language):
    name = ".NET"
    rooms = {
        "tools": "effect",
        "installing": "installed built_start",
        "needs": "needs_of writes runner",
    }
    families = frozenset({"dotnet"})
    versioned = frozenset({"dotnet"})
    programs = frozenset({"dotnet"})
    sources = r"\.(?:cs|fs|vb|cshtml|razor|xaml)\Z"
    has_dependency_layers = True
    compiles = r"dotnet(?: -\S+)* (?:run|watch)(?: |\Z)"
    build_once = "build in a RUN (dotnet publish -c Release -o out), and start the program: dotnet out/<name>.dll"
    build_packages = frozenset(("clang", *(f"dotnet-sdk-{n}" for n in ("6.0", "7.0", "8.0", "9.0", "10.0"))))

    def entry(self, root: Root) -> str | Refused | None:
        words = root.words
        if root.name != "dotnet":
            return words[0]
        found = self.why_compiles(root) or next((word for word in words[1:] if word.endswith((".dll", ".exe"))), None)
        if found is None and any(not word.startswith("-") for word in words[1:]):
            because = f"{root.where} starts `{' '.join(words)}`, for which the SDK has to be there"
            return Refused(because, "keep the SDK")
        return found
