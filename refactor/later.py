"""The public names of :mod:`refactor` that few files need; imported from there, when they are asked for."""

from __future__ import annotations

from refactor.context.archives import (
    is_archive as is_archive,
    is_archive_name as is_archive_name,
)
from refactor.context.dockerignore import with_patterns as with_patterns
from refactor.ecosystems.apart import (
    Apart as Apart,
    taken_apart as taken_apart,
)
from refactor.ecosystems.download_caches import (
    DownloadCache as DownloadCache,
    download_caches as download_caches,
)
from refactor.ecosystems.serving import Serving as Serving
from refactor.ecosystems.split import variant_reference as variant_reference
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
from refactor.flow.shell_writes import (
    QUIET as QUIET,
    written_by_shell as written_by_shell,
)
from refactor.flow.short_lived import (
    ShortLived as ShortLived,
    short_lived as short_lived,
)
from refactor.flow.user_ids import user_ids as user_ids
from refactor.flow.user_lines import (
    above_sources as above_sources,
    first_volume as first_volume,
    head_anchor as head_anchor,
    place_of_user as place_of_user,
)
from refactor.images.package_names import is_in_all_releases as is_in_all_releases
from refactor.images.recommended import recommended as recommended
from refactor.images.temurin import temurin_of as temurin_of
