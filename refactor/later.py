"""The public names of :mod:`refactor` that few files need; imported from there, when they are asked for."""

from __future__ import annotations

from refactor.context.archives import (
    is_archive as is_archive,
    is_archive_name as is_archive_name,
)
from refactor.context.deployment import Deployment as Deployment
from refactor.context.dockerignore import with_patterns as with_patterns
from refactor.context.history import History as History
from refactor.ecosystems.answers import (
    Assets as Assets,
    Base as Base,
    Behind as Behind,
    BuiltStart as BuiltStart,
    Crossing as Crossing,
    DirectStart as DirectStart,
    Install as Install,
    Instead as Instead,
    Pruned as Pruned,
    Rewrite as Rewrite,
    Slim as Slim,
    SplitPlan as SplitPlan,
    StaticSite as StaticSite,
    Written as Written,
)
from refactor.ecosystems.apart import (
    Apart as Apart,
    taken_apart as taken_apart,
)
from refactor.ecosystems.compile_caches import (
    CompileCache as CompileCache,
    compile_caches as compile_caches,
)
from refactor.ecosystems.download_caches import (
    DownloadCache as DownloadCache,
    download_caches as download_caches,
)
from refactor.ecosystems.joined import Joined as Joined, joined as joined
from refactor.ecosystems.serving import Serving as Serving
from refactor.ecosystems.split import copies_to as copies_to, variant_reference as variant_reference
from refactor.flow.closure import (
    named as named,
    why_not_seen as why_not_seen,
)
from refactor.flow.folders import is_folder_there as is_folder_there
from refactor.flow.leftovers import (
    Leftover as Leftover,
    Needed as Needed,
    leftovers as leftovers,
)
from refactor.flow.moving import why_not_moved as why_not_moved
from refactor.flow.ownership import ownership as ownership
from refactor.flow.ports import (
    low_ports as low_ports,
    only_docker as only_docker,
)
from refactor.flow.secret_files import (
    SecretFile as SecretFile,
    secret_files as secret_files,
)
from refactor.flow.shell_writes import written_by_shell as written_by_shell
from refactor.flow.short_lived import (
    ShortLived as ShortLived,
    short_lived as short_lived,
)
from refactor.flow.user import (
    installs_as_root as installs_as_root,
    why_root as why_root,
)
from refactor.flow.user_ids import user_ids as user_ids
from refactor.flow.user_lines import (
    Prepared as Prepared,
    above_sources as above_sources,
    first_volume as first_volume,
    head_anchor as head_anchor,
    place_of_user as place_of_user,
    prepared_elsewhere as prepared_elsewhere,
    user_in as user_in,
)
from refactor.images.package_names import is_in_all_releases as is_in_all_releases
from refactor.images.recommended import recommended as recommended
from refactor.images.registry import ask_registry as ask_registry
from refactor.images.temurin import temurin_of as temurin_of
from refactor.shell.pipes import (
    earnest as earnest,
    has_pipe as has_pipe,
    why_not_pipefail as why_not_pipefail,
    why_other_in_bash as why_other_in_bash,
)
from refactor.shell.posix import (
    OF_THE_SYSTEM as OF_THE_SYSTEM,
    QUIET as QUIET,
    STARTS_NO_OTHER as STARTS_NO_OTHER,
)
