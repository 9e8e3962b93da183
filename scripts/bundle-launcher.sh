#!/bin/sh
# tailray without an installation: the node, the packages and the software adapter that it needs lie beside this file.
here=$(dirname -- "$(readlink -f -- "$0")")

if [ -z "$1" ] || [ "$1" = --help ] || [ "$1" = -h ]; then
  echo 'Usage: tailray <command> [options], where command is one of:'
  for file in "$here"/dist/cli/*.js; do
    grep -q '^#!' "$file" && basename -- "$file" .js | sed 's/^/  /'
  done
  echo 'tailray <command> --help tells its options. README.md lies beside this file.'
  exit 0
fi

command=$1
shift
if [ ! -f "$here/dist/cli/$command.js" ]; then
  echo "tailray: there is no command \"$command\"; tailray --help lists them." >&2
  exit 2
fi

# Container hosts that bring NVIDIA's driver along put its manifest where no Vulkan loader looks.
nvidia=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -z "$VK_DRIVER_FILES$VK_ICD_FILENAMES" ] && [ -f "$nvidia" ]; then
  export VK_DRIVER_FILES="$nvidia" VK_ICD_FILENAMES="$nvidia"
fi
export TAILRAY_SWIFTSHADER="${TAILRAY_SWIFTSHADER:-$here/swiftshader}"
exec "$here/bin/node" "$here/dist/cli/$command.js" "$@"
