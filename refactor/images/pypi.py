"""What Python distributions need of the system, bring, and do: a compiler, libraries, programs, folders.

Sources: the files that PyPI has of each, and the set-up scripts and documentation of those that are named here. Which
have wheels is in :mod:`refactor.images.wheels`.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SOURCE_ONLY = _words(
    """
    psycopg2 psycopg2cffi psycopg-c mysqlclient mysql-python mariadb uwsgi mod-wsgi pycairo pygobject python-ldap
    pygraphviz pylibmc gdal gssapi kerberos pykerberos pyaudio bjoern pyicu fuse-python pycups systemd-python
    dbus-python leveldb rocksdb python-rocksdb pillow-simd netifaces pycrypto dlib insightface crcmod meinheld
    ta-lib ibm-db python-prctl rpi-gpio smbus smbus-cffi pybluez pyfuse3 llfuse netfilterqueue pyminizip pysha3
    xapian-bindings blist gmpy scikit-sparse pystan fbprophet backports-lzma jsonnet pycapnp pyscard evdev
    posix-ipc sysv-ipc fastpbkdf2
    """
)
"""Distributions that PyPI has no Linux wheel of: a C compiler builds them wherever they are installed."""

PURE_SOURCES = _words(
    """
    docopt future wikipedia pyspark sgmllib3k antlr4-python3-runtime langdetect peewee-migrate termcolor
    ibm-cos-sdk ibm-cos-sdk-core ibm-cos-sdk-s3transfer databricks-cli pyjwkest django-rest-swagger fire emoji
    pytz-deprecation-shim unidiff breadability rouge-score pylatexenc crayons mailjet-rest progressbar suds-jurko
    intervaltree odfpy oauth2client proxy-tools tabula
    """
)
"""Distributions that PyPI has as source archives only, without C code: any image builds them."""

COMPILES_AT_RUN_TIME = _words(
    "theano theano-pymc pytensor pymc3 pymc pystan cmdstanpy cppimport triton vllm deepspeed weave"
)
"""Distributions that call a C compiler when the program runs."""

EXTRA_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    # uwsgiconfig.py links what it finds: xml2-config and pcre-config are there in the full images.
    "uwsgi": ("libxml2-dev", "libpcre2-dev"),
}
"""Debian's headers of libraries that a distribution is linked with where the full image has them."""

OPENS: Mapping[str, tuple[str, ...]] = {
    "psycopg": ("libpq-dev",),
    "opencv-python": ("libglib2.0-dev",),
    "opencv-contrib-python": ("libglib2.0-dev",),
    "opencv-python-headless": ("libglib2.0-dev",),
    "opencv-contrib-python-headless": ("libglib2.0-dev",),
    "ibm-db": ("libxml2-dev",),
}
"""The same of libraries that their wheels open: the full images have them, the slim ones have not."""

LOADS_OPENMP = frozenset({"lightgbm", "implicit", "pycaret", "lightfm"})
"""Distributions whose wheels load OpenMP of the system."""

PROGRAMS: Mapping[str, str] = {
    "gitpython": "git", "pre-commit": "git", "dvc": "git", "ansible": "ssh", "ansible-core": "ssh",
    "ansible-runner": "ssh", "fabric3": "ssh", "hglib": "hg", "python-hglib": "hg", "patool": "file",
}  # fmt: skip
"""Distribution -> program that it starts."""

HOME_CACHES: Mapping[str, str] = {
    "matplotlib": "its font cache", "transformers": "downloaded models", "sentence-transformers": "downloaded models",
    "huggingface-hub": "downloaded models", "nltk": "downloaded data", "keras": "downloaded models",
    "streamlit": "its settings", "jupyter": "its settings", "notebook": "its settings", "jupyterlab": "its settings",
    "gdown": "cookies", "yfinance": "a time zone cache", "spotipy": "a token cache",
    "newspaper3k": "downloaded articles",
    "openai-whisper": "downloaded models", "easyocr": "downloaded models", "playwright": "browsers",
    "pyppeteer": "a browser", "webdriver-manager": "browser drivers", "undetected-chromedriver": "a browser driver",
    "datasets": "downloaded data", "diffusers": "downloaded models", "torchvision": "downloaded models",
}  # fmt: skip
"""Distributions that write below the home folder of the user they run as, and what."""

LINKS_NOTHING = _words(
    """
    aiohttp bcrypt cython frozenlist greenlet httptools lazy-object-proxy markupsafe meinheld msgpack multidict
    propcache psutil pyyaml regex simplejson sqlalchemy tornado ujson wrapt yarl zope-interface
    """
)
"""Distributions whose C code is linked with the C and C++ libraries alone, by the setup.py of each."""

IMPORT_NAMES: Mapping[str, str] = {
    "pyyaml": "yaml", "pillow": "PIL", "beautifulsoup4": "bs4", "scikit-learn": "sklearn",
    "python-dateutil": "dateutil",
    "opencv-python": "cv2", "python-dotenv": "dotenv", "django-debug-toolbar": "debug_toolbar",
    "djangorestframework": "rest_framework", "django-extensions": "django_extensions", "psycopg2-binary": "psycopg2",
}  # fmt: skip
"""Distribution -> the module that it brings, where that is not its name."""
