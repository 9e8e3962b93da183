import { readdirSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * The Vulkan drivers that are installed: one JSON manifest each, in the folders that the Vulkan loader searches
 * (LoaderDriverInterface.md, "Driver Discovery on Linux"). The loader itself decides what it uses; this is to tell a
 * person about every driver separately, and to know whether there is anything to load at all.
 * @returns paths of manifests, each driver once, in the loader's order
 */
export function driverManifests(environment: NodeJS.ProcessEnv = process.env): string[] {
  const chosen = environment.VK_DRIVER_FILES || environment.VK_ICD_FILENAMES;
  const places = chosen
    ? chosen.split(delimiter)
    : [...(environment.VK_ADD_DRIVER_FILES ?? '').split(delimiter), ...searchFolders(environment)];
  const manifests = places.filter((place) => place !== '').flatMap(manifestsAt);
  const seen = new Set<string>();
  return manifests.filter((path) => {
    const real = realPath(path);
    if (seen.has(real)) return false;
    seen.add(real);
    return true;
  });
}

function searchFolders(environment: NodeJS.ProcessEnv): string[] {
  const home = environment.HOME || homedir();
  const roots = [
    environment.XDG_CONFIG_HOME || join(home, '.config'),
    ...(environment.XDG_CONFIG_DIRS || '/etc/xdg').split(delimiter),
    '/etc',
    environment.XDG_DATA_HOME || join(home, '.local/share'),
    ...(environment.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(delimiter),
  ];
  return roots.map((root) => join(root, 'vulkan/icd.d'));
}

/** A folder stands for the manifests in it; a file for itself, even when it is missing: the loader will say so. */
function manifestsAt(place: string): string[] {
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory()) {
    return readdirSync(place)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(place, name));
  }
  return place.endsWith('.json') ? [place] : [];
}

function realPath(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) ? realpathSync(path) : path;
}
