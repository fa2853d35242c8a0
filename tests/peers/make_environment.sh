#!/bin/sh
# Makes an environment for MintPy, once, and prints the folder of its programs: .peers/mintpy/bin in the checkout, or the
# one that PEER_MINTPY names. Needs Python >= 3.11 with venv, and GDAL's library with a C++ compiler.
set -eu

if [ -n "${PEER_MINTPY:-}" ]; then
  for folder in "$PEER_MINTPY" "$PEER_MINTPY/bin"; do
    if [ -e "$folder/smallbaselineApp.py" ]; then
      echo "$folder"
      exit
    fi
  done
  echo "PEER_MINTPY is $PEER_MINTPY, where there is no smallbaselineApp.py" >&2
  exit 1
fi

here=$(cd "$(dirname "$0")" && pwd)
place=$(cd "$here/../.." && pwd)/.peers/mintpy
ready=$place/.installed
if [ ! -e "$ready" ] || [ "$here/requirements.txt" -nt "$ready" ]; then
  for program in gdal-config g++; do
    command -v "$program" >/dev/null || {
      echo "MintPy needs GDAL, and $program is not here (Debian, Ubuntu: sudo apt-get install libgdal-dev gdal-bin g++)" >&2
      exit 1
    }
  done
  "${PYTHON:-python3}" -m venv --clear "$place" >&2
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
  # built with the NumPy that is there: else it would be without arrays
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation \
    "gdal==$(gdal-config --version)" >&2
  "$place/bin/python" -c 'from osgeo import gdal_array' >&2
  touch "$ready"
fi
echo "$place/bin"
