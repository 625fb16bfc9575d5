import os

from setuptools import find_packages, setup

here = os.path.abspath(os.path.dirname(__file__))

with open(os.path.join(here, "README.md"), encoding="utf-8") as f:
    long_description = f.read()

with open(os.path.join(here, "VERSION")) as f:
    version = f.read().strip()

setup(
    name="wordcount",
    version=version,
    description="Counts words over HTTP",
    long_description=long_description,
    long_description_content_type="text/markdown",
    packages=find_packages(exclude=["tests"]),
    package_data={"wordcount": ["stopwords.txt"]},
    python_requires=">=3.9",
    install_requires=["waitress>=3.0,<4", "bottle>=0.13,<0.14"],
    entry_points={"console_scripts": ["wordcount-server=wordcount.server:main"]},
)
