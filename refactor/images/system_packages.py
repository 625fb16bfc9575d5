"""System packages: which are there only to build, and what of them a program needs when it runs.

Names of Debian bookworm were checked with apt-cache; those of other Debian releases, of Ubuntu and of Alpine follow
these distributions' package lists and were not checked against their archives. Where a release's name is not known the
answer says so by None, never by a guess.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from refactor.shell import normalise


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class SystemPackage(NamedTuple):
    name: str
    kind: str
    """"build-only": compilers, headers, build systems. "runtime": a program or library to keep.
    "unknown": either; keep it unless it is known to be called by the build alone (git, curl, unzip)."""
    runtime: tuple[str, ...] | None
    """What the runner needs in its place: () nothing, names to install, or None where that is not known."""


_DEBIAN_ORDER = ("wheezy", "jessie", "stretch", "buster", "bullseye", "bookworm", "trixie")
_UBUNTU_ORDER = ("trusty", "xenial", "bionic", "focal", "jammy", "noble", "resolute")

_BUILD_TOOLS = _words(
    """
    apt-utils autoconf autogen automake autotools-dev bear binutils bison build-essential byacc cargo
    ccache clang clang-format cmake cpp debhelper devscripts dh-python dpkg-dev equivs extra-cmake-modules
    fakeroot flex g++ gcc gcc-multilib g++-multilib gdb gettext gfortran git-lfs gnat gobjc golang
    golang-go gperf help2man intltool itstool libc-dev libc6-dev libtool libtool-bin linux-headers-generic
    linux-libc-dev lld llvm llvm-dev m4 make maven gradle meson mold nasm ninja-build patch patchelf
    pkg-config pkgconf protobuf-compiler python-dev python2-dev python3-dev python3-cffi-backend-dev quilt
    ragel re2c rpm rustc rustup scons swig swig3.0 swig4.0 texinfo valac yasm cython cython3 cmake-data
    cmake-curses-gui musl-tools python3-distutils-extra software-properties-common
    """
)
_BUILD_TOOL_STARTS = (
    "gcc-",
    "g++-",
    "clang-",
    "llvm-",
    "gfortran-",
    "cpp-",
    "binutils-",
    "linux-headers",
    "golang-1",
)

# Programs that builds call and that programs call too.
_EITHER = _words(
    """
    apt-transport-https aria2 brotli bsdtar bzip2 curl dirmngr file gawk git gnupg gnupg2 gpg jq less
    libarchive-tools lsb-release mercurial nano net-tools nodejs npm openssh-client openssl p7zip-full
    perl php-cli procps python python-is-python3 python-pip python-setuptools python3 python3-pip
    python3-setuptools python3-venv python3-virtualenv python3-wheel rsync ruby socat ssh subversion sudo
    tar time unar unzip vim virtualenv wget xz-utils yarn zip zstd
    """
)
_RUNTIME = _words(
    """
    bash ca-certificates chromium chromium-driver cron dumb-init ffmpeg fontconfig fonts-dejavu
    fonts-dejavu-core fonts-liberation fonts-noto fonts-noto-cjk fonts-noto-color-emoji ghostscript gosu
    graphicsmagick graphviz gunicorn gdal-bin imagemagick iproute2 iputils-ping libmagic1 libreoffice
    locales mariadb-client media-types mime-support default-mysql-client mysql-client netbase netcat
    netcat-openbsd netcat-traditional nginx pandoc postgresql-client poppler-utils postfix redis-tools
    runit sqlite3 supervisor tesseract-ocr tini tzdata uwsgi wkhtmltopdf xauth xvfb default-jre
    default-jre-headless openjdk-8-jre openjdk-11-jre openjdk-11-jre-headless openjdk-17-jre
    openjdk-17-jre-headless openjdk-21-jre-headless libgl1 libgl1-mesa-glx libglib2.0-0 libsm6 libxext6
    libxrender1 libgomp1 libatomic1 libstdc++6 libgcc-s1 libnss3 dnsutils bind9-dnsutils logrotate rsyslog
    """
)

# -dev package: run-time packages; "release:name" starts with that release, before it another name or none is
# known. Ubuntu's names stand in _UBUNTU where they differ. "+" joins several packages, of the next line too.
_DEBIAN = """
libpq-dev                   libpq5
libmariadb-dev              buster:libmariadb3
libmariadb-dev-compat       buster:libmariadb3
libmariadbclient-dev        stretch:libmariadbclient18 buster:libmariadb3 bullseye:?
default-libmysqlclient-dev  stretch:libmariadbclient18 buster:libmariadb3
libmysqlclient-dev          jessie:libmysqlclient18 stretch:?
libxml2-dev                 libxml2
libxslt1-dev                libxslt1.1
libxslt-dev                 libxslt1.1
libjpeg-dev                 libjpeg62-turbo
libjpeg62-turbo-dev         libjpeg62-turbo
libjpeg-turbo8-dev          ?
libjpeg8-dev                ?
zlib1g-dev                  zlib1g
libz-dev                    zlib1g
libffi-dev                  libffi6 bullseye:libffi7 bookworm:libffi8
libssl-dev                  jessie:libssl1.0.0 stretch:libssl1.1 bookworm:libssl3 trixie:libssl3t64
libcurl4-openssl-dev        jessie:libcurl3 buster:libcurl4 trixie:libcurl4t64
libcurl4-gnutls-dev         libcurl3-gnutls trixie:libcurl3t64-gnutls
libsqlite3-dev              libsqlite3-0
libldap2-dev                libldap-2.4-2 bookworm:libldap-2.5-0 trixie:libldap2
libldap-dev                 bullseye:libldap-2.4-2 bookworm:libldap-2.5-0 trixie:libldap2
libsasl2-dev                libsasl2-2
libkrb5-dev                 libkrb5-3+libgssapi-krb5-2
libgdal-dev                 stretch:libgdal20 bullseye:libgdal28 bookworm:libgdal32 trixie:libgdal36
libgeos-dev                 jessie:libgeos-c1 stretch:libgeos-c1v5 trixie:libgeos-c1t64
libproj-dev                 stretch:libproj12 buster:libproj13 bullseye:libproj19 bookworm:libproj25
libspatialite-dev           libspatialite7 trixie:libspatialite8t64
libspatialindex-dev         buster:libspatialindex5 bullseye:libspatialindex6 trixie:libspatialindex8
libvips-dev                 libvips42 trixie:libvips42t64
libcairo2-dev               libcairo2
libpango1.0-dev             libpango-1.0-0+libpangocairo-1.0-0+libpangoft2-1.0-0
libgdk-pixbuf2.0-dev        libgdk-pixbuf2.0-0 bullseye:libgdk-pixbuf-2.0-0
libgdk-pixbuf-2.0-dev       bullseye:libgdk-pixbuf-2.0-0
libmagic-dev                libmagic1 trixie:libmagic1t64
unixodbc-dev                libodbc1 bookworm:libodbc2+libodbcinst2
libsnappy-dev               libsnappy1 stretch:libsnappy1v5
libyaml-dev                 libyaml-0-2
libblas-dev                 libblas3
liblapack-dev               liblapack3
libopenblas-dev             libopenblas-base buster:libopenblas-base bullseye:libopenblas0
libatlas-base-dev           libatlas3-base trixie:?
libev-dev                   libev4 trixie:libev4t64
libevent-dev                jessie:libevent-2.0-5+libevent-core-2.0-5+libevent-extra-2.0-5+
                                libevent-openssl-2.0-5+libevent-pthreads-2.0-5
                            buster:libevent-2.1-6+libevent-core-2.1-6+libevent-extra-2.1-6+
                                libevent-openssl-2.1-6+libevent-pthreads-2.1-6
                            bullseye:libevent-2.1-7+libevent-core-2.1-7+libevent-extra-2.1-7+
                                libevent-openssl-2.1-7+libevent-pthreads-2.1-7
                            trixie:libevent-2.1-7t64+libevent-core-2.1-7t64+libevent-extra-2.1-7t64+
                                libevent-openssl-2.1-7t64+libevent-pthreads-2.1-7t64
librdkafka-dev              librdkafka1
freetds-dev                 libsybdb5+libct4
libsodium-dev               stretch:libsodium18 buster:libsodium23
libxmlsec1-dev              libxmlsec1+libxmlsec1-openssl trixie:libxmlsec1t64+libxmlsec1t64-openssl
libgirepository1.0-dev      libgirepository-1.0-1
libmemcached-dev            libmemcached11 trixie:libmemcached11t64
libpcre3-dev                libpcre3 trixie:?
libpcre2-dev                stretch:libpcre2-8-0
libtiff-dev                 libtiff5 bookworm:libtiff6
libtiff5-dev                libtiff5 bookworm:libtiff6 trixie:?
libwebp-dev                 jessie:libwebp5 stretch:libwebp6 bookworm:libwebp7
libopenjp2-7-dev            stretch:libopenjp2-7
liblcms2-dev                liblcms2-2
libfreetype6-dev            libfreetype6
libfreetype-dev             libfreetype6
libfontconfig1-dev          libfontconfig1
libfontconfig-dev           libfontconfig1
libharfbuzz-dev             libharfbuzz0b
libfribidi-dev              libfribidi0
libpng-dev                  stretch:libpng16-16 trixie:libpng16-16t64
libpng12-dev                jessie:libpng12-0 stretch:?
libgif-dev                  libgif7
librsvg2-dev                librsvg2-2
libheif-dev                 buster:libheif1
libicu-dev                  jessie:libicu52 stretch:libicu57 buster:libicu63 bullseye:libicu67
                            bookworm:libicu72 trixie:libicu76
libgmp-dev                  libgmp10
libgmp3-dev                 libgmp10
libmpfr-dev                 jessie:libmpfr4 buster:libmpfr6
libmpc-dev                  libmpc3
libbz2-dev                  libbz2-1.0
liblzma-dev                 liblzma5
libncurses-dev              buster:libncurses6+libtinfo6
libncurses5-dev             libncurses5+libtinfo5 buster:libncurses6+libtinfo6
libncursesw5-dev            libncursesw5+libtinfo5 buster:libncursesw6+libtinfo6
libreadline-dev             jessie:libreadline6 stretch:libreadline7 bullseye:libreadline8
                            trixie:libreadline8t64
libgdbm-dev                 libgdbm3 buster:libgdbm6 trixie:libgdbm6t64
libdb-dev                   libdb5.3 trixie:libdb5.3t64
libdb5.3-dev                libdb5.3 trixie:libdb5.3t64
uuid-dev                    libuuid1
libuuid1-dev                libuuid1
libexpat1-dev               libexpat1
libglib2.0-dev              libglib2.0-0 trixie:libglib2.0-0t64
libmaxminddb-dev            libmaxminddb0
libzmq3-dev                 jessie:libzmq3 stretch:libzmq5
libczmq-dev                 libczmq4
libusb-1.0-0-dev            libusb-1.0-0
libsystemd-dev              libsystemd0
libcups2-dev                libcups2 trixie:libcups2t64
libasound2-dev              libasound2 trixie:libasound2t64
libsndfile1-dev             libsndfile1
portaudio19-dev             libportaudio2
libportaudio-dev            libportaudio2
libavcodec-dev              stretch:libavcodec57 buster:libavcodec58 bookworm:libavcodec59 trixie:libavcodec61
libavformat-dev             stretch:libavformat57 buster:libavformat58 bookworm:libavformat59
                            trixie:libavformat61
libavutil-dev               stretch:libavutil55 buster:libavutil56 bookworm:libavutil57 trixie:libavutil59
libswscale-dev              stretch:libswscale4 buster:libswscale5 bookworm:libswscale6 trixie:libswscale8
libhdf5-dev                 buster:libhdf5-103 bullseye:libhdf5-103-1 trixie:libhdf5-310
libprotobuf-dev             stretch:libprotobuf10 buster:libprotobuf17 bullseye:libprotobuf23
                            bookworm:libprotobuf32 trixie:libprotobuf32t64
libmagickwand-dev           stretch:libmagickwand-6.q16-3 buster:libmagickwand-6.q16-6
                            trixie:libmagickwand-7.q16-10
libmagickcore-dev           stretch:libmagickcore-6.q16-3 buster:libmagickcore-6.q16-6
                            trixie:libmagickcore-7.q16-10
libtesseract-dev            stretch:libtesseract3 buster:libtesseract4 bookworm:libtesseract5
libleptonica-dev            liblept5 trixie:libleptonica6
libzbar-dev                 libzbar0 trixie:libzbar0t64
libzip-dev                  stretch:libzip4 trixie:libzip5
libonig-dev                 jessie:libonig2 stretch:libonig4 buster:libonig5
libtidy-dev                 stretch:libtidy5 buster:libtidy5deb1
libenchant-dev              libenchant1c2a bullseye:?
libxpm-dev                  libxpm4
libgpgme-dev                libgpgme11 trixie:libgpgme11t64
libgraphviz-dev             libgvc6+libcgraph6
graphviz-dev                libgvc6+libcgraph6
libarchive-dev              libarchive13 trixie:libarchive13t64
libssh2-1-dev               libssh2-1 trixie:libssh2-1t64
libgit2-dev                 bullseye:libgit2-1.1 bookworm:libgit2-1.5 trixie:libgit2-1.9
libhiredis-dev              buster:libhiredis0.14 trixie:libhiredis1.1.0
libnghttp2-dev              libnghttp2-14
libc-ares-dev               libc-ares2
libseccomp-dev              libseccomp2
libcap-dev                  libcap2
libcap2-dev                 libcap2
libacl1-dev                 libacl1
libattr1-dev                libattr1
liblz4-dev                  liblz4-1
liblzo2-dev                 liblzo2-2
libzstd-dev                 libzstd1
libbrotli-dev               buster:libbrotli1
libaio-dev                  libaio1 trixie:libaio1t64
libfuse-dev                 libfuse2 trixie:libfuse2t64
libpcap-dev                 libpcap0.8 trixie:libpcap0.8t64
libbluetooth-dev            libbluetooth3
libpython3-dev              ?
libdbus-1-dev               libdbus-1-3
libxft-dev                  libxft2
libx11-dev                  libx11-6
libxext-dev                 libxext6
libxrender-dev              libxrender1
libsm-dev                   libsm6
libgl1-mesa-dev             buster:libgl1
libglu1-mesa-dev            libglu1-mesa
libgtk-3-dev                libgtk-3-0 trixie:libgtk-3-0t64
libgtk2.0-dev               libgtk2.0-0 trixie:libgtk2.0-0t64
libnss3-dev                 libnss3
libqpdf-dev                 bullseye:libqpdf28 bookworm:libqpdf29 trixie:libqpdf30
libpoppler-cpp-dev          libpoppler-cpp0v5 trixie:libpoppler-cpp2
libleveldb-dev              stretch:libleveldb1v5 buster:libleveldb1d
librocksdb-dev              bullseye:librocksdb6.11 bookworm:librocksdb7.8 trixie:librocksdb9.10
libgoogle-perftools-dev     libgoogle-perftools4 trixie:libgoogle-perftools4t64
libjemalloc-dev             libjemalloc1 buster:libjemalloc2
libtcmalloc-minimal4        libtcmalloc-minimal4
libargon2-dev               buster:libargon2-1
libargon2-0-dev             libargon2-0
libsecret-1-dev             libsecret-1-0
libunwind-dev               libunwind8
libmcrypt-dev               libmcrypt4
libc-client-dev             libc-client2007e
libc-client2007e-dev        libc-client2007e
libpspell-dev               libaspell15
librabbitmq-dev             librabbitmq4
libsmbclient-dev            libsmbclient bookworm:libsmbclient trixie:libsmbclient0
libssh-dev                  libssh-4
libxss-dev                  libxss1
libnetcdf-dev               buster:libnetcdf13 bullseye:libnetcdf18 bookworm:libnetcdf19 trixie:libnetcdf22
libfftw3-dev                libfftw3-double3+libfftw3-single3
libgsl-dev                  stretch:libgsl2 buster:libgsl23 bullseye:libgsl25 bookworm:libgsl27
                            trixie:libgsl28
libsuitesparse-dev          ?
libboost-all-dev            ?
libboost-dev                ()
libeigen3-dev               ()
nlohmann-json3-dev          ()
libgtest-dev                ()
libmsgpack-dev              ?
libnl-3-dev                 libnl-3-200
libnl-genl-3-dev            libnl-genl-3-200
libpam0g-dev                libpam0g
libelf-dev                  libelf1 trixie:libelf1t64
libtool-dev                 ()
libltdl-dev                 libltdl7
libedit-dev                 libedit2
libselinux1-dev             libselinux1
libgcrypt20-dev             libgcrypt20
libgcrypt11-dev             wheezy:libgcrypt11 jessie:libgcrypt20
libjsoncpp-dev              stretch:libjsoncpp1 bullseye:libjsoncpp24 bookworm:libjsoncpp25 trixie:libjsoncpp26
libluajit-5.1-dev           libluajit-5.1-2
libmicrohttpd-dev           jessie:libmicrohttpd10 stretch:libmicrohttpd12 trixie:libmicrohttpd12t64
libuv1-dev                  libuv1 trixie:libuv1t64
libyaml-cpp-dev             buster:libyaml-cpp0.6 bookworm:libyaml-cpp0.7 trixie:libyaml-cpp0.8
libfl-dev                   buster:libfl2
libbison-dev                ()
postgresql-server-dev-all   libpq5
tk-dev                      ?
tcl-dev                     ?
"""

# Ubuntu, where its name is not Debian's of the same age (bionic as buster, focal as bullseye, jammy as
# bookworm, noble and resolute as trixie).
_UBUNTU = """
libmariadbclient-dev        bionic:libmariadb3 focal:?
default-libmysqlclient-dev  xenial:libmysqlclient20 focal:libmysqlclient21 noble:libmysqlclient21 resolute:?
libmysqlclient-dev          xenial:libmysqlclient20 focal:libmysqlclient21 noble:libmysqlclient21 resolute:?
libmariadb-dev              bionic:libmariadb3
libjpeg-dev                 libjpeg-turbo8
libjpeg8-dev                libjpeg-turbo8
libjpeg-turbo8-dev          libjpeg-turbo8
libjpeg62-turbo-dev         ?
libxml2-dev                 libxml2 resolute:?
libssl-dev                  xenial:libssl1.0.0 bionic:libssl1.1 jammy:libssl3 noble:libssl3t64
libffi-dev                  libffi6 focal:libffi7 jammy:libffi8
libcurl4-openssl-dev        xenial:libcurl3 bionic:libcurl4 noble:libcurl4t64
libcurl4-gnutls-dev         libcurl3-gnutls noble:libcurl3t64-gnutls
libldap2-dev                libldap-2.4-2 jammy:libldap-2.5-0 noble:libldap2
libldap-dev                 libldap-2.4-2 jammy:libldap-2.5-0 noble:libldap2
libgdal-dev                 xenial:libgdal1i bionic:libgdal20 focal:libgdal26 jammy:libgdal30
                            noble:libgdal34t64 resolute:?
libgeos-dev                 xenial:libgeos-c1v5 noble:libgeos-c1t64
libproj-dev                 bionic:libproj12 focal:libproj15 jammy:libproj22 noble:libproj25
libicu-dev                  xenial:libicu55 bionic:libicu60 focal:libicu66 jammy:libicu70 noble:libicu74
                            resolute:?
libtiff-dev                 libtiff5 noble:libtiff6
libtiff5-dev                libtiff5 noble:libtiff6
libwebp-dev                 xenial:libwebp5 bionic:libwebp6 jammy:libwebp7
libspatialindex-dev         ?
libspatialite-dev           ?
libreadline-dev             xenial:libreadline6 bionic:libreadline7 focal:libreadline8 noble:libreadline8t64
libncurses-dev              bionic:libncurses5+libtinfo5 focal:libncurses6+libtinfo6
libncurses5-dev             libncurses5+libtinfo5 focal:libncurses6+libtinfo6
libncursesw5-dev            libncursesw5+libtinfo5 focal:libncursesw6+libtinfo6
libgdbm-dev                 xenial:libgdbm3 bionic:libgdbm5 focal:libgdbm6 noble:libgdbm6t64
libevent-dev                xenial:libevent-2.0-5+libevent-core-2.0-5+libevent-extra-2.0-5+
                                libevent-openssl-2.0-5+libevent-pthreads-2.0-5
                            bionic:libevent-2.1-6+libevent-core-2.1-6+libevent-extra-2.1-6+
                                libevent-openssl-2.1-6+libevent-pthreads-2.1-6
                            focal:libevent-2.1-7+libevent-core-2.1-7+libevent-extra-2.1-7+
                                libevent-openssl-2.1-7+libevent-pthreads-2.1-7
                            noble:libevent-2.1-7t64+libevent-core-2.1-7t64+libevent-extra-2.1-7t64+
                                libevent-openssl-2.1-7t64+libevent-pthreads-2.1-7t64
unixodbc-dev                libodbc1 jammy:libodbc2+libodbcinst2
libpcre3-dev                libpcre3
libatlas-base-dev           libatlas3-base
libgdk-pixbuf2.0-dev        libgdk-pixbuf2.0-0 jammy:libgdk-pixbuf-2.0-0
libgdk-pixbuf-2.0-dev       jammy:libgdk-pixbuf-2.0-0
libavcodec-dev              bionic:libavcodec57 focal:libavcodec58 noble:libavcodec60 resolute:?
libavformat-dev             bionic:libavformat57 focal:libavformat58 noble:libavformat60 resolute:?
libavutil-dev               bionic:libavutil55 focal:libavutil56 noble:libavutil58 resolute:?
libswscale-dev              bionic:libswscale4 focal:libswscale5 noble:libswscale7 resolute:?
libhdf5-dev                 bionic:libhdf5-100 focal:libhdf5-103 jammy:libhdf5-103-1 noble:libhdf5-103-1t64
                            resolute:?
libprotobuf-dev             bionic:libprotobuf10 focal:libprotobuf17 jammy:libprotobuf23
                            noble:libprotobuf32t64
libmagickwand-dev           xenial:libmagickwand-6.q16-2 bionic:libmagickwand-6.q16-3 focal:libmagickwand-6.q16-6
                            noble:libmagickwand-6.q16-7t64 resolute:?
libmagickcore-dev           xenial:libmagickcore-6.q16-2 bionic:libmagickcore-6.q16-3 focal:libmagickcore-6.q16-6
                            noble:libmagickcore-6.q16-7t64 resolute:?
libtesseract-dev            ?
libleptonica-dev            ?
libzip-dev                  bionic:libzip4 focal:libzip5 jammy:libzip4 noble:libzip4t64 resolute:?
libgit2-dev                 ?
libhiredis-dev              ?
libqpdf-dev                 ?
libpoppler-cpp-dev          ?
librocksdb-dev              ?
libnetcdf-dev               ?
libgsl-dev                  bionic:libgsl23 focal:libgsl23 jammy:libgsl27 noble:libgsl27t64 resolute:?
libargon2-dev               bionic:libargon2-0 focal:libargon2-1
libsmbclient-dev            libsmbclient noble:libsmbclient0
libblas-dev                 libblas3
libsodium-dev               xenial:libsodium18 bionic:libsodium23
libmpfr-dev                 xenial:libmpfr4 bionic:libmpfr6
libleveldb-dev              xenial:libleveldb1v5 focal:libleveldb1d
libonig-dev                 xenial:libonig2 bionic:libonig4 focal:libonig5
libtidy-dev                 bionic:libtidy5 focal:libtidy5deb1
libgcrypt11-dev             libgcrypt20
libjsoncpp-dev              xenial:libjsoncpp1 jammy:libjsoncpp25 resolute:?
libmicrohttpd-dev           libmicrohttpd10 bionic:libmicrohttpd12 noble:libmicrohttpd12t64
libyaml-cpp-dev             focal:libyaml-cpp0.6 jammy:libyaml-cpp0.7 noble:libyaml-cpp0.8
libpng-dev                  xenial:libpng12-0 bionic:libpng16-16 noble:libpng16-16t64
libpng12-dev                xenial:libpng12-0 bionic:?
"""

_ALPINE_BUILD = _words(
    """
    alpine-sdk autoconf automake bison build-base cargo ccache clang cmake fakeroot flex fortify-headers
    g++ gcc gettext-dev gfortran go libc-dev libtool linux-headers llvm m4 make maven meson musl-dev nasm
    ninja patch patchelf pkgconf pkgconfig py3-build python3-dev python-dev python2-dev re2c rust rustup
    samurai scons swig texinfo yasm
    """
)
_ALPINE_RUNTIME = {
    "postgresql-dev": "libpq",
    "libpq-dev": "libpq",
    "mariadb-dev": "mariadb-connector-c",
    "mariadb-connector-c-dev": "mariadb-connector-c",
    "jpeg-dev": "libjpeg-turbo",
    "libjpeg-turbo-dev": "libjpeg-turbo",
    "zlib-dev": "zlib",
    "libffi-dev": "libffi",
    "openssl-dev": "libcrypto3 libssl3",
    "libressl-dev": "?",
    "libxml2-dev": "libxml2",
    "libxslt-dev": "libxslt",
    "curl-dev": "libcurl",
    "sqlite-dev": "sqlite-libs",
    "openldap-dev": "libldap",
    "cyrus-sasl-dev": "libsasl",
    "krb5-dev": "krb5-libs",
    "gdal-dev": "gdal",
    "geos-dev": "geos",
    "proj-dev": "proj",
    "vips-dev": "vips",
    "cairo-dev": "cairo",
    "pango-dev": "pango",
    "gdk-pixbuf-dev": "gdk-pixbuf",
    "file-dev": "libmagic",
    "unixodbc-dev": "unixodbc",
    "snappy-dev": "snappy",
    "yaml-dev": "yaml",
    "openblas-dev": "openblas",
    "lapack-dev": "lapack",
    "libev-dev": "libev",
    "libevent-dev": "libevent",
    "librdkafka-dev": "librdkafka",
    "freetds-dev": "freetds",
    "libsodium-dev": "libsodium",
    "xmlsec-dev": "xmlsec",
    "libmemcached-dev": "libmemcached-libs",
    "pcre-dev": "pcre",
    "pcre2-dev": "pcre2",
    "tiff-dev": "tiff",
    "libwebp-dev": "libwebp",
    "openjpeg-dev": "openjpeg",
    "lcms2-dev": "lcms2",
    "freetype-dev": "freetype",
    "fontconfig-dev": "fontconfig",
    "harfbuzz-dev": "harfbuzz",
    "fribidi-dev": "fribidi",
    "libpng-dev": "libpng",
    "giflib-dev": "giflib",
    "librsvg-dev": "librsvg",
    "libheif-dev": "libheif",
    "icu-dev": "icu-libs",
    "gmp-dev": "gmp",
    "mpfr-dev": "mpfr",
    "mpc1-dev": "mpc1",
    "bzip2-dev": "libbz2",
    "xz-dev": "xz-libs",
    "ncurses-dev": "ncurses-libs",
    "readline-dev": "readline",
    "gdbm-dev": "gdbm",
    "db-dev": "db",
    "util-linux-dev": "libuuid",
    "expat-dev": "expat",
    "glib-dev": "glib",
    "libmaxminddb-dev": "libmaxminddb-libs",
    "zeromq-dev": "libzmq",
    "libusb-dev": "libusb",
    "alsa-lib-dev": "alsa-lib",
    "libsndfile-dev": "libsndfile",
    "portaudio-dev": "portaudio",
    "ffmpeg-dev": "ffmpeg-libs",
    "hdf5-dev": "hdf5",
    "protobuf-dev": "protobuf",
    "imagemagick-dev": "imagemagick-libs",
    "tesseract-ocr-dev": "tesseract-ocr",
    "libzip-dev": "libzip",
    "oniguruma-dev": "oniguruma",
    "tidyhtml-dev": "tidyhtml-libs",
    "libxpm-dev": "libxpm",
    "gpgme-dev": "gpgme",
    "libarchive-dev": "libarchive",
    "libssh2-dev": "libssh2",
    "libgit2-dev": "libgit2",
    "hiredis-dev": "hiredis",
    "c-ares-dev": "c-ares",
    "libcap-dev": "libcap",
    "lz4-dev": "lz4-libs",
    "lzo-dev": "lzo",
    "zstd-dev": "zstd-libs",
    "brotli-dev": "brotli-libs",
    "libaio-dev": "libaio",
    "libpcap-dev": "libpcap",
    "bluez-dev": "bluez-libs",
    "dbus-dev": "dbus-libs",
    "libx11-dev": "libx11",
    "libmcrypt-dev": "libmcrypt",
    "imap-dev": "c-client",
    "rabbitmq-c-dev": "rabbitmq-c",
    "gettext-dev": "libintl",
    "argon2-dev": "argon2-libs",
    "linux-pam-dev": "linux-pam",
    "libedit-dev": "libedit",
    "boost-dev": "?",
    "eigen-dev": "()",
    "musl-dev": "()",
    "tcl-dev": "tcl",
    "tk-dev": "tk",
    "leveldb-dev": "leveldb",
    "jemalloc-dev": "jemalloc",
    "fftw-dev": "fftw-double-libs fftw-single-libs",
    "libtool-dev": "()",
    "gnupg-dev": "?",
}
_ALPINE_KEEP = _words(
    """
    bash ca-certificates chromium dumb-init ffmpeg font-noto fontconfig ghostscript gcompat graphicsmagick
    graphviz imagemagick libc6-compat libgcc libstdc++ libgomp libpq libwebp libffi libjpeg libjpeg-turbo
    libxml2 libxslt mailcap mariadb-client mysql-client nginx nss openjdk11-jre openjdk17-jre
    openjdk21-jre openjdk8-jre poppler-utils postgresql-client postgresql-libs redis shadow sqlite
    sqlite-libs su-exec supervisor tesseract-ocr tini ttf-dejavu ttf-freefont tzdata uwsgi wkhtmltopdf
    zlib
    """
)
_ALPINE_EITHER = _words(
    """
    binutils bzip2 coreutils curl file findutils gettext git gnupg grep jq less nodejs npm openssh
    openssh-client openssl patch perl procps py3-pip py3-setuptools py3-virtualenv py3-wheel python
    python2 python3 rsync ruby sed sudo subversion tar unzip vim wget xz yarn zip
    """
)

_QUALIFIER = re.compile(r"[=~:/<>@]")
"""Begins a version, an architecture, a release or (apk) a repository pin."""

# Debian and Ubuntu kept apart; parsed at the first question.
_tables: dict[str, dict[str, list[tuple[str, str]]]] = {}


def classify(package: str, distro: str, release: str | None) -> SystemPackage:
    """What a package of `apt-get install` or `apk add` is for.

    `package` may carry a version or an architecture (`libpq-dev=15.3-0`, `g++:amd64`). `distro` is
    "debian", "ubuntu" or "alpine"; `release` a code name, or None (then names that differ between
    releases are not known).
    """
    name = _QUALIFIER.split(package.strip(), maxsplit=1)[0]
    if distro == "alpine":
        return _classify_alpine(name)
    if distro not in ("debian", "ubuntu"):
        return SystemPackage(name, "unknown", None)
    runtime = _dev_runtime(name, distro, release)
    if runtime is not None:
        kind = "build-only" if name not in _RUNTIME else "runtime"
        return SystemPackage(name, kind, runtime[0])
    if name in _BUILD_TOOLS or (name.startswith(_BUILD_TOOL_STARTS) and name not in _RUNTIME):
        # gfortran's own run-time library is what numpy, scipy and R code built with it link against.
        fortran = ("libgfortran5",) if name == "gfortran" and _is_at_least(distro, release, "buster") else None
        return SystemPackage(name, "build-only", fortran if name == "gfortran" else ())
    if name in _EITHER:
        return SystemPackage(name, "unknown", (name,))
    if name in _RUNTIME or name.startswith(("fonts-", "ttf-", "tesseract-ocr-", "locales", "libreoffice")):
        return SystemPackage(name, "runtime", (name,))
    if name.endswith(("-jdk", "-jdk-headless")):
        return SystemPackage(name, "unknown", (name,))
    if re.fullmatch(r"php\d?(?:\.\d)?-dev", name):
        # phpize and the headers that extensions are compiled with; PHP itself loads no library of it.
        return SystemPackage(name, "build-only", ())
    if name.endswith(("-dev", "-headers")):
        # Headers of a library that is not in the table: build-only, and its library's name is not known.
        return SystemPackage(name, "build-only", None)
    if name.endswith(("-doc", "-dbg", "-dbgsym")):
        return SystemPackage(name, "build-only", ())
    if _looks_like_library(name):
        return SystemPackage(name, "runtime", (name,))
    return SystemPackage(name, "unknown", (name,))


def _looks_like_library(name: str) -> bool:
    # Debian Policy 8.1: a shared library's package is named after its soname, which ends in a digit.
    stem = name.removesuffix("t64")
    return name.startswith("lib") and stem[-1:].isdigit()


def _classify_alpine(name: str) -> SystemPackage:
    if name.startswith("."):
        # The name of a virtual group (`apk add --virtual .build-deps`): no package.
        return SystemPackage(name, "unknown", ())
    known = _ALPINE_RUNTIME.get(name)
    if known is not None:
        return SystemPackage(name, "build-only", _names(known.replace(" ", "+")))
    if name in _ALPINE_BUILD:
        return SystemPackage(name, "build-only", ())
    if name in _ALPINE_EITHER:
        return SystemPackage(name, "unknown", (name,))
    if name.endswith(("-dev", "-headers", "-static")):
        return SystemPackage(name, "build-only", None)
    if name.endswith(("-doc", "-dbg")):
        return SystemPackage(name, "build-only", ())
    if name in _ALPINE_KEEP or name.endswith(("-libs", "-client")) or name.startswith(("font-", "ttf-")):
        return SystemPackage(name, "runtime", (name,))
    return SystemPackage(name, "unknown", (name,))


def _names(text: str) -> tuple[str, ...] | None:
    if text == "?":
        return None
    return () if text == "()" else tuple(text.split("+"))


def _table(distro: str) -> dict[str, list[tuple[str, str]]]:
    table = _tables.get(distro)
    if table is None:
        table = {}
        text = _DEBIAN if distro == "debian" else _UBUNTU
        for line in re.sub(r"\+\s+", "+", text).replace("\n ", " ").split("\n"):
            if line:
                name, *entries = line.split()
                parts = (entry.rpartition(":") for entry in entries)
                table[name] = [(start, names) for start, _, names in parts]
        _tables[distro] = table
    return table


def _dev_runtime(name: str, distro: str, release: str | None) -> tuple[tuple[str, ...] | None] | None:
    """A one-tuple around the run-time packages (None: not known) of a -dev package, or None if not in the
    table."""
    entries = _table(distro).get(name)
    order = _DEBIAN_ORDER if distro == "debian" else _UBUNTU_ORDER
    if entries is None and distro == "ubuntu":
        entries = _table("debian").get(name)
        if entries is None:
            return None
        order = _DEBIAN_ORDER
        release = _UBUNTU_AS_DEBIAN.get(release or "")
    if entries is None:
        return None
    if release is None or release not in order:
        # Without a release only a name that never changed is certain.
        if len(entries) == 1 and not entries[0][0]:
            return (_names(entries[0][1]),)
        return (None,)
    at = order.index(release)
    found: tuple[str, ...] | None = None
    for start, names in entries:
        if not start or order.index(start) <= at:
            found = _names(names)
    return (found,)


_UBUNTU_AS_DEBIAN = {
    "trusty": "jessie", "xenial": "stretch", "bionic": "buster", "focal": "bullseye", "jammy": "bookworm",
    "noble": "trixie", "resolute": "trixie",
}  # fmt: skip


def _is_at_least(distro: str, release: str | None, debian_release: str) -> bool:
    if distro == "ubuntu":
        release = _UBUNTU_AS_DEBIAN.get(release or "")
    if release not in _DEBIAN_ORDER:
        return False
    return _DEBIAN_ORDER.index(release) >= _DEBIAN_ORDER.index(debian_release)


# Python distributions that link against system libraries when pip builds them from source, by -dev package.
# Wheels of psycopg2-binary, lxml, Pillow, cryptography, pyzmq, h5py, shapely, ... bring their own copies.
_PYTHON_NATIVE = {
    "psycopg2": "libpq-dev",
    "psycopg2cffi": "libpq-dev",
    "psycopg-c": "libpq-dev",
    "psycopg": "libpq-dev",
    "mysqlclient": "default-libmysqlclient-dev",
    "mariadb": "libmariadb-dev",
    "lxml": "libxml2-dev libxslt1-dev",
    "pillow": "libjpeg-dev zlib1g-dev libtiff-dev libfreetype6-dev liblcms2-dev libwebp-dev libopenjp2-7-dev",
    "pillow-simd": "libjpeg-dev zlib1g-dev",
    "pycairo": "libcairo2-dev",
    "pygobject": "libgirepository1.0-dev libcairo2-dev",
    "python-ldap": "libldap2-dev libsasl2-dev",
    "pyodbc": "unixodbc-dev",
    "pymssql": "freetds-dev",
    "xmlsec": "libxmlsec1-dev libxml2-dev",
    "python3-saml": "libxmlsec1-dev libxml2-dev",
    "gdal": "libgdal-dev",
    "fiona": "libgdal-dev",
    "rasterio": "libgdal-dev",
    "pyproj": "libproj-dev",
    "shapely": "libgeos-dev",
    "rtree": "libspatialindex-dev",
    "pycurl": "libcurl4-openssl-dev libssl-dev",
    "pylibmc": "libmemcached-dev",
    "python-snappy": "libsnappy-dev",
    "confluent-kafka": "librdkafka-dev",
    "pyzmq": "libzmq3-dev",
    "gssapi": "libkrb5-dev",
    "kerberos": "libkrb5-dev",
    "h5py": "libhdf5-dev",
    "tables": "libhdf5-dev",
    "netcdf4": "libnetcdf-dev libhdf5-dev",
    "pygraphviz": "graphviz-dev",
    "pyaudio": "portaudio19-dev",
    "uwsgi": "libpcre3-dev",
    "cffi": "libffi-dev",
    "cryptography": "libssl-dev",
    "pynacl": "libsodium-dev",
    "pyyaml": "",
    "gevent": "libev-dev",
    "bjoern": "libev-dev",
    "pyicu": "libicu-dev",
    "python-magic": "libmagic-dev",
    "file-magic": "libmagic-dev",
    "pyvips": "libvips-dev",
    "wand": "libmagickwand-dev",
    "weasyprint": "libpango1.0-dev libgdk-pixbuf2.0-dev",
    "cairosvg": "libcairo2-dev",
    "cairocffi": "libcairo2-dev",
    "tesserocr": "libtesseract-dev libleptonica-dev",
    "pyzbar": "libzbar-dev",
    "pygit2": "libgit2-dev",
    "leveldb": "libleveldb-dev",
    "plyvel": "libleveldb-dev",
    "rocksdb": "librocksdb-dev",
    "gmpy2": "libgmp-dev libmpfr-dev libmpc-dev",
    "fuse-python": "libfuse-dev",
    "pycups": "libcups2-dev",
    "systemd-python": "libsystemd-dev",
    "dbus-python": "libdbus-1-dev",
    "pikepdf": "libqpdf-dev",
    "av": "libavcodec-dev libavformat-dev libavutil-dev libswscale-dev",
    "soundfile": "libsndfile1-dev",
    "libsass": "",
    "pybluez": "libbluetooth-dev",
    "pyusb": "libusb-1.0-0-dev",
    "numpy": "libopenblas-dev",
    "scipy": "libopenblas-dev",
}
_LOADS_AT_RUN_TIME = _words(
    "python-magic pyvips wand weasyprint cairosvg cairocffi pyzbar soundfile pyusb fiona rasterio"
)


def native_build_needs(python_distribution: str) -> tuple[str, ...]:
    """Debian -dev packages that a Python distribution links against when built from source; () when none
    is known."""
    return tuple(_PYTHON_NATIVE.get(normalise(python_distribution), "").split())


def native_needs(python_distribution: str, distro: str = "debian", release: str | None = "bookworm") -> tuple[str, ...]:
    """Run-time system packages of a Python distribution that was built from source; () when none is known.

    A wheel from PyPI needs none of them, except for those that load a library of the system by name
    (`loads_system_library`). Names that are not known for the release are left out; `native_build_needs`
    has the whole list in terms of -dev packages.
    """
    names: list[str] = []
    for package in native_build_needs(python_distribution):
        if distro == "alpine":
            package = _ALPINE_OF_DEBIAN.get(package, "")
        for runtime in (classify(package, distro, release).runtime or ()) if package else ():
            if runtime not in names:
                names.append(runtime)
    return tuple(names)


def loads_system_library(python_distribution: str) -> bool:
    """Whether it opens a shared library of the system when imported (ctypes, cffi), so that even its
    wheel needs it."""
    return normalise(python_distribution) in _LOADS_AT_RUN_TIME - {"fiona", "rasterio"}


_ALPINE_OF_DEBIAN = {
    "libpq-dev": "postgresql-dev",
    "default-libmysqlclient-dev": "mariadb-dev",
    "libmariadb-dev": "mariadb-dev",
    "libxml2-dev": "libxml2-dev",
    "libxslt1-dev": "libxslt-dev",
    "libjpeg-dev": "jpeg-dev",
    "zlib1g-dev": "zlib-dev",
    "libtiff-dev": "tiff-dev",
    "libfreetype6-dev": "freetype-dev",
    "liblcms2-dev": "lcms2-dev",
    "libwebp-dev": "libwebp-dev",
    "libopenjp2-7-dev": "openjpeg-dev",
    "libcairo2-dev": "cairo-dev",
    "libldap2-dev": "openldap-dev",
    "libsasl2-dev": "cyrus-sasl-dev",
    "unixodbc-dev": "unixodbc-dev",
    "freetds-dev": "freetds-dev",
    "libxmlsec1-dev": "xmlsec-dev",
    "libgdal-dev": "gdal-dev",
    "libproj-dev": "proj-dev",
    "libgeos-dev": "geos-dev",
    "libcurl4-openssl-dev": "curl-dev",
    "libssl-dev": "openssl-dev",
    "libmemcached-dev": "libmemcached-dev",
    "libsnappy-dev": "snappy-dev",
    "librdkafka-dev": "librdkafka-dev",
    "libzmq3-dev": "zeromq-dev",
    "libkrb5-dev": "krb5-dev",
    "libhdf5-dev": "hdf5-dev",
    "portaudio19-dev": "portaudio-dev",
    "libpcre3-dev": "pcre-dev",
    "libffi-dev": "libffi-dev",
    "libsodium-dev": "libsodium-dev",
    "libev-dev": "libev-dev",
    "libicu-dev": "icu-dev",
    "libmagic-dev": "file-dev",
    "libvips-dev": "vips-dev",
    "libmagickwand-dev": "imagemagick-dev",
    "libpango1.0-dev": "pango-dev",
    "libgdk-pixbuf2.0-dev": "gdk-pixbuf-dev",
    "libgit2-dev": "libgit2-dev",
    "libleveldb-dev": "leveldb-dev",
    "libgmp-dev": "gmp-dev",
    "libmpfr-dev": "mpfr-dev",
    "libmpc-dev": "mpc1-dev",
    "libsndfile1-dev": "libsndfile-dev",
    "libbluetooth-dev": "bluez-dev",
    "libusb-1.0-0-dev": "libusb-dev",
    "libopenblas-dev": "openblas-dev",
}

# npm packages that link against system libraries when node-gyp builds them (their prebuilt binaries bring
# their own).
_NPM_NATIVE = {
    "canvas": "libcairo2-dev libpango1.0-dev libjpeg-dev libgif-dev librsvg2-dev",
    "libpq": "libpq-dev",
    "pg-native": "libpq-dev",
    "sharp": "libvips-dev",
    "odbc": "unixodbc-dev",
    "ibm_db": "unixodbc-dev",
    "usb": "libusb-1.0-0-dev",
    "keytar": "libsecret-1-dev",
    "node-rdkafka": "libssl-dev libsasl2-dev zlib1g-dev",
    "zeromq": "libzmq3-dev",
    "nodegit": "libssh2-1-dev libkrb5-dev",
    "kerberos": "libkrb5-dev",
    "node-expat": "",
    "bcrypt": "",
    "argon2": "",
    "sqlite3": "",
    "better-sqlite3": "",
}


def npm_native_needs(package: str, distro: str = "debian", release: str | None = "bookworm") -> tuple[str, ...]:
    """Run-time system packages of an npm package that node-gyp builds from source; () when none is known."""
    names: list[str] = []
    for dev in _NPM_NATIVE.get(package, "").split():
        if distro == "alpine":
            dev = _ALPINE_OF_DEBIAN.get(dev, "")
        for runtime in (classify(dev, distro, release).runtime or ()) if dev else ():
            if runtime not in names:
                names.append(runtime)
    return tuple(names)
