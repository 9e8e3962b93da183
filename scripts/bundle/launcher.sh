#!/bin/sh
# tailray without an installation: the node, the packages and the software adapter that it needs lie beside this file.
# Under the name gpu-check it tests and measures this machine.
here=$(dirname -- "$(readlink -f -- "$0")")

# Container hosts that bring NVIDIA's driver along put its manifest where no Vulkan loader looks.
nvidia=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -z "$VK_DRIVER_FILES$VK_ICD_FILENAMES" ] && [ -f "$nvidia" ]; then
  export VK_DRIVER_FILES="$nvidia" VK_ICD_FILENAMES="$nvidia"
fi
export TAILRAY_SWIFTSHADER="${TAILRAY_SWIFTSHADER:-$here/swiftshader}"
case $0 in
  *gpu-check) exec "$here/bin/node" "$here/dist/bench/gpu-check/main.js" "$@" ;;
  *) exec "$here/bin/node" "$here/dist/cli/tailray.js" "$@" ;;
esac
